"""What a core could use of the limits that it shares."""

from __future__ import annotations

from dataclasses import replace

from jobs.needs import Needs, needs_of
from jobs.sharing import ALL
from tests.jobs.core_steps import bought
from tests.jobs.workbench import MONO, made_core, made_item

LOOKS = 1  # of a task, in the second that polls are counted in here


def needs(*, items: int = 3, in_flight: int = 10, buys: int = 0, holds: bool = False) -> Needs:
    core = made_core(*(made_item(number) for number in range(items)), prices={"m": 1})
    for _ in range(buys):
        bought(core)
    core.state.settings = replace(core.state.settings, in_flight_max=in_flight)
    if holds:
        core.hold("somebody")
    return needs_of(core, MONO, places=10)


def test_who_has_items_and_a_place_wants_every_slot_and_a_place_for_each_item() -> None:
    assert needs() == Needs(creates=ALL, polls=LOOKS, places=3, running=0)
    assert needs(buys=1) == Needs(creates=ALL, polls=2 * LOOKS, places=3, running=1)


def test_no_more_places_are_wanted_than_there_are() -> None:
    assert needs(items=30).places == 10


def test_who_has_no_place_wants_the_slots_it_uses_and_a_little_more() -> None:
    assert needs(in_flight=0).creates == 1
    assert needs(buys=1, in_flight=1).creates == 2


def test_who_has_nothing_to_buy_wants_no_slots_but_looks_and_the_places_it_has() -> None:
    assert needs(items=1, buys=1) == Needs(creates=0, polls=2 * LOOKS, places=1, running=1)
    assert needs(items=0) == Needs(creates=0, polls=LOOKS, places=0, running=0)
    assert needs(buys=1, holds=True).creates == 0
