"""One runner per ledger: an OS lock on a file beside it.

A lock that must be renewed can expire under a living owner; a pid in a file can belong to somebody else. The kernel's
lock does neither: it is there as long as the process is, and gone with it, however it ended. The file's text only tells
people who holds it. It is never deleted, because two processes could then lock two files of one name.

`flock` belongs to the opened file, and a forked child inherits it. So the child lets go of its copy at once, which
leaves the parent's lock alone; unlocking would not.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from runner.errors import LedgerLocked, LedgerUnusable

__all__ = ["LedgerLock", "holder"]

# `holder` takes the lock for some microseconds to see whether it is free; a runner that starts just then tries again.
_TRIES = 10
_TRY_PAUSE_S = 0.02

_TEXT_MAX_BYTES = 500  # a pid, a host name and a time, and a line to the next owner


class LedgerLock:
    """The lock while it is held."""

    __slots__ = ("__weakref__", "_fd", "_path", "_says", "left")

    def __init__(self, ledger: Path, *, at_s: float) -> None:
        """Take it, or raise `LedgerLocked` with the holder's pid, host and start."""
        self._path = _beside(ledger)
        self._fd: int | None = None
        was_there = self._path.exists()
        self._fd = _take(self._path, ledger)
        _held.add(self)
        since = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._says = f"pid {os.getpid()} on {socket.gethostname()} since {since}\n".encode()
        try:
            # What the last owner noted; None when there was none.
            self.left = _lines(self._fd)[1] if was_there else None
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, self._says, 0)
        except OSError:
            self.release()
            raise

    def note(self, text: str) -> None:
        """Leave a line for the next owner. It is an aid: without it, that owner knows less and does the same."""
        if self._fd is not None:
            with suppress(OSError):
                line = text.encode() + b"\n"
                os.pwrite(self._fd, line, len(self._says))  # over the one before: a kill in between leaves one of them
                os.ftruncate(self._fd, len(self._says) + len(line))

    @property
    def held(self) -> bool:
        """False after `release`, and in a child forked from the holder."""
        return self._fd is not None

    def excludes(self) -> bool:
        """Whether another runner would still meet it: not once its file was deleted or replaced."""
        return self._fd is not None and _is_still(self._fd, self._path)

    def release(self) -> None:
        """Let go. In a forked child this only closes the child's copy."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


_held: WeakSet[LedgerLock] = WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)


def holder(ledger: Path) -> str | None:
    """Who holds the lock, such as `pid 4711 on studio since 2026-05-11T20:00:00Z`; None when nobody does."""
    try:
        fd = os.open(_beside(ledger), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _text(fd)
    else:
        return None
    finally:
        os.close(fd)


def _beside(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".lock")


def _take(path: Path, ledger: Path) -> int:
    who = ""
    for _ in range(_TRIES):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(fd, path):
                os.fchmod(fd, 0o600)
                return fd
        except BlockingIOError:
            who = _text(fd)
        except OSError as error:
            os.close(fd)
            raise _no_locks(ledger, error) from error
        os.close(fd)
        time.sleep(_TRY_PAUSE_S)
    raise LedgerLocked(f"the ledger {ledger} is in use by another run: {who}")


def _is_still(fd: int, path: Path) -> bool:
    """Whether the name still means the file that was locked: somebody may have deleted it in between."""
    mine = os.fstat(fd)
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)


def _text(fd: int) -> str:
    return _lines(fd)[0] or "it did not say who"


def _lines(fd: int) -> tuple[str, str]:
    """Who holds it, and what was noted last."""
    first, _, rest = os.pread(fd, _TEXT_MAX_BYTES, 0).decode(errors="replace").partition("\n")
    return first.strip(), rest.strip()


def _no_locks(ledger: Path, error: OSError) -> LedgerUnusable:
    name = errno.errorcode.get(error.errno or 0, str(error))
    return LedgerUnusable(
        f"the file system that holds {ledger} does not lock files ({name}), so two runs could pay for the same items",
        code="ledger-not-lockable",
        next_step="name a ledger on a local disk with --store",
    )
