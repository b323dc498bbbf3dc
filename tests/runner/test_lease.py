"""A worker's lease by its own clock, and an engine that creates only while it holds."""

from __future__ import annotations

import anyio
import pytest

from runner.engine import Engine
from runner.errors import LeaseLost
from runner.ledger.shards import LEASE_S
from runner.shards.lease import MARGIN_S, Lease, running_s
from tests.runner.world import World
from tests.runner.world_items import items


class Hand:
    """A clock that is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Held:
    """A lease that is held."""

    is_held = True

    async def held(self) -> None:
        pass


async def test_a_lease_counts_from_before_it_was_asked_for_and_ends_before_the_databases() -> None:
    clock = Hand()
    lease = Lease(clock)

    asked_s = lease.ask_s()
    clock.now_s += 2.0  # the answer took its time
    lease.renewed(asked_s)
    held = []
    for past_s in (0.0, LEASE_S - MARGIN_S - 0.01, LEASE_S - MARGIN_S, LEASE_S):
        clock.now_s = asked_s + past_s
        held.append(lease.is_held)

    assert held == [True, True, False, False]


async def test_who_waits_for_a_lease_goes_on_when_it_is_renewed_and_not_before() -> None:
    clock, gone = Hand(), []
    lease = Lease(clock)

    async def create() -> None:
        await lease.held()
        gone.append(clock.now_s)

    async with anyio.create_task_group() as group:
        group.start_soon(create)
        await anyio.wait_all_tasks_blocked()
        lease.renewed(clock.now_s - LEASE_S)  # an answer that came too late
        await anyio.wait_all_tasks_blocked()
        assert gone == []
        lease.renewed(clock.now_s)
    assert gone == [100.0]


def test_the_clock_of_leases_goes_on() -> None:
    assert running_s() <= running_s()


def test_no_create_leaves_before_it_is_permitted() -> None:
    asked: list[Held] = []
    world = World(items(3))

    class Lost(Held):
        async def held(self) -> None:
            asked.append(self)
            assert world.stats.tasks == 0
            raise LeaseLost("it went to another")

    def forbid(engine: Engine) -> None:
        engine._permit = Lost()

    with pytest.raises(ExceptionGroup) as caught:
        world.live(cap=10, watch=forbid)
    assert caught.value.subgroup(LeaseLost) is not None
    assert asked
    assert (world.stats.tasks, world.states) == (0, {"submitting": len(asked), "planned": 3 - len(asked)})

    assert world.live(cap=10).exit_code == 0
    world.check(cap=10)


def test_all_that_takes_long_is_done_before_a_create_is_permitted() -> None:
    done: list[str] = []
    world = World(items(1))

    class Once(Held):
        async def held(self) -> None:
            done.append("permitted")
            if done == ["permitted"]:
                raise LeaseLost("it went to another")

    def listen(engine: Engine) -> None:
        frozen = engine._ledger.frozen

        async def read(key: str) -> bytes:
            await anyio.sleep(LEASE_S)
            done.append("read")
            return await frozen(key)

        engine._permit = Once()
        engine._ledger.frozen = read  # type: ignore[method-assign]

    with pytest.raises(ExceptionGroup):
        world.live(cap=10, watch=listen)

    assert world.live(cap=10, watch=listen).exit_code == 0
    assert done == ["permitted", "read", "permitted"]
    world.check(cap=10)
