"""The ledger on PostgreSQL when a connection breaks, or the server goes away and perhaps comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from jobs.record import Money
from runner.errors import LedgerConflict, LedgerLocked, LedgerUnusable
from runner.ledger import postgres, postgres_lock
from runner.ledger.postgres import open_ledger, open_reader
from runner.ledger.postgres_link import Link
from runner.ledger.store import Database
from tests.postgres_server import Server, database_of, shared_server
from tests.runner.cutting_proxy import Cut, CuttingProxy
from tests.runner.ledger_cases import Teller, begin, item, run_info
from tests.runner.ledger_houses import kinds, sql

ITEMS = [item(number) for number in range(40)]
ONE, TWO = ITEMS[:2]


@pytest.fixture
def database() -> Database:
    return database_of(shared_server())


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server that the test may kill."""
    server = Server()
    server.start()
    yield server
    server.stop()


# A connection that breaks


@contextmanager
def frail_way_to(database: Database) -> Iterator[tuple[CuttingProxy, Database]]:
    """A proxy that may cut the way to the database, and the database by that way."""
    port = shared_server().port
    with CuttingProxy(port) as proxy:
        yield proxy, replace(database, address=database.address.replace(str(port), str(proxy.port)))


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_commit_whose_answer_never_came_is_neither_lost_nor_done_twice(database: Database, cut: Cut) -> None:
    with frail_way_to(database) as (proxy, around):
        ledger = open_ledger(around)
        teller = await begin(ledger, *ITEMS)
        proxy.cuts += [cut, "after", "before"]

        await asyncio.gather(*(ledger.record([teller.intent(one)]) for one in ITEMS))
        for one in ITEMS[:4]:
            await ledger.record([teller.accepted(one)])

        assert proxy.made == 3
        assert ledger.records(list(teller.records)) == teller.records
        assert ledger.books("night") == Money(reserved=400)
        assert sorted(kinds(database)) == sorted(["planned"] * 40 + ["intent"] * 40 + ["accepted"] * 4)
        await ledger.close()


async def test_what_a_commit_gave_is_given_though_its_answer_never_came(database: Database) -> None:
    with frail_way_to(database) as (proxy, around):
        ledger = open_ledger(around)
        proxy.cuts.append("after")
        first = await ledger.begin_life(run_info(), [ONE], at_s=1.0, pid=1, host="a")
        proxy.cuts.append("before")
        second = await ledger.begin_life(run_info(), [ONE], at_s=2.0, pid=1, host="a")
        teller = Teller(cap=5)
        teller.records = ledger.records([ONE.identity])
        proxy.cuts.append("after")
        bad, good = teller.intent(ONE), Teller()
        with pytest.raises(LedgerConflict):
            await ledger.record([bad])
        good.records = ledger.records([ONE.identity])
        await ledger.record([good.intent(ONE)])

        assert proxy.made == 3
        assert sql(database, "SELECT life_id FROM lives ORDER BY life_id")[0] == (first.life_id,)
        assert len(sql(database, "SELECT life_id FROM lives")) == 2
        assert second.life_id > first.life_id
        await ledger.close()


async def test_a_connection_may_break_at_any_message_of_a_commit(database: Database) -> None:
    """Each message of three commits in turn: the server never hears it, or its answer is never heard."""
    with frail_way_to(database) as (proxy, around):
        ledger = open_ledger(around)
        teller = await begin(ledger, *ITEMS)
        for number, one in enumerate(ITEMS):
            proxy.cut_at = (proxy.messages + 1 + number // 2, "before" if number % 2 else "after")
            calls = (teller.intent(one), teller.accepted(one), teller.succeeded(one))
            await asyncio.gather(*(ledger.record([call]) for call in calls))

        assert proxy.made > 30
        assert ledger.records(list(teller.records)) == teller.records
        assert ledger.books("night") == Money(reserved=0, settled=400)
        assert kinds(database) == ["planned"] * 40 + ["intent", "accepted", "succeeded"] * 40
        await ledger.close()


# A server that goes away


async def test_a_killed_and_restarted_server_costs_only_waiting(mortal: Server) -> None:
    database = database_of(mortal)
    ledger = open_ledger(database)
    teller = await begin(ledger, *ITEMS)
    done = asyncio.Event()

    async def write(number: int) -> None:
        one = ITEMS[number]
        for tell in (teller.intent, teller.accepted, teller.succeeded):
            await ledger.record([tell(one)])
        if number == 5:
            done.set()

    async def kill() -> None:
        await done.wait()
        for _ in range(2):
            await asyncio.to_thread(mortal.kill)
            await asyncio.to_thread(mortal.start)
            await asyncio.sleep(0)

    await asyncio.gather(kill(), *(write(number) for number in range(40)))

    assert ledger.records(list(teller.records)) == teller.records
    assert ledger.books("night") == Money(reserved=0, settled=400)
    assert sorted(kinds(database)) == sorted(["planned", "intent", "accepted", "succeeded"] * 40)
    await ledger.close()
    await open_ledger(database).close()


async def test_a_server_that_stays_away_ends_the_run_and_loses_nothing(mortal: Server) -> None:
    database = database_of(mortal)
    ledger = open_ledger(database, patience_s=0.3)
    teller = await begin(ledger, ONE, TWO)
    await ledger.record([teller.intent(ONE)])
    kept = dict(teller.records)
    mortal.kill()

    with pytest.raises(LedgerUnusable, match="cannot be reached") as caught:
        await ledger.record([teller.intent(TWO)])
    mortal.start()
    with pytest.raises(LedgerUnusable):  # for this life: who knows what the server holds
        await ledger.record([teller.accepted(ONE)])
    await ledger.close()

    assert caught.value.code == "store-unreachable"
    again = open_ledger(database)
    assert again.records(list(kept)) == kept
    await again.close()


async def test_a_person_s_look_fails_at_once_when_the_server_is_away(mortal: Server) -> None:
    database = database_of(mortal)
    await open_ledger(database).close()
    mortal.kill()
    began_s = time.monotonic()

    with pytest.raises(LedgerUnusable, match="cannot be reached") as caught:
        open_reader(database)

    assert time.monotonic() - began_s < 5
    assert caught.value.__cause__ is None, "the error has the server's words already, without a password"


# A pooler in between


class Lent(Link):
    """A link through a pooler: each transaction gets whatever connection is free, empty."""

    def __init__(self, store: Database) -> None:
        super().__init__(store)
        self._others: list[psycopg.Connection[object]] = []

    @property
    def connection(self) -> psycopg.Connection[object]:  # type: ignore[override]
        if not self.is_in_transaction:
            if self._connection is not None:
                self._others.append(self._connection)
                self._connection = None
            if len(self._others) > 1:
                self._connection = self._others.pop(0)  # type: ignore[assignment]
                assert self._connection is not None
                self._connection.execute("DISCARD ALL")
        return super().connection

    def drop(self) -> None:
        super().drop()
        for other in self._others:
            other.close()


async def test_nothing_is_expected_of_a_connection_beyond_its_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "Link", Lent)
    monkeypatch.setattr(postgres_lock, "Link", Lent)
    ledger = open_ledger(database)
    teller = await begin(ledger, *ITEMS)
    for one in ITEMS[:5]:
        await ledger.record([teller.intent(one), teller.accepted(one)])
    await asyncio.gather(*(ledger.record([teller.succeeded(one)]) for one in ITEMS[:5]))

    assert ledger.records(list(teller.records)) == teller.records
    assert len(ledger.past_items("night")) == 40
    with pytest.raises(LedgerLocked):
        open_ledger(database)
    await ledger.close()
    reader = open_reader(database)
    assert reader is not None
    with reader, reader.snapshot():
        assert reader.records([ONE.identity]) == {ONE.identity: teller.records[ONE.identity]}
