"""The tables of the ledger on PostgreSQL: what they refuse, how their shape grows, and what they give back."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from jobs.lifecycle import EventType
from runner.errors import LedgerUnusable
from runner.ledger.postgres import open_ledger, open_reader
from runner.ledger.postgres_statements import MIGRATIONS
from runner.ledger.statements import Migration
from runner.ledger.store import Database
from tests.postgres_server import database_of, shared_server
from tests.runner.ledger_cases import begin, item
from tests.runner.ledger_houses import ONE, TWO, sql


@pytest.fixture
def database() -> Database:
    return database_of(shared_server())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempts SET body = 'x'",
        "UPDATE attempts SET bound = 1",
        "DELETE FROM attempts",
        "UPDATE events SET at_s = 1",
        "DELETE FROM events",
        "UPDATE books SET reserved = -1",
        "UPDATE attempts SET task_id = 'same'",
        "UPDATE items SET params = '{'",
        "UPDATE attempts SET state = 'succeeded', task_id = 'x'",
        "INSERT INTO writers (role, pid, host, since_s) VALUES ('runner', 1, 'h', 1)",
    ],
)
async def test_what_would_be_sad_to_see_broken_the_database_refuses(database: Database, statement: str) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE, TWO)
    await ledger.record([teller.intent(ONE), teller.intent(TWO)])

    with pytest.raises((psycopg.IntegrityError, psycopg.DataError)):
        sql(database, statement)

    await ledger.close()


async def test_a_step_of_the_shape_is_done_whole_or_not_at_all(database: Database) -> None:
    await open_ledger(database).close()
    step = Migration(number=len(MIGRATIONS) + 1, name="more", sql="CREATE TABLE more (n BIGINT);")
    broken = replace(step, sql=step.sql + "CREATE TABLE more (n BIGINT);")

    with pytest.raises(LedgerUnusable):
        open_ledger(database, migrations=(*MIGRATIONS, broken))
    await open_ledger(database).close()
    later = open_ledger(database, migrations=(*MIGRATIONS, step))
    await later.close()

    assert sql(database, "SELECT max(number), count(*) FROM migrations") == [(step.number, step.number)]
    with pytest.raises(LedgerUnusable, match="newer release") as caught:
        open_ledger(database)
    assert caught.value.code == "ledger-newer"
    with pytest.raises(LedgerUnusable, match="newer release"):
        open_reader(database)


async def test_books_that_are_not_the_sum_of_their_attempts_are_refused(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE)])
    await ledger.close()
    sql(database, "UPDATE books SET reserved = 9")

    with pytest.raises(LedgerUnusable, match="not the sum of its attempts"):
        open_ledger(database)


async def test_a_zero_in_what_a_service_says_is_kept_as_a_sign(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE)])
    said = {"final_credits": 0, "charge": 0, "urls": [], "code": "c\0", "message": "m\0 \\u0000 \\\\u0000"}
    await ledger.record([teller.tell(ONE.identity, EventType.FAILED, **said)])

    (found,) = ledger.records([ONE.identity]).values()
    assert (found.error_code, found.error_message) == ("c\N{SYMBOL FOR NULL}", "m\N{SYMBOL FOR NULL} \\u0000 \\\\u0000")
    assert ledger.ends_seen(["seedance?duration=8"])["seedance?duration=8"]
    await ledger.close()


async def test_who_goes_on_gets_the_items_back_in_order_each_where_it_stands(database: Database) -> None:
    wanted = [replace(item(number), credits=7) for number in (3, 0, 2, 1)]
    ledger = open_ledger(database)
    teller = await begin(ledger, *wanted)
    await ledger.record([teller.intent(wanted[2])])

    files = {file.sha256: file for one in wanted for file in one.references}
    found = ledger.wanted_items("night", files, lambda *_: (wanted[0].price_class, 7))

    assert found == [(one, teller.records[one.identity]) for one in sorted(wanted, key=lambda one: one.index)]
    await ledger.close()
