"""The engine on a disk that fills up: it stops buying, follows what is paid, and the next life finishes the run."""

from __future__ import annotations

import pytest

from runner.errors import DiskFull
from runner.ledger.memory import RESERVE_WRITES
from tests.runner.world import World
from tests.runner.world_items import item, items, picture

# A run of twelve writes 50 times: its beginning, for each item an intent, a task, an end and a file, and its end. With
# these there is still something to buy.
ROOMS = range(0, 33, 3)
ENOUGH = 60  # for all that can be in flight when the disk fills up


def resume(world: World) -> None:
    """Somebody has made room."""
    world.store.room = None
    world.store.reserve = RESERVE_WRITES
    assert world.live().exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("room", ROOMS)
def test_a_run_on_its_reserve_buys_no_more_and_settles_what_it_bought(room: int) -> None:
    world = World(items(12))
    world.store.room, world.store.reserve = room, ENOUGH

    life = world.live(in_flight=4)

    assert life.exit_code == 9
    assert "disk" in life.pauses
    assert [notice.name for notice in life.spy.notices] == ["paused"], "told once"
    states = world.states
    assert set(states) <= {"planned", "rejected", "succeeded"}, "nothing is left in flight"
    assert states["succeeded"] == life.creates
    assert states["planned"]
    world.check()
    resume(world)


@pytest.mark.parametrize("room", [0, 2, 4, 15, 21, 27])
def test_a_run_whose_reserve_ends_too_stops_and_loses_nothing(room: int) -> None:
    world = World(items(12))
    world.store.room, world.store.reserve = room, 1

    with pytest.raises((DiskFull, BaseExceptionGroup)) as caught:
        world.live(in_flight=6)

    if isinstance(caught.value, BaseExceptionGroup):
        assert caught.value.split(DiskFull)[1] is None
    world.check()
    resume(world)


def test_a_disk_that_fills_up_with_uploads_buys_nothing() -> None:
    world = World([item(number, "nano-banana", references=[picture("shoe"), picture("hat")]) for number in range(3)])
    world.store.room, world.store.reserve = 1, ENOUGH  # the beginning fits, the first upload does not

    life = world.live()

    assert (life.exit_code, life.creates) == (9, 0)
    resume(world)
