"""The timeout of a task is over when its time is over, whatever becomes of the looks at it."""

from __future__ import annotations

import pytest

from jobs.answers import SendEnd
from jobs.budget import Books
from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from jobs.steps import Now, Step
from jobs.verdict import Pause
from jobs.watching import STALLED_AT_ONCE_MAX, TIMED_SPARE
from tests.jobs.core_steps import ACCEPTED, OPENED, bought, state_of, waits_s
from tests.jobs.workbench import AMBIGUOUS, at, events_of, folded, made_core, made_item, must_poll, must_send, seen

S, E = ItemState, EventType


def must_stall(core: Core, seconds: float) -> Step:
    """The step that the core gives when the time of tasks is over."""
    answer = core.overdue(at(seconds))
    assert isinstance(answer, Step), answer
    return answer


def test_a_task_stalls_at_its_moment_while_a_look_at_it_is_under_way_and_keeps_its_credits_and_its_place() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, settings={"in_flight_max": 1})
    bought(core)
    look = must_poll(core, 1190)

    assert waits_s(core.overdue(at(1199.9))) == 1200.0
    step = must_stall(core, 1200)

    assert events_of(step) == ["stalled"]
    reason = step.changes[0].event.data["reason"]
    assert reason == "no end 20 min after it was accepted (limits.timeout); it may still finish"
    assert (state_of(core), core.state.books.reserved, core.finished()) == (S.STALLED, 10, False)
    assert waits_s(core.next_create(at(1201))) is None, "nobody has looked: perhaps it ended long ago"
    core.poll_ended(look, seen("task_0", "succeeded", final=7), at(1230))
    assert (state_of(core), core.state.books.settled) == (S.SUCCEEDED, 7)


@pytest.mark.parametrize("end", [seen("task_0", "processing"), AMBIGUOUS], ids=["runs", "unanswered"])
def test_one_look_more_frees_its_place(end: SendEnd) -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, settings={"in_flight_max": 1})
    bought(core)
    look = must_poll(core, 1190)
    must_stall(core, 1200)
    step = core.poll_ended(look, end, at(1230))

    assert events_of(step) == [], "it has stalled already"
    assert must_send(core, 1230).identity == "i1-1"


def test_a_task_is_looked_at_when_its_time_is_over() -> None:
    core = made_core(made_item())
    bought(core)
    core.poll_ended(must_poll(core, 1190), seen("task_0", "processing"), at(1190))

    assert waits_s(core.next_poll(at(1191))) == pytest.approx(1200.0)


def test_the_next_moment_is_that_of_the_next_task_that_is_still_watched() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10})
    for n in range(3):
        bought(core, n, seconds=10.0 * n)
    look = must_poll(core, 25)
    core.poll_ended(look, seen(look.task_id, "succeeded", final=10), at(25))
    first = next(n for n in range(3) if state_of(core, n) is S.ACCEPTED)

    assert waits_s(core.overdue(at(30))) == 1200.0 + 10.0 * first


def test_with_nothing_to_watch_a_whole_timeout_is_waited() -> None:
    core = made_core(made_item())

    assert waits_s(core.overdue(at(30))) == 1230.0


def test_what_was_bought_again_has_a_time_of_its_own() -> None:
    core = made_core(made_item(), prices={"m": 10}, settings={"resubmit_failed": 1})
    bought(core)
    core.poll_ended(must_poll(core, 500), seen("task_0", "failed", final=0), at(500))
    core.create_ended(must_send(core, 501), seen("task_1"), at(501))

    assert waits_s(core.overdue(at(600))) == 1701.0
    assert events_of(must_stall(core, 1701)) == ["stalled"]


def test_what_an_earlier_life_left_is_looked_at_before_its_time_is_up() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED)})
    assert waits_s(core.overdue(Now(at(0).mono_s, at(0).wall_s + 9000.0))) == 1200.0

    look = must_poll(core, 0)
    core.poll_ended(look, AMBIGUOUS, at(1))
    assert state_of(core) is S.ACCEPTED, "accepted a moment ago by this clock"
    assert events_of(must_stall(core, 1200)) == ["stalled"]


def test_a_thousand_tasks_stall_in_several_commits() -> None:
    core = made_core(
        *(made_item(n) for n in range(1000)),
        books=Books(cap=None),
        prices={"m": 10},
        settings={"in_flight_max": 1000},
    )
    for n in range(1000):
        bought(core, n)

    sizes = []
    while isinstance(step := core.overdue(at(1200)), Step):
        sizes.append(len(step.changes))
    assert (sum(sizes), max(sizes)) == (1000, STALLED_AT_ONCE_MAX)


def test_tasks_that_ended_are_not_remembered_until_their_time_would_be_over() -> None:
    core = made_core(*(made_item(n) for n in range(500)), books=Books(cap=None), prices={"m": 10})
    for n in range(500):
        bought(core, n, seconds=float(n))
        core.poll_ended(must_poll(core, n + 3.0), seen(f"task_{n}", "succeeded", final=10), at(n + 3.0))

    assert len(core.watching._timed) <= TIMED_SPARE + 2


@pytest.mark.parametrize("pause", [Pause.AUTH, Pause.NETWORK])
def test_a_run_that_asks_no_more_leaves_its_tasks_as_they_are(pause: Pause) -> None:
    core = made_core(made_item())
    bought(core)
    core.state.pause(pause, "over")

    assert waits_s(core.overdue(at(5000))) is None
    assert core.finished()


def test_a_task_that_vanished_and_came_back_too_late_stalls_with_the_look() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED, (E.VANISHED, {}))})
    assert waits_s(core.overdue(at(1300))) == 2500.0
    step = core.poll_ended(must_poll(core, 1300), seen("task_1", "processing"), at(1300))

    assert events_of(step) == ["seen", "stalled"]
