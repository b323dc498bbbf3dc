"""Several engines on one account: what they share of its limits, under a service that counts exactly."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item
from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.runstate import CoreSettings
from jobs.sharing import LEASE_S, Pool, Row
from runner.blobs_memory import MemoryBlobs
from runner.clock import Clock
from runner.engine import Engine
from runner.errors import LedgerUnusable
from runner.ledger import RunInfo
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.ledger.postgres import open_ledger
from runner.ledger.postgres_shares import PostgresShares
from runner.reporter import Reporter
from runner.saving import ResultSaver
from runner.service import Service
from runner.shared_limits import Decide, MemoryShares, SharedLimits, Shares
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile, Window
from runner.testing import MemoryTransport, run_virtual
from tests.postgres_server import database_of, shared_server
from tests.runner.world import START_S
from tests.runner.world_items import items

CREATES, POLLS = Rate(count=40, window_s=1.0), Rate(count=400, window_s=1.0)
INFO = RunInfo(
    run_id="trial", name="trial", edition="", manifest_path="trial.yaml", manifest_sha256="0", cap_credits=None,
    out_dir="out",
)  # fmt: skip


class Shop:
    """One service, and engines of which each has items, a ledger and a share of its own."""

    def __init__(self, shares: Shares, *, clock: Clock, places: int = 1000, tasks_at_once: int | None = None) -> None:
        windows = (
            Window(of="creates", limit=CREATES.count, window_s=CREATES.window_s),
            Window(of="polls", limit=POLLS.count, window_s=POLLS.window_s),
        )
        profile = Profile(windows=windows, durations=(("*", 1.0),), tasks_at_once=tasks_at_once)
        self.simulator = Simulator(profile, packaged_catalogue(), 3, parse_faults([], 3))
        self.clock = clock
        self.shares = shares
        self.places = places

    def _transport(self) -> MemoryTransport:
        return MemoryTransport(MemoryDoor(self.simulator, lambda: self.clock.now().wall_s), key=DEMO_KEY)

    @asynccontextmanager
    async def worker(self, name: str, wanted: Sequence[Item]) -> AsyncIterator[tuple[Engine, SharedLimits]]:
        ledger = MemoryLedger(MemoryStore(), account="default", base_url="sim")
        await ledger.begin_life(INFO, wanted, at_s=self.clock.now().wall_s, pid=1, host="here")
        limits = SharedLimits(
            self.shares, worker=name, clock=self.clock, creates=CREATES, polls=POLLS, places=self.places
        )
        settings = CoreSettings(
            account="default", scope="trial", in_flight_max=self.places, spread=random.Random(3).random,
            floors=PollFloors(first_poll_s=0.5, poll_gap_s=0.2),
        )  # fmt: skip
        core = Core(
            settings, books=Books(cap=None), prices={}, creates=limits.creates, polls=limits.polls, limits=limits.limits
        )
        service = Service(self._transport())
        engine = Engine(
            core,
            ledger=ledger,
            sender=service,
            uploader=None,  # nothing is uploaded here
            saver=ResultSaver(
                core, fetcher=self._transport(), blobs=MemoryBlobs(), clock=self.clock, run_id="trial", sidecars=False
            ),
            reporter=Reporter(),
            clock=self.clock,
        )
        for one in wanted:
            core.admit(one, ledger.records([one.identity])[one.identity], self.clock.now())
        limits.serve(engine)
        yield engine, limits
        await ledger.close()

    async def work(self, name: str, wanted: Sequence[Item]) -> Engine:
        """One worker from its first beat to its last."""
        async with self.worker(name, wanted) as (engine, limits), anyio.create_task_group() as group:
            group.start_soon(limits.keep)
            await engine.run()
            group.cancel_scope.cancel()
        await limits.leave()
        assert set(Counter(r.state for r in engine.core.state.records.values())) == {"succeeded"}
        return engine


def virtual_clock() -> Clock:
    loop = asyncio.get_running_loop()
    return Clock(mono_s=loop.time, wall_s=lambda: START_S + loop.time())


async def crowd(shop: Shop, wanted: Sequence[Item], workers: int) -> float:
    """Seconds that so many workers take for it."""
    began_s = shop.clock.now().mono_s
    async with asyncio.TaskGroup() as group:
        for n in range(workers):
            group.create_task(shop.work(f"w{n}", wanted[n::workers]))
    return shop.clock.now().mono_s - began_s


def memory_shares() -> MemoryShares:
    loop = asyncio.get_running_loop()
    return MemoryShares(lambda: START_S + loop.time())


def virtually(workers: int, *, wanted: int, **shop_s: int) -> tuple[float, Shop]:
    async def whole() -> tuple[float, Shop]:
        shop = Shop(memory_shares(), clock=virtual_clock(), **shop_s)
        return await crowd(shop, items(wanted), workers), shop

    return run_virtual(whole())


def test_workers_together_are_as_fast_as_one_process_and_are_never_refused() -> None:
    alone_s, _ = virtually(1, wanted=800)
    took_s, shop = virtually(3, wanted=800)

    assert shop.simulator.stats().tasks == 800
    assert shop.simulator.stats().refused_429 == {}
    assert took_s < 1.06 * alone_s  # a second to begin with


def test_workers_together_keep_to_the_places_that_they_share() -> None:
    alone_s, _ = virtually(1, wanted=240, places=12)
    took_s, shop = virtually(3, wanted=240, places=12, tasks_at_once=12)

    assert shop.simulator.stats().refused_429 == {}
    assert took_s < 1.1 * alone_s


def test_nothing_leaves_once_the_database_is_away_for_longer_than_the_lease_and_it_goes_on_when_that_is_back() -> None:
    async def whole() -> tuple[int, int, int]:
        shares = _Away(memory_shares())
        shop = Shop(shares, clock=virtual_clock())
        async with asyncio.TaskGroup() as group:
            work = group.create_task(shop.work("w", items(500)))
            await asyncio.sleep(3.0)
            shares.is_away = True
            await asyncio.sleep(LEASE_S + 0.1)
            then = shop.simulator.stats().tasks
            await asyncio.sleep(20.0)
            later = shop.simulator.stats().tasks
            shares.is_away = False
            await asyncio.sleep(3.0)
            at_last = shop.simulator.stats().tasks
            await work
        return then, later, at_last

    then, later, at_last = run_virtual(whole())

    assert 200 < then == later
    assert at_last > later + 60


def test_who_leaves_leaves_what_is_free_to_the_others() -> None:
    async def whole() -> Row:
        shares = memory_shares()
        shop = Shop(shares, clock=virtual_clock())
        await shop.work("w", items(8))
        return shares.rows["w"]

    row = run_virtual(whole())

    assert row.parts[Pool.CREATES].share <= 8
    assert row.parts[Pool.PLACES].share == 0
    assert row.lease_until_s < row.free_at_s


class _Away:
    """A database that may be away."""

    def __init__(self, inner: Shares) -> None:
        self._inner = inner
        self.is_away = False

    async def beat(self, decide: Decide) -> None:
        if self.is_away:
            raise LedgerUnusable("away")
        await self._inner.beat(decide)


# On a real server


async def test_three_workers_on_a_real_database_are_never_refused() -> None:
    store = database_of(shared_server())
    await open_ledger(store).close()
    shops, wanted = [PostgresShares(store) for _ in range(3)], items(120)
    shop = Shop(shops[0], clock=Clock())
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for n, shares in enumerate(shops):
            shop.shares = shares
            group.create_task(shop.work(f"w{n}", wanted[n::3]))
            await asyncio.sleep(0)
    took_s = time.monotonic() - began_s
    for shares in shops:
        shares.close()

    assert shop.simulator.stats().tasks == 120
    assert shop.simulator.stats().refused_429 == {}
    assert took_s < 20.0  # of a machine that has other things to do
