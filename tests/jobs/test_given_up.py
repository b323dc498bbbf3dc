"""What waits to be sent again when buying is over: no run stands still for it, and nothing is bought by it."""

from __future__ import annotations

import pytest

from jobs.answers import SendEnd
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.resending import Resending, Weather
from jobs.steps import Send, Step
from jobs.verdict import Pause, SendPolicy
from tests.jobs.core_steps import OPENED, bought, state_of, waits_s
from tests.jobs.workbench import (
    AMBIGUOUS,
    MONO,
    NOT_SENT,
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

LIMITED = refused(429, "rate_limited", retry_after_s=30)
HOUR_S = 3600.0


def waiting(end: SendEnd = LIMITED) -> Core:
    """One item, whose create is to be sent again after this end."""
    core = made_core(made_item(), prices={"m": 10}, settings={"save_results": False})
    bought(core, 0, end=end)
    assert core.state.slots
    return core


@pytest.mark.parametrize("end", [LIMITED, AMBIGUOUS, NOT_SENT], ids=["limited", "in doubt", "not sent"])
@pytest.mark.parametrize("why", [Pause.CONFIG, Pause.CREATES])
def test_a_pause_that_came_from_elsewhere_leaves_no_create_waiting(why: Pause, end: SendEnd) -> None:
    core = waiting(end)
    core.state.pause(why, "an upload was answered 404")

    assert isinstance(core.next_create(at(1)), Step)
    assert core.finished()
    assert waits_s(core.next_create(at(2))) is None


def test_so_does_one_that_stood_before_the_item_came() -> None:
    core = made_core()
    core.state.pause(Pause.CONFIG, "another worker says so")
    core.admit(made_item(), folded("i1-0", OPENED), at(0))
    core.next_create(at(1))

    assert core.finished()
    assert state_of(core) is ItemState.SUBMITTING, "a later life goes on with it"


@pytest.mark.parametrize("why", [Pause.HALT, Pause.DISK, Pause.VANISHED, Pause.CREDITS])
def test_what_was_only_refused_for_now_is_not_bought_after_all_when_buying_is_over(why: Pause) -> None:
    core = waiting()
    core.state.pause(why, "no more")

    assert isinstance(core.next_create(at(1)), Step)
    assert state_of(core) is ItemState.SUBMITTING, "it left once: a later life looks at it"
    assert core.finished()


@pytest.mark.parametrize("why", [Pause.HALT, Pause.DISK, Pause.VANISHED, Pause.CREDITS])
def test_nor_if_its_turn_came_just_before(why: Pause) -> None:
    core = waiting()
    again = must_send(core, 100)
    core.state.pause(why, "no more")

    assert core.keep_back(again, at(100)) is not None
    assert core.finished()


def test_what_never_left_gives_its_credits_back() -> None:
    core = waiting(NOT_SENT)
    core.state.pause(Pause.HALT, "no more")
    step = core.next_create(at(1))

    assert isinstance(step, Step)
    assert events_of(step) == ["rejected"]
    assert core.state.books.reserved == 0


@pytest.mark.parametrize("why", [Pause.POLLS, Pause.PERSON, Pause.HALT, Pause.DISK, Pause.BUDGET])
def test_a_doubt_is_asked_about_whatever_buying_waits_for(why: Pause) -> None:
    core = waiting(AMBIGUOUS)
    core.state.pause(why, "no more")

    assert core.keep_back(must_send(core, 100), at(100)) is None


def test_a_persons_long_pause_is_no_time_in_which_creates_were_refused() -> None:
    core = waiting()
    core.hold("anna")
    assert waits_s(core.next_create(at(1))) is None
    core.let_go("anna")
    core.create_ended(must_send(core, 7 * HOUR_S), LIMITED, at(7 * HOUR_S))

    assert core.state.pauses == {}


def test_nor_is_it_one_in_which_the_service_was_away() -> None:
    core = waiting(NOT_SENT)
    core.hold("anna")
    assert waits_s(core.next_create(at(1))) is None
    core.let_go("anna")
    core.create_ended(must_send(core, 400), NOT_SENT, at(400))

    assert core.state.pauses == {}


def test_resends_keep_to_their_budget_while_others_are_kept_back() -> None:
    resending = Resending(SendPolicy(), Weather())
    for n in range(40):
        resending.open(f"again {n}", at(0))
        resending[f"again {n}"].tries = 2
        resending.put_off(f"again {n}", MONO)
        resending.open(f"new {n}", at(0))
        resending.put_off(f"new {n}", MONO, needs_place=True)
    while resending.allowed_s(MONO) <= MONO:
        resending.leaves("again 39", MONO)

    taken = []
    while (due_s := resending.due_s(MONO, lambda: MONO)) is not None and due_s <= MONO:
        taken.append(resending.take(MONO))
    assert taken == [f"new {n}" for n in range(40)]


def test_a_task_that_is_found_again_takes_its_place_back() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, settings={"in_flight_max": 1})
    core.create_ended(must_send(core, 0), seen(), at(0))
    core.poll_ended(must_poll(core, 100), refused(404, "not_found"), at(100))
    assert state_of(core) is ItemState.VANISHED
    core.poll_ended(must_poll(core, 200), seen(status="processing"), at(200))

    assert state_of(core) is ItemState.ACCEPTED
    assert not isinstance(core.next_create(at(201)), Send)
    assert not core.finished()
