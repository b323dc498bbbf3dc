"""Several cores that share one budget, by number: what they buy together, whoever is quicker.

Each core stands for a worker; the books they share are played by a few lines that do what the ledger's conditional
update does. Between a decision and its commit, and between a look and its answer, the others go on as they like.

    python -m tests.proof.soak shared --count 1000
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from jobs.answers import SendEnd
from jobs.budget import Books, Shared
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.pacing import Pacer
from jobs.record import Change
from jobs.runstate import BUDGET_EXHAUSTED, CoreSettings
from jobs.steps import Download, Now, Poll, Send, Step, Wait
from jobs.verdict import Pause
from tests.jobs.workbench import AMBIGUOUS, AT_ONCE, NOT_SENT, folded, made_item, refused, seen

__all__ = ["MUST_MEET", "play"]

MUST_MEET: Final = ("looks", "taken_back", "short", "exact", "failed", "rejected", "succeeded")

PRICE: Final = 10
STEPS_MAX: Final = 20_000
UNDER_WAY: Final = (ItemState.SUBMITTING, ItemState.ACCEPTED)


@dataclass(slots=True)
class _Ledger:
    """The books as everybody shares them, and what each attempt holds of them."""

    cap: int
    reserved: int = 0
    settled: int = 0
    held: dict[str, tuple[int, ItemState]] = field(default_factory=dict)  # key -> credits, state
    refusals: int = 0

    def record(self, changes: tuple[Change, ...]) -> bool:
        for change in changes:
            bound = change.delta.reserved
            if change.body is not None and self.reserved + self.settled + bound > self.cap:
                self.refusals += 1
                return False
            self.reserved += change.delta.reserved
            self.settled += change.delta.settled
            if change.record.attempt is not None:
                self.held[change.record.attempt.key] = change.record.attempt.reserved, change.record.state
            assert self.reserved >= 0
            assert self.settled >= 0
            assert self.reserved + self.settled <= self.cap, "the budget holds after every commit"
        return True

    def look(self) -> Shared:
        back = sum(held for held, state in self.held.values() if state in UNDER_WAY)
        return Shared(cap=self.cap, reserved=self.reserved, settled=self.settled, back=back)


class _Worker:
    """One core, and what it is in the middle of: one thing of each is under way at a time, or several."""

    def __init__(self, core: Core, ledger: _Ledger, random: Random, count: Counter[str]) -> None:
        self.core = core
        self.ledger = ledger
        self.random = random
        self.count = count
        self.sends: list[Send] = []  # decided, not durable
        self.posts: list[Send] = []  # under way
        self.polls: list[Poll] = []
        self.asked: list[tuple[Shared, float]] = []  # looks that have no answer yet
        self.tasks = 0

    @property
    def over(self) -> bool:
        return self.core.finished() and not (self.sends or self.posts or self.polls)

    def turn(self, now: Now) -> None:
        moves = [self._create, self._poll]
        moves += [self._commit] * bool(self.sends) + [self._answer] * bool(self.posts) + [self._seen] * bool(self.polls)
        moves += [self._found] * bool(self.asked)
        self.random.choice(moves)(now)
        while isinstance(self.core.next_download(), Download):
            raise AssertionError("results are not saved here")

    def _create(self, now: Now) -> None:
        if len(self.sends) + len(self.posts) > 3:
            return
        answer = self.core.next_create(now)
        if isinstance(answer, Send):
            self.sends.append(answer)
        elif isinstance(answer, Step):
            assert self.ledger.record(answer.changes)
        due_s = self.core.look_due_s()
        if isinstance(answer, Wait) and due_s is not None and due_s <= now.mono_s and not self.asked:
            self.asked.append((self.ledger.look(), now.mono_s))
            self.count["looks"] += 1

    def _found(self, now: Now) -> None:
        self.core.found(*self.asked.pop())

    def _commit(self, now: Now) -> None:
        send = self.sends.pop(self.random.randrange(len(self.sends)))
        if self.ledger.record(send.step.changes):
            self.posts.append(send)
            return
        self.count["taken_back"] += 1
        self.core.take_back(send, now)
        self.core.found(self.ledger.look(), now.mono_s)

    def _answer(self, now: Now) -> None:
        send = self.posts.pop(self.random.randrange(len(self.posts)))
        step = self.core.create_ended(send, self._end(send), now)
        assert self.ledger.record(step.changes)

    def _end(self, send: Send) -> SendEnd:
        luck = self.random.random()
        if luck < 0.1:
            return AMBIGUOUS
        if luck < 0.15:
            return NOT_SENT
        if luck < 0.2:
            self.count["rejected"] += 1
            return refused(400, "validation_failed")
        return seen(f"task-{send.key}", reserved=PRICE)

    def _poll(self, now: Now) -> None:
        answer = self.core.next_poll(now)
        if isinstance(answer, Poll):
            self.polls.append(answer)

    def _seen(self, now: Now) -> None:
        poll = self.polls.pop(self.random.randrange(len(self.polls)))
        luck = self.random.random()
        end = seen(poll.task_id, "processing", reserved=PRICE)
        if luck < 0.2:
            self.count["failed"] += 1
            end = seen(poll.task_id, "failed", final=0, error="model_error")
        elif luck < 0.6:
            self.count["succeeded"] += 1
            end = seen(poll.task_id, "succeeded", final=PRICE)
        assert self.ledger.record(self.core.poll_ended(poll, end, now).changes)


def play(number: int) -> Mapping[str, int]:
    """Two to four workers, some items each, a budget for some of them. Raises when a credit too many or few is used."""
    random, count = Random(number), Counter[str]()
    ledger = _Ledger(cap=PRICE * random.randrange(1, 30) + random.randrange(PRICE))
    skips = "skip" if random.random() < 0.5 else "stop"
    workers = []
    items = [made_item(n, base=PRICE) for n in range(random.randrange(2, 40))]
    crew = random.randrange(2, 5)
    for n in range(crew):
        settings = CoreSettings(account="a", scope="run", in_flight_max=8, on_exhausted=skips, save_results=False)
        core = Core(
            settings,
            books=Books(cap=ledger.cap + random.choice((0, 0, 50)), shared=ledger.look()),  # lowered, and not heard of
            prices={"m": PRICE},
            creates=Pacer("creates", AT_ONCE),
            polls=Pacer("polls", AT_ONCE),
        )
        workers.append(_Worker(core, ledger, random, count))
        for item in items[n::crew]:
            core.admit(item, folded(item.identity), Now(0.0, 1e6))
    _run(workers, random)
    bought = sum(len(w.core.state.items) for w in workers) - sum(_unbought(w) for w in workers)
    left = ledger.cap - ledger.reserved - ledger.settled
    assert all(w.core.state.pauses.keys() <= {Pause.BUDGET} for w in workers)
    unbought = sum(_unbought(w) for w in workers)
    assert not unbought or left < PRICE, f"{unbought} items were left, and {left} credits of {ledger.cap}"
    if not (count["failed"] or count["rejected"]):
        assert bought == min(len(items), ledger.cap // PRICE), "exactly what the budget allows"
        count["exact"] += 1
    count["short"] += bool(unbought)
    count["refused"] += ledger.refusals
    return count


def _unbought(worker: _Worker) -> int:
    """Items that the budget kept from being bought; what is refused too often is left for its own reason."""
    records = worker.core.state.records.values()
    assert not any(record.state is ItemState.PLANNED for record in records)
    return sum(record.error_code == BUDGET_EXHAUSTED for record in records)


def _run(workers: list[_Worker], random: Random) -> None:
    mono_s = 0.0
    for _ in range(STEPS_MAX):
        mono_s += random.choice((0.0, 0.01, 0.3))
        alive = [worker for worker in workers if not worker.over]
        if not alive:
            break
        random.choice(alive).turn(Now(mono_s, 1e6 + mono_s))
    else:
        raise AssertionError("the workers wait for each other")
    for worker in workers:
        assert worker.ledger.record(worker.core.leave_unbought(Now(mono_s, 1e6 + mono_s)).changes)
