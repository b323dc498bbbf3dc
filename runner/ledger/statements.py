"""The SQL of the ledger, read from its own files: queries by name, migrations by number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

__all__ = ["MIGRATIONS", "QUERIES", "SCHEMA_VERSION", "Migration", "many"]

_FOLDER = Path(__file__).parent
_NAMED = re.compile(r":([a-z_0-9]+)")
_BLOCK = re.compile(r"^-- name: (?P<name>[a-z_]+)\n(?P<text>.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the ledger's shape. Append only: a file that was released never changes."""

    number: int
    name: str
    sql: str


def _queries() -> dict[str, str]:
    blocks = _BLOCK.findall((_FOLDER / "queries.sql").read_text(encoding="utf-8"))
    queries = dict(blocks)
    assert len(queries) == len(blocks), "two queries share a name"
    return queries


def _migrations() -> tuple[Migration, ...]:
    files = sorted((_FOLDER / "migrations").glob("[0-9]*.sql"))
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
    return _NAMED.sub("?", query), itemgetter(*_NAMED.findall(query))


QUERIES = _queries()
MIGRATIONS = _migrations()
SCHEMA_VERSION = len(MIGRATIONS)
