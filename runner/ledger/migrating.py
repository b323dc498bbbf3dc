"""From one shape of the ledger to the next: each step whole or not at all, and a copy of the old file kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from runner.errors import DiskFull
from runner.failpoints import failpoint
from runner.ledger.ballast import BALLAST_BYTES
from runner.ledger.file import born, discard, failed, unborn
from runner.ledger.soundness import pragma
from runner.ledger.statements import QUERIES, Connection, Migration

__all__ = ["Scripted", "keep_copy", "migrate", "no_room", "upgrade"]


class Scripted(Connection, Protocol):
    """A connection that also does many statements at once."""

    def executescript(self, sql: str, /) -> object: ...


def migrate(db: Scripted, steps: Sequence[Migration], *, now: Callable[[], float]) -> None:
    """Do the steps that this ledger has not seen, each with its record in one transaction."""
    for step in steps[pragma(db, "user_version") :]:
        db.executescript(f"BEGIN IMMEDIATE;\n{step.sql}")
        signed = {"number": step.number, "name": step.name, "applied_at_s": now()}
        db.execute(QUERIES["sign_migration"], signed)
        db.execute(f"PRAGMA user_version = {step.number}")
        failpoint("migrate.mid")
        db.execute("COMMIT")


def upgrade(db: Scripted, ledger: Path, steps: Sequence[Migration], *, now: Callable[[], float]) -> str:
    """Give an older ledger today's shape; says where the old one is kept.

    Raises DiskFull, with nothing changed, when there is no room for it.
    """
    try:
        free_bytes = shutil.disk_usage(ledger.parent).free
    except OSError as error:
        raise failed(ledger, error) from error
    if free_bytes < _wanted_bytes(db):
        raise no_room(db, ledger)
    copy = keep_copy(db, ledger, now=now)
    migrate(db, steps, now=now)
    return (
        f"the ledger {ledger} has a new shape (number {len(steps)}); as it was before, it is kept in {copy}: an older "
        "release can go on only with that"
    )


def keep_copy(db: Connection, ledger: Path, *, now: Callable[[], float]) -> Path:
    """The ledger as it is, under a name of its own that no later copy takes. It has the name only once it is whole."""
    at = datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = ledger.with_name(f"{ledger.name}.shape-{pragma(db, 'user_version')}.{at}")
    new = unborn(ledger)
    try:
        db.execute("VACUUM INTO :copy", {"copy": str(new)})
        born(new, copy)
    except OSError as error:
        raise failed(ledger, error) from error
    finally:
        discard(new)  # half a copy would only make the disk fuller; a whole one has its own name by now
    return copy


def no_room(db: Connection, ledger: Path) -> DiskFull:
    """Also for a quota, which nobody can ask about beforehand."""
    return DiskFull(
        f"the ledger {ledger} has the shape of an older release, and there is no room to change it: that may take "
        f"{_wanted_bytes(db):,} bytes, for a copy of it as it is, for the change and for the reserve of "
        f"{BALLAST_BYTES:,} bytes. Nothing was sent, and the ledger holds what it held.",
        next_step=f"make room until {_wanted_bytes(db):,} bytes are free on the disk (or in the quota) of "
        f"{ledger.parent}, then run the same command again; finished work is kept",
    )


def _wanted_bytes(db: Connection) -> int:
    """The copy takes what the ledger has, and so may the journal of a step that writes every page anew."""
    return 2 * pragma(db, "page_count") * pragma(db, "page_size") + BALLAST_BYTES
