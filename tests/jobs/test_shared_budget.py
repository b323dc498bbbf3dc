"""One core of several that share their books: what it does when others were quicker."""

from __future__ import annotations

from jobs.budget import Books, Shared
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.steps import Step
from jobs.verdict import Pause
from tests.jobs.core_steps import state_of, waits_s
from tests.jobs.workbench import MONO, at, made_core, made_item, must_send

NOBODY = Shared(cap=15, reserved=0, settled=0, back=0)


def _core(cap: int, *, items: int = 2, on_exhausted: str = "stop") -> Core:
    settings = {"on_exhausted": on_exhausted, "in_flight_max": 10}
    wanted = [made_item(n) for n in range(items)]
    return made_core(*wanted, prices={"m": 10}, books=Books(cap=cap, shared=NOBODY), settings=settings)


def test_an_intent_that_the_ledger_refused_never_was_and_leaves_with_the_same_key_later() -> None:
    core = _core(15)
    refused = must_send(core, 0)
    core.take_back(refused, at(0))

    assert state_of(core) is ItemState.PLANNED
    assert (core.state.slots, core.buying.busy, core.state.books.reserved) == (set(), False, 0)
    core.found(NOBODY, MONO)
    assert must_send(core, 1).key == refused.key


def test_what_others_hold_is_waited_for_with_a_look_a_second() -> None:
    core = _core(15)
    core.take_back(must_send(core, 0), at(0))
    core.found(Shared(cap=15, reserved=10, settled=0, back=10), MONO)

    assert waits_s(core.next_create(at(0))) == 1.0
    assert waits_s(core.next_create(at(1))) == 1.0  # the look is due
    assert core.look_due_s() == MONO + 1.0
    core.found(NOBODY, MONO + 1)
    assert must_send(core, 1).identity == "i1-0"


def test_what_comes_back_from_nobody_ends_buying_after_a_look() -> None:
    core = _core(15)
    core.take_back(must_send(core, 0), at(0))
    core.found(Shared(cap=15, reserved=10, settled=0, back=0), MONO)

    assert isinstance(core.next_create(at(0)), Step)
    assert Pause.BUDGET in core.state.pauses


def test_nothing_is_left_unbought_by_books_that_were_seen_long_ago() -> None:
    core = _core(15)
    core.found(Shared(cap=15, reserved=0, settled=10, back=0), MONO)

    assert waits_s(core.next_create(at(60))) == 60.0
    assert core.look_due_s() == MONO + 60.0
    core.found(NOBODY, MONO + 60)  # a refund
    assert must_send(core, 60).identity == "i1-0"


def test_a_budget_that_was_lowered_is_learned_by_the_look_that_follows_a_refusal() -> None:
    core = _core(1000)
    core.take_back(must_send(core, 0), at(0))
    core.found(Shared(cap=15, reserved=10, settled=5, back=0), MONO)

    assert isinstance(core.next_create(at(0)), Step)
    assert Pause.BUDGET in core.state.pauses


def test_an_older_look_that_is_answered_later_says_nothing() -> None:
    core = _core(15)
    core.found(NOBODY, MONO + 5)
    core.found(Shared(cap=15, reserved=10, settled=5, back=0), MONO + 4)

    assert core.state.books.left == 15


def test_a_person_who_bought_again_does_so_in_the_same_epoch_after_a_refusal() -> None:
    first = made_core(made_item(0), prices={"m": 10})
    record = first.state.records["i1-0"]
    core = made_core(
        made_item(0), prices={"m": 10}, books=Books(cap=15, shared=NOBODY), records={"i1-0": record}, again=True
    )
    refused = must_send(core, 0)
    core.take_back(refused, at(0))

    assert must_send(core, 1).key == refused.key
