"""The statements of a ledger in PostgreSQL: those of SQLite in the other's words, and its own.

The two databases agree on most SQL. What differs everywhere in the same way is written anew here, word for word; what
differs in its own way stands in `postgres.sql`. Tables are named with their schema, because a connection from a pool
remembers nothing between two transactions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from runner.ledger.statements import NAMED, QUERIES, migrations_in, queries_in

__all__ = ["MIGRATIONS", "queries_of"]

MIGRATIONS: Final = migrations_in("postgres_migrations")

_OWN: Final = queries_in("postgres.sql")
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_CREATED = re.compile(r"^CREATE TABLE ([a-z_]+)", re.MULTILINE)
_TABLES: Final = "|".join(name for step in MIGRATIONS for name in _CREATED.findall(step.sql))
_TABLE = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE) ({_TABLES})\b")
_LIST = re.compile(r"json_each\((:[a-z_]+)\) AS ([a-z_]+)")


@cache
def queries_of(schema: str) -> Mapping[str, bytes]:
    """Every statement by name, for the ledger in this schema, with its parameters as psycopg spells them."""
    return {name: _said(text, schema).encode() for name, text in (QUERIES | _OWN).items()}


def _said(text: str, schema: str) -> str:
    text = _COMMENT.sub("", text).strip().removesuffix(";").replace("%", "%%")
    text = text.replace("CROSS JOIN", "JOIN")
    text = _LIST.sub(r"json_array_elements_text(CAST(\1 AS JSON)) WITH ORDINALITY AS \2 (value, key)", text)
    text = _TABLE.sub(rf'\1 "{schema}".\2', text)
    return NAMED.sub(r"%(\1)s", text)
