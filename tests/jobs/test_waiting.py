"""What items wait for: one table of situations, each made by the core itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.answers import SendEnd
from jobs.budget import Books
from jobs.core import Core
from jobs.rates import Rate
from jobs.verdict import Pause
from jobs.waiting import On, Queued, Waiting, queued, slowest
from tests.jobs.workbench import AMBIGUOUS, at, made_core, made_item, must_poll, must_send, refused, seen


def told(core: Core, seconds: float, *, limit: int = 5, why: str = "") -> tuple[Waiting, ...]:
    return slowest(core, at(seconds), limit=limit, why_again=lambda _: why)


def bought(core: Core, seconds: float = 0.0, end: SendEnd | None = None, task: str = "task_1") -> None:
    core.create_ended(must_send(core, seconds), end or seen(task), at(seconds))


def test_a_create_under_way_waits_for_its_answer() -> None:
    core = made_core(made_item())
    must_send(core, 0)

    assert told(core, 3) == (Waiting(item="job/0", age_s=3.0, on=On.ANSWER),)


def test_a_create_that_went_badly_waits_for_its_resend_and_says_why() -> None:
    core = made_core(made_item())
    bought(core, end=refused(503, retry_after_s=30.0))
    (waiting,) = told(core, 2, why="HTTP 503")

    assert waiting.on is On.RESEND
    assert waiting.for_s == pytest.approx(28.0, abs=3.0)
    assert waiting.why == "HTTP 503"


def test_a_create_that_may_leave_again_waits_for_the_limiter() -> None:
    core = made_core(made_item())
    bought(core, end=AMBIGUOUS)
    creates = core.pacers[0]
    creates.refused(creates.leave(at(1).mono_s), at(1).mono_s, wait_s=40.0, reason="HTTP 429")
    (waiting,) = told(core, 21)

    assert waiting.on is On.CREATES
    assert waiting.for_s == pytest.approx(20.0)


def test_after_a_refused_key_a_create_is_left_to_the_next_run() -> None:
    core = made_core(made_item())
    bought(core, end=AMBIGUOUS)
    core.state.pause(Pause.AUTH, "the key was refused")

    assert [one.on for one in told(core, 5)] == [On.NEXT_LIFE]


def test_a_task_is_generating_until_it_is_looked_at_and_while_it_is() -> None:
    core = made_core(made_item())
    bought(core)
    (before,) = told(core, 1)
    must_poll(core, 5)
    (asked,) = told(core, 6)

    assert (before.on, before.age_s) == (On.GENERATION, 1.0)
    assert before.for_s == pytest.approx(1.1)
    assert (asked.on, asked.for_s) == (On.GENERATION, None)


@pytest.mark.parametrize(("seconds", "on"), [(4.0, On.GENERATION), (8.0, On.POLLS)])
def test_a_look_that_is_late_waits_for_the_limiter_of_polls(seconds: float, on: On) -> None:
    core = made_core(made_item())
    bought(core)
    polls = core.pacers[1]
    polls.refused(polls.leave(at(0).mono_s), at(0).mono_s, wait_s=seconds, reason="HTTP 429")

    assert told(core, 3)[0].on is on


def test_how_long_a_class_usually_takes_is_told_with_what_was_seen_of_it() -> None:
    core = made_core(made_item())
    bought(core)
    assert told(core, 1)[0].usual_s is None
    core.state.polling.recall("m", [(0.98 * took_s, took_s) for took_s in (10.0, 11.0, 12.0, 13.0, 50.0)])
    usual_s = told(core, 1)[0].usual_s

    assert usual_s is not None
    assert 7.0 < usual_s[0] < 11.0
    assert 13.0 < usual_s[1] < 60.0


def test_a_result_that_is_being_saved_is_a_download() -> None:
    core = made_core(made_item())
    bought(core)
    core.poll_ended(must_poll(core, 5), seen(status="succeeded", final=10, urls=("u1", "u2")), at(5))
    assert told(core, 6) == ()
    core.next_download()
    core.next_download()

    assert told(core, 7) == (Waiting(item="job/0", age_s=7.0, on=On.DOWNLOAD),)


def test_the_slowest_come_first_and_no_more_than_were_asked_for() -> None:
    core = made_core(*map(made_item, range(9)), prices={"m": 10})
    for second in range(9):
        bought(core, float(second), task=f"task_{second}")

    assert [one.item for one in told(core, 20, limit=3)] == ["job/0", "job/1", "job/2"]


def stopped(core: Core) -> None:
    core.stop()


def test_of_a_run_that_stops_only_what_is_still_due_is_told() -> None:
    core = made_core(*map(made_item, range(4)), prices={"m": 10})
    bought(core, task="task_0")
    bought(core, end=AMBIGUOUS)
    must_send(core, 0.5)
    core.stop()

    assert [one.item for one in told(core, 1)] == ["job/2"]


def unpriced(core: Core) -> None:
    must_send(core, 0)


def full(core: Core) -> None:
    bought(core, task="task_0")
    bought(core, task="task_1")


def held(core: Core) -> None:
    bought(core, task="task_0")


def badly(core: Core) -> None:
    for second in (0, 5, 15):
        core.create_ended(must_send(core, second), AMBIGUOUS, at(second))


def nothing(_: Core) -> None:
    pass


def paused(core: Core) -> None:
    core.state.pause(Pause.HALT, "3 items failed")


def held_by_a_person(core: Core) -> None:
    core.state.pause(Pause.PERSON, "anna paused the run")


@pytest.mark.parametrize(
    ("prices", "cap", "do", "found"),
    [
        ({"m": 10}, 1000, nothing, Queued(items=4, on=On.CREATES, for_s=0.0, why="60,000,000,000,000,000/min")),
        ({}, 1000, unpriced, Queued(items=3, on=On.PRICE)),
        ({"m": 10}, 1000, full, Queued(items=2, on=On.PLACE, why="2 of 2 taken")),
        ({"m": 10}, 15, held, Queued(items=3, on=On.BUDGET, why="10 credits are held")),
        ({"m": 10}, 1000, stopped, Queued(items=4, on=On.PAUSE, why="the run is stopping")),
        ({"m": 10}, 1000, paused, Queued(items=4, on=On.PAUSE, why="3 items failed")),
        ({"m": 10}, 1000, held_by_a_person, Queued(items=4, on=On.RESUME, why="anna paused the run")),
    ],
)
def test_what_keeps_the_rest_from_being_bought(
    prices: dict[str, int], cap: int, do: Callable[[Core], None], found: Queued
) -> None:
    core = made_core(*map(made_item, range(4)), settings={"in_flight_max": 2}, books=Books(cap=cap), prices=prices)
    do(core)

    assert queued(core, at(20)) == (found,)


def test_after_bad_answers_the_rest_waits_for_the_service() -> None:
    core = made_core(*map(made_item, range(4)), settings={"in_flight_max": 3}, prices={"m": 10})
    badly(core)
    (found,) = queued(core, at(15))

    assert (found.on, found.why) == (On.SERVICE, "3 bad answers in a row")
    assert found.for_s is not None
    assert found.for_s > 0


def test_items_without_their_references_are_told_apart_from_the_others() -> None:
    core = made_core(made_item(0, references=1), made_item(1, references=1), made_item(2), prices={"m": 10})

    assert [(one.items, one.on) for one in queued(core, at(0))] == [(2, On.UPLOAD), (1, On.CREATES)]


def test_a_purchase_waits_for_its_slot_in_the_rate() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    core.pacers[0].rate = Rate(count=1, window_s=60.0)
    bought(core)
    (found,) = queued(core, at(20))

    assert (found.on, found.why) == (On.CREATES, "1/min")
    assert found.for_s == pytest.approx(40.0)


def test_when_nothing_is_left_nothing_waits() -> None:
    core = made_core()

    assert queued(core, at(0)) == ()
    assert told(core, 0) == ()
