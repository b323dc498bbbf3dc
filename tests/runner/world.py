"""A whole run without a socket or a disk: the simulated service, a store that outlives every life, and lives.

    world = World(items(12))
    life = world.live(cap=12)         one life of the run, under virtual time
    assert life.exit_code == 0
    world.check()                     what must hold whatever happened

Every request of every life is audited on its way: no create leaves before its intent is in the ledger, with other bytes
than those, or over the cap.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from jobs.answers import Uploaded
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.outcome import exit_code
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.record import Change, Money, Record, fold
from jobs.runstate import CoreSettings
from jobs.steps import Notice, Step
from runner.blobs import Blobs
from runner.blobs_memory import MemoryBlobs
from runner.clock import Clock
from runner.engine import Engine, Lanes, Uploader
from runner.errors import LedgerUnusable
from runner.exchange import Fetched, Fetcher, Request, Response, Resume, Sink, Transport
from runner.ledger import RunInfo
from runner.ledger.memory import Faults, MemoryLedger, MemoryStore
from runner.reporter import Reporter, RunStatistics
from runner.saving import ResultSaver
from runner.service import Service
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator, Stats
from runner.sim.faults import FaultPlan, parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile
from runner.testing import MemoryTransport, run_virtual
from tests.runner.world_items import content_of

__all__ = ["SCOPE", "START_S", "Crash", "Life", "Network", "Spy", "Told", "World"]

CATALOGUE = packaged_catalogue()
SCOPE = "trial"
FAST = Rate(count=1000, window_s=1.0)
OPEN_LANES = Lanes()
START_S = 1_700_000_000.0
RESTART_S = 1.0  # between the end of a life and the next one

Moment = Literal["before", "after"]
Hook = Callable[[int, Moment, str], None]  # the request's number in this life, when, and `POST /api/v1/files`


class Crash(Exception):  # noqa: N818  # not an error: an end
    """The process is gone."""


class Spy(Reporter):
    """Remembers what it was told, and that it was durable by then."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.changes: list[Change] = []
        self.notices: list[Notice] = []
        self.uploads: list[str] = []
        self.stops: list[tuple[str, float]] = []

    def changed(self, item: Item, change: Change) -> None:
        assert item.identity == change.event.identity
        assert self._store.records[item.identity].version >= change.record.version, "told before it was durable"
        self.changes.append(change)

    def noticed(self, notice: Notice) -> None:
        self.notices.append(notice)

    def uploaded(self, name: str, size_bytes: int) -> None:
        self.uploads.append(name)

    def stopping(self, why: str, wait_s: float) -> None:
        self.stops.append((why, wait_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Settings of one life; the defaults let everything through as fast as it goes."""

    cap: int | None = None
    per_item: int | None = None
    on_exhausted: str = "stop"
    in_flight: int = 1000
    creates: Rate = FAST
    polls: Rate = FAST
    lanes: Lanes = OPEN_LANES
    more: Mapping[str, Any] = field(default_factory=dict)  # further `CoreSettings`
    retry: bool = False
    again: bool = False
    key: str = DEMO_KEY
    fetch: bool = True
    drain_at_s: float | None = None
    cut_at_s: float | None = None
    delay_s: Callable[[str], float] = lambda _: 0.0  # each way, of `POST /api/v1/files` and its like
    hook: Hook = lambda *_: None
    faults: Faults | None = None  # of the ledger
    typical_s: Mapping[str, float] = field(default_factory=dict)
    watch: Callable[[Engine], object] = lambda _: None  # meets the engine just before it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How one life ended. `exit_code` None: it died; then there are no statistics either."""

    exit_code: int | None
    took_s: float
    spy: Spy
    requests: int
    writes: int
    open_max: int  # tasks at work at once, as the service counts them
    statistics: RunStatistics | None = None
    creates: int = 0
    downloads: Mapping[str, int] = field(default_factory=dict)
    pauses: Mapping[str, str] = field(default_factory=dict)


class Network(Transport, Fetcher, Protocol):
    """Calls and downloads."""


class World:
    """One service, one store and one output folder, over any number of lives."""

    def __init__(
        self,
        wanted: Iterable[Item],
        *,
        faults: object = None,
        seed: int = 3,
        blobs: Blobs | None = None,
        **switches: Any,
    ) -> None:
        profile = Profile(**{"windows": (), **switches})
        self.items = list(wanted)
        self.simulator = Simulator(profile, CATALOGUE, seed, parse_faults(faults, seed))
        self.store = MemoryStore()
        self.blobs: Blobs = blobs or MemoryBlobs()
        self.wall_s = START_S
        self.seed = seed

    def now_s(self) -> float:
        """The wall clock, while a life goes on."""
        return self.wall_s + asyncio.get_running_loop().time()

    def network(self, key: str) -> Network:
        """The way to the service in one life."""
        return MemoryTransport(MemoryDoor(self.simulator, self.now_s), key=key)

    @property
    def stats(self) -> Stats:
        return self.simulator.stats()

    @property
    def states(self) -> Counter[str]:
        return Counter(self.store.records[one.identity].state.value for one in self.items)

    @property
    def files(self) -> dict[str, bytes]:
        assert isinstance(self.blobs, MemoryBlobs)
        return {name: content for name, content in self.blobs.files.items() if not name.endswith(".json")}

    def record(self, number: int) -> Record:
        return self.store.records[self.items[number].identity]

    def heal(self, faults: object = None) -> None:
        """From now on only these faults."""
        self.simulator._faults = parse_faults(faults, self.seed) if faults else FaultPlan()

    def top_up(self, credits_: int) -> None:
        """A person pays."""
        wallet = self.simulator._world.wallets["demo"]
        wallet.balance += credits_
        wallet.initial += credits_

    def live(self, **told: Any) -> Life:
        """One life from its first write to its last, or to its death."""
        life = _Living(self, Told(**told))
        try:
            return run_virtual(life.whole())
        except Crash:
            return life.dead()
        except BaseExceptionGroup as group:
            # Whoever still ran in the same turn of the loop finds the ledger dead.
            if group.subgroup(Crash) is None or group.split((Crash, LedgerUnusable))[1] is not None:
                raise
            return life.dead()
        finally:
            self.wall_s += life.took_s + RESTART_S
            if self.store.holder is not None:
                self.store.holder = None

    # What must hold whatever happened

    def check(self, *, cap: int | None = None) -> None:
        """The ledger adds up, and it and the service tell one story."""
        store, stats = self.store, self.stats
        folded: dict[str, Record | None] = {}
        for event in store.events:
            folded[event.identity] = fold(folded.get(event.identity), event)
        assert folded == store.records, "the item table is the fold of the log"
        sums: Counter[str] = Counter()
        for kept in store.attempts.values():
            sums[f"{kept.attempt.scope} reserved"] += kept.attempt.reserved
            sums[f"{kept.attempt.scope} settled"] += kept.attempt.settled
        for scope, money in store.books.items():
            assert money == Money(reserved=sums[f"{scope} reserved"], settled=sums[f"{scope} settled"])
        assert cap is None or sum(sums.values()) <= cap
        self._check_service(stats)

    def _check_service(self, stats: Stats) -> None:
        assert stats.duplicate_tasks == 0, "no key made two tasks"
        bodies: dict[str, set[str]] = {}
        for sent in stats.sends:
            bodies.setdefault(sent.key, set()).add(sent.body_sha256)
            assert self.store.attempts[sent.key].body_sha256 == sent.body_sha256
        assert all(len(sent) == 1 for sent in bodies.values()), "one key, one body"
        for task in self.simulator._world.tasks.values():
            kept = self.store.attempts[task.key]
            open_still = kept.state in {ItemState.SUBMITTING, ItemState.UNCERTAIN} and kept.attempt.task_id is None
            assert open_still or kept.attempt.task_id == task.id, "no task is forgotten or mixed up with another"

    def check_all_bought_once(self) -> None:
        """Every item succeeded and was saved, for one task each, and the two books agree to the credit."""
        self.check()
        stats, books, files = self.stats, self.store.books[SCOPE], self.files
        assert self.states == {"succeeded": len(self.items)}
        assert stats.tasks == len(self.items), "nothing lost, nothing bought twice"
        assert books == Money(reserved=0, settled=stats.charged_total)
        assert stats.held_total == 0
        for one in self.items:
            artifacts = self.store.records[one.identity].artifacts
            assert artifacts
            assert all(artifact.state == "verified" for artifact in artifacts)
            assert all(artifact.file in files for artifact in artifacts)


class _Living:
    """One life in the making."""

    def __init__(self, world: World, told: Told) -> None:
        self.world = world
        self.told = told
        self.spy = Spy(world.store)
        self.took_s = 0.0
        self.wire: _Wire | None = None
        self.ledger: MemoryLedger | None = None

    def dead(self) -> Life:
        return Life(
            exit_code=None,
            took_s=self.took_s,
            spy=self.spy,
            requests=self.wire.requests if self.wire else 0,
            writes=self.ledger.writes if self.ledger else 0,
            open_max=self.wire.open_max if self.wire else 0,
        )

    async def whole(self) -> Life:
        loop = asyncio.get_running_loop()
        try:
            return await self._live(loop)
        finally:
            self.took_s = loop.time()

    async def _live(self, loop: asyncio.AbstractEventLoop) -> Life:
        world, told = self.world, self.told
        clock = Clock(mono_s=loop.time, wall_s=world.now_s)
        ledger = self.ledger = MemoryLedger(world.store, account="default", base_url="sim", faults=told.faults)
        wire = self.wire = _Wire(world.network(told.key), world, told)
        service = Service(wire)
        life = await ledger.begin_life(_info(told), world.items, at_s=clock.now().wall_s, pid=1, host="here")
        core = _core(world, told, ledger)
        saver = ResultSaver(core, fetcher=wire, blobs=world.blobs, clock=clock, run_id=SCOPE, sidecars=True)
        engine = Engine(
            core,
            ledger=ledger,
            sender=service,
            uploader=_uploader(service),
            saver=saver,
            reporter=self.spy,
            clock=clock,
            lanes=told.lanes,
            typical_s=told.typical_s,
        )
        await _admit(engine, world, told, clock)
        told.watch(engine)
        if told.drain_at_s is not None:
            loop.call_later(told.drain_at_s, engine.drain, "SIGINT")
        if told.cut_at_s is not None:
            loop.call_later(told.cut_at_s, engine.cut)
        await engine.run()
        code = exit_code(
            core.state.records.values(),
            pauses=core.state.pauses,
            left=engine.counts.downloads["left"],
            keep=told.fetch,
        )
        await ledger.end_life(life, at_s=clock.now().wall_s, exit_code=code)
        await ledger.close()
        return Life(
            exit_code=code,
            took_s=loop.time(),
            spy=self.spy,
            requests=wire.requests,
            writes=ledger.writes,
            open_max=wire.open_max,
            statistics=engine.statistics(),
            creates=engine.counts.creates,
            downloads=engine.counts.downloads,
            pauses={why.value: reason for why, reason in core.state.pauses.items()},
        )


def _info(told: Told) -> RunInfo:
    return RunInfo(
        run_id=SCOPE,
        name=SCOPE,
        edition="",
        manifest_path="trial.yaml",
        manifest_sha256="0",
        cap_credits=told.cap,
        out_dir="out",
    )


def _core(world: World, told: Told, ledger: MemoryLedger) -> Core:
    held = ledger.books(SCOPE)
    settings = CoreSettings(
        account="default",
        scope=SCOPE,
        in_flight_max=told.in_flight,
        on_exhausted=told.on_exhausted,
        save_results=told.fetch,
        **{"spread": random.Random(world.seed).random, **told.more},
    )
    books = Books(cap=told.cap, per_item=told.per_item, reserved=held.reserved, settled=held.settled)
    return Core(
        settings,
        books=books,
        prices=ledger.class_prices(),
        creates=Pacer("creates", told.creates),
        polls=Pacer("polls", told.polls),
    )


async def _admit(engine: Engine, world: World, told: Told, clock: Clock) -> None:
    digests = sorted({reference.sha256 for one in world.items for reference in one.references})
    known = world.store.uploads
    engine.core.state.uploads.update({digest: known[digest].uploaded for digest in digests if digest in known})
    for one in world.items:
        record = world.store.records[one.identity]
        step = engine.core.admit(one, record, clock.now(), retry=told.retry, again=told.again)
        if step != Step():
            await engine.commit(step)


def _uploader(service: Service) -> Uploader:
    async def upload(reference: ReferenceFile, model: str) -> Uploaded:
        return await service.upload(
            content_of(reference.name),
            name=reference.name,
            kind="image",
            mime="image/png",
            model=model,
            client_request_id=reference.sha256,
        )

    return upload


class _Wire:
    """Transport and fetcher with an audit, a delay and a place for accidents on the way."""

    def __init__(self, inner: Network, world: World, told: Told) -> None:
        self._inner = inner
        self._world = world
        self._told = told
        self.requests = 0
        self.open_max = 0

    async def send(self, request: Request) -> Response:
        name = f"{request.method} {request.path}"
        if name == "POST /api/v1/generations":
            self._audit(request)
        number = await self._leave(name)
        response = await self._inner.send(request)
        await self._arrive(number, name)
        return response

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        number = await self._leave("GET result")
        fetched = await self._inner.fetch(url, sink=sink, resume=resume)
        await self._arrive(number, "GET result")
        return fetched

    async def _leave(self, name: str) -> int:
        self.requests += 1
        number = self.requests
        self._told.hook(number, "before", name)
        await _pause(self._told.delay_s(name))
        return number

    async def _arrive(self, number: int, name: str) -> None:
        self.open_max = max(self.open_max, self._world.simulator._world.open_tasks["demo"])
        self._told.hook(number, "after", name)
        await _pause(self._told.delay_s(name))

    def _audit(self, request: Request) -> None:
        """Intent first: what leaves is in the ledger already, byte for byte, and fits the cap."""
        store = self._world.store
        kept = store.attempts[request.headers["Idempotency-Key"]]
        assert kept.body == request.body, "the bytes are those of the intent"
        assert kept.state is ItemState.SUBMITTING
        assert kept.attempt.reserved == kept.attempt.bound, "its credits are held"


async def _pause(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)
