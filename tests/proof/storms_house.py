"""The real engine over the simulator in memory, made for many items and long times.

    house = House(items, seed=1, profile={...}, faults=[...], creates=rate, polls=rate)
    life = house.live()                 one life under virtual time, to its end
    house.judge()

Nothing is kept that grows with time but what the service and the ledger keep. The auditor hears of every durable event,
of every create that leaves and of every task that the service makes.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.answers import SendEnd, Uploaded
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.outcome import exit_code
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.record import Change
from jobs.runstate import CoreSettings
from jobs.steps import Download, Notice, Now, Poll, Step, Wait
from runner.clock import Clock
from runner.engine import Engine
from runner.exchange import Request, Response
from runner.ledger import RunInfo
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.reporter import Reporter
from runner.service import Service
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import SimRequest, SimResponse
from runner.sim.faults import parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.world import SendSeen
from runner.testing import MemoryTransport, VirtualLoop
from tests.proof.audit import Auditor
from tests.runner.world_items import PRICES

__all__ = ["SCOPE", "START_S", "Crash", "House", "Life", "no_save", "no_upload"]

SCOPE: Final = "long"
START_S: Final = 1_700_000_000.0
RESTART_S: Final = 1.0
MODELS: Final = {"models": [model for model in packaged_catalogue()["models"] if model["id"] in PRICES]}


class Crash(SystemExit):  # asyncio lets only this kind through its tasks at once
    """The process is gone."""


@dataclass(slots=True, kw_only=True)
class Life:
    """How one life went. `exit_code` None: it died."""

    exit_code: int | None = None
    began_s: float = 0.0
    took_s: float = 0.0
    polls: int = 0
    open_max: int = 0  # tasks at work at once
    lateness_s: array[float] = field(default_factory=lambda: array("d"))  # of status requests
    notices: Counter[str] = field(default_factory=Counter)
    tasks_left: int = 0  # of asyncio's, when the engine had ended by itself
    timers_left: int = 0


class House:
    """One service and one store, over any number of lives. Times are seconds since the first life began."""

    def __init__(
        self,
        wanted: Sequence[Item],
        *,
        seed: int,
        creates: Rate,
        polls: Rate,
        profile: Mapping[str, Any] | None = None,
        faults: object = None,
        **settings: Any,
    ) -> None:
        self.items = list(wanted)
        self.cap: int | None = None  # of the next life
        self.auditor = Auditor(caps={SCOPE: None}, where=lambda: f"{self.now_s():.3f} s")
        self.service = _Service(self, Profile(**{"windows": (), **(profile or {})}), seed, faults)
        self.store = MemoryStore()
        self.began_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rates = (creates, polls)
        self._spread = random.Random(seed).random
        self._settings = settings

    def now_s(self) -> float:
        return self.began_s + (self._loop.time() if self._loop else 0.0)

    def wall_s(self) -> float:
        return START_S + self.now_s()

    @property
    def states(self) -> Counter[str]:
        return Counter(record.state.value for record in self.store.records.values())

    def live(self, *, die_at_s: float | None = None, drain_at_s: float | None = None) -> Life:
        """One life. It may die, or hear a signal, at a moment of its own."""
        life = Life(began_s=self.now_s())
        loop = self._loop = VirtualLoop()
        self.auditor.restarted()
        try:
            if die_at_s is not None:
                loop.call_later(die_at_s, _die)
            life.exit_code = loop.run_until_complete(self.whole(loop, life, drain_at_s))
            life.tasks_left = len(asyncio.all_tasks(loop))
            timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
            life.timers_left = len(timers) - (die_at_s is not None)
        except Crash:
            _bury(loop)
        finally:
            life.took_s = loop.time()
            self.began_s, self._loop = self.now_s() + RESTART_S, None
            self.store.holder = None
            loop.close()
        return life

    async def whole(self, loop: asyncio.AbstractEventLoop, life: Life, drain_at_s: float | None = None) -> int:
        """One life on whatever loop."""
        self._loop = loop
        clock = Clock(mono_s=loop.time, wall_s=self.wall_s)
        ledger = MemoryLedger(self.store, account="default", base_url="sim")
        held = ledger.books(SCOPE)
        creates, polls = self._rates
        core = Core(
            CoreSettings(
                account="default",
                scope=SCOPE,
                save_results=False,
                **{"in_flight_max": 10_000, "spread": self._spread, **self._settings},
            ),
            books=Books(cap=self.cap, reserved=held.reserved, settled=held.settled),
            prices=ledger.class_prices(),
            creates=Pacer("creates", creates),
            polls=Pacer("polls", polls),
        )
        _watch_lateness(core, life)
        wire = _Wire(self, life)
        engine = Engine(
            core,
            ledger=ledger,
            sender=Service(wire),
            uploader=no_upload,
            saver=no_save,
            reporter=_Ear(self, life),
            clock=clock,
        )
        known = await ledger.begin_life(RUN, self.items, at_s=clock.now().wall_s, pid=1, host="here")
        self._hear_plans()
        for one in self.items:
            step = core.admit(one, self.store.records[one.identity], clock.now())
            if step != Step():
                await engine.commit(step)
        if drain_at_s is not None:
            loop.call_later(drain_at_s, engine.drain, "SIGINT")
        self.filled(engine, clock)
        await engine.run()
        code = exit_code(core.state.records.values(), pauses=core.state.pauses, left=0, keep=False)
        await ledger.end_life(known, at_s=clock.now().wall_s, exit_code=code)
        await ledger.close()
        return code

    def judge(self) -> None:
        """At the end: one story, and one body a key."""
        self.auditor.finished()
        stats = self.service.stats()
        if stats.duplicate_tasks or stats.same_body_tasks:
            raise self.auditor.fail(f"{stats.duplicate_tasks} keys, {stats.same_body_tasks} bodies made two tasks")
        books = self.store.books[SCOPE]
        if (books.reserved, books.settled) != (self.auditor.reserved[SCOPE], self.auditor.settled[SCOPE]):
            raise self.auditor.fail(f"the books say {books}")

    def filled(self, engine: Engine, clock: Clock) -> None:
        """A life is about to run."""

    def changed(self, change: Change) -> None:
        """An event is durable."""
        event, attempt = change.event, change.record.attempt
        key = attempt.key if attempt else None
        self.auditor.committed(event.identity, event.type.value, event.data, key=key, body=change.body)

    def noticed(self, notice: Notice) -> None:
        """Something was told."""

    def _hear_plans(self) -> None:
        if self.auditor.latest or self.auditor.purchases:
            return
        for event in self.store.events:
            self.auditor.committed(event.identity, event.type.value, event.data)


RUN: Final = RunInfo(
    run_id=SCOPE,
    name=SCOPE,
    edition="",
    manifest_path="long.yaml",
    manifest_sha256="0",
    cap_credits=None,
    out_dir="out",
)


class _Service(Simulator):
    """The simulator, with an ear for the tasks it makes."""

    def __init__(self, house: House, profile: Profile, seed: int, faults: object) -> None:
        super().__init__(profile, MODELS, seed, parse_faults(faults, seed))
        self._house = house

    @property
    def sends(self) -> Sequence[SendSeen]:
        """Every create it has seen, in order."""
        return self._world.sends

    def handle(self, request: SimRequest, now_s: float) -> SimResponse:
        answer = super().handle(request, now_s)
        if request.method == "POST":
            seen = self._world.sends[-1]
            if seen.born:
                self._house.auditor.made(seen.key, seen.task_id)
        return answer


class _Wire:
    """The transport, with an ear for what leaves."""

    def __init__(self, house: House, life: Life) -> None:
        self._house = house
        self._life = life
        self._door = MemoryTransport(MemoryDoor(house.service, house.wall_s), key=DEMO_KEY)

    async def send(self, request: Request) -> Response:
        if request.method == "POST":
            assert request.body is not None
            self._house.auditor.left(request.headers["Idempotency-Key"], request.body)
        return await self._door.send(request)


class _Ear(Reporter):
    """Tells the house what is durable."""

    def __init__(self, house: House, life: Life) -> None:
        self._house = house
        self._life = life

    def changed(self, item: Item, change: Change) -> None:
        self._house.changed(change)

    def noticed(self, notice: Notice) -> None:
        self._life.notices[notice.name] += 1
        self._house.noticed(notice)


def _watch_lateness(core: Core, life: Life) -> None:
    """Note how late each status request leaves: now, less when its task was due and the pacer had a turn for it."""
    ask, watching, polls = core.next_poll, core._watching, core.pacers[1]

    def asked(now: Now) -> Poll | Wait:
        watching._queue.advance(watching._worth_at, now.mono_s)
        due_s = watching._queue.due_s()
        if due_s is not None:
            due_s = max(due_s, polls.due_s(now.mono_s))
        answer = ask(now)
        if isinstance(answer, Poll):
            life.polls += 1
            life.open_max = max(life.open_max, len(core.state.slots))
            if due_s is not None:
                life.lateness_s.append(now.mono_s - due_s)
        return answer

    core.next_poll = asked  # type: ignore[method-assign]


async def no_upload(reference: ReferenceFile, model: str) -> Uploaded:
    raise AssertionError("no item here has a reference")


async def no_save(item: Item, wanted: Download, look: Callable[[str], Awaitable[SendEnd]]) -> Mapping[str, object]:
    raise AssertionError("no result here is saved")


def _die() -> None:
    raise Crash


def _bury(loop: asyncio.AbstractEventLoop) -> None:
    """Nothing of a process that is gone may run."""
    loop.set_exception_handler(lambda *_: None)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        try:
            task.get_coro().close()
        except (RuntimeError, BaseExceptionGroup):
            continue
