"""One service, one ledger file and one output folder, over any number of lives of the real engine.

    with House(...) as house:
        ended = house.live(Told(...))       one life under virtual time, to its end or to its death
        house.pass_time(60)                 the time between two lives

Everything of the runner's is real but the socket, the disk of results, and time: the ledger is SQLite in a file. A
death is one for good: nothing of the process runs after it, and what was not committed is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import warnings
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from anyio._backends import _asyncio as anyio_tasks

from jobs.item import Item
from jobs.record import Change, Record
from runner.blobs_memory import MemoryBlobs
from runner.clock import Clock
from runner.compose import Run
from runner.failpoints import arm
from runner.ledger.sqlite import SqliteLedger
from runner.ledger.writing import Recording
from runner.reporter import Reporter
from runner.testing import VirtualLoop
from tests.proof.audit import Auditor, ViolationError
from tests.proof.lives_clocks import Clocks
from tests.proof.lives_judge import Judge, Witness
from tests.proof.lives_ledger import SETTINGS, shelf
from tests.proof.lives_service import WatchedService
from tests.proof.lives_story import judge_files
from tests.proof.lives_told import Ended, Told, prepared
from tests.proof.lives_weather import Strike
from tests.proof.lives_wire import Wire
from tests.runner.world_items import content_of

__all__ = ["Crash", "House"]

# A life that passes more points than this goes round in circles.
POINTS_MAX: Final = 20_000


class Crash(SystemExit):  # asyncio lets only this kind through its tasks at once
    """The process is gone. Nothing of it may run after this."""


class House:
    """Where the lives take place."""

    def __init__(
        self,
        wanted: Sequence[Item],
        *,
        seed: int,
        faults: Sequence[Strike] = (),
        profile: Mapping[str, Any] | None = None,
        wire: Mapping[str, float] | None = None,
        lag_s: float = 0.0,
    ) -> None:
        self.seed = seed
        self.items = list(wanted)
        self.dice = random.Random(seed)
        self.clocks = Clocks()
        self.judge = Judge(self.clocks)
        self.service = WatchedService(self.judge, profile or {}, seed, faults)
        self.blobs = MemoryBlobs()
        self.wire = Wire(
            self.service,
            self.clocks,
            self.judge,
            dice=self.dice,
            befalls=wire or {},
            lag_s=lag_s,
            pass_point=self.pass_point,
        )
        self.records: dict[str, Record] = {}  # as the last life left them
        self._identities = [one.identity for one in self.items]
        self._passed: Counter[str] = Counter()
        self._told = Told()
        self._ledger: SqliteLedger | None = None  # of the current life
        self._witness: Witness | None = None
        self._oddities: list[BaseException] = []

    def __enter__(self) -> Self:
        self._shelf = shelf()
        self._shelf.renew(self.seed, self.counts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ledger is not None:  # something that must never happen did
            self._ledger._writer.close()
            self._ledger._lock.release()

    @property
    def counts(self) -> Counter[str]:
        """What was met."""
        return self.judge.counts

    @property
    def auditor(self) -> Auditor:
        return self.judge.auditor

    def fail(self, what: str) -> ViolationError:
        return self.judge.fail(what)

    def heal(self) -> None:
        """Nothing goes wrong any more, and there is money."""
        self.service.heal()
        self.wire.befalls = {}

    # One life

    def live(self, told: Told) -> Ended:
        """From its first point to its end or its death."""
        self._told = told
        self._passed.clear()
        self.judge.begin_life(told)
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
        self.judge.note("ended", code, self.judge.points)
        if code is not None:
            self.counts[f"exit code {code}"] += 1
        return Ended(exit_code=code, took_s=took_s, points=self.judge.points)

    async def _life(self, loop: VirtualLoop, told: Told) -> int:
        ledger = self._ledger = self._shelf.open(self.clocks.wall_s)
        self._witness = Witness(ledger, self.judge, self.pass_point)
        self._shelf.attend(ledger, self._witness)
        run = Run(
            prepared(self.items, told),
            settings=SETTINGS,
            ledger=ledger,
            reporter=Reporter(),
            clock=Clock(mono_s=loop.time, wall_s=self.clocks.wall_s),
            blobs=self.blobs,
            read=_read,
            spread=self.dice.random,
        )
        outcome = await run.live(self.wire, self.wire)
        self._look(ledger)
        if told.judged:
            self.judge.whole_story(ledger, self._identities)
            judge_files(self.records, self.blobs.files)
        await self._shelf.close(ledger)
        self._ledger = None
        return outcome.exit_code

    def _look(self, ledger: SqliteLedger) -> None:
        """What the ledger says at the end of a life."""
        self.records = ledger.records(self._identities)
        self.judge.books(ledger)

    # What befalls it

    def pass_point(self, name: str) -> None:
        """A place where the process may die; after a commit, first of all the place to judge it."""
        if name == "commit.after" and self._witness is not None:
            self._witness.committed()
        told, judge = self._told, self.judge
        judge.points += 1
        self._passed[name] += 1
        if judge.points == told.die_at or told.die_at_point == (name, self._passed[name]):
            self.die(f"at {name}")
        if judge.points > POINTS_MAX:
            raise self.fail("this life never ends")

    def die(self, how: str) -> None:
        self.counts[f"died {how}"] += 1
        self.judge.note("died", how)
        raise Crash

    def _befall(self, loop: VirtualLoop, told: Told) -> None:
        if told.die_at_s is not None:
            loop.call_later(told.die_at_s, self.die, "some time")
        for at_s in told.signals_s:
            loop.call_later(at_s, self._signal, loop)
        if told.sleep is not None:
            loop.call_later(told.sleep[0], self._sleep, told.sleep[1])
        if told.turn_clock is not None:
            loop.call_later(told.turn_clock[0], self.clocks.turn, told.turn_clock[1])
        self.wire.under_way.begin_life(loop)

    def _sleep(self, seconds: float) -> None:
        self.clocks.sleep(seconds)
        self.wire.under_way.come_in()

    def _signal(self, loop: VirtualLoop) -> None:
        self.counts["signal heard"] += loop.signal(2)

    def _odd(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Somebody else's mistake that the loop would only log, or a violation found in a callback: end it all."""
        self._oddities.append(context.get("exception") or RuntimeError(context["message"]))
        loop.stop()

    def _bury(self, loop: VirtualLoop) -> None:
        """What the kernel does for a process that is gone: files are as they are, and memory is free."""
        loop.set_exception_handler(lambda *_: None)
        ledger, self._ledger = self._ledger, None
        if ledger is not None and ledger._lock.held:
            if ledger._writer.in_transaction:
                ledger._writer.execute("ROLLBACK")
            self._look(ledger)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some had not even begun
            for task in asyncio.all_tasks(loop):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(BaseException):
                    cast("Coroutine[Any, Any, Any]", task.get_coro()).close()
        anyio_tasks._task_states.clear()  # it waits for the end of tasks that do not end
        if ledger is not None:
            self._shelf.bury(ledger)

    # Between lives

    def pass_time(self, seconds: float) -> None:
        self.clocks.real_s += seconds
        self.wire.under_way.come_in()

    def write_down(self, changes: Sequence[Change]) -> None:
        """A command that only writes, such as `resolve`."""
        ledger = self._shelf.open(self.clocks.wall_s)
        for outcome in ledger._commit([Recording(ledger.db, changes, None)]):
            assert outcome.error is None, outcome.error
        for change in changes:
            self.judge.durable(change)
        self._look(ledger)
        self._shelf.put_back(ledger)

    def lose_ledger(self) -> None:
        """The file is gone. The next life makes a new one, and derives the same keys."""
        self.counts["ledger lost"] += 1
        self._shelf.lose()
        self.records = {}
        self.judge.forget()

    def copy_ledger(self) -> Path | None:
        """What a backup holds; None while there is no ledger."""
        return self._shelf.copy()

    def restore_ledger(self, copy: Path) -> None:
        """An older copy takes its place."""
        self.counts["ledger restored"] += 1
        self._shelf.restore(copy)
        ledger = self._shelf.open(self.clocks.wall_s)
        self.judge.remember(ledger, self._identities)
        self._look(ledger)
        self._shelf.put_back(ledger)


async def _read(location: str, *, sha256: str) -> bytes:
    content = content_of(location)
    assert hashlib.sha256(content).hexdigest() == sha256
    return content
