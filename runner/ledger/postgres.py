"""The ledger on PostgreSQL, for one account on any number of machines.

    ledger = open_ledger(database)         the one runner of the account, by a lock in the database
    reader = open_reader(database)         anybody, beside a running run

Writing is as on SQLite: one connection, owned by `GroupCommit`; each call is a savepoint. A server that goes away costs
waiting: the transaction is done again on a new connection. If the connection broke in a commit, nobody knows whether it
became durable; but each commit counts itself in its writer's row, so that doing it again finds out. The same row says
when somebody else became the runner meanwhile: then nothing more is written, however long this process slept.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal, TypeVar

import psycopg
from psycopg import errors, sql

from jobs.item import Item
from jobs.record import Record
from runner.errors import LedgerConflict, LedgerLocked, LedgerLost, LedgerUnusable
from runner.failpoints import failpoint
from runner.ledger.group import GroupCommit, Outcome, Statistics
from runner.ledger.handle import LedgerHandle
from runner.ledger.owning import own_all, own_these
from runner.ledger.postgres_link import PATIENCE_S, Link, Patience, patiently
from runner.ledger.postgres_lock import AccountLock, is_locked
from runner.ledger.postgres_migrating import check_shape, migrate, shape_of
from runner.ledger.postgres_statements import MIGRATIONS
from runner.ledger.postgres_trouble import (
    UNREACHABLE,
    Trouble,
    helps_to_wait,
    ill_fitting,
    is_about_the_server,
    is_refused_for_good,
    lost,
    translated,
)
from runner.ledger.reading import LedgerReader
from runner.ledger.rows import Row, body_in
from runner.ledger.statements import Migration
from runner.ledger.store import Database

__all__ = ["PostgresLedger", "PostgresReader", "holder", "open_ledger", "open_reader"]

T = TypeVar("T")
Role = Literal["runner", "worker"]

# A writer that is stopped in the middle of a transaction holds up all the others; the server undoes it after this.
_IDLE_LIMIT: Final = sql.Literal("3s")
# One statement of a commit takes milliseconds; this only ends what would never end.
_STATEMENT_LIMIT: Final = sql.Literal("60s")

# One trip to the server. What a database or a user may have set for all transactions is not relied on.
_BEGIN: Final = sql.SQL(
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; "
    "SET LOCAL statement_timeout = {statement}; SET LOCAL idle_in_transaction_session_timeout = {idle}; "
    "UPDATE {writers} SET commits = {number} WHERE writer_id = {writer_id} AND commits = {before} AND fenced = 0"
)

# A server takes a moment to see that a process has died that held the lock.
_DYING_S_MAX: Final = 0.4

# Books are added up at every start in a ledger of up to this size: some five thousand items, a tenth of a second.
READ_WHOLE_BYTES_MAX: Final = 16_000_000


class PostgresLedger(LedgerHandle):
    """The ledger while this process writes to it. Made by `open_ledger`."""

    def __init__(
        self,
        writer: Link,
        reader: Link,
        *,
        writer_id: int,
        lock: AccountLock | None,
        is_sole: bool,
        warnings: Sequence[str],
        patience_s: float,
        now: Callable[[], float],
    ) -> None:
        ask = partial(_ask, reader, patience_s)
        super().__init__(ask, partial(_snapshot, reader, patience_s), db=writer, warnings=warnings)
        self.store = writer.store
        self.writer_id = writer_id
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._is_sole = is_sole
        self._patience_s = patience_s
        self._now = now
        self._commits = 0
        self._trouble: Trouble | None = None  # what every further write gets
        self._process = os.getpid()
        self._closed = False
        self._is_alone = False
        self._group = GroupCommit(self._commit, finish=self._finish, in_thread=True, idle=self._look_after_lock)

    async def close(self) -> None:
        """Write what is waiting and release the lock, which goes last."""
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        await self._group.close()
        self._reader.drop()

    def statistics(self) -> Statistics:
        """How well commits are shared."""
        return self._group.statistics()

    def records(self, identities: Sequence[str]) -> dict[str, Record]:
        """The same. What is read in one moment is read anew from its beginning when the connection breaks."""
        patience = Patience(self._patience_s)
        while True:
            try:
                return super().records(identities)
            except LedgerUnusable as error:
                if error.code != UNREACHABLE or not patience.wait():
                    raise

    async def reading(self, look: Callable[[], T]) -> T:
        return await asyncio.to_thread(look)

    async def frozen(self, key: str) -> bytes:
        return body_in(await self.question(partial(self.db.rows, "body", {"key": key})), key)

    async def write(self, work: Callable[[], T]) -> T:
        if self._closed or os.getpid() != self._process:
            raise ill_fitting(
                self.store, "is closed here: this process ended its run, or was forked from one that writes to it"
            )
        return await self._group.do(work)

    def _own(self, run_id: str, items: Sequence[Item], /) -> None:
        if self._is_sole:
            own_all(self.db)
        else:
            own_these(self.db, run_id, items)

    def _commit(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        """Do the calls in one transaction. It never raises: every call gets its value or its error."""
        if self._trouble is None:
            try:
                return self._transact(works)
            except psycopg.Error as error:
                self._trouble = translated(self.store, error)
            except LedgerLost:
                self._trouble = self._given_up()
            except LedgerUnusable as error:  # the address leads to another server by now, which cannot keep a ledger
                self._trouble = partial(LedgerUnusable, error.message, code=error.code, next_step=error.next_step)
        trouble = self._trouble
        return [Outcome(error=trouble()) for _ in works]

    def _transact(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        """Once, however often it must be begun. `done` is what a commit gave that may have become durable."""
        patience, done = Patience(self._patience_s), None
        while True:
            try:
                self._keep_lock()
                if not self._begin(may_be_done=done is not None):
                    assert done is not None, "nobody else counts these commits"
                    break
                done = None
                outcomes = self._do_in_turn(works)
                failpoint("commit.before")
                if self._is_alone and outcomes[0].error is not None:
                    self._writer.undo()
                    return outcomes
                done = outcomes
                if self._writer.control("COMMIT") != "COMMIT":
                    raise psycopg.InternalError("a transaction that had failed before was committed")
                break
            except psycopg.Error as error:
                self._writer.undo()
                if isinstance(error, errors.DiskFull):
                    self.tight = f"the database {self.store} has no room to grow"
                if not helps_to_wait(error) or is_refused_for_good(error) or not patience.wait():
                    raise
        self._commits += 1
        failpoint("commit.after")
        return done

    def _begin(self, *, may_be_done: bool) -> bool:
        """Begin, with this commit counted; False when it was counted before. Raises `LedgerLost` for who was fenced."""
        number = self._commits + 1
        said = self._writer.control(
            _BEGIN.format(
                statement=_STATEMENT_LIMIT,
                idle=_IDLE_LIMIT,
                writers=sql.Identifier(self.store.schema, "writers"),
                writer_id=sql.Literal(self.writer_id),
                number=sql.Literal(number),
                before=sql.Literal(number - 1),
            )
        )
        if said == "UPDATE 1":
            return True
        standing = self._standing()
        self._writer.undo()
        if may_be_done and standing["commits"] == number:
            return False
        raise lost(self.store)

    def _keep_lock(self) -> None:
        """Have the account's lock, again if the server or the connection was away. Raises `LedgerLost` when fenced.

        Somebody who has the lock now, and has fenced nobody yet, is about to.
        """
        if self._lock is None or self._lock.is_held():
            return
        patience = Patience(self._patience_s)
        while self._standing()["fenced"] or not self._lock.take():
            if self._standing()["fenced"] or not patience.wait():
                raise lost(self.store)

    def _look_after_lock(self) -> None:
        """The same while nothing is to be written: nobody shall take over from a run that only waits for its tasks."""
        if self._trouble is None:
            with suppress(psycopg.Error, LedgerUnusable):  # the next commit has the patience, and says why
                try:
                    self._keep_lock()
                except LedgerLost:
                    self._trouble = self._given_up()

    def _standing(self) -> Row:
        for row in self._writer.rows("writer", {"writer_id": self.writer_id}):
            return row
        raise lost(self.store)  # somebody put back an old copy

    def _given_up(self) -> Trouble:
        if self._lock is not None:
            self._lock.release()
        return partial(lost, self.store)

    def _do_in_turn(self, works: Sequence[Callable[[], object]]) -> list[Outcome]:
        self._is_alone = len(works) == 1
        return self._do(works)

    def _try(self, work: Callable[[], object]) -> Outcome:
        """One call in its savepoint; who is alone in a commit needs none. Trouble with the server is raised."""
        if not self._is_alone:
            self._writer.control("SAVEPOINT call")
        try:
            outcome = Outcome(value=work())
        except psycopg.IntegrityError as error:
            refusal = f"the ledger refuses a write: {error.diag.message_primary or error}"
            outcome = Outcome(error=LedgerConflict(refusal, code="ledger-rule"))
        except Exception as error:  # one caller's fault must not reach the others of its commit
            if isinstance(error, psycopg.Error) and is_about_the_server(error):
                raise
            outcome = Outcome(error=error)
        if not self._is_alone:
            if outcome.error is not None:
                self._writer.control("ROLLBACK TO call")
            self._writer.control("RELEASE call")
        return outcome

    def _finish(self) -> None:
        try:
            with suppress(psycopg.Error):
                self._writer.run("sign_out", {"writer_id": self.writer_id, "at_s": self._now()})
            self._writer.drop()
        finally:
            if self._lock is not None:
                self._lock.release()


class PostgresReader(LedgerReader):
    """A look at a ledger, also while runs write to it. Made by `open_reader`."""

    def __init__(self, link: Link) -> None:
        super().__init__(partial(_ask, link, 0.0), partial(_snapshot, link, 0.0))
        self.store = link.store
        self.account, self.base_url = link.store.account, link.store.base_url
        self._link = link

    def close(self) -> None:
        self._link.drop()


def open_ledger(
    store: Database,
    *,
    role: Role = "runner",
    is_sole: bool = False,
    now: Callable[[], float] = time.time,
    patience_s: float = PATIENCE_S,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> PostgresLedger:
    """Write to the ledger: as the account's one runner, who makes it or gives it today's shape, or as a worker beside.

    A runner that `is_sole` buys by itself: none of its lives begins while others work on what was handed out to them.

    Raises `LedgerLocked`, or `LedgerUnusable` (unreachable, newer, damaged, or not there for a worker).
    """
    with ExitStack() as undo, _translating(store):
        writer = Link(store)
        undo.callback(writer.drop)
        lock = _locked(writer, undo) if role == "runner" else None
        failpoint("ledger.locked")
        warnings: list[str] = []
        if lock is None:
            _check_is_there(writer, migrations)
        elif migrate(writer, migrations, now=now):
            warnings += _neighbours(writer)
        writer_id = _sign_in(writer, role, now=now)
        _check_books(writer)
        ledger = PostgresLedger(
            writer,
            Link(store),
            writer_id=writer_id,
            lock=lock,
            is_sole=is_sole,
            warnings=warnings,
            patience_s=patience_s,
            now=now,
        )
        undo.pop_all()
        return ledger


def open_reader(store: Database) -> PostgresReader | None:
    """Look at the ledger without the lock; None when there is none yet. Raises `LedgerUnusable`."""
    with ExitStack() as undo, _translating(store):
        link = Link(store)
        undo.callback(link.drop)
        shape = shape_of(link)
        if not shape:
            return None
        check_shape(link, shape, len(MIGRATIONS))
        undo.pop_all()
        return PostgresReader(link)


def holder(store: Database) -> str | None:
    """Who is the account's runner, such as `pid 4711 on studio since 2026-05-11T20:00:00Z`; None when nobody is."""
    with _translating(store):
        link = Link(store)
        try:
            return _runner(link) if is_locked(link) else None
        finally:
            link.drop()


def _locked(writer: Link, undo: ExitStack) -> AccountLock:
    lock = AccountLock(writer.store)
    undo.callback(lock.release)
    patience = Patience(_DYING_S_MAX)
    while not lock.take():
        if patience.wait():
            continue
        raise LedgerLocked(f"the ledger in {writer.store} is in use by another run: {_runner(writer)}")
    return lock


def _runner(link: Link) -> str:
    for row in link.rows("runner") if shape_of(link) else ():
        since = datetime.fromtimestamp(row["since_s"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"pid {row['pid']} on {row['host']} since {since}"
    return "it did not say who"


def _check_is_there(link: Link, migrations: tuple[Migration, ...]) -> None:
    shape = shape_of(link)
    if shape != len(migrations):
        check_shape(link, shape or 0, len(migrations))
        raise ill_fitting(
            link.store,
            f"holds no ledger of account `{link.store.account}` at {link.store.base_url} in today's shape",
            way_out="begin a run with this release first: it makes the ledger",
        )


def _sign_in(link: Link, role: Role, *, now: Callable[[], float]) -> int:
    """Be known as a writer; as the runner, the only one who may go on."""
    who = {"role": role, "pid": os.getpid(), "host": socket.gethostname(), "since_s": now()}
    with link.transaction():
        if role == "runner":
            link.run("fence_runners")
        return int(link.rows("sign_in", who)[0]["writer_id"])


def _check_books(link: Link) -> None:
    (size,) = link.answer("SELECT pg_relation_size(%(name)s) AS bytes", {"name": f'"{link.store.schema}".attempts'})
    for wrong in link.rows("wrong_books") if size["bytes"] <= READ_WHOLE_BYTES_MAX else ():
        raise ill_fitting(
            link.store,
            f"is damaged: the books of `{wrong['scope']}` are not the sum of its attempts",
            code="ledger-damaged",
            way_out="put back a copy of the database",
        )


def _neighbours(link: Link) -> Iterator[str]:
    """A mistyped account begins a ledger of its own, and would buy everything once more under it."""
    found = link.answer(
        "SELECT obj_description(oid, 'pg_namespace') AS says FROM pg_namespace "
        "WHERE nspname LIKE 'rivya\\_%%' AND nspname <> %(schema)s ORDER BY oid LIMIT 4",
        {"schema": link.store.schema},
    )
    others = [str(row["says"]).removeprefix("rivya-batch: ") for row in found if row["says"]]
    if others:
        yield (
            f"a new ledger was begun in {link.store} for account `{link.store.account}` at {link.store.base_url}, and "
            f"it knows nothing of what was bought in the others there: {'; '.join(others)}"
        )


def _ask(link: Link, patience_s: float, name: str, params: Mapping[str, object]) -> list[Row]:
    with link.turn:
        is_alone = not link.is_in_transaction  # the rest of a snapshot cannot be had again
        return patiently(link, partial(link.rows, name, params), limit_s=patience_s if is_alone else 0.0)


@contextmanager
def _snapshot(link: Link, patience_s: float) -> Iterator[None]:
    """All reads within see one moment, and those of other threads wait for their own."""
    with link.turn:
        if link.is_in_transaction:
            yield
            return
        begin = partial(link.control, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        patiently(link, begin, limit_s=patience_s)
        try:
            yield
        finally:
            link.undo()


@contextmanager
def _translating(store: Database) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        trouble = translated(store, error)
        raise trouble() from None
