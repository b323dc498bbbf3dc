"""Write a golden ledger of PostgreSQL: the same story as SQLite's. One is kept for each released shape.

    python -m tests.golden.make_postgres        writes the one of today's shape; never touch those of older shapes

It holds the steps that made the shape, as they were then, and the rows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from runner.ledger.postgres import open_ledger
from runner.ledger.postgres_statements import MIGRATIONS
from runner.ledger.store import Database
from tests.golden.make import tell
from tests.postgres_server import database_of, end_servers, shared_server

__all__ = ["dump", "golden_file", "restore", "written"]

FOLDER = Path(__file__).parent
TABLE = re.compile(r"^CREATE TABLE ([a-z_]+)", re.MULTILINE)
COLUMNS = """
SELECT column_name, is_identity = 'YES' FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position
"""


def golden_file(shape: int) -> Path:
    return FOLDER / f"postgres-{shape:04d}.sql"


async def written() -> Database:
    """Today's golden ledger in a database of its own."""
    store = database_of(shared_server())
    await tell(open_ledger(store, now=lambda: 1000.0))
    return store


def dump(store: Database, shape: int = len(MIGRATIONS)) -> str:
    """A ledger as SQL, without what differs from machine to machine."""
    steps = [step.sql for step in MIGRATIONS[:shape]]
    with psycopg.connect(store.address) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(store.schema)))
        connection.execute("SET session_replication_role = replica")  # no trigger minds
        connection.execute("UPDATE meta SET instance_id = 'golden'")
        connection.execute("UPDATE writers SET pid = 1, host = 'studio'")
        connection.execute("DELETE FROM migrations WHERE number > %s", [shape])
        tables = [name for text in steps for name in TABLE.findall(text)]
        rows = [line for table in tables for line in _rows(connection, store.schema, table)]
        connection.rollback()
    return "\n".join([*steps, "SET session_replication_role = replica;", *rows, ""])


def _rows(connection: psycopg.Connection[tuple[object, ...]], schema: str, table: str) -> Iterator[str]:
    columns = connection.execute(COLUMNS, [schema, table]).fetchall()
    names = sql.SQL(", ").join(sql.Identifier(str(name)) for name, _ in columns)
    select = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names, sql.Identifier(table), names)
    insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({});")
    for row in connection.execute(select).fetchall():
        values = sql.SQL(", ").join(sql.Literal(value) for value in row)
        yield insert.format(sql.Identifier(table), names, values).as_string(connection)
    for name, is_identity in columns:
        if is_identity:
            yield (
                f"SELECT setval(pg_get_serial_sequence('{table}', '{name}'), "
                f"(SELECT coalesce(max({name}), 0) + 1 FROM {table}), false);"
            )


def restore(shape: int) -> Database:
    """Make the golden ledger of this shape a database again."""
    store = database_of(shared_server())
    schema = sql.Identifier(store.schema)
    with psycopg.connect(store.address) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}; SET search_path = {}").format(schema, schema))
        connection.execute(golden_file(shape).read_bytes())
    return store


if __name__ == "__main__":
    golden_file(len(MIGRATIONS)).write_text(dump(asyncio.run(written())), encoding="utf-8")
    end_servers()
