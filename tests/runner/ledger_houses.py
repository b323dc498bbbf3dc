"""Places for a ledger of each kind: in memory, on SQLite in a thread or on the loop, and on PostgreSQL.

One on PostgreSQL can be reached past the ledger's own code, too, as `ledger_files` does it with files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from runner.ledger import Ledger, postgres
from runner.ledger.ballast import Ballast
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.ledger.store import Database
from tests.postgres_server import database_of, shared_server
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, item

__all__ = [
    "ALONE",
    "ITEMS",
    "KINDS",
    "ONE",
    "THREE",
    "TWO",
    "House",
    "house_of",
    "kinds",
    "sql",
]

KINDS = ("memory", "thread", "loop", "postgres")
ALONE = KINDS[:3]  # with one account's ledger, and a disk that can run full
ITEMS = [item(number) for number in range(8)]
ONE, TWO, THREE = ITEMS[:3]


@dataclass
class House:
    """A place for one ledger, which can be opened again."""

    open: Callable[[], Ledger]
    open_as: Callable[[str, str], Ledger]
    fill: Callable[[Ledger], None]  # from now on the disk has no room but that of the reserve
    spend: Callable[[Ledger], None]  # and somebody else takes that as soon as it is given back


class _Dropping(Ballast):
    """A ballast whose room is really there once it is dropped, unless somebody else was faster."""

    def __init__(self, path: Path, then: Callable[[], object]) -> None:
        super().__init__(path)
        self._then = then

    def drop(self) -> bool:
        dropped = super().drop()
        self._then()
        return dropped


def _full(ledger: Ledger, *, pages_then: int) -> None:
    """The disk as SQLite sees it: so many pages, and `pages_then` more once the ballast is gone."""
    assert isinstance(ledger, SqliteLedger)
    writer = ledger._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    room = partial(writer.execute, f"PRAGMA max_page_count = {pages + pages_then}")
    ledger._ballast = _Dropping(ledger.path, room)


def house_of(kind: str, folder: Path) -> House:
    """A place of its own, of one of the `KINDS`; on the disk it is below `folder`."""
    store = MemoryStore()
    database = database_of(shared_server()) if kind == "postgres" else None

    def open_as(account: str, base_url: str) -> Ledger:
        if kind == "memory":
            return MemoryLedger(store, account=account, base_url=base_url)
        if database is not None:
            return postgres.open_ledger(database.whose(account, base_url))
        return open_ledger(folder / "ledger.db", account=account, base_url=base_url, in_thread=kind == "thread")

    def fill(ledger: Ledger) -> None:
        if kind == "memory":
            store.room = 0
        else:
            _full(ledger, pages_then=1000)

    def spend(ledger: Ledger) -> None:
        if kind == "memory":
            store.room, store.reserve = 0, 0
        else:
            _full(ledger, pages_then=0)

    return House(open=lambda: open_as(ACCOUNT, BASE_URL), open_as=open_as, fill=fill, spend=spend)


def sql(database: Database, statement: str) -> list[tuple[object, ...]]:
    """What a person at the database may ask or do. Its tables are named without their schema."""
    with psycopg.connect(database.address, autocommit=True) as connection:
        connection.execute(f'SET search_path = "{database.schema}"'.encode())
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def kinds(database: Database) -> list[str]:
    """What happened, as the log of events names it."""
    return [str(kind) for (kind,) in sql(database, "SELECT type FROM events ORDER BY seq")]
