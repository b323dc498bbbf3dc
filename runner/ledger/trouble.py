"""SQLite's result codes as our errors: what they say of the file, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Final

from runner.errors import DiskFull, RunnerError
from runner.ledger.ballast import BALLAST_BYTES
from runner.ledger.file import unusable

__all__ = ["Code", "Trouble", "is_about_the_file", "translated"]

Trouble = Callable[[], RunnerError]  # a fresh error for every writer that has to hear of it


class Code(IntEnum):
    """The primary result codes that matter here; SQLite never changes their numbers."""

    PERM = 3
    BUSY = 5
    LOCKED = 6
    NOMEM = 7
    READONLY = 8
    INTERRUPT = 9
    IOERR = 10
    CORRUPT = 11
    FULL = 13
    CANTOPEN = 14
    PROTOCOL = 15
    NOTADB = 26


# Codes that say something about the file and not about the statement, in words after "the ledger FILE ...".
_SAYS: Final[Mapping[int | None, str]] = {
    Code.FULL: "has no room to grow",
    Code.CORRUPT: "is damaged",
    Code.NOTADB: "is damaged, or not a ledger at all",
    Code.IOERR: "could not be read or written, by a fault of the disk or a quota used up",
    Code.READONLY: "may not be written",
    Code.CANTOPEN: "could not be opened",
    Code.PERM: "may not be opened",
    Code.BUSY: "was held by another program for too long",
    Code.LOCKED: "was held by another program for too long",
    Code.PROTOCOL: "was held by another program for too long",
    Code.NOMEM: "needs more memory than there is",
    Code.INTERRUPT: "was interrupted",
}
_DAMAGED: Final = frozenset({Code.CORRUPT, Code.NOTADB})
_NOT_ALLOWED: Final = frozenset({Code.READONLY, Code.CANTOPEN, Code.PERM})


def is_about_the_file(code: int | None) -> bool:
    return code in _SAYS


def translated(path: Path, *, code: int | None, name: str, text: str) -> Trouble:
    """Our error for SQLite's. A statement that is wrong in itself is a fault of ours and reads like one.

    `code` is the primary result code; None for what Python's module found by itself, such as a wrong binding.
    """
    if code == Code.FULL:
        return partial(
            DiskFull,
            f"the ledger {path} {_SAYS[code]}: the disk or its quota is full",
            next_step=f"free {BALLAST_BYTES:,} bytes or more on the disk (or in the quota) of {path.parent}, then run "
            "the same command again; finished work is kept",
        )
    what = f"{_SAYS.get(code, 'does not have the shape this release expects')} ({name}: {text})"
    if code in _DAMAGED:
        return partial(unusable, path, what, code="ledger-damaged")
    way_out = "see `rivya-batch doctor`, then run the same command again: nothing is bought twice"
    if code in _NOT_ALLOWED:
        way_out = "make the file and its folder writable, or name another ledger with --store"
    return partial(unusable, path, what, way_out=way_out)
