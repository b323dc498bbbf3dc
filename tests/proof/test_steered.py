"""Whatever somebody at the controls does, what is held and spent stays within the budget that holds."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobs.budget import Books
from jobs.core import Core
from jobs.steering import Dial, turned
from jobs.steps import Poll, Send, Step
from tests.jobs.workbench import AMBIGUOUS, NOT_SENT, at, made_core, made_item, refused, seen
from tests.proof.audit import Auditor
from tests.proof.soak import play_range
from tests.proof.steered import MUST_MEET

CREDITS = st.integers(0, 120)


def test_somebody_who_turns_everything_at_any_moment_breaks_no_limit() -> None:
    met = play_range("steered", 0, 40)

    assert [what for what in MUST_MEET if not met[what]] == []


class Controls(RuleBasedStateMachine):
    """A core whose budget is moved between any two of its steps. The auditor knows only what became durable."""

    @initialize(
        cap=st.none() | CREDITS,
        on_exhausted=st.sampled_from(["stop", "skip"]),
        bases=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    )
    def begin(self, cap: int | None, on_exhausted: str, bases: list[int]) -> None:
        items = [made_item(n, price_class=f"m{n % 3}", base=base) for n, base in enumerate(bases)]
        self.core: Core = made_core(*items, settings={"on_exhausted": on_exhausted}, books=Books(cap=cap))
        self.auditor = Auditor(caps={"run": cap})
        self.seconds = 0.0
        self.sends: list[Send] = []
        self.polls: list[Poll] = []
        self.tasks = 0

    def durable(self, step: Step) -> None:
        for change in step.changes:
            event, attempt = change.event, change.record.attempt
            key = attempt.key if attempt else None
            self.auditor.committed(event.identity, event.type.value, event.data, key=key, body=change.body)

    @rule(seconds=st.sampled_from([0.1, 5.0, 100.0]))
    def ask(self, seconds: float) -> None:
        self.seconds += seconds
        answer = self.core.next_create(at(self.seconds))
        if isinstance(answer, Send):
            self.durable(answer.step)
            self.auditor.left(answer.key, self.auditor.purchases[answer.key].body or b"")
            self.sends.append(answer)
        elif isinstance(answer, Step):
            self.durable(answer)
        poll = self.core.next_poll(at(self.seconds))
        if isinstance(poll, Poll):
            self.polls.append(poll)

    @precondition(lambda self: self.sends)
    @rule(
        n=st.integers(0, 99),
        how=st.sampled_from(["taken", "taken", "refused", "lost", "unsent"]),
        dearer=st.integers(0, 9),
    )
    def create_ends(self, n: int, how: str, dearer: int) -> None:
        send = self.sends.pop(n % len(self.sends))
        end = {"refused": refused(400, "validation_failed"), "lost": AMBIGUOUS, "unsent": NOT_SENT}.get(how)
        if end is None:
            self.tasks += 1
            bound = self.auditor.purchases[send.key].bound
            end = seen(f"task_{self.tasks}", reserved=bound + max(0, dearer - 6))
            self.auditor.made(send.key, f"task_{self.tasks}")
        self.durable(self.core.create_ended(send, end, at(self.seconds)))

    @precondition(lambda self: self.polls)
    @rule(n=st.integers(0, 99), final=st.integers(1, 45), failed=st.booleans())
    def task_ends(self, n: int, final: int, failed: bool) -> None:
        poll = self.polls.pop(n % len(self.polls))
        status = "failed" if failed else "succeeded"
        end = seen(poll.task_id, status, reserved=None, final=0 if failed else final, error="no" if failed else None)
        self.durable(self.core.poll_ended(poll, end, at(self.seconds)))

    @rule(cap=CREDITS)
    def tune_budget(self, cap: int) -> None:
        change = turned(Dial.BUDGET, before=self.core.dial(Dial.BUDGET), asked=cap, ceiling=None)
        self.core.retune(change, at(self.seconds), "wanda")
        self.auditor.allowed("run", cap)

    @rule(places=st.integers(1, 4))
    def tune_places(self, places: int) -> None:
        change = turned(Dial.IN_FLIGHT, before=self.core.dial(Dial.IN_FLIGHT), asked=places, ceiling=None)
        self.core.retune(change, at(self.seconds), "wanda")

    @rule(pause=st.booleans())
    def hold(self, pause: bool) -> None:
        self.core.hold("wanda") if pause else self.core.let_go("wanda")

    @invariant()
    def the_books_are_the_auditors(self) -> None:
        books = self.core.state.books
        assert (books.reserved, books.settled) == (self.auditor.reserved["run"], self.auditor.settled["run"])
        assert min(books.reserved, books.settled) >= 0

    def teardown(self) -> None:
        if hasattr(self, "core"):
            self.durable(self.core.leave_unbought(at(self.seconds)))
            self.auditor.finished()


TestControls = Controls.TestCase
TestControls.settings = settings(max_examples=60, stateful_step_count=40)
