"""The ledger on PostgreSQL when the server, a connection or a process goes away, and when somebody else is there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import psycopg
import pytest

from jobs.lifecycle import EventType
from jobs.record import Money
from runner.errors import LedgerConflict, LedgerLocked, LedgerLost, LedgerUnusable
from runner.ledger import postgres, postgres_lock
from runner.ledger.postgres import PostgresLedger, holder, open_ledger, open_reader
from runner.ledger.postgres_link import Link
from runner.ledger.postgres_statements import MIGRATIONS
from runner.ledger.statements import Migration
from runner.ledger.store import Database
from tests.postgres_server import Server, database_of, shared_server
from tests.runner.cutting_proxy import Cut, CuttingProxy
from tests.runner.ledger_cases import Teller, begin, item, run_info

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


def sql(database: Database, statement: str) -> list[tuple[object, ...]]:
    """What a person at the database may ask or do. Its tables are named without their schema."""
    with psycopg.connect(database.address, autocommit=True) as connection:
        connection.execute(f'SET search_path = "{database.schema}"'.encode())
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def end_lock_of(ledger: PostgresLedger) -> None:
    """The connection that holds the account's lock is ended by the server."""
    assert ledger._lock is not None
    assert ledger._lock._backend is not None
    sql(ledger.store, f"SELECT pg_terminate_backend({ledger._lock._backend}, 5000)")


def kinds(database: Database) -> list[str]:
    return [str(kind) for (kind,) in sql(database, "SELECT type FROM events ORDER BY seq")]


# A connection that breaks


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_commit_whose_answer_never_came_is_neither_lost_nor_done_twice(database: Database, cut: Cut) -> None:
    with CuttingProxy(shared_server().port) as proxy:
        around = replace(database, address=database.address.replace(str(shared_server().port), str(proxy.port)))
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
    with CuttingProxy(shared_server().port) as proxy:
        around = replace(database, address=database.address.replace(str(shared_server().port), str(proxy.port)))
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
    with CuttingProxy(shared_server().port) as proxy:
        around = replace(database, address=database.address.replace(str(shared_server().port), str(proxy.port)))
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


async def test_a_run_that_only_waits_takes_its_lock_again_too(database: Database) -> None:
    ledger = open_ledger(database)
    end_lock_of(ledger)

    while holder(database) is None:  # a second at the most
        await asyncio.to_thread(threading.Event().wait, 0.05)

    with pytest.raises(LedgerLocked):
        open_ledger(database)
    await ledger.close()


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


# Another process


async def test_only_one_of_two_that_open_at_once_becomes_the_runner(database: Database) -> None:
    def opened(_: int) -> PostgresLedger | LedgerLocked:
        try:
            return open_ledger(database)
        except LedgerLocked as locked:
            return locked

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(opened, range(4)))

    winners = [one for one in found if isinstance(one, PostgresLedger)]
    assert len(winners) == 1
    assert sql(database, "SELECT count(*) FROM meta") == [(1,)]
    await winners[0].close()


async def test_who_is_refused_is_told_who_runs_and_since_when(database: Database) -> None:
    assert holder(database) is None
    ledger = open_ledger(database, now=lambda: 1_777_777_777.0)

    with pytest.raises(LedgerLocked, match=r"pid \d+ on .+ since 2026-05-03T03:09:37Z"):
        open_ledger(database)

    assert "since 2026-05-03T03:09:37Z" in (holder(database) or "")
    await ledger.close()
    assert holder(database) is None


async def test_two_accounts_run_side_by_side_in_one_database(database: Database) -> None:
    mine, other = open_ledger(database), open_ledger(database.whose("other", database.base_url))
    here, there = await begin(mine, ONE), await begin(other, ONE)
    await mine.record([here.intent(ONE)])

    assert (mine.books("night").reserved, other.books("night").reserved) == (10, 0)
    assert len(other.warnings) == 1
    assert "account `default` at https://rivya.example" in other.warnings[0]
    await other.record([there.intent(ONE)])
    await mine.close()
    await other.close()


async def test_a_runner_that_lost_its_lock_takes_it_again_and_goes_on(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    end_lock_of(ledger)

    await ledger.record([teller.intent(ONE)])

    with pytest.raises(LedgerLocked):
        open_ledger(database)
    await ledger.close()


async def test_a_runner_that_slept_while_another_took_over_writes_nothing_more(database: Database) -> None:
    slept = open_ledger(database)
    teller = await begin(slept, ONE, TWO)
    await slept.record([teller.intent(ONE)])
    end_lock_of(slept)
    other = open_ledger(database)  # while the first does nothing

    with pytest.raises(LedgerLost, match="no longer this process's to write"):
        await slept.record([teller.intent(TWO)])
    with pytest.raises(LedgerLost):
        await slept.record([teller.accepted(ONE)])

    assert (other.books("night"), kinds(database)) == (Money(reserved=10), ["planned", "planned", "intent"])
    await other.close()
    with pytest.raises(LedgerLost):  # the lock is free again, and that helps nothing
        await slept.record([teller.succeeded(ONE)])
    await slept.close()


async def test_a_runner_whose_lock_only_seems_to_be_there_writes_nothing_either(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    sql(
        database, "UPDATE writers SET fenced = 1"
    )  # its connection says nothing: perhaps nothing comes through any more

    with pytest.raises(LedgerLost):
        await ledger.record([teller.intent(ONE)])

    assert kinds(database) == ["planned"]
    assert holder(database) is None  # and it stands in nobody's way
    await ledger.close()


async def test_a_commit_that_was_under_way_when_another_took_over_is_seen_by_it_or_undone(database: Database) -> None:
    slept = open_ledger(database)
    teller = await begin(slept, ONE)
    inside, go_on = threading.Event(), threading.Event()

    def wait_inside() -> None:
        inside.set()
        go_on.wait()

    writing = asyncio.create_task(slept.write(wait_inside))
    await asyncio.to_thread(inside.wait)
    end_lock_of(slept)
    opening = asyncio.create_task(asyncio.to_thread(open_ledger, database))
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await asyncio.to_thread(sql, database, waiting):
        assert not opening.done()
    assert not opening.done()  # it waits until the commit is decided

    go_on.set()
    await writing
    other = await opening
    with pytest.raises(LedgerLost):
        await slept.record([teller.intent(ONE)])
    await other.close()
    await slept.close()


async def test_of_two_workers_that_move_one_item_the_second_is_refused(database: Database) -> None:
    runner = open_ledger(database)
    teller = await begin(runner, *ITEMS)
    one, two = open_ledger(database, role="worker"), open_ledger(database, role="worker")
    copies = [Teller(), Teller()]
    for copy in copies:
        copy.records = dict(teller.records)

    ends = await asyncio.gather(
        one.record([copies[0].intent(ONE)]), two.record([copies[1].intent(ONE)]), return_exceptions=True
    )

    assert sorted(type(end).__name__ for end in ends) == ["LedgerConflict", "NoneType"]
    assert runner.books("night") == Money(reserved=10)
    for ledger in (one, two, runner):
        await ledger.close()


async def test_workers_together_never_hold_more_than_the_cap(database: Database) -> None:
    runner = open_ledger(database)
    teller = await begin(runner, *ITEMS)
    workers = [open_ledger(database, role="worker") for _ in range(3)]
    tellers = [Teller(cap=70) for _ in workers]
    for copy in tellers:
        copy.records = dict(teller.records)
    calls = [
        worker.record([copy.intent(one)])
        for number, (worker, copy) in enumerate(zip(workers, tellers, strict=True))
        for one in ITEMS[number::3]
    ]

    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert runner.books("night") == Money(reserved=70)
    assert [type(end) for end in ends].count(type(None)) == 7
    assert {end.code for end in ends if isinstance(end, LedgerConflict)} == {"ledger-over-cap"}
    for ledger in (*workers, runner):
        await ledger.close()


async def test_two_writers_in_each_other_s_way_both_get_through(database: Database) -> None:
    runner = open_ledger(database)
    await begin(runner, ONE)
    await begin(runner, TWO, run=run_info("day"))
    one, two = open_ledger(database, role="worker"), open_ledger(database, role="worker")
    both_hold, began = threading.Barrier(2), set[int]()

    def move(ledger: PostgresLedger, scopes: tuple[str, str]) -> None:
        ledger.db.run("move_books", {"scope": scopes[0], "reserved": 1, "settled": 0})
        if id(ledger) not in began:  # once; whose transaction is undone begins again
            began.add(id(ledger))
            both_hold.wait(timeout=10)
        ledger.db.run("move_books", {"scope": scopes[1], "reserved": 1, "settled": 0})

    await asyncio.gather(one.write(lambda: move(one, ("night", "day"))), two.write(lambda: move(two, ("day", "night"))))

    assert (runner.books("night").reserved, runner.books("day").reserved) == (2, 2)
    for ledger in (one, two, runner):
        await ledger.close()


def test_a_worker_makes_no_ledger(database: Database) -> None:
    with pytest.raises(LedgerUnusable, match="holds no ledger of account `default`"):
        open_ledger(database, role="worker")


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


# The database's own rules, and its shape


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


async def test_a_look_sees_one_moment_also_beside_a_writer(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    reader = open_reader(database)
    assert reader is not None
    with reader:
        with reader.snapshot():
            before = reader.position()
            await ledger.record([teller.intent(ONE)])
            assert reader.position() == before
        assert reader.position() == before + 1
    await ledger.close()


async def test_a_look_of_another_thread_is_none_of_this_moment(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    with ThreadPoolExecutor(1) as other:
        with ledger.snapshot():
            before = ledger.position()
            await ledger.record([teller.intent(ONE)])
            seen = other.submit(ledger.position)
            wait([seen], timeout=0.2)
        assert seen.result() == before + 1
    await ledger.close()


async def test_a_person_s_look_fails_at_once_when_the_server_is_away(mortal: Server) -> None:
    database = database_of(mortal)
    await open_ledger(database).close()
    mortal.kill()
    began_s = time.monotonic()

    with pytest.raises(LedgerUnusable, match="cannot be reached") as caught:
        open_reader(database)

    assert time.monotonic() - began_s < 5
    assert caught.value.__cause__ is None, "the error has the server's words already, without a password"
