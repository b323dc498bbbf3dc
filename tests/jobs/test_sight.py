"""Creates work and statuses do not: buying waits until somebody can see again what was bought."""

from __future__ import annotations

import math

import pytest

from jobs.answers import Phase, SendEnd
from jobs.budget import Books
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.outcome import exit_code
from jobs.rates import Rate
from jobs.sight import GONE_MAX, Sight
from jobs.steps import Notice, Send, Step, Wait
from jobs.verdict import Pause
from jobs.waiting import On, queued, slowest
from tests.jobs.core_steps import bought
from tests.jobs.workbench import AMBIGUOUS, MONO, at, made_core, made_item, must_poll, must_send, refused, seen

S = ItemState
HOUR_S = 3600.0
UNREACHABLE = SendEnd(phase=Phase.NOT_SENT, reason="no route")
DEAD = [refused(500), refused(503), refused(429, "rate_limited"), AMBIGUOUS, UNREACHABLE]
WORDS = ["500", "503", "429", "reset", "no route"]


class Play:
    """A run whose creates always work; statuses are the truth, 30 s of work, or none.

    `lost`: last digits of the tasks that have none, while nobody has.
    """

    def __init__(self, items: int, *, lost: str = "0123456789", **settings: object) -> None:
        self.lost = lost
        self.core: Core = made_core(
            *(made_item(n) for n in range(items)),
            settings={"in_flight_max": 1000, "save_results": False, **settings},
            books=Books(cap=None),
            prices={"m": 10},
            creates=Rate(count=1, window_s=20.0),
        )
        self.now_s = 0.0
        self.sent_s: list[float] = []
        self.notices: list[tuple[float, Notice]] = []
        self.born_s: dict[str, float] = {}

    def run(self, until_s: float, *, dead: SendEnd, from_s: float, to_s: float) -> Play:
        while self.now_s < until_s and not self.core.finished():
            wakes = [self._create(), self._poll(dead, from_s, to_s), self._stall()]
            self.now_s = min(until_s, max(self.now_s + 0.001, min(wakes)))
        return self

    def _create(self) -> float:
        answer = self.core.next_create(at(self.now_s))
        if isinstance(answer, Send):
            self.sent_s.append(self.now_s)
            task = f"task_{answer.identity}"
            self.born_s[task] = self.now_s
            self._tell(self.core.create_ended(answer, seen(task), at(self.now_s)))
            return self.now_s
        if isinstance(answer, Step):
            self._tell(answer)
            return self.now_s
        return _moment_s(answer)

    def _poll(self, dead: SendEnd, from_s: float, to_s: float) -> float:
        answer = self.core.next_poll(at(self.now_s))
        if isinstance(answer, Wait):
            return _moment_s(answer)
        end = dead
        if not (from_s <= self.now_s < to_s and answer.task_id[-1] in self.lost):
            over = self.now_s - self.born_s[answer.task_id] >= 30.0
            end = seen(answer.task_id, "succeeded", final=10) if over else seen(answer.task_id, "processing")
        self._tell(self.core.poll_ended(answer, end, at(self.now_s)))
        return self.now_s

    def _stall(self) -> float:
        answer = self.core.overdue(at(self.now_s))
        if isinstance(answer, Step):
            self._tell(answer)
            return self.now_s
        return _moment_s(answer)

    def _tell(self, step: Step) -> None:
        self.notices += [(self.now_s, notice) for notice in step.notices if notice.name in ("paused", "resumed")]

    @property
    def states(self) -> set[ItemState]:
        return {record.state for record in self.core.state.records.values()}


def _moment_s(wait: Wait) -> float:
    return math.inf if wait.until_s is None else wait.until_s - MONO


@pytest.mark.parametrize("dead", DEAD, ids=WORDS)
def test_after_ten_minutes_without_a_status_nothing_new_is_bought_until_one_is_answered(dead: SendEnd) -> None:
    play = Play(150).run(4 * HOUR_S, dead=dead, from_s=100.0, to_s=3 * HOUR_S)

    blind = [sent_s for sent_s in play.sent_s if 100.0 <= sent_s < 3 * HOUR_S]
    assert 30 <= len(blind) < 38, "what is bought in little more than ten minutes"
    assert max(blind) < 800.0
    back_s = min(sent_s for sent_s in play.sent_s if sent_s >= 3 * HOUR_S)
    assert back_s < 3 * HOUR_S + 70.0, "the first look that is answered is enough"
    assert [notice.name for _, notice in play.notices] == ["paused", "resumed"]
    assert play.core.finished()
    assert play.states == {S.SUCCEEDED}, "also what had stalled meanwhile"


def test_when_every_task_is_gone_no_more_are_bought_after_them() -> None:
    play = Play(150).run(4 * HOUR_S, dead=refused(404), from_s=100.0, to_s=math.inf)

    gone = [state.state for state in play.core.state.records.values()].count(S.VANISHED)
    assert gone < GONE_MAX + 5, "the tenth, and what was bought while it was not sure yet"
    assert [notice.data["why"] for _, notice in play.notices] == ["vanished"]
    assert play.core.finished()
    told = play.core.state.pauses[Pause.VANISHED]
    assert told == "the service answers 404 for 10 tasks that it had accepted, and shows none; they count as spent"
    assert exit_code(play.core.state.records.values(), pauses=play.core.state.pauses) == 7


def test_tasks_that_are_gone_among_others_do_not_end_buying() -> None:
    play = Play(150, lost="13579").run(4 * HOUR_S, dead=refused(404), from_s=100.0, to_s=math.inf)

    gone = [state.state for state in play.core.state.records.values()].count(S.VANISHED)
    assert gone > 5 * GONE_MAX
    assert play.notices == []


def test_the_pause_says_what_is_wrong_and_what_ends_it() -> None:
    play = Play(150).run(1000.0, dead=refused(502), from_s=100.0, to_s=math.inf)

    (at_s, paused), told = play.notices[0], play.core.state.pauses
    assert 700.0 < at_s < 800.0
    assert paused.data["why"] == "polls"
    assert told[Pause.POLLS] == paused.data["reason"]
    assert told[Pause.POLLS].startswith("no status of a task was answered for 10m")
    assert told[Pause.POLLS].endswith("(last: HTTP 502); buying goes on when one is")


@pytest.mark.parametrize("dead", DEAD, ids=WORDS)
def test_a_short_outage_of_statuses_stops_no_create(dead: SendEnd) -> None:
    play = Play(75).run(2 * HOUR_S, dead=dead, from_s=100.0, to_s=600.0)

    assert play.notices == []
    assert play.sent_s[-1] < 1600.0


def test_polls_that_are_only_scarce_stop_no_create() -> None:
    play = Play(100, in_flight_max=50)
    play.core.pacers[1].set_rate(Rate(count=4, window_s=HOUR_S), MONO)
    play.run(2500.0, dead=refused(500), from_s=math.inf, to_s=math.inf)

    assert play.notices == []
    assert 50 <= len(play.sent_s) <= 53, "the places of tasks that nobody looked at are kept"


def test_one_task_whose_status_alone_is_broken_stops_no_create() -> None:
    play = Play(1)
    play.run(2 * HOUR_S, dead=refused(429, "rate_limited"), from_s=0.0, to_s=math.inf)

    assert play.notices == []


def test_a_service_that_wants_to_be_left_alone_for_long_is_not_bought_from_meanwhile() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    bought(core)
    core.poll_ended(must_poll(core, 10), refused(429, "rate_limited", retry_after_s=1800.0), at(10))

    assert isinstance(core.next_create(at(11)), Wait)
    assert core.state.pauses[Pause.POLLS].startswith("the service wants no status to be asked for 30m")
    core.poll_ended(must_poll(core, 1900), seen("task_0", "processing"), at(1900))
    assert must_send(core, 1900).identity == "i1-1"


def test_a_404_is_an_answer_to_a_status() -> None:
    play = Play(150, lost="0").run(2000.0, dead=refused(404, "not_found"), from_s=0.0, to_s=math.inf)

    assert play.notices == [], "nobody is blind who sees nine of ten"
    core = Play(60).run(2000.0, dead=refused(404, "not_found"), from_s=0.0, to_s=math.inf).core
    assert set(core.state.pauses) == {Pause.VANISHED}, "of those that are gone somebody knows"


def test_a_task_that_is_gone_ends_the_wait_for_a_status_too() -> None:
    core = made_core(*(made_item(n) for n in range(2)), prices={"m": 10}, settings={"save_results": False})
    bought(core)
    core.poll_ended(must_poll(core, 10), refused(429, "rate_limited", retry_after_s=1800.0), at(10))

    core.poll_ended(must_poll(core, 1900), refused(404, "not_found"), at(1900))

    assert core.state.pauses == {}
    assert must_send(core, 1900).identity == "i1-1"


def test_a_run_waits_for_statuses_as_long_as_for_creates_and_then_ends() -> None:
    play = Play(150).run(10 * HOUR_S, dead=refused(503), from_s=100.0, to_s=math.inf)

    assert play.core.finished()
    assert 6.0 * HOUR_S < play.now_s < 6.2 * HOUR_S
    assert Pause.NETWORK in play.core.state.pauses
    assert play.states == {S.SUCCEEDED, S.STALLED, S.PLANNED}
    assert exit_code(play.core.state.records.values(), pauses=play.core.state.pauses) == 7


def test_a_run_with_nothing_left_to_buy_does_not_wait_for_statuses_that_nobody_answers() -> None:
    play = Play(32).run(10 * HOUR_S, dead=refused(429, "rate_limited"), from_s=50.0, to_s=math.inf)

    assert play.core.finished()
    assert play.now_s < 2200.0, "the last task stalls twenty minutes after it was accepted"


def test_what_stalled_before_the_pause_frees_its_place_with_it() -> None:
    play = Play(30, item_timeout_s=300.0).run(HOUR_S, dead=refused(429, "rate_limited"), from_s=20.0, to_s=math.inf)

    assert play.core.finished()
    assert play.now_s < 1000.0


def test_one_answered_status_among_many_that_are_not_is_enough() -> None:
    sight = Sight()
    for seconds in range(0, 6000, 20):
        sight.in_vain(f"task {seconds}", seconds)
        if seconds % 500 == 0:
            sight.seen(is_there=True)
        assert sight.trouble(seconds, seconds) is None


def test_what_waits_for_a_status_says_so() -> None:
    play = Play(150).run(1000.0, dead=refused(429, "rate_limited"), from_s=100.0, to_s=math.inf)

    (waits,) = queued(play.core, at(1000))
    assert (waits.on, waits.items) == (On.STATUS, 150 - len(play.sent_s))
    assert waits.why == play.core.state.pauses[Pause.POLLS]


def two_tasks_unseen(third: SendEnd | None = None) -> Core:
    """Two tasks whose statuses are refused. `third`: how the create of a third one ended."""
    core = made_core(*(made_item(n) for n in range(4)), prices={"m": 10})
    bought(core, 0)
    bought(core, 1)
    if third is not None:
        core.create_ended(must_send(core, 5), third, at(5))
    for seconds in (10, 650):
        polls = [must_poll(core, seconds), must_poll(core, seconds + 40)]
        for poll in polls:
            core.poll_ended(poll, refused(429, "rate_limited"), at(seconds + 41))
    assert Pause.POLLS in core.state.pauses
    return core


def test_a_create_that_would_make_a_task_waits_too_and_one_that_may_have_made_it_does_not() -> None:
    core = two_tasks_unseen(refused(429, "rate_limited"))

    assert isinstance(core.next_create(at(800)), Wait)
    (waits,) = [one for one in slowest(core, at(800), limit=9, why_again=lambda _: "") if one.item == "job/2"]
    assert waits.on is On.STATUS
    core.poll_ended(poll := must_poll(core, 900), seen(poll.task_id, "processing"), at(900))
    send = must_send(core, 900)
    assert send.identity == "i1-2"

    assert must_send(two_tasks_unseen(AMBIGUOUS), 800).identity == "i1-2"


def test_a_create_that_was_decided_on_is_kept_back_until_a_status_is_answered() -> None:
    core = two_tasks_unseen()
    core.poll_ended(poll := must_poll(core, 800), seen(poll.task_id, "processing"), at(800))
    send = must_send(core, 800)
    poll = must_poll(core, 900)
    core.poll_ended(poll, refused(429, "rate_limited", retry_after_s=1800.0), at(900))

    assert core.keep_back(send, at(900)) is not None
    assert core.state.records[send.identity].state is S.SUBMITTING
    core.poll_ended(poll := must_poll(core, 2800), seen(poll.task_id, "processing"), at(2800))
    assert must_send(core, 2800).key == send.key
