"""Several at one ledger on PostgreSQL: one runs, workers move what is theirs, and who looks sees one moment."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from jobs.record import Money
from runner.errors import LedgerConflict, LedgerLocked, LedgerLost, LedgerUnusable
from runner.ledger.postgres import PostgresLedger, holder, open_ledger, open_reader
from runner.ledger.store import Database
from tests.postgres_server import database_of, shared_server
from tests.runner.ledger_cases import Teller, begin, item, run_info
from tests.runner.ledger_houses import kinds, sql

ITEMS = [item(number) for number in range(40)]
ONE, TWO = ITEMS[:2]


@pytest.fixture
def database() -> Database:
    return database_of(shared_server())


def end_lock_of(ledger: PostgresLedger) -> None:
    """The connection that holds the account's lock is ended by the server."""
    assert ledger._lock is not None
    assert ledger._lock._backend is not None
    sql(ledger.store, f"SELECT pg_terminate_backend({ledger._lock._backend}, 5000)")


# One runner


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


# A lock that is lost


async def test_a_runner_that_lost_its_lock_takes_it_again_and_goes_on(database: Database) -> None:
    ledger = open_ledger(database)
    teller = await begin(ledger, ONE)
    end_lock_of(ledger)

    await ledger.record([teller.intent(ONE)])

    with pytest.raises(LedgerLocked):
        open_ledger(database)
    await ledger.close()


async def test_a_run_that_only_waits_takes_its_lock_again_too(database: Database) -> None:
    ledger = open_ledger(database)
    end_lock_of(ledger)

    while holder(database) is None:  # a second at the most
        await asyncio.to_thread(threading.Event().wait, 0.05)

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
    sql(database, "UPDATE writers SET fenced = 1")  # its connection says nothing: perhaps nothing comes through

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


# Workers


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


# Who looks


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
