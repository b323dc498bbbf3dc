"""From one shape of a ledger in PostgreSQL to the next: each step whole or not at all, and one at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Final

from psycopg import sql

from runner.failpoints import failpoint
from runner.ledger.postgres_link import Link
from runner.ledger.postgres_trouble import ill_fitting
from runner.ledger.statements import Migration

__all__ = ["check_shape", "migrate", "shape_of"]

# Two that open the same ledger for the first time must not both make it; the account's own lock is another number.
_MIGRATING: Final = "SELECT pg_advisory_xact_lock(%(number)s # 1)"


def shape_of(link: Link) -> int | None:
    """The number of the ledger's shape; None when there is none."""
    (found,) = link.answer("SELECT to_regclass(%(name)s) AS name", {"name": f'"{link.store.schema}".migrations'})
    if found["name"] is None:
        return None
    table = sql.SQL("SELECT coalesce(max(number), 0) AS shape FROM {}.migrations")
    (row,) = link.answer(table.format(sql.Identifier(link.store.schema)))
    return int(row["shape"])


def check_shape(link: Link, shape: int, newest: int) -> None:
    if shape > newest:
        raise ill_fitting(
            link.store,
            f"was written by a newer release (its shape is {shape}, this one knows {newest})",
            code="ledger-newer",
            way_out="use the newer release of rivya-batch",
        )


def migrate(link: Link, steps: Sequence[Migration], *, now: Callable[[], float]) -> bool:
    """Do the steps that this ledger has not seen, each in one transaction; says whether it was made just now."""
    is_new = False
    for step in steps:
        with link.transaction():
            link.answer(_MIGRATING, {"number": link.store.lock_number})
            shape = shape_of(link)
            check_shape(link, shape or 0, len(steps))
            if (shape or 0) >= step.number:
                continue
            _apply(link, step, now=now)
            if shape is None:
                is_new = True
                _sign(link, now=now)
    return is_new


def _apply(link: Link, step: Migration, *, now: Callable[[], float]) -> None:
    schema = sql.Identifier(link.store.schema)
    if step.number == 1:
        whose = f"rivya-batch: ledger of account `{link.store.account}` at {link.store.base_url}"
        link.control(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        link.control(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(whose)))
    link.control(sql.SQL("SET LOCAL search_path = {}").format(schema))
    link.control(step.sql.encode())
    link.run("sign_migration", {"number": step.number, "name": step.name, "applied_at_s": now()})
    failpoint("migrate.mid")


def _sign(link: Link, *, now: Callable[[], float]) -> None:
    store = link.store
    whose = {"account": store.account, "base_url": store.base_url, "instance_id": uuid.uuid4().hex}
    link.run("sign_meta", whose | {"created_at_s": now()})
