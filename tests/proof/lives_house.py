"""One service, one ledger file and one output folder, over any number of lives of the real engine.

    with House(...) as house:
        ended = house.live(Told(...))       one life under virtual time, to its end or to its death
        house.clock.pass_s(60)              the time between two lives

Everything of the runner's is real but the socket, the disk of results, and time: the ledger is SQLite in a file. The
auditor hears of each event the moment it is durable, of each create the moment it leaves, and of each task the moment
the service makes it. A death is one for good: nothing of the process runs after it, and what was not committed is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from jobs.answers import Phase
from jobs.catalogue import Catalogue
from jobs.expand import Expansion
from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.manifest import Manifest, parse
from jobs.plan import Plan, PlannedItem, Standing
from jobs.rates import Rate
from jobs.record import Change, Money, Record
from jobs.yaml12 import load
from runner.blobs_memory import MemoryBlobs
from runner.clock import Clock
from runner.compose import Run
from runner.errors import TransportError
from runner.exchange import Fetched, Request, Response, Resume, Sink
from runner.failpoints import arm
from runner.ledger import ballast, place, writing
from runner.ledger.group import GroupCommit, Outcome
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.prepare import Choices, Limits, Prepared
from runner.reporter import Reporter
from runner.secret import Secret
from runner.settings import Settings
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import SimRequest, SimResponse, request_of
from runner.sim.faults import FaultPlan, parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.task import Task
from runner.testing import MemoryTransport, VirtualLoop
from tests.proof.audit import Auditor, ViolationError
from tests.proof.lives_story import judge_files, judge_story, retold
from tests.proof.lives_weather import name_of
from tests.runner.world import PRICES, content_of

__all__ = ["SCOPE", "Crash", "Ended", "House", "Told"]

SCOPE: Final = "lives"
START_S: Final = 1_700_000_000.0
RESTART_S: Final = 1.0
FAST: Final = Rate(count=50, window_s=1.0)
SETTINGS: Final = Settings(key=Secret(DEMO_KEY))
MODELS: Final = {
    "models": [model for model in packaged_catalogue()["models"] if model["id"] in PRICES],
}
MANIFEST: Final = """
version: 1
name: lives
output: {sidecar: false}
jobs: [{id: job, model: z-image, prompt: a cat}]
"""

# A file whose content is noise and whose size only matters on a full disk: 8 MiB of it would be most of the time.
BALLAST_BYTES: Final = 4096

# After these a client may take it that nothing was made, so the wire makes no copy of the same request come after them.
DEFINITE: Final = frozenset({400, 402, 403, 413, 422, 429})

# So long a key is trusted to be known; and what may lie between the decision to send and the sending.
KEY_WINDOW_S: Final = 3600.0 + 5.0

# A life that passes more points than this goes round in circles.
POINTS_MAX: Final = 20_000


class Crash(SystemExit):  # asyncio lets only this kind through its tasks at once
    """The process is gone. Nothing of it may run after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one life is told, what befalls it, and how it ends before its time."""

    cap: int | None = None
    on_exhausted: str = "stop"
    in_flight: int = 50
    creates: Rate = FAST
    polls: Rate = FAST
    timeout_s: float = 300.0
    resends_max: int | None = None
    resubmit_failed: int = 0
    retry: bool = False
    again: bool = False
    only: int | None = None  # so many of the items are asked for
    lost: int = 0  # so many of them are no longer in the manifest
    judged: bool = False  # at its end all that the ledger tells is looked at
    die_at: int | None = None  # the how-manieth point it passes
    die_at_point: tuple[str, int] | None = None  # a point by its name, and the how-manieth time
    die_at_s: float | None = None
    signals_s: tuple[float, ...] = ()
    sleep: tuple[float, float] | None = None  # at a moment of the life, the machine is suspended for so long
    turn_clock: tuple[float, float] | None = None  # at a moment of the life, the wall clock is set by so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a life ended. `exit_code` None: it died."""

    exit_code: int | None
    took_s: float
    points: int  # places where it could have died


class Clocks:
    """Real time, which the service lives by, and this machine's two clocks."""

    def __init__(self) -> None:
        self.real_s = START_S  # when the current life began, or now between lives
        self.skew_s = 0.0  # what the wall clock is ahead
        self.slept_s = 0.0  # of the current life
        self.turned = 0  # how often somebody meddled
        self.loop: VirtualLoop | None = None

    def now_s(self) -> float:
        """Real time."""
        return self.real_s + self.slept_s + (self.loop.time() if self.loop else 0.0)

    def wall_s(self) -> float:
        """What the machine takes for real time."""
        return self.now_s() + self.skew_s

    def end_life(self) -> None:
        self.real_s, self.slept_s, self.loop = self.now_s() + RESTART_S, 0.0, None

    def turn(self, seconds: float) -> None:
        self.skew_s += seconds
        self.turned += 1

    def sleep(self, seconds: float) -> None:
        """Suspended: real time and the wall clock go on, the monotonic clock and all timers stand still."""
        self.slept_s += seconds
        self.turned += 1


class House:
    """Where the lives take place."""

    def __init__(
        self,
        wanted: Sequence[Item],
        *,
        seed: int,
        faults: Sequence[tuple[str, Mapping[str, Any], float]] = (),
        profile: Mapping[str, Any] | None = None,
        wire: Mapping[str, float] | None = None,
        lag_s: float = 0.0,
    ) -> None:
        self.items = list(wanted)
        self.dice = random.Random(seed)
        self.clocks = Clocks()
        self.counts: Counter[str] = Counter()
        self.auditor = Auditor(caps={}, where=self._where)
        self.service = _Service(self, Profile(**{"windows": (), **(profile or {})}), seed, faults)
        self.blobs = MemoryBlobs()
        self.wire = dict(wire or {})
        self.lag_s = lag_s
        self.lives = 0
        self.points = 0
        self.late: list[tuple[float, SimRequest]] = []  # creates on their way, with the moment of their arrival
        self.bought: dict[str, tuple[float, int]] = {}  # by key: when its intent was written, and `turned`
        self.keys: dict[tuple[object, ...], str] = {}  # by item, epoch and ordinal: the same in every ledger
        self.sends: Counter[str] = Counter()  # of this life, by key
        self.conflicts: dict[str, tuple[float, bool]] = {}  # of this life: the first 409, and was it to a first send
        self.forgetful = False  # the ledger was lost, or an older one restored
        self.records: dict[str, Record] = {}  # as the last life left them
        self.digest = hashlib.blake2b(digest_size=16)
        self._turned = 0  # what `clocks.turned` was when this life began
        self._passed: Counter[str] = Counter()
        self._told = Told()
        self._ledger: SqliteLedger | None = None
        self._written: list[Callable[[], object]] = []
        self._oddities: list[BaseException] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(dir=_memory_disk(), prefix="lives-")
        self.path = Path(self._folder.name) / "ledger.db"
        self.path.write_bytes(_new_ledger())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _where(self) -> str:
        return f"life {self.lives}, point {self.points}, {self.clocks.now_s() - START_S:.3f} s"

    def fail(self, what: str) -> ViolationError:
        return self.auditor.fail(what)

    def note(self, *what: object) -> None:
        """One line of the story, for the digest that tells two stories apart."""
        self.digest.update(f"{self.clocks.now_s():.6f} {what}\n".encode())

    def heal(self) -> None:
        """Nothing goes wrong any more, and there is money."""
        self.service.heal()
        self.wire = {}

    # One life

    def live(self, told: Told) -> Ended:
        """From its first point to its end or its death."""
        self.lives += 1
        self.points = 0
        self._told = told
        self._passed.clear()
        self.sends.clear()
        self.conflicts.clear()
        self._turned = self.clocks.turned
        self.auditor.allowed(SCOPE, told.cap)
        self.auditor.restarted()
        loop = self.clocks.loop = VirtualLoop()
        loop.set_exception_handler(self._odd)
        code: int | None = None
        arm(self.pass_point)
        try:
            self._befall(loop, told)
            code = loop.run_until_complete(self._life(loop, told))
        except Crash:
            arm(None)
            self.counts["life died"] += 1
            self._bury(loop)
        except Exception as problem:  # noqa: BLE001 - raised, or what led to it
            raise (self._oddities or [problem])[0] from None
        finally:
            arm(None)
            took_s = loop.time()
            self.clocks.end_life()
            loop.close()
        self.note("ended", code, self.points)
        if code is not None:
            self.counts[f"exit code {code}"] += 1
        return Ended(exit_code=code, took_s=took_s, points=self.points)

    async def _life(self, loop: VirtualLoop, told: Told) -> int:
        ledger = self._ledger = self._open()
        witness = _Witness(self, ledger)
        ledger._group = GroupCommit(witness.commit, finish=ledger._finish, in_thread=False)
        wire = _Wire(self)
        run = Run(
            self._prepared(told),
            settings=SETTINGS,
            ledger=ledger,
            reporter=Reporter(),
            clock=Clock(mono_s=loop.time, wall_s=self.clocks.wall_s),
            blobs=self.blobs,
            read=_read,
            spread=self.dice.random,
        )
        try:
            outcome = await run.live(wire, wire)
        except Crash:
            raise
        except Exception:
            await ledger.close()
            raise
        self._look(ledger)
        if told.judged:
            self._judge_story(ledger)
        await ledger.close()
        return outcome.exit_code

    def _look(self, ledger: SqliteLedger) -> None:
        """What the ledger says at the end of a life; its books are those of the events."""
        self.records = ledger.records([one.identity for one in self.items])
        books, ours = ledger.books(SCOPE), self.auditor
        if (books.reserved, books.settled) != (ours.reserved[SCOPE], ours.settled[SCOPE]):
            raise self.fail(f"the books say {books}")

    # Between lives

    def write_down(self, changes: Sequence[Change]) -> None:
        """A command that only writes, such as `resolve`."""
        ledger = self._open()
        for outcome in ledger._commit([partial(writing.add_changes, ledger._writer, changes, life_id=None)]):
            assert outcome.error is None, outcome.error
        for change in changes:
            self._durable(change)
        self._look(ledger)
        ledger._finish()

    def lose_ledger(self) -> None:
        """The file is gone. The next life makes a new one, and derives the same keys."""
        self.counts["ledger lost"] += 1
        self.forgetful = True
        self.path.unlink()
        self.records = {}
        self.auditor = Auditor(caps={}, where=self._where)

    def restore_ledger(self, copy: Path) -> None:
        """An older copy takes its place."""
        self.counts["ledger restored"] += 1
        self.forgetful = True
        copy.replace(self.path)
        tasks = self.auditor.tasks
        ledger = self._open()
        self.auditor = retold(ledger, [one.identity for one in self.items], self._where)
        self.auditor.tasks.update({key: task for key, task in tasks.items() if key in self.auditor.purchases})
        self._look(ledger)
        ledger._finish()

    def _open(self) -> SqliteLedger:
        with _cheap_start():
            return open_ledger(
                self.path,
                account=SETTINGS.account,
                base_url=SETTINGS.service,
                in_thread=False,
                now=self.clocks.wall_s,
            )

    def _prepared(self, told: Told) -> Prepared:
        manifest = _manifest().model_copy(
            update={
                "budget": _manifest().budget.model_copy(update={"on_exhausted": told.on_exhausted}),
                "retries": _manifest().retries.model_copy(
                    update={"sends": told.resends_max, "resubmit_failed": told.resubmit_failed}
                ),
            }
        )
        there = self.items[told.lost :]
        asked = there[: told.only]
        plan = Plan(
            run_id=SCOPE,
            items=tuple(PlannedItem(item=item, standing=Standing.NEW, reason="", record=None) for item in asked),
            uploads=(),
            uploads_known=0,
            books=Money(),
            cap_credits=told.cap,
            seconds=0.0,
            missing=0,
            position=0,
        )
        return Prepared(
            path=Path("lives.yaml"),
            manifest=manifest,
            catalogue=Catalogue(models={}),
            expansion=Expansion(items=tuple(there), findings=(), steps={}, edition="", run_id=SCOPE),
            plan=plan,
            limits=Limits(
                creates=told.creates,
                polls=told.polls,
                uploads=Rate(count=50, window_s=1.0),
                downloads=None,
                in_flight=told.in_flight,
                timeout_s=told.timeout_s,
                first_poll_s=2.0,
                poll_gap_s=1.0,
            ),
            choices=Choices(retry=told.retry, again=told.again),
            digest="0",
            warnings=(),
            texts={},
        )

    def _judge_story(self, ledger: SqliteLedger) -> None:
        """What the file tells is what the auditor was told."""
        told = judge_story(ledger, [one.identity for one in self.items], SCOPE)
        if told.purchases.keys() != self.auditor.purchases.keys():
            raise self.fail("the log holds other attempts than were bought")
        for key, purchase in told.purchases.items():
            ours = self.auditor.purchases[key]
            if (purchase.state, purchase.reserved, purchase.settled, purchase.task_id, purchase.body) != (
                ours.state,
                ours.reserved,
                ours.settled,
                ours.task_id,
                ours.body,
            ):
                raise self.fail(f"the log tells {purchase}, and what happened was {ours}")
        judge_files(self.records, self.blobs.files)

    # What befalls it

    def pass_point(self, name: str) -> None:
        """A place where the process may die; after a commit, first of all the place to judge it."""
        if name == "commit.after":
            self._judge()
        self.points += 1
        self._passed[name] += 1
        told = self._told
        if self.points == told.die_at or told.die_at_point == (name, self._passed[name]):
            self.die(f"at {name}")
        if self.points > POINTS_MAX:
            raise self.fail("this life never ends")

    def die(self, how: str) -> None:
        self.counts[f"died {how}"] += 1
        self.note("died", how)
        raise Crash

    def _befall(self, loop: VirtualLoop, told: Told) -> None:
        if told.die_at_s is not None:
            loop.call_later(told.die_at_s, self.die, "some time")
        for at_s in told.signals_s:
            loop.call_later(at_s, self._signal, loop)
        for name, meddle in (("sleep", told.sleep), ("turn", told.turn_clock)):
            if meddle is not None:
                loop.call_later(meddle[0], getattr(self.clocks, name), meddle[1])
        for arrives_s, request in sorted(self.late, key=lambda late: late[0]):
            loop.call_later(max(0.0, arrives_s - self.clocks.now_s()), self._arrive, arrives_s, request)

    def _signal(self, loop: VirtualLoop) -> None:
        self.counts["signal heard"] += loop.signal(2)

    def _odd(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Somebody else's mistake that the loop would only log, or a violation found in a callback: end it all."""
        self._oddities.append(context.get("exception") or RuntimeError(context["message"]))
        loop.stop()

    def _bury(self, loop: VirtualLoop) -> None:
        """What the kernel does for a process that is gone: files are closed as they are, and memory is."""
        loop.set_exception_handler(lambda *_: None)
        if self._ledger is not None and self._ledger._lock.held:  # it may have died after it had closed the ledger
            if self._ledger._writer.in_transaction:
                self._ledger._writer.execute("ROLLBACK")
            self._look(self._ledger)
            self._ledger._writer.close()
            self._ledger._lock.release()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some had not even begun
            for task in asyncio.all_tasks(loop):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(BaseException):
                    cast("Coroutine[Any, Any, Any]", task.get_coro()).close()

    # Creates under way

    def send_later(self, request: SimRequest, after_s: float) -> None:
        """A copy of a create that arrives when nobody waits for it any more."""
        self.counts["create under way alone"] += 1
        arrives_s = self.clocks.now_s() + after_s
        self.late.append((arrives_s, request))
        if self.clocks.loop is not None:
            self.clocks.loop.call_later(after_s, self._arrive, arrives_s, request)

    def _arrive(self, arrives_s: float, request: SimRequest) -> None:
        with suppress(ValueError):  # it came in between two lives
            self.late.remove((arrives_s, request))
            self.service.handle(request, self.clocks.now_s())

    def pass_time(self, seconds: float) -> None:
        """Between two lives."""
        self.clocks.real_s += seconds
        for arrives_s, request in sorted(self.late, key=lambda late: late[0]):
            if arrives_s <= self.clocks.now_s():
                self.late.remove((arrives_s, request))
                self.service.handle(request, arrives_s)

    # Judging

    def left(self, key: str, body: bytes) -> None:
        """A create leaves. One that may have arrived before leaves only while the service surely knows its key."""
        self.auditor.left(key, body)
        self.sends[key] += 1
        since_s, _ = self.bought[key]
        if self.auditor.purchases[key].in_doubt and self.clocks.now_s() - since_s > KEY_WINDOW_S:
            raise self.fail(f"{key} was sent again after {self.clocks.now_s() - since_s:.0f} s")

    def made(self, key: str, task_id: str) -> None:
        """The service made a task of a create."""
        if self.forgetful and key not in self.auditor.purchases:
            self.counts["task of a forgotten attempt"] += 1
        else:
            self.auditor.made(key, task_id)

    def wrote(self, work: Callable[[], object]) -> object:
        """One call within a commit."""
        value = work()
        self._written.append(work)
        return value

    def _judge(self) -> None:
        """A commit is durable."""
        written, self._written = self._written, []
        for work in written:
            if isinstance(work, partial) and work.func is writing.add_changes:
                for change in work.args[1]:
                    self._durable(change)

    def _durable(self, change: Change) -> None:
        event, attempt = change.event, change.record.attempt
        key = attempt.key if attempt else None
        self.note(event.identity, event.type.value, sorted(event.data.items()))
        self.counts[f"event {event.type.value}"] += 1
        self.auditor.committed(event.identity, event.type.value, event.data, key=key, body=change.body)
        if key is None:
            return
        if event.type is EventType.INTENT:
            named = event.identity, event.data["epoch"], event.data["ordinal"]
            if self.keys.setdefault(named, key) != key:
                raise self.fail(f"{key} names what {self.keys[named]} named before the ledger was lost")
            self.bought[key] = self.clocks.now_s(), self._turned
        elif event.type is EventType.UNCERTAIN:
            self._deserved(key)

    def _deserved(self, key: str) -> None:
        """Nothing is given up that could be known: the key is old, or a clock lies, or all sends were used up."""
        since_s, turned = self.bought[key]
        resends_max = 8 if self._told.resends_max is None else self._told.resends_max
        conflict_s, first = self.conflicts.get(key, (self.clocks.now_s(), False))
        reasons = {
            "old": self.clocks.now_s() - since_s >= KEY_WINDOW_S - 15.0,
            "clock": turned != self.clocks.turned,
            "sends": self.sends[key] > resends_max,
            "conflict": self.clocks.now_s() - conflict_s >= (14.0 if first else 119.0),
        }
        if not any(reasons.values()):
            raise self.fail(f"{key} was given up within its window")
        for why, true in reasons.items():
            self.counts[f"uncertain: {why}"] += true


class _Witness:
    """Stands between the queue of writes and the ledger, and remembers what a commit holds."""

    def __init__(self, house: House, ledger: SqliteLedger) -> None:
        self._house = house
        self._ledger = ledger

    def commit(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        house = self._house
        house._written = []
        house.pass_point("commit.begin")
        return self._ledger._commit([partial(house.wrote, work) for work in works])


class _Service(Simulator):
    """The simulator, with an eye on what it makes and on which fault met whom."""

    def __init__(
        self, house: House, profile: Profile, seed: int, faults: Sequence[tuple[str, Mapping[str, Any], float]]
    ) -> None:
        rules = [{"match": {"endpoint": at, "share": share}, "do": dict(do)} for at, do, share in faults]
        super().__init__(profile, MODELS, seed, parse_faults(rules, seed))
        self._house = house
        self._names = [name_of(at, do) for at, do, _ in faults]
        self._fired = (0,) * len(rules)

    @property
    def tasks(self) -> Collection[Task]:
        """All that were ever made."""
        return self._world.tasks.values()

    def heal(self) -> None:
        self._faults = FaultPlan()
        self._names, self._fired = [], ()
        for wallet in self._world.wallets.values():
            wallet.balance += 1000
            wallet.initial += 1000

    def handle(self, request: SimRequest, now_s: float) -> SimResponse:
        answer = super().handle(request, now_s)
        house = self._house
        house.note(request.method, request.path, answer.status, answer.wire)
        if self._names:
            self._count(request)
        if request.method == "POST" and request.path == "/api/v1/generations":
            seen = self._world.sends[-1]
            if seen.born:
                house.made(seen.key, seen.task_id)
            if answer.status == 409 and seen.key in house.auditor.purchases:
                house.conflicts.setdefault(seen.key, (now_s, house.auditor.purchases[seen.key].sends == 1))
        return answer

    def _count(self, request: SimRequest) -> None:
        fired = self._faults.fired()
        if fired != self._fired:
            for name, before, after in zip(self._names, self._fired, fired, strict=True):
                if after > before:
                    self._house.counts[f"{name} x {self._state(name, request)}"] += 1
            self._fired = fired

    def _state(self, name: str, request: SimRequest) -> str:
        """Whom a fault met: a create with or without doubt, a task's item as the ledger has it."""
        if name.startswith("create"):
            purchase = self._house.auditor.purchases.get(request.headers["idempotency-key"])
            return "of no one" if purchase is None else "in doubt" if purchase.in_doubt else "clear"
        if name.startswith("poll"):
            task_id = request.path.rpartition("/")[2]
            owner = self._house.auditor._owners.get(task_id)
            return self._house.auditor.purchases[owner].state if owner else "of no one"
        return "asked"


class _Wire:
    """Transport and fetcher: points to die at, the time on the way, and what a wire can do to a create."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._door = MemoryTransport(MemoryDoor(house.service, house.clocks.now_s), key=DEMO_KEY)

    async def send(self, request: Request) -> Response:
        kind = _kind(request)
        self._house.pass_point(f"{kind}.leaves")
        if kind == "create":
            response = await self._create(request)
        else:
            await self._way()
            response = await self._door.send(request)
        self._house.pass_point(f"{kind}.answered")
        await self._way()
        return response

    async def _create(self, request: Request) -> Response:
        house = self._house
        dice, key = house.dice, request.headers["Idempotency-Key"]
        befalls = [name for name, share in house.wire.items() if dice.random() < share]
        for name in befalls:
            house.counts[f"wire: {name}"] += 1
        if "not sent" in befalls:
            raise TransportError("no route", phase=Phase.NOT_SENT)
        assert request.body is not None
        house.left(key, request.body)
        headers, body = self._door._dressed(request)
        copy = request_of(request.method, request.path, headers, body)
        if "late" in befalls:
            house.send_later(copy, dice.uniform(0.0, 90.0))
        flight = house.clocks.now_s() + dice.uniform(0.0, house.lag_s), copy
        house.late.append(flight)  # if the process dies now, it arrives all the same
        await _pause(flight[0] - house.clocks.now_s())
        if flight in house.late:
            house.late.remove(flight)
        if "late" in befalls or "lost" in befalls:
            raise TransportError("the connection broke", phase=Phase.SENT)
        response = await self._door.send(request)
        if (
            "twice" in befalls and response.status not in DEFINITE
        ):  # a copy of what was refused proves nothing to anyone
            house.send_later(copy, dice.uniform(0.0, 90.0))
        return response

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        self._house.pass_point("result.leaves")
        fetched = await self._door.fetch(url, sink=sink, resume=resume)
        self._house.pass_point("result.answered")
        return fetched

    async def _way(self) -> None:
        await _pause(self._house.dice.uniform(0.0, self._house.lag_s))


def _kind(request: Request) -> str:
    if request.path == "/api/v1/generations":
        return "create"
    if request.path.startswith("/api/v1/generations/"):
        return "poll"
    return {"/api/v1/files": "upload", "/api/v1/credits": "look"}[request.path]


async def _pause(seconds: float) -> None:
    if seconds > 0.0:
        await asyncio.sleep(seconds)


async def _read(location: str, *, sha256: str) -> bytes:
    content = content_of(location)
    assert hashlib.sha256(content).hexdigest() == sha256
    return content


@cache
def _manifest() -> Manifest:
    document, _ = load(MANIFEST, "lives.yaml")
    assert document is not None
    manifest, _ = parse(document)
    assert manifest is not None
    return manifest


@cache
def _new_ledger() -> bytes:
    """A ledger in which nothing was written yet: copied, because making one takes longer than a life."""
    with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder, _cheap_start():
        path = Path(folder) / "ledger.db"
        ledger = open_ledger(path, account=SETTINGS.account, base_url=SETTINGS.service, in_thread=False)
        ledger._finish()
        return path.read_bytes()


@cache
def _memory_disk() -> str | None:
    """Where a flush costs nothing: what is proven here is the order of commits, not the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def _cheap_start() -> Iterator[None]:
    """Opening a ledger without what only matters on other disks, and would be most of the time of a short life."""
    usual = ballast.BALLAST_BYTES, place.MOUNTS
    ballast.BALLAST_BYTES, place.MOUNTS = BALLAST_BYTES, Path(os.devnull)  # type: ignore[misc]
    try:
        yield
    finally:
        ballast.BALLAST_BYTES, place.MOUNTS = usual  # type: ignore[misc]
