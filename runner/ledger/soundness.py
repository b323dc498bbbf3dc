"""Is this file a ledger, whole, ours to read, and of this account? Asked once, when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from runner.ledger.file import unusable
from runner.ledger.statements import QUERIES, SCHEMA_VERSION, Connection

__all__ = [
    "APPLICATION_ID",
    "check_kind",
    "check_owner",
    "check_shape",
    "check_size",
    "check_whole",
    "objects_of",
    "owner",
    "pragma",
]

# "RvBt": tells our files from every other SQLite database.
APPLICATION_ID: Final = 0x52764274


def check_kind(connection: Connection, path: Path, *, newest: int = SCHEMA_VERSION) -> int:
    """Ours, and of a shape this release knows: gives the shape's number."""
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise unusable(path, "is a database of another program", way_out="name another ledger with --store")
    version = pragma(connection, "user_version")
    if version > newest:
        raise unusable(
            path,
            f"was written by a newer release (its shape is {version}, this one knows {newest})",
            code="ledger-newer",
            way_out="use the newer release of rivya-batch",
        )
    if version < 1:
        raise unusable(path, "is damaged: it has lost its version", code="ledger-damaged")
    return version


def owner(connection: Connection, path: Path) -> tuple[str, str]:
    """The account label and the base URL that the ledger belongs to."""
    for row in connection.execute(QUERIES["meta"]).fetchall():
        return row["account"], row["base_url"]
    raise unusable(path, "is damaged: it does not say whose it is", code="ledger-damaged")


def check_owner(connection: Connection, path: Path, *, account: str, base_url: str) -> None:
    """Keys are remembered per account at one service: sending open attempts elsewhere would pay twice."""
    owned_by, at = owner(connection, path)
    if (owned_by, at) != (account, base_url):
        raise unusable(
            path,
            f"belongs to account `{owned_by}` at {at}, not to `{account}` at {base_url}",
            code="ledger-other-account",
            way_out=f"set RIVYA_BATCH_ACCOUNT={owned_by} and RIVYA_BASE_URL={at}, or name another ledger with --store",
        )


def check_shape(connection: Connection, path: Path, *, objects: frozenset[tuple[str, str, str]]) -> None:
    """Every table, index and trigger is as the migrations made it; what people added of their own is welcome."""
    for kind, name, _ in sorted(objects - objects_of(connection)):
        raise unusable(path, f"is damaged: its {kind} `{name}` is missing or was changed", code="ledger-damaged")


def objects_of(connection: Connection) -> frozenset[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return frozenset((kind, name, sql) for kind, name, sql in rows)


def check_size(connection: Connection, path: Path) -> None:
    if path.stat().st_size % pragma(connection, "page_size") and not _has_wal(path):
        raise unusable(path, "is damaged: its end is cut off", code="ledger-damaged")


def check_whole(connection: Connection, path: Path) -> None:
    """Read every page and every attempt."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchall()[0]
    if verdict != "ok":
        raise unusable(path, f"is damaged: {verdict}", code="ledger-damaged")
    for wrong in connection.execute(QUERIES["wrong_books"]).fetchall():
        raise unusable(
            path, f"is damaged: the books of `{wrong['scope']}` are not the sum of its attempts", code="ledger-damaged"
        )


def _has_wal(path: Path) -> bool:
    """What a power cut left of a page at the end stands whole in the WAL that was being copied into the file."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def pragma(connection: Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchall()[0]
    return int(value)
