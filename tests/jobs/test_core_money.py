"""The core on its own, and its books: what is held, what is settled, and what may be bought again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.answers import SendEnd
from jobs.budget import Books
from jobs.lifecycle import EventType, ItemState
from jobs.steps import Send, Step
from jobs.verdict import Pause
from tests.jobs.core_steps import ACCEPTED, OPENED, SUCCEEDED, bought, poll_ended, state_of, waits_s
from tests.jobs.workbench import (
    INTENT,
    at,
    events_of,
    folded,
    made_core,
    made_item,
    must_send,
    refused,
    seen,
)

E, S = EventType, ItemState


def test_the_next_item_that_can_never_fit_stops_buying() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, books=Books(cap=15))
    bought(core, 0)
    assert waits_s(core.next_create(at(1))) is None
    assert not core.state.pauses  # what the first one holds may come back

    poll_ended(core, seen("task_0", "succeeded", final=10))
    assert isinstance(core.next_create(at(10)), Step)
    assert Pause.BUDGET in core.state.pauses
    assert core.finished()
    assert events_of(core.leave_unbought(at(10))) == ["skipped"]


def test_a_refund_lets_the_next_item_go() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, books=Books(cap=15))
    bought(core, 0)
    assert waits_s(core.next_create(at(1))) is None
    poll_ended(core, seen("task_0", "failed", final=0))

    assert must_send(core, 10).identity == "i1-1"


def test_credits_held_by_doubt_alone_are_waited_for_by_nobody() -> None:
    core = made_core(
        made_item(0),
        made_item(1),
        prices={"m": 10},
        books=Books(cap=15, reserved=10),
        records={"i1-0": folded("i1-0", OPENED, (E.UNCERTAIN, {"reason": "?"}))},
    )

    assert isinstance(core.next_create(at(0)), Step)
    assert core.finished()


def test_on_exhausted_skip_goes_on_with_cheaper_ones() -> None:
    core = made_core(
        made_item(0, price_class="dear", base=30),
        made_item(1, price_class="cheap", base=5),
        books=Books(cap=20),
        settings={"on_exhausted": "skip"},
    )
    step = core.next_create(at(0))

    assert isinstance(step, Step)
    assert step.changes[0].record.error_code == "budget_exhausted"
    assert must_send(core, 0).identity == "i1-1"


def test_an_item_above_per_item_is_skipped_and_the_rest_goes_on() -> None:
    core = made_core(made_item(0, price_class="dear", base=30), made_item(1), books=Books(cap=1000, per_item=20))
    step = core.next_create(at(0))

    assert isinstance(step, Step)
    assert step.changes[0].record.error_code == "over_per_item"
    assert must_send(core, 0).identity == "i1-1"


def test_an_empty_account_pauses_buying_and_the_item_is_bought_by_a_later_run() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    first = bought(core, 0, end=refused(402, "insufficient_credits"))
    assert (Pause.CREDITS in core.state.pauses, core.finished()) == (True, True)

    later = made_core(made_item(0), records={"i1-0": core.state.records["i1-0"]})
    send = must_send(later, 0)
    assert send.key != first.key
    assert send.step.changes[0].event.data["ordinal"] == 1


def test_an_empty_account_told_by_a_task_is_the_same() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    bought(core, 0, end=seen("task_0", "failed", final=0, error="insufficient_credits"))
    assert (state_of(core), Pause.CREDITS in core.state.pauses) == (S.FAILED, True)
    assert core.finished()

    later = made_core(made_item(0), records={"i1-0": core.state.records["i1-0"]})
    assert must_send(later, 0).step.changes[0].event.data["ordinal"] == 1


def test_a_charge_above_its_bound_is_told_and_ends_buying_at_the_cap() -> None:
    core = made_core(made_item(0), made_item(1), books=Books(cap=15))
    step = core.create_ended(must_send(core, 0), seen(reserved=20), at(0))

    assert [notice.name for notice in step.notices] == ["price", "paused"]
    assert core.state.books.overshoot == 5
    assert waits_s(core.next_create(at(0))) is None


def test_a_charge_above_its_bound_at_the_end_is_told_as_well() -> None:
    core = made_core(made_item(0), books=Books(cap=15))
    bought(core, 0, end=seen(reserved=None))
    step = poll_ended(core, seen("task_1", "succeeded", reserved=None, final=20))

    assert [(notice.name, notice.data["charged"]) for notice in step.notices] == [("price", 20)]
    assert core.state.pauses == {}  # nothing was left to buy


@pytest.mark.parametrize(
    ("end", "settled", "assumed"),
    [
        (seen(status="succeeded", final=7), 7, False),
        (seen(status="succeeded", final=None), 10, True),
        (seen(status="succeeded", final=0), 10, True),  # documented to stay 0 until late
        (seen(status="failed", final=0), 0, False),  # the documented refund
        (seen(status="failed", final=4), 4, False),
        (seen(status="failed", final=None), 10, True),
    ],
)
def test_an_end_settles_what_the_service_says_or_what_was_held(end: SendEnd, settled: int, assumed: bool) -> None:
    core = made_core(made_item())
    bought(core, end=seen())
    step = poll_ended(core, end)

    assert (core.state.books.settled, core.state.books.reserved) == (settled, 0)
    assert step.changes[0].event.data["assumed"] is assumed


def test_a_figure_that_only_a_poll_shows_is_held_and_opens_the_class() -> None:
    core = made_core(made_item(0), made_item(1), books=Books(cap=100))
    bought(core, 0, end=seen(reserved=None))
    assert waits_s(core.next_create(at(1))) is None
    step = poll_ended(core, seen("task_1", "processing", reserved=24))

    assert (events_of(step), [notice.name for notice in step.notices]) == (["seen"], ["price"])
    assert core.state.books.reserved == 24
    assert must_send(core, 10).step.changes[0].delta.reserved == 24
    assert events_of(poll_ended(core, seen("task_1", "processing", reserved=24), seconds=20)) == []


def test_the_highest_price_seen_is_what_the_next_attempt_holds() -> None:
    core = made_core(made_item(0), made_item(1), made_item(2), prices={"m": 9})
    bought(core, 0, end=seen("task_0", reserved=12))
    bought(core, 1, end=seen("task_1", reserved=8))

    assert must_send(core, 0).step.changes[0].delta.reserved == 12


# Buying again


def test_what_a_person_wrote_off_is_never_bought_again_by_itself() -> None:
    record = folded("i1-0", OPENED, (E.UNCERTAIN, {"reason": "?"}), (E.WRITTEN_OFF, {"charge": 10}))

    assert made_core(made_item(), records={"i1-0": record}, settings={"resubmit_failed": 9}).finished()
    assert not made_core(made_item(), records={"i1-0": record}, retry=True).finished()


def test_a_failure_is_bought_again_as_often_as_the_manifest_says_each_with_its_own_key() -> None:
    core = made_core(made_item(), settings={"resubmit_failed": 2}, prices={"m": 10})
    keys = []
    for n in range(3):
        send = must_send(core, n * 10)
        keys.append(send.key)
        core.create_ended(send, seen(f"task_{n}", "failed", final=1), at(n * 10))

    assert len(set(keys)) == 3
    assert core.finished()
    assert core.state.books.settled == 3


def test_again_opens_a_new_epoch_even_for_a_success() -> None:
    record = folded("i1-0", OPENED, ACCEPTED, SUCCEEDED)
    core = made_core(made_item(), records={"i1-0": record}, again=True)
    data = must_send(core, 0).step.changes[0].event.data

    assert (data["epoch"], data["ordinal"]) == (1, 0)


@pytest.mark.parametrize(
    "history",
    [(OPENED,), (OPENED, ACCEPTED), (OPENED, (E.UNCERTAIN, {"reason": "?"})), (OPENED, ACCEPTED, (E.VANISHED, {}))],
)
def test_again_never_touches_what_is_open_or_in_doubt(
    history: tuple[tuple[EventType, Mapping[str, object]], ...],
) -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", *history)}, again=True, retry=True)
    answer = core.next_create(at(0))

    assert not isinstance(answer, Send) or not answer.step.changes


def test_what_another_run_bought_stays_in_that_runs_books() -> None:
    elsewhere = folded("i1-0", (E.INTENT, {**INTENT, "scope": "other"}), ACCEPTED)
    core = made_core(made_item(), records={"i1-0": elsewhere}, books=Books(cap=5))
    step = poll_ended(core, seen("task_1", "succeeded", final=10))

    assert (step.changes[0].scope, core.state.books.settled) == ("other", 0)
