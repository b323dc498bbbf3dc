"""Bytes on their way to a file: gathered, written by a thread, hashed, and there to be looked at before they count.

Both stores of results write through it: a folder's part file, and the nameless file from which a bucket is filled.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, TypeVar

from anyio import to_thread

from runner.errors import DiskFull, OutputUnusable
from runner.failpoints import failpoint

__all__ = ["Spool", "translated", "write_all"]

Seen = TypeVar("Seen")

# Bytes are gathered up to this before a thread writes and hashes them: a thread per network chunk would cost more.
GATHER_BYTES: Final = 1024 * 1024

# What a download must leave free, so that the ledger can still write down what was paid for.
FREE_BYTES_MIN: Final = 64 * 1024 * 1024

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Spool:
    """One body in an open file, which stays the caller's. `name` is what errors call it.

    The methods of a `Writer` that do not depend on where the file goes in the end.
    """

    def __init__(self, handle: int, *, name: str) -> None:
        self._handle = handle
        self._spooled_name = name
        self._gathered = bytearray()
        self._size_bytes = 0  # in the file; the gathered bytes come after
        self._digest = hashlib.sha256()

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        if start == 0:
            self._gathered.clear()
            await to_thread.run_sync(self._restart)
        assert start == self._size_bytes + len(self._gathered), "a body may only go on where the last one ended"
        if total_bytes is not None:
            self._check_room(total_bytes - start)

    async def write(self, chunk: bytes) -> None:
        self._gathered += chunk
        if len(self._gathered) >= GATHER_BYTES:
            await to_thread.run_sync(self._flush)

    async def examine(self, look: Callable[[BinaryIO, int], Seen]) -> Seen:
        return await to_thread.run_sync(self._examine, look)

    def _restart(self) -> None:
        with translated(self._spooled_name):
            os.ftruncate(self._handle, 0)
        self._size_bytes = 0
        self._digest = hashlib.sha256()

    def _check_room(self, wanted_bytes: int) -> None:
        with translated(self._spooled_name):
            disk = os.fstatvfs(self._handle)
        if disk.f_bavail * disk.f_frsize < wanted_bytes + FREE_BYTES_MIN:
            raise DiskFull(f"{self._spooled_name} has {wanted_bytes} bytes to come and the disk has no room for them.")

    def _flush(self) -> None:
        with translated(self._spooled_name):
            write_all(self._handle, self._gathered, offset=self._size_bytes)
        failpoint("download.mid_write")
        self._digest.update(self._gathered)
        self._size_bytes += len(self._gathered)
        self._gathered.clear()

    def _examine(self, look: Callable[[BinaryIO, int], Seen]) -> Seen:
        self._flush()
        with translated(self._spooled_name), os.fdopen(self._handle, "rb", closefd=False) as file:
            file.seek(0)
            return look(file, self._size_bytes)


def write_all(handle: int, content: bytes | bytearray, *, offset: int) -> None:
    """Writes at a place, not at the handle's position: that one belongs to whoever examines the file."""
    with memoryview(content) as view:
        written = 0
        while written < len(view):
            written += os.pwrite(handle, view[written:], offset + written)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """What the operating system refuses, as one of our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"The disk is full, so {name} was not saved.") from error
        link = error.errno in {errno.ELOOP, errno.ENOTDIR}
        why = "a folder on its way is a link or a file" if link else os.strerror(error.errno or 0)
        raise OutputUnusable(f"{name} was not saved: {why}.") from error
