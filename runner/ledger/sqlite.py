"""The ledger on SQLite. The only file that imports sqlite3, and the place where its errors become ours.

    ledger = open_ledger(path, account="default", base_url="https://rivya.ai")     one runner, by an OS lock
    reader = open_reader(path)                                                     anybody, beside a running run

Writing: one connection, owned by `GroupCommit`; each call is a savepoint, so that one refused call leaves the others
of its commit alone. Trouble with the file (broken, gone) fails every call of its commit and ends the handle: after a
failed flush nobody knows what is on the disk, and a second try can report a success that is none. Only a full disk is
no riddle, since nothing of the commit is in the file: the first time, the ballast is dropped and the commit done again.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TypeVar, cast

from runner.errors import LedgerConflict
from runner.failpoints import failpoint
from runner.ledger import migrating, place, soundness
from runner.ledger.ballast import Ballast
from runner.ledger.durability import check_library, journal_mode, pragmas
from runner.ledger.file import born, condition, failed, prepare_folder, resolved, unborn, unusable
from runner.ledger.group import GroupCommit, Outcome, Statistics
from runner.ledger.handle import LedgerHandle
from runner.ledger.lock import LedgerLock
from runner.ledger.migrating import Scripted
from runner.ledger.place import Mark
from runner.ledger.reading import ReadsOfAnyShape
from runner.ledger.rows import Row
from runner.ledger.statements import BY_POSITION, MIGRATIONS, NOTHING, QUERIES, Migration, many
from runner.ledger.trouble import Code, Trouble, is_about_the_file, translated

__all__ = ["SqliteLedger", "SqliteReader", "open_ledger", "open_reader"]

T = TypeVar("T")

# A ledger that is as it was left is read whole only up to this size: a tenth of a second, some five thousand items.
READ_WHOLE_BYTES_MAX = 16_000_000

# Commits after which the mark is left anew, so that after a kill, too, a ledger that was put back is known as one. It
# costs a fiftieth of a millisecond, and what so few commits hold is minutes old: its keys are known to the service.
MARK_EVERY = 64


class _Named:
    """The statements of the ledger on one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = _as_seam(connection)

    def rows(self, name: str, params: Mapping[str, object] = NOTHING, /) -> list[Row]:
        return self._connection.execute(QUERIES[name], params).fetchall()

    def run(self, name: str, params: Mapping[str, object] = NOTHING, /) -> int:
        return self._connection.execute(QUERIES[name], params).rowcount

    def run_many(self, name: str, rows: Iterable[Mapping[str, object]], /) -> int:
        query, ordered = many(name)
        return self._connection.executemany(query, map(ordered, rows)).rowcount


class SqliteLedger(LedgerHandle):
    """The ledger while this process owns it. Made by `open_ledger`."""

    def __init__(
        self,
        path: Path,
        *,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        lock: LedgerLock,
        ballast: Ballast,
        mark: Mark | None = None,
        warnings: Sequence[str] = (),
        in_thread: bool,
    ) -> None:
        super().__init__(partial(_ask, reader, path), partial(_snapshot, reader), db=_Named(writer), warnings=warnings)
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._mark = mark
        self._ballast = ballast
        self._inode = path.stat().st_ino
        self._trouble: Trouble | None = None
        self._unmarked = 0  # commits since the mark was left
        self._group = GroupCommit(self._commit, finish=self._finish, in_thread=in_thread)

    async def close(self) -> None:
        """Write what is waiting and release the lock, which goes last."""
        if not self._lock.held:
            return
        try:
            await self._group.close()
        finally:
            self._reader.close()

    def statistics(self) -> Statistics:
        """How well commits are shared."""
        return self._group.statistics()

    async def write(self, work: Callable[[], T]) -> T:
        if not self._lock.held:
            raise unusable(self.path, "is closed here: this process ended its run, or was forked from one that owns it")
        return await self._group.do(work)

    def _commit(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        """Do the calls in one transaction. It never raises: every call gets its value or its error."""
        if self._trouble is None and not self._is_in_place():
            self._trouble = partial(
                unusable, self.path, "or its lock was moved or deleted while a run was writing to it"
            )
        if self._trouble is None:
            try:
                outcomes = self._transact_in_room(works)
            except sqlite3.Error as error:
                self._trouble = _translated(error, self.path)
            else:
                self._unmarked += 1
                if self._unmarked == MARK_EVERY:
                    self._leave_mark()
                return outcomes
        self._leave_mark()
        return [Outcome(error=self._trouble()) for _ in works]

    def _transact_in_room(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        """A full disk is the one trouble after which the file is known to be sound: once, the ballast makes room."""
        try:
            return self._transact(works)
        except sqlite3.Error as error:
            if _code(error) != Code.FULL or not self._ballast.drop():
                raise
        self.tight = self._ballast.spent()
        return self._transact(works)

    def _transact(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = self._do(works)
            failpoint("commit.before")
            self._writer.execute("COMMIT")
            failpoint("commit.after")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            raise
        return outcomes

    def _try(self, work: Callable[[], object]) -> Outcome:
        """One call in its savepoint. Trouble with the file is raised; all other errors are the caller's own."""
        self._writer.execute("SAVEPOINT call")
        try:
            outcome = Outcome(value=work())
        except sqlite3.IntegrityError as error:
            outcome = Outcome(error=LedgerConflict(f"the ledger refuses a write: {error}", code="ledger-rule"))
        except Exception as error:  # one caller's fault must not reach the others of its commit
            if isinstance(error, sqlite3.Error) and is_about_the_file(_code(error)):
                raise
            outcome = Outcome(error=error)
        if outcome.error is not None:
            self._writer.execute("ROLLBACK TO call")
        self._writer.execute("RELEASE call")
        return outcome

    def _is_in_place(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode and self._lock.excludes()
        except OSError:
            return False

    def _finish(self) -> None:
        try:
            self._leave_mark()
            self._writer.close()
        finally:
            self._lock.release()

    def _leave_mark(self) -> None:
        """After trouble the next owner reads the whole file before it believes it."""
        self._unmarked = 0
        with suppress(sqlite3.Error, OSError):
            self._mark = Mark.now(_as_seam(self._writer), self.path)
        if self._mark is not None:
            self._lock.note(self._mark.text if self._trouble is None else self._mark.doubted.text)


class SqliteReader(ReadsOfAnyShape):
    """A look at a ledger, also while a run writes to it. Made by `open_reader`; for a `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        shape = soundness.check_kind(_as_seam(connection), path)
        super().__init__(partial(_ask, connection, path), partial(_snapshot, connection), shape)
        self.store = path
        self._connection = connection
        self.account, self.base_url = soundness.owner(_as_seam(connection), path)

    def close(self) -> None:
        self._connection.close()


def open_ledger(
    path: Path,
    *,
    account: str,
    base_url: str,
    in_thread: bool = True,
    now: Callable[[], float] = time.time,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> SqliteLedger:
    """Own the ledger, making it if there is none, and giving it today's shape if it has an older one.

    `in_thread` commits in a thread of its own; without it, on the loop (for virtual time). Raises `LedgerLocked`,
    `LedgerUnusable` (damaged, foreign, newer, or of another account or service) or `DiskFull`.
    """
    check_library(sqlite3.sqlite_version_info)
    path = resolved(path)
    prepare_folder(path)
    with ExitStack() as undo:
        try:
            lock = LedgerLock(path, at_s=now())
        except OSError as error:
            raise failed(path, error) from error
        undo.callback(lock.release)
        failpoint("ledger.locked")
        ballast = Ballast(path)
        if condition(path) == "missing":
            ballast.lay()  # ahead of a ledger that there is no room for, but never beside another program's file
            _create(path, account=account, base_url=base_url, now=now, migrations=migrations)
        with _translating(path):
            writer = _connect(path)
            undo.callback(writer.close)
            db = _as_seam(writer)
            shape = _checked(db, path, lock.left, account=account, base_url=base_url, migrations=migrations)
            warnings = [] if shape == len(migrations) else [_reshaped(db, path, now=now, migrations=migrations)]
            warnings += [*place.changes(db, path, lock.left), *place.doubts(path)]
            mark = Mark.now(db, path)
            lock.note(mark.text)
            _set_journal(writer, path)
            reader = writer
            if in_thread:
                reader = _connect(path, query_only=True)
                undo.callback(reader.close)
        ballast.lay()
        ledger = SqliteLedger(
            path,
            writer=writer,
            reader=reader,
            lock=lock,
            mark=mark,
            ballast=ballast,
            warnings=warnings,
            in_thread=in_thread,
        )
        undo.pop_all()
        return ledger


def open_reader(path: Path) -> SqliteReader | None:
    """Look at the ledger without the lock; None when there is none yet. Raises `LedgerUnusable`."""
    check_library(sqlite3.sqlite_version_info)
    path = resolved(path)
    if condition(path) == "missing":
        return None
    with ExitStack() as undo, _translating(path):
        connection = _connect(path, query_only=True)
        undo.callback(connection.close)
        reader = SqliteReader(path, connection)
        undo.pop_all()
        return reader


def _checked(
    db: Scripted, path: Path, left: str | None, *, account: str, base_url: str, migrations: tuple[Migration, ...]
) -> int:
    """A ledger, whole, and of this account, before anything in it is touched; gives the number of its shape."""
    shape = soundness.check_kind(db, path, newest=len(migrations))
    soundness.check_shape(db, path, objects=_objects(migrations[:shape]))
    soundness.check_size(db, path)
    if path.stat().st_size <= READ_WHOLE_BYTES_MAX or not place.is_as_left(db, path, left):
        soundness.check_whole(db, path)
    soundness.check_owner(db, path, account=account, base_url=base_url)
    return shape


def _reshaped(db: Scripted, path: Path, *, now: Callable[[], float], migrations: tuple[Migration, ...]) -> str:
    """Give it today's shape; says where the old one is kept."""
    try:
        kept = migrating.upgrade(db, path, migrations, now=now)
    except sqlite3.Error as error:
        if _code(error) == Code.FULL:
            raise migrating.no_room(db, path) from error
        raise
    soundness.check_shape(db, path, objects=_objects(migrations))
    return kept


def _connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    """A connection that never makes a file. Also for readers it may write: a journal left by a crash is rolled back."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        for setting in pragmas():
            connection.execute(setting)
        if query_only:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _as_seam(connection: sqlite3.Connection) -> Scripted:
    """The same object; its type says no more than the ledger needs."""
    return cast("Scripted", connection)


def _create(
    path: Path, *, account: str, base_url: str, now: Callable[[], float], migrations: tuple[Migration, ...]
) -> None:
    new = unborn(path)
    with _translating(path):
        connection = _connect(new)
        try:
            connection.execute(f"PRAGMA application_id = {soundness.APPLICATION_ID}")
            migrating.migrate(_as_seam(connection), migrations, now=now)
            whose = {"account": account, "base_url": base_url, "instance_id": uuid.uuid4().hex, "created_at_s": now()}
            connection.execute(QUERIES["sign_meta"], whose)
        finally:
            connection.close()
    try:
        failpoint("birth.before_rename")
        born(new, path)
    except OSError as error:
        raise failed(path, error) from error


@cache
def _objects(migrations: tuple[Migration, ...]) -> frozenset[tuple[str, str, str]]:
    """What these migrations make: type, name and text of every table, index and trigger."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrating.migrate(_as_seam(model), migrations, now=lambda: 0.0)
        return soundness.objects_of(_as_seam(model))


def _set_journal(connection: sqlite3.Connection, path: Path) -> None:
    wanted = journal_mode(sqlite3.sqlite_version_info)
    (got,) = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
    if got != wanted:
        raise unusable(
            path, "is kept open by another program", way_out="close that program, then run the same command again"
        )


def _ask(connection: sqlite3.Connection, path: Path, name: str, params: Mapping[str, object]) -> list[Row]:
    with _translating(path):
        cursor = connection.cursor()
        if name in BY_POSITION:
            cursor.row_factory = None  # plain tuples, in two thirds of the time
        return cast("list[Row]", cursor.execute(QUERIES[name], params).fetchall())


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads within see one moment. Keep it short: a commit waits for it."""
    outermost = not connection.in_transaction
    if outermost:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if outermost and connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _translating(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        trouble = _translated(error, path)
        raise trouble() from error


def _translated(error: sqlite3.Error, path: Path) -> Trouble:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return translated(path, code=_code(error), name=name, text=str(error))


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's own result code; None for what Python's module found by itself, such as a wrong binding."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
