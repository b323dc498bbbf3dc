"""The SQL of the ledger, read from its own files: queries by name, migrations by number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

from runner.ledger.rows import Row

__all__ = [
    "BY_POSITION",
    "MIGRATIONS",
    "NAMED",
    "NOTHING",
    "QUERIES",
    "SCHEMA_VERSION",
    "Connection",
    "Migration",
    "Statements",
    "many",
    "migrations_in",
    "queries_in",
]

# Queries that answer with so many rows that a name for each value costs: they are read in the order of their columns.
BY_POSITION = frozenset({"records", "wanted_items"})

_FOLDER = Path(__file__).parent
NAMED = re.compile(r"(?<!:):([a-z_0-9]+)")  # a parameter; two colons are a cast
NOTHING: Mapping[str, Any] = {}
_BLOCK = re.compile(r"^-- name: (?P<name>[a-z_]+)\n(?P<text>.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the ledger's shape. Append only: a file that was released never changes."""

    number: int
    name: str
    sql: str


class Statements(Protocol):
    """What the writes ask of a database of whatever kind: its statements, by name."""

    def rows(self, name: str, params: Mapping[str, Any] = ..., /) -> list[Row]:
        """What a statement answers."""

    def run(self, name: str, params: Mapping[str, Any] = ..., /) -> int:
        """How many rows of the table a statement touched."""

    def run_many(self, name: str, rows: Iterable[Mapping[str, Any]], /) -> int:
        """The same of one statement for a great many rows."""


class Cursor(Protocol):
    """What a statement of SQLite did."""

    @property
    def rowcount(self) -> int: ...

    def fetchall(self) -> list[Row]: ...


class Connection(Protocol):
    """What is asked of a connection to SQLite."""

    def execute(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Cursor: ...

    def executemany(self, sql: str, parameters: Iterable[Mapping[str, Any] | Sequence[Any]], /) -> Cursor: ...


def queries_in(file: str) -> dict[str, str]:
    """The statements of a file beside this one, by name."""
    blocks = _BLOCK.findall((_FOLDER / file).read_text(encoding="utf-8"))
    queries = dict(blocks)
    assert len(queries) == len(blocks), "two queries share a name"
    return queries


def migrations_in(folder: str) -> tuple[Migration, ...]:
    """The steps of a folder beside this file, in order."""
    files = sorted((_FOLDER / folder).glob("[0-9]*.sql"))
    steps = tuple(
        Migration(number=int(file.name.split("_")[0]), name=file.stem, sql=file.read_text(encoding="utf-8"))
        for file in files
    )
    assert [step.number for step in steps] == list(range(1, len(steps) + 1)), "migrations are numbered without gaps"
    return steps


@cache
def many(name: str) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """A query for a great many rows: its text without names, and what puts the values of a row in their order.

    Python's module looks names up for every row anew, which costs more than half of what a short statement does.
    """
    query = QUERIES[name]
    return NAMED.sub("?", query), itemgetter(*NAMED.findall(query))


QUERIES = queries_in("queries.sql")
MIGRATIONS = migrations_in("migrations")
SCHEMA_VERSION = len(MIGRATIONS)
