"""What a core could use of the limits that it shares."""

from __future__ import annotations

from jobs.needs import Needs, needs_of
from jobs.places import SLOW_START
from jobs.steps import Wait
from tests.jobs.core_steps import bought
from tests.jobs.workbench import MONO, at, made_core, made_item, must_send

LOOKS = 1  # of a task, in the second that polls are counted in here


def needs(*, items: int = 3, buys: int = 0, holds: bool = False) -> Needs:
    core = made_core(*(made_item(number) for number in range(items)), prices={"m": 1})
    for _ in range(buys):
        bought(core)
    if holds:
        core.hold("somebody")
    return needs_of(core, MONO, places=10)


def test_every_item_waits_for_a_slot_and_a_place() -> None:
    assert needs() == Needs(waiting=3, polls=LOOKS, places=3, running=0)
    assert needs(buys=1) == Needs(waiting=2, polls=2 * LOOKS, places=3, running=1)


def test_no_more_places_are_wanted_than_there_are() -> None:
    assert needs(items=30).places == 10


def test_first_creates_that_wait_for_answers_are_not_held_up_and_those_that_wait_for_a_place_or_a_person_are() -> None:
    core = made_core(*(made_item(number) for number in range(9)), prices={"m": 1})
    first = [must_send(core, 0.0) for _ in range(SLOW_START)]
    assert isinstance(core.next_create(at(0.0)), Wait), "the service has said nothing yet"
    assert not needs_of(core, MONO, places=10).is_held_up

    core.state.limits.places.found = SLOW_START
    assert needs_of(core, MONO, places=10).is_held_up
    core.state.limits.places.found = None
    core.hold("somebody")
    assert needs_of(core, MONO, places=10) == Needs(
        waiting=len(first), is_held_up=True, polls=LOOKS * (1 + len(first)), places=len(first), running=len(first)
    )


def test_who_has_nothing_to_buy_wants_no_slots_but_looks_and_the_places_it_has() -> None:
    assert needs(items=1, buys=1) == Needs(waiting=0, polls=2 * LOOKS, places=1, running=1)
    assert needs(items=0) == Needs(waiting=0, polls=LOOKS, places=0, running=0)
    assert needs(buys=1, holds=True).waiting == 0
