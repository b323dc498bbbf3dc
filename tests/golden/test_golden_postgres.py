"""Ledgers of every released shape in PostgreSQL: they open, take today's shape, and a run goes on with them."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from jobs.lifecycle import EventType, ItemState
from jobs.record import Event, Money, Record, fold
from runner.ledger.postgres import open_ledger
from runner.ledger.postgres_statements import MIGRATIONS
from runner.ledger.shards import Shards
from runner.ledger.store import Database
from tests.golden.going_on import go_on
from tests.golden.make_postgres import dump, golden_file, restore, written

SHAPES = range(1, len(MIGRATIONS) + 1)


@pytest.fixture(params=SHAPES)
def store(request: pytest.FixtureRequest) -> Database:
    """A golden ledger in a database of its own."""
    return restore(request.param)


def rows(store: Database, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(store.address, row_factory=dict_row) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(store.schema)))
        return connection.execute(query.encode()).fetchall()


async def test_today_s_code_writes_the_newest_golden_ledger() -> None:
    assert dump(await written()) == golden_file(len(MIGRATIONS)).read_text(encoding="utf-8"), (
        "a new shape needs a golden ledger of its own; old ones never change"
    )


async def test_a_golden_ledger_opens_and_its_items_are_the_fold_of_their_events(store: Database) -> None:
    told: dict[str, Record | None] = {}
    for row in rows(store, "SELECT * FROM events ORDER BY seq"):
        event = Event(
            type=EventType(row["type"]), at_s=row["at_s"], identity=row["identity"], data=json.loads(row["data"])
        )
        told[event.identity] = fold(told.get(event.identity), event)

    ledger = open_ledger(store)

    assert ledger.records(list(told)) == told
    assert {record.state for record in told.values() if record} == set(ItemState), "every state is in it"
    await ledger.close()


async def test_the_books_of_a_golden_ledger_are_the_sum_of_its_attempts(store: Database) -> None:
    sums = {
        row["scope"]: Money(reserved=int(row["reserved"]), settled=int(row["settled"]))
        for row in rows(
            store, "SELECT scope, sum(reserved) reserved, sum(settled) settled FROM attempts GROUP BY scope"
        )
    }

    ledger = open_ledger(store)

    assert len(sums) == 2
    assert {scope: ledger.books(scope) for scope in sums} == sums
    await ledger.close()


async def test_a_run_goes_on_from_a_golden_ledger_and_may_be_handed_out(store: Database) -> None:
    ledger = open_ledger(store)

    await go_on(ledger)
    shards = Shards(ledger, "w")
    await shards.hand_out("night", ledger.life_id, "terms")
    (shard_id,) = await shards.add("night", ["items"])
    assert await shards.claim(shard_id) is not None
    assert [row["number"] for row in rows(store, "SELECT number FROM migrations ORDER BY number")] == [*SHAPES]
    await ledger.close()


def test_there_is_a_golden_ledger_of_every_shape() -> None:
    assert all(golden_file(shape).exists() for shape in SHAPES)
