"""Power losses below the ledger: what was acknowledged is there afterwards, whole, and nothing is half there.

The shipped `SqliteLedger` with its shipped SQL writes purchases to a simulated disk (`power_disk`), through its own
group commit, at its own settings. The power goes in the middle of anything: a commit, an opening, a rollback, a
checkpoint. `play` is the campaign, over both journal modes that the ledger can choose; `history` plays any other
setting as well, and counts what that lost.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Awaitable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from jobs.lifecycle import EventType, ItemState
from jobs.record import Change, Event, Money, Record, fold
from runner.errors import LedgerConflict, LedgerUnusable
from runner.ledger import KnownUpload, Life, soundness
from runner.ledger.ballast import Ballast
from runner.ledger.lock import LedgerLock
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.ledger.statements import Connection as Seam
from runner.testing import run_virtual
from tests.proof.audit import Auditor, ViolationError
from tests.proof.power_disk import Connection, Disk, Synchronous, connect
from tests.proof.power_shop import BOUND, Shop
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, item, run_info, upload

__all__ = ["SHIPPED", "Setting", "history", "play"]

NAME = "ledger.db"
RUN = run_info()
ITEMS = tuple(item(number) for number in range(6))
IDENTITIES = tuple(one.identity for one in ITEMS)
DIGESTS = tuple(reference.sha256 for one in ITEMS for reference in one.references)

LOSSES = (1, 2, 3, 3, 3)
COMMITS_MAX = 6  # of a life that ends without power
ENDS_SHARE = 0.25  # of the histories go on until everything that was wanted is bought
COMMITS_ENOUGH = 400  # for everything to come to its end
CALLS_MAX = 4  # that share a commit
CHANGES_MAX = 3  # of one call
OPERATIONS_MAX = (4, 16, 64, 256)  # of the disk, before the power goes: a commit takes 10 to 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A way to keep a database."""

    journal: str
    synchronous: Synchronous
    lies: bool = False  # the disk acknowledges flushes that it does not do


# What `durability.journal_mode` can choose, with what `durability.pragmas` says.
SHIPPED = (Setting(journal="wal", synchronous="FULL"), Setting(journal="truncate", synchronous="FULL"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything that stands in the ledger after one commit, known by the time of the last of it."""

    at_s: float = 0.0
    records: Mapping[str, Record] = field(default_factory=dict)
    money: Money = field(default_factory=Money)
    events: tuple[Event, ...] = ()
    uploads: Mapping[str, KnownUpload] = field(default_factory=dict)
    lives: tuple[float, ...] = ()
    changes: tuple[Change, ...] = ()  # the commit's own, for the auditor

    def after(self, changes: tuple[Change, ...]) -> Moment:
        """The same with these changes."""
        reserved = self.money.reserved + sum(change.delta.reserved for change in changes)
        settled = self.money.settled + sum(change.delta.settled for change in changes)
        return replace(
            self,
            records={**self.records, **{change.record.identity: change.record for change in changes}},
            money=Money(reserved=reserved, settled=settled),
            events=(*self.events, *(change.event for change in changes)),
            changes=(*self.changes, *changes),
        )


def play(number: int) -> Mapping[str, int]:
    """One history under each shipped setting; raises when anything that was acknowledged is not there."""
    counts: Counter[str] = Counter()
    for setting in SHIPPED:
        counts.update(history(number, setting))
    if counts["lost commits"]:
        raise ViolationError(f"{counts['lost commits']} times, acknowledged commits were lost")
    return counts


def history(number: int, setting: Setting) -> Counter[str]:
    """Up to three power losses with purchases between them, and a last look; often with all the purchases to come."""
    return run_virtual(_History(number, setting).whole())


class _OffError(Exception):
    """This life is over: there is no power."""


class _Place:
    """Where a file of the disk is, for those who look at it from outside of SQLite."""

    def __init__(self, disk: Disk, name: str = NAME) -> None:
        self._disk = disk
        self.name = name

    def with_name(self, name: str) -> _Place:
        return _Place(self._disk, name)

    def exists(self) -> bool:
        return self._disk.has(self.name)

    def stat(self) -> os.stat_result:
        return os.stat_result((0o600, 1, 0, 1, 0, 0, self._disk.size(self.name), 0, 0, 0))

    def __str__(self) -> str:
        return self.name


class _Lock:
    """The runner's lock, which has no part in this."""

    def __init__(self) -> None:
        self.held = True

    def excludes(self) -> bool:
        return self.held

    def note(self, text: str) -> None:
        """It leaves nothing for the next owner."""

    def release(self) -> None:
        self.held = False


class _History:
    """One disk over all its lives, and what is known to stand on it."""

    def __init__(self, number: int, setting: Setting) -> None:
        dice = self._dice = random.Random(f"{number} {setting}")
        self._setting = setting
        self._disk = Disk({NAME: _template()}, dice=dice, names_with_any_flush=dice.random() < 0.7, lies=setting.lies)
        self._cap = dice.choice((2 * BOUND, 4 * BOUND, 100 * BOUND))
        auditor = Auditor(caps={RUN.run_id: self._cap})
        self._shop = Shop(ITEMS, scope=RUN.run_id, cap=self._cap, dice=dice, auditor=auditor)
        self._tuning = _tuning(dice)
        self._now_s = 1000.0
        self._last = Moment()  # acknowledged
        self._asked: Moment | None = None  # under way when the power went
        self._known = {self._last.at_s: self._last}
        self.counts: Counter[str] = Counter()

    async def whole(self) -> Counter[str]:
        for _ in range(self._dice.choice(LOSSES)):
            with suppress(_OffError):
                await self._live(accident=self._dice.randint(0, COMMITS_MAX + 3))
            self._disk.lose_power()
            self._disk.restart()
            self.counts["power losses"] += 1
        await self._live(accident=None)
        self.counts["histories"] += 1
        self.counts["commits"] += len(self._known) - 1
        return self.counts

    async def _live(self, *, accident: int | None) -> None:
        """One process: opening is step 0, then come its commits, then its end. The accident begins with its step."""
        self._arm(accident == 0)
        db, ledger = self._opened()
        try:
            self._arm(accident == 1)
            if accident is None and self._dice.random() >= ENDS_SHARE:
                return
            life = await self._begin(ledger)
            for step in range(2, COMMITS_MAX + 2 if accident is not None else COMMITS_ENOUGH):
                self._arm(accident == step)
                if not await self._buy(ledger, last=accident is None):
                    break
                if accident is not None and step >= accident and self._dice.random() < 0.5:
                    raise self._off("between two commits")
            self._arm(accident == COMMITS_MAX + 2)
            await self._end(ledger, life)
            self._arm(accident == COMMITS_MAX + 3)
            with suppress(sqlite3.Error):
                await ledger.close()
            if accident is None:
                self._check_tasks()
        finally:
            _close(db)

    def _arm(self, now: bool) -> None:
        if now:
            self._disk.fail_after(self._dice.randint(0, self._dice.choice(OPERATIONS_MAX)))

    def _off(self, when: str) -> _OffError:
        self.counts[f"power lost {when}"] += 1
        return _OffError(when)

    def _tick(self) -> float:
        self._now_s += 1.0
        return self._now_s

    # Opening, as `runner.ledger.sqlite` does it

    def _opened(self) -> tuple[Connection, SqliteLedger]:
        """The ledger, judged. Raises _OffError when the power goes meanwhile.

        What a disk that lies has damaged is moved away and begun anew, as its user is told to.
        """
        while True:
            db = None
            try:
                db = self._open()
                ledger = self._ledger(db)
                self._check(db, ledger)
            except (LedgerUnusable, ViolationError, sqlite3.Error) as error:
                if db is not None:
                    _close(db)
                if not self._disk.is_on:
                    raise self._off("while opening") from error
                if not self._setting.lies:
                    raise ViolationError(f"after a power loss: {error}") from error
                self.counts["damaged ledgers"] += 1
                self._disk = Disk({NAME: _template()}, dice=self._dice, lies=True)
            else:
                return db, ledger

    def _open(self) -> Connection:
        setting, disk = self._setting, self._disk
        seed, alone = self._dice.randrange(2**32), setting.journal == "wal"
        db = connect(disk, NAME, alone=alone, synchronous=setting.synchronous, seed=seed)
        try:
            for tuning in self._tuning:
                db.execute(tuning)
            place, seam = cast("Path", _Place(disk)), cast("Seam", db)
            soundness.check_kind(seam, place)
            soundness.check_shape(seam, place, objects=_objects())
            soundness.check_whole(seam, place)
            soundness.check_owner(seam, place, account=ACCOUNT, base_url=BASE_URL)
            (got,) = db.execute(f"PRAGMA journal_mode = {setting.journal}").fetchall()[0]
            assert got == setting.journal, f"this disk has {got}"
        except BaseException:
            _close(db)
            raise
        return db

    def _ledger(self, db: Connection) -> SqliteLedger:
        place, lock, handle = cast("Path", _Place(self._disk)), cast("LedgerLock", _Lock()), cast("Any", db)
        ballast = Ballast(Path(NAME))  # never laid: this disk is never full
        return SqliteLedger(place, writer=handle, reader=handle, lock=lock, ballast=ballast, in_thread=False)

    # Writing: everything that is asked for in one turn of the loop shares a commit

    async def _begin(self, ledger: SqliteLedger) -> Life:
        at_s = self._tick()
        new = [one.identity for one in ITEMS if one.identity not in self._last.records]
        events = [Event(type=EventType.PLANNED, at_s=at_s, identity=identity) for identity in new]
        before = replace(self._last, at_s=at_s, lives=(*self._last.lives, at_s), changes=())
        moment = before.after(tuple(_planned(event) for event in events))
        (life,) = await self._commit(moment, [ledger.begin_life(RUN, ITEMS, at_s=at_s, pid=1, host="here")])
        assert isinstance(life, Life)
        return life

    async def _buy(self, ledger: SqliteLedger, *, last: bool) -> bool:
        """Some calls, now and then one that is refused; False when nothing more can happen."""
        dice, moment = self._dice, replace(self._last, changes=())
        calls: list[Awaitable[object]] = []
        refused: set[int] = set()
        waiting = dice.sample(IDENTITIES, len(IDENTITIES))
        for number in range(CALLS_MAX if last else dice.randint(1, CALLS_MAX)):
            changes, fits = self._drawn(moment, waiting, room_only=last)
            if not changes:
                break
            calls.append(ledger.record(changes))
            if fits:
                moment = moment.after(changes)
            else:
                refused.add(number)
        if dice.random() < 0.15 and not last:
            known = replace(upload(dice.choice(DIGESTS)), at_s=self._tick())
            moment = replace(moment, uploads={**moment.uploads, known.sha256: known})
            calls.append(ledger.save_upload(known))
        if calls:
            await self._commit(replace(moment, at_s=_latest(moment)), calls, refused=refused)
        return bool(calls)

    def _drawn(self, moment: Moment, waiting: list[str], *, room_only: bool) -> tuple[tuple[Change, ...], bool]:
        """One event each of some items that wait, and whether the budget has room for them."""
        dice = self._dice
        changes: list[Change] = []
        wanted = dice.randint(1, CHANGES_MAX)
        while waiting and len(changes) < wanted:
            change = self._shop.next(moment.records[waiting.pop()], self._tick())
            if change is None:
                continue
            money = moment.after((*changes, change)).money
            if change.body is None or money.reserved + money.settled <= self._cap:
                changes.append(change)
            elif not (changes or room_only) and dice.random() < 0.1:
                return (change,), False  # the core asks for no such thing; seldom, to see that the ledger looks too
        return tuple(changes), True

    async def _end(self, ledger: SqliteLedger, life: Life) -> None:
        at_s = self._tick()
        moment = replace(self._last, at_s=at_s, changes=())
        await self._commit(moment, [ledger.end_life(life, at_s=at_s, exit_code=0)])

    async def _commit(
        self, moment: Moment, calls: list[Awaitable[object]], *, refused: AbstractSet[int] = frozenset()
    ) -> list[object]:
        self._asked = moment
        told = await asyncio.gather(*calls, return_exceptions=True)
        if any(isinstance(one, LedgerUnusable) for one in told):
            assert not self._disk.is_on, "the disk had nothing against it"
            raise self._off("in a commit")
        for number, one in enumerate(told):
            if isinstance(one, BaseException) and not (isinstance(one, LedgerConflict) and number in refused):
                raise one
        self.counts["refused calls"] += len(refused)
        self._take(moment)
        return told

    def _take(self, moment: Moment) -> None:
        """The commit is known to be durable."""
        self._asked, self._last = None, moment
        self._known[moment.at_s] = moment
        if self._shop.auditor is None:
            return
        for change in moment.changes:
            event, attempt = change.event, change.record.attempt
            key = attempt.key if attempt and event.type is EventType.INTENT else None
            self._shop.auditor.committed(event.identity, event.type.value, event.data, key=key, body=change.body)

    # What must hold after a loss

    def _check(self, db: Connection, ledger: SqliteLedger) -> None:
        """The ledger is whole, and stands where it stood at some moment: after a commit, never in one."""
        told = [tuple(row) for row in db.execute("PRAGMA integrity_check").fetchall()]
        if told != [("ok",)] or db.execute("PRAGMA foreign_key_check").fetchall():
            raise ViolationError(f"the ledger is damaged: {told}")
        self.counts["reopened"] += 1
        at_s = float(db.execute(_LATEST).fetchall()[0]["at_s"])
        if self._asked is not None and self._asked.at_s == at_s:
            self.counts["unacknowledged commits that were there"] += 1
            self._take(self._asked)
        moment = self._known.get(at_s)
        if moment is None:
            raise ViolationError(f"half a commit: the ledger ends at {at_s:g}, which no commit did")
        self._compare(db, ledger, moment)
        if moment is not self._last:
            self.counts["lost commits"] += 1
            self._last, self._shop.auditor = moment, None
        self._asked = None
        self._doubt()

    def _compare(self, db: Connection, ledger: SqliteLedger, moment: Moment) -> None:
        rows = db.execute("SELECT identity, type, at_s FROM events ORDER BY seq").fetchall()
        told = [(event.identity, event.type.value, event.at_s) for event in moment.events]
        if [tuple(row) for row in rows] != told:
            raise ViolationError("the events are not those that were told")
        if ledger.records(IDENTITIES) != moment.records:
            raise ViolationError("the items are not the fold of their events")
        if ledger.books(RUN.run_id) != moment.money:
            raise ViolationError(f"the books are {ledger.books(RUN.run_id)}, and their sum is {moment.money}")
        if ledger.uploads(DIGESTS) != moment.uploads:
            raise ViolationError("the uploads are not those that were told")
        lives = db.execute("SELECT started_at_s FROM lives ORDER BY life_id").fetchall()
        if tuple(row["started_at_s"] for row in lives) != moment.lives:
            raise ViolationError("the lives are not those that were told")
        for record in moment.records.values():
            if record.attempt is not None and ledger.body(record.attempt.key) != self._shop.bodies[record.attempt.key]:
                raise ViolationError(f"the body of {record.attempt.key} is another one")

    def _doubt(self) -> None:
        """What a new life finds open may have been sent."""
        found = (record for record in self._last.records.values() if record.state is ItemState.SUBMITTING)
        self._shop.doubted |= {record.attempt.key for record in found if record.attempt is not None}
        if self._shop.auditor is not None:
            self._shop.auditor.restarted()

    def _check_tasks(self) -> None:
        """Whatever was lost: keys are derived, so the service was never asked for anything twice."""
        owed = {key: task for one in ITEMS for key, task in self._shop.tasks_owed(one.identity).items()}
        if not self._shop.tasks.items() <= owed.items():
            raise ViolationError("an item was bought under another key than before the loss")
        if self._cap == 100 * BOUND and self._shop.tasks != owed:
            raise ViolationError("an item was left half bought")
        self.counts["all bought after a loss"] += self.counts["lost commits"] > 0
        if self._shop.auditor is not None:
            self._shop.auditor.finished()


def _close(db: Connection) -> None:
    with suppress(sqlite3.Error):  # without power it cannot even say goodbye
        db.close()


_LATEST = """
SELECT max(
    coalesce((SELECT max(at_s) FROM events), 0.0),
    coalesce((SELECT max(at_s) FROM uploads), 0.0),
    coalesce((SELECT max(max(started_at_s, coalesce(ended_at_s, 0.0))) FROM lives), 0.0)
) AS at_s
"""


def _latest(moment: Moment) -> float:
    """The time of the last thing that a commit brought."""
    events = (change.event.at_s for change in moment.changes)
    return max((moment.at_s, *events, *(known.at_s for known in moment.uploads.values())))


def _planned(event: Event) -> Change:
    return Change(event=event, record=fold(None, event), delta=Money(), scope=RUN.run_id)


def _tuning(dice: random.Random) -> tuple[str, ...]:
    """What a long run meets now and then, a short one often: checkpoints, and more changes than the cache holds."""
    pages = dice.choice((1000, 1000, 4, 20))
    small = ("PRAGMA cache_size = 12",) if dice.random() < 0.25 else ()
    return (f"PRAGMA wal_autocheckpoint = {pages}", *small)


@cache
def _template() -> bytes:
    """A ledger as it is born, made once by the shipped code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        run_virtual(_made(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")  # whatever this library chose: the mode is set at every opening
        return path.read_bytes()


async def _made(path: Path) -> None:
    ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False, now=lambda: 1.0)
    await ledger.close()


@cache
def _objects() -> frozenset[tuple[str, str, str]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(_template())
        return soundness.objects_of(cast("Seam", db))
