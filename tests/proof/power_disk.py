"""A disk that loses power, below SQLite: a file system in memory that remembers what was never flushed.

Of a file it keeps what is durable and the writes since its last flush. When the power goes, each of those survives,
is lost, or is torn at sectors, in no particular order. New names and deleted ones are durable in their order, once a
flush or a synced folder made them so. `connect` opens a database on it as the runner's own connections are opened.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any, Literal

import apsw

from runner.ledger.durability import pragmas

__all__ = ["Connection", "Disk", "Synchronous", "connect"]

SECTOR_BYTES = 512
PAGE_BYTES = 4096

# What SQLite's own file layer says of a disk on which nothing special is known.
_CHARACTERISTICS = apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL

Synchronous = Literal["OFF", "NORMAL", "FULL", "EXTRA"]
_Write = tuple[int, bytes | None]  # offset and bytes; None: cut the file off there
_Naming = tuple[str, "_Content | None"]  # a name and what it stands for from now on; None: nothing


class _PowerLossError(Exception):
    """The machine is off."""


@dataclass(slots=True)
class _Content:
    """What an opened file is about, whatever its name."""

    live: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    unsynced: list[_Write] = field(default_factory=list)


class Disk:
    """One file system. `dice` decide what a power loss leaves.

    `names_with_any_flush`: whether flushing any file makes all names durable (as on ext4); otherwise only a synced
    folder does. `lies`: a flush is acknowledged and does nothing.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        dice: random.Random,
        names_with_any_flush: bool = True,
        lies: bool = False,
    ) -> None:
        self._dice = dice
        self._any_flush = names_with_any_flush
        self._lies = lies
        self._now = {name: _Content(bytearray(content), content) for name, content in files.items()}
        self._kept: dict[str, _Content] = dict(self._now)
        self._renamed: list[_Naming] = []
        self._is_on = True
        self._left: int | None = None  # operations until the power goes

    def fail_after(self, operations: int) -> None:
        """The power goes before the operation after these."""
        self._left = operations

    def lose_power(self) -> None:
        """Now; every operation fails until `restart`."""
        self._is_on = False

    @property
    def is_on(self) -> bool:
        return self._is_on

    def restart(self) -> None:
        """The power is back, and only what the platters hold is there."""
        dice = self._dice
        for name, content in self._renamed[: dice.randint(0, len(self._renamed))]:
            _name(self._kept, name, content)
        # Some losses take all that was not flushed, some nothing, most a part: each its own kind of trouble.
        survive = dice.choice((0.0, 0.5, 0.9, 1.0, dice.random()))
        tear = dice.choice((0.0, dice.random()))
        self._now = {}
        for name, content in self._kept.items():
            left = self._left_of(content, survive, tear)
            self._now[name] = _Content(bytearray(left), left)
        self._kept = dict(self._now)
        self._renamed = []
        self._is_on, self._left = True, None

    def files(self) -> dict[str, bytes]:
        """What is to be read now."""
        return {name: bytes(content.live) for name, content in self._now.items()}

    def size(self, name: str) -> int:
        return len(self._now[name].live)

    # What the file layer asks for

    def open(self, name: str | None, *, create: bool) -> _Content:
        if name is None:
            return _Content()  # a temporary file: nobody will look for it
        found = self._now.get(name)
        if found is None:
            if not create:
                raise apsw.CantOpenError(name)
            self._operate()
            found = self._now[name] = _Content()
            self._renamed.append((name, found))
        return found

    def has(self, name: str) -> bool:
        return name in self._now

    def delete(self, name: str, *, sync_folder: bool) -> None:
        self._operate()
        if self._now.pop(name, None) is not None:
            self._renamed.append((name, None))
        if sync_folder:
            self.sync_folder()

    def write(self, content: _Content, offset: int, data: bytes | None) -> None:
        self._operate()
        content.unsynced.append((offset, data))
        _apply(content.live, offset, data)

    def flush(self, content: _Content) -> None:
        if self._left == 0 and self._dice.random() < 0.5:
            self._keep(content)  # it was done, and the power went before anybody was told
        self._operate()
        self._keep(content)

    def _keep(self, content: _Content) -> None:
        if not self._lies:
            content.kept = bytes(content.live)
            content.unsynced.clear()
            if self._any_flush:
                self.sync_folder()

    def sync_folder(self) -> None:
        if self._lies:
            return
        for name, content in self._renamed:
            _name(self._kept, name, content)
        self._renamed.clear()

    def check_power(self) -> None:
        if not self._is_on:
            raise _PowerLossError

    def _operate(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._is_on = False
        self.check_power()

    def _left_of(self, content: _Content, survive: float, tear: float) -> bytes:
        dice, left = self._dice, bytearray(content.kept)
        writes = content.unsynced[:]
        dice.shuffle(writes)
        for offset, data in writes:
            if dice.random() >= survive:
                continue
            if data is None or dice.random() >= tear:
                _apply(left, offset, data)
                continue
            for start in range(0, len(data), SECTOR_BYTES):
                if dice.random() < 0.5:
                    _apply(left, offset + start, data[start : start + SECTOR_BYTES])
        return bytes(left)


def _name(names: dict[str, _Content], name: str, content: _Content | None) -> None:
    if content is None:
        names.pop(name, None)
    else:
        names[name] = content


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        if offset < len(content):
            del content[offset:]
        else:
            content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class _File:
    """One opened file, as SQLite wants it. Nothing locks: there is one connection."""

    def __init__(self, disk: Disk, content: _Content, *, syncs_folder: bool) -> None:
        self._disk = disk
        self._content = content
        self._syncs_folder = syncs_folder  # SQLite's file layer does so with a journal's first flush

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's names, here and below
        self._disk.check_power()
        return bytes(self._content.live[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.write(self._content, offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.write(self._content, size, None)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.flush(self._content)
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False

    def xFileSize(self) -> int:  # noqa: N802
        self._disk.check_power()
        return len(self._content.live)

    def xClose(self) -> None:  # noqa: N802
        """A closed file is no flushed one."""

    def xLock(self, level: int) -> None:  # noqa: N802
        """Nobody else is here."""

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Nobody else is here."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return PAGE_BYTES

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return _CHARACTERISTICS


class _Layer(apsw.VFS):
    """SQLite's view of whichever disk is in now. One a process: it is also where SQLite's own dice come from."""

    def __init__(self) -> None:
        super().__init__("power", base="unix", makedefault=True)
        self.disk: Disk | None = None
        self.dice = random.Random(0)

    @property
    def _in(self) -> Disk:
        assert self.disk is not None, "no disk is in"
        return self.disk

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        asked = flags[0]
        flags[1] = asked
        path = None if name is None else name if isinstance(name, str) else name.filename()
        creates = bool(asked & apsw.SQLITE_OPEN_CREATE)
        content = self._in.open(path, create=creates)
        return _File(self._in, content, syncs_folder=creates and bool(asked & _JOURNALS))

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802
        return self._in.has(pathname)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._in.delete(filename, sync_folder=bool(syncdir))

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xRandomness(self, numbytes: int) -> bytes:  # noqa: N802
        return self.dice.randbytes(numbytes)


_LAYER = _Layer()


class _Row(tuple[Any, ...]):
    """A row by position and by name; `names` is set on the class made for its statement."""

    __slots__ = ()
    names: Mapping[str, int]

    def __getitem__(self, column: Any) -> Any:
        return tuple.__getitem__(self, self.names[column] if isinstance(column, str) else column)


@dataclass(frozen=True, slots=True)
class _Done:
    """What a statement did."""

    rowcount: int
    lastrowid: int | None
    rows: list[_Row]

    def fetchall(self) -> list[_Row]:
        return self.rows

    def fetchone(self) -> _Row | None:
        return self.rows[0] if self.rows else None


class Connection:
    """A connection with the few methods that the ledger uses of sqlite3's, and with its errors."""

    def __init__(self, database: apsw.Connection) -> None:
        self._db = database
        self._rows: dict[str, type[_Row]] = {}
        self.row_factory: object = None  # rows are tuples that know names as well, whatever it is

    def cursor(self) -> Connection:
        return self

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, /) -> _Done:
        db = self._db
        before = db.total_changes()
        try:
            cursor = db.execute(sql, parameters)
            first = cursor.fetchone()
            rows = [] if first is None else self._named(sql, cursor, first)
        except Exception as error:
            raise _translated(error) from error
        return _Done(db.total_changes() - before, db.last_insert_rowid(), rows)

    def executemany(self, sql: str, parameters: Iterable[Mapping[str, Any] | Sequence[Any]], /) -> _Done:
        touched = 0
        try:
            for row in parameters:
                self._db.execute(sql, row)
                touched += self._db.changes()
        except Exception as error:
            raise _translated(error) from error
        return _Done(touched, None, [])

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        try:
            self._db.close(force=True)
        except Exception as error:
            raise _translated(error) from error

    def _named(self, sql: str, cursor: apsw.Cursor, first: tuple[Any, ...]) -> list[_Row]:
        row = self._rows.get(sql)
        if row is None:
            names = {column[0]: place for place, column in reversed(list(enumerate(cursor.get_description())))}
            row = self._rows[sql] = type("_NamedRow", (_Row,), {"__slots__": (), "names": names})
        return [row(first), *starmap(row, ((other,) for other in cursor.fetchall()))]


def _translated(error: Exception) -> Exception:
    """What sqlite3 would raise."""
    if isinstance(error, apsw.ConstraintError):
        return sqlite3.IntegrityError(str(error))
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        told: sqlite3.Error = sqlite3.DatabaseError(str(error))
        told.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        return told
    if isinstance(error, apsw.Error | _PowerLossError):
        told = sqlite3.OperationalError(str(error))
        told.sqlite_errorcode = sqlite3.SQLITE_IOERR
        return told
    return error


def connect(disk: Disk, name: str, *, alone: bool, synchronous: Synchronous, seed: int) -> Connection:
    """Open a database with the shipped settings, but for what is looked at. Raises sqlite3's errors.

    `alone`: nobody else may open it. WAL needs that here; its index is then in memory and not in a shared file, which
    is never flushed and is made anew after every power loss anyway.
    """
    _LAYER.disk = disk
    _LAYER.dice.seed(seed)
    apsw.randomness(0)  # SQLite's own dice are thrown anew, so that a history is the same wherever it is played
    try:
        connection = Connection(apsw.Connection(name, vfs="power", flags=apsw.SQLITE_OPEN_READWRITE))
    except Exception as error:
        raise _translated(error) from error
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        for setting in (*pragmas(), f"PRAGMA synchronous = {synchronous}"):
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection
