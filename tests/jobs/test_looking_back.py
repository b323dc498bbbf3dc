"""After the end: credits that come back late, prices that move, and conflicts that cannot be our own."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from jobs.looking_back import LOOKS_OWED_MAX
from jobs.record import Record
from jobs.steps import Notice, Poll, Wait
from tests.jobs.workbench import (
    INTENT,
    START,
    at,
    events_of,
    folded,
    made_core,
    made_item,
    must_poll,
    must_send,
    refused,
    seen,
)

FAILED = seen(status="failed", final=10, error="generation_failed")
BACK = seen(status="failed", final=0, error="generation_failed")


def failed_and_charged() -> Core:
    core = made_core(made_item(), prices={"m": 10})
    core.create_ended(must_send(core, 0), seen(), at(0))
    core.poll_ended(must_poll(core, 10), FAILED, at(10))
    assert core.state.books.settled == 10
    return core


def ended(final: int | None, *, task_id: str = "task_1", status: str = "failed") -> SendEnd:
    task = TaskSeen(id=task_id, status=status, final_credits=final)
    return SendEnd(phase=Phase.ANSWERED, status=200, task=task)


def test_a_failure_that_was_charged_is_asked_for_again_and_a_refund_is_booked() -> None:
    core = failed_and_charged()

    step = core.poll_ended(must_poll(core, 71), BACK, at(71))

    assert events_of(step) == ["refunded"]
    assert (core.state.books.settled, core.state.books.reserved) == (0, 0)
    assert step.notices[-1] == Notice(name="refund", data={"item": "job/0", "credits": 10})


def test_a_run_does_not_wait_for_credits_that_may_come_back() -> None:
    core = failed_and_charged()

    assert core.finished()
    assert core.next_poll(at(11)) == Wait(until_s=at(70).mono_s)


def test_it_is_asked_for_three_times_and_then_left_alone() -> None:
    core = failed_and_charged()

    for seconds in (71, 700, 4400):
        assert core.poll_ended(must_poll(core, seconds), FAILED, at(seconds)).changes == ()

    assert core.next_poll(at(90_000)) == Wait(until_s=None)


def test_those_that_ended_first_are_asked_for_first_and_of_one_moment_in_their_order() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10})
    sends = [must_send(core, 0) for _ in range(3)]
    for n, send in enumerate(sends):
        core.create_ended(send, seen(f"task_{n}"), at(0))
    polls = {poll.task_id: poll for poll in (must_poll(core, 10) for _ in sends)}
    for n, seconds in ((2, 11), (1, 12), (0, 12)):
        core.poll_ended(polls[f"task_{n}"], seen(f"task_{n}", "failed", final=10), at(seconds))

    asked = []
    for _ in sends:
        look = must_poll(core, 100)
        asked.append(look.task_id)
        core.poll_ended(look, seen(look.task_id, "failed", final=10), at(100))
    assert asked == ["task_2", "task_1", "task_0"]


@pytest.mark.parametrize(
    "answer",
    [
        ended(10),
        ended(12),
        ended(None),
        ended(0, task_id="task_other"),
        ended(0, status="processing"),
        refused(404, "not_found"),
        refused(500),
        SendEnd(phase=Phase.SENT, reason="reset"),
    ],
)
def test_no_credits_come_back_without_an_answer_that_says_so(answer: SendEnd) -> None:
    core = failed_and_charged()

    assert core.poll_ended(must_poll(core, 71), answer, at(71)).changes == ()
    assert core.state.books.settled == 10


def record(*, finished_at_s: float, charge: int) -> Record:
    told = (
        (EventType.INTENT, INTENT),
        (EventType.ACCEPTED, {"task_id": "task_1", "reserved_credits": 10}),
        (EventType.FAILED, {"code": "generation_failed", "charge": charge}),
    )
    made = folded("i1-0", *told)
    assert made.attempt is not None
    return replace(made, attempt=replace(made.attempt, finished_at_s=finished_at_s))


@pytest.mark.parametrize(
    ("age_s", "charge", "asks"), [(3600.0, 10, True), (86_399.0, 10, True), (86_401.0, 10, False), (3600.0, 0, False)]
)
def test_the_next_life_asks_once_more_for_a_day(age_s: float, charge: int, asks: bool) -> None:
    core = made_core(made_item(), records={"i1-0": record(finished_at_s=START - age_s, charge=charge)})

    assert isinstance(core.next_poll(at(0)), Poll) is asks


def test_an_item_that_is_bought_again_is_not_asked_for_by_its_old_task() -> None:
    core = made_core(made_item(), settings={"resubmit_failed": 1}, prices={"m": 10})
    core.create_ended(must_send(core, 0), seen(), at(0))
    core.poll_ended(must_poll(core, 10), FAILED, at(10))
    core.create_ended(must_send(core, 11), seen("task_2"), at(11))

    assert must_poll(core, 100).task_id == "task_2"
    assert core.state.records["i1-0"].state is ItemState.ACCEPTED


def test_an_answer_about_the_old_task_says_nothing_of_the_purchase_that_overtook_it() -> None:
    core = made_core(made_item(), settings={"resubmit_failed": 1}, prices={"m": 10})
    core.create_ended(must_send(core, 0), seen(), at(0))
    core.poll_ended(must_poll(core, 10), FAILED, at(10))
    look = must_poll(core, 71)
    core.create_ended(must_send(core, 71), seen("task_2"), at(71))

    assert core.poll_ended(look, BACK, at(72)).changes == ()
    assert core.state.records["i1-0"].state is ItemState.ACCEPTED


def test_a_run_does_not_end_while_any_of_two_looks_is_under_way() -> None:
    core = made_core(made_item(0), made_item(1), settings={"resubmit_failed": 1}, prices={"m": 10})
    for n in range(2):
        core.create_ended(must_send(core, n * 10), seen(f"task_{n}"), at(n * 10))
        core.poll_ended(must_poll(core, n * 10 + 5), seen(f"task_{n}", "failed", final=10), at(n * 10 + 5))
    other = must_send(core, 90)
    first, second = must_poll(core, 100), must_poll(core, 100)
    core.create_ended(other, refused(400, "validation_failed"), at(100))
    core.poll_ended(first, seen("task_1", "failed", final=10), at(101))

    assert not core.finished()
    core.poll_ended(second, seen("task_1", "failed", final=10), at(101))
    assert core.finished()


def test_looks_that_answers_take_long_for_hold_no_run_that_is_done() -> None:
    """They are as many as are owed, and those on their way by then, and not all that earlier lives left."""
    failed = (EventType.FAILED, {"charge": 10, "final_credits": None, "assumed": True, "code": "x", "message": "y"})
    items = [made_item(n) for n in range(400)]
    records = {
        item.identity: folded(
            item.identity,
            (EventType.INTENT, {**INTENT, "key": f"key {item.index}"}),
            (EventType.ACCEPTED, {"task_id": f"task_{item.index}", "reserved_credits": 10}),
            failed,
        )
        for item in items
    }
    core = made_core(*items, records=records, prices={"m": 10}, books=Books(cap=10**6, settled=4000))
    owed, asked, tenth = len(core.state.owed), 0, 0
    under_way: deque[tuple[int, Poll]] = deque()
    while not core.finished():
        tenth += 1
        if isinstance(poll := core.next_poll(at(tenth / 10)), Poll):
            asked += 1
            under_way.append((tenth + 3, poll))
        while under_way and under_way[0][0] <= tenth:
            poll = under_way.popleft()[1]
            core.poll_ended(poll, seen(poll.task_id, "failed", final=None, reserved=10), at(tenth / 10))

    assert owed == LOOKS_OWED_MAX
    assert asked <= owed + 10


# Prices


def test_a_class_that_costs_another_amount_than_before_is_told_once_a_change() -> None:
    core = made_core(*(made_item(n) for n in range(4)), prices={"m": 10})
    told: list[Notice] = []
    for n, price in enumerate((10, 10, 7, 7)):
        core.create_ended(must_send(core, n), seen(f"task_{n}"), at(n))
        done = seen(f"task_{n}", status="succeeded", final=price)
        told += core.poll_ended(must_poll(core, n + 10), done, at(n + 10)).notices

    drift = [notice.data for notice in told if notice.name == "drift"]
    assert drift == [{"item": "job/2", "price_class": "m", "before": 10, "now": 7}]


def test_a_new_life_looks_once_before_it_ends_and_before_its_budget_does() -> None:
    past = record(finished_at_s=START - 60.0, charge=10)
    core = made_core(made_item(0), made_item(1), books=Books(cap=10, settled=10), records={"i1-0": past})

    assert not core.finished()
    assert isinstance(core.next_create(at(0)), Wait), "what comes back may pay for the next item"
    core.poll_ended(must_poll(core, 0), BACK, at(0))

    assert must_send(core, 1).identity == "i1-1"


def test_a_look_that_is_not_answered_is_not_waited_for_again() -> None:
    core = made_core(made_item(), records={"i1-0": record(finished_at_s=START - 60.0, charge=10)})

    core.poll_ended(must_poll(core, 0), SendEnd(phase=Phase.SENT, reason="reset"), at(0))

    assert core.finished()


def test_no_run_waits_for_more_than_a_hundred_looks() -> None:
    items = [made_item(n) for n in range(130)]
    past = record(finished_at_s=START - 60.0, charge=10)
    core = made_core(*items, records={one.identity: replace(past, identity=one.identity) for one in items})

    assert len(core.state.owed) == 100
