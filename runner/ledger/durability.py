"""How a commit survives a power cut, by the version of SQLite that is linked.

What "committed" means was measured with simulated power loss: WAL or DELETE with weaker settings lose commits that were
acknowledged; WAL with FULL and TRUNCATE with FULL lose none. Up to 3.51.2 a race between two connections can reset the
WAL and lose commits, and a `status` beside a run *is* a second connection. So WAL only where that is mended; elsewhere
TRUNCATE, which costs a few more fsyncs and, with commits shared by many writers, hardly any speed.
"""

from __future__ import annotations

from typing import Literal

from runner.errors import RunnerError

__all__ = ["OLDEST_SQLITE", "JournalMode", "check_library", "journal_mode", "pragmas"]

JournalMode = Literal["wal", "truncate"]
Version = tuple[int, int, int]

OLDEST_SQLITE: Version = (3, 37, 0)  # STRICT tables

# The WAL-reset race is mended in 3.51.3 and later, and in these older series from the given release on.
_WAL_MENDED: Version = (3, 51, 3)
_WAL_BACKPORTS: tuple[Version, ...] = ((3, 50, 7), (3, 44, 6))

# A reader may delay a commit, never fail it: a reader fetches a whole answer at once, in seconds at the very worst.
_BUSY_TIMEOUT_MS = 60_000

# Identities and keys are hashes, so their index pages are touched at random: 100,000 items stay within this.
_CACHE_KIB = 32_000


def journal_mode(version: Version) -> JournalMode:
    """WAL where two connections cannot harm each other, TRUNCATE elsewhere."""
    mended = version >= _WAL_MENDED or any(fix <= version < (fix[0], fix[1] + 1, 0) for fix in _WAL_BACKPORTS)
    return "wal" if mended else "truncate"


def check_library(version: Version) -> None:
    """Refuse a SQLite that cannot keep a ledger."""
    if version < OLDEST_SQLITE:
        linked, oldest = (".".join(map(str, one)) for one in (version, OLDEST_SQLITE))
        raise RunnerError(
            f"this Python is linked to SQLite {linked}; the ledger needs {oldest} or newer",
            next_step="use a Python with a newer SQLite",
        )


def pragmas() -> tuple[str, ...]:
    """What every connection is told first. The last two are for macOS, where plain fsync does not reach the disk."""
    return (
        f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}",
        "PRAGMA foreign_keys = ON",
        "PRAGMA synchronous = FULL",
        f"PRAGMA cache_size = -{_CACHE_KIB}",
        "PRAGMA fullfsync = ON",
        "PRAGMA checkpoint_fullfsync = ON",
    )
