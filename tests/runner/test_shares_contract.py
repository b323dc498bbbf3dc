"""Rows of workers, in memory and in a real database: both keep one contract."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence

import psycopg
import pytest

from jobs.sharing import Part, Pool, Row
from runner.errors import LedgerUnusable
from runner.ledger.postgres import open_ledger
from runner.ledger.postgres_shares import PostgresShares
from runner.shared_limits import Decide, MemoryShares, Shares
from tests.postgres_server import database_of, shared_server

Two = tuple[Shares, Shares]


async def on_a_server() -> tuple[PostgresShares, PostgresShares]:
    store = database_of(shared_server())
    await open_ledger(store).close()
    return PostgresShares(store), PostgresShares(store)


@pytest.fixture(params=["memory", "postgres"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    """Those of two workers, over the same rows."""
    if request.param == "memory":
        one = MemoryShares(time.time)
        yield one, one
        return
    first, second = await on_a_server()
    yield first, second
    first.close()
    second.close()


def row_of(worker: str, at_s: float, *, share: int = 1, for_s: float = 60.0) -> Row:
    parts = dict.fromkeys(Pool, Part(limit=9, window_s=1.5, share=share, want=2))
    return Row(worker=worker, parts=parts, lease_until_s=at_s + 1.25, free_at_s=at_s + for_s)


async def test_a_beat_is_told_what_the_others_wrote_and_the_time(two: Two) -> None:
    first, second = two
    met: list[tuple[set[str], float]] = []

    def write(worker: str) -> Decide:
        def decide(rows: Sequence[Row], at_s: float) -> Row:
            met.append(({row.worker for row in rows}, at_s))
            return row_of(worker, at_s)

        return decide

    for shares, worker in ((first, "a"), (second, "b"), (first, "a")):
        await shares.beat(write(worker))

    assert [names for names, _ in met] == [set(), {"a"}, {"a", "b"}]
    assert all(abs(at_s - time.time()) < 5.0 for _, at_s in met)
    assert [at_s for _, at_s in met] == sorted(at_s for _, at_s in met)


async def test_a_row_is_read_as_it_was_written_until_it_is_free(two: Two) -> None:
    first, second = two
    written: list[Row] = []
    seen: list[list[Row]] = []

    def write(rows: Sequence[Row], at_s: float) -> Row:
        written.append(row_of("a", at_s))
        return written[0]

    def over(rows: Sequence[Row], at_s: float) -> Row:
        seen.append([row for row in rows if row.worker == "a"])
        return row_of("b", at_s, for_s=-1.0)

    await first.beat(write)
    await second.beat(over)
    await first.beat(write)
    await first.beat(lambda rows, at_s: row_of("a", at_s, for_s=-1.0))
    await second.beat(over)
    await second.beat(over)

    assert seen[0] == written[:1]
    assert seen[2] == []


async def test_what_fails_within_a_beat_writes_nothing_and_lets_the_next_one_in(two: Two) -> None:
    first, second = two

    def fail(rows: Sequence[Row], at_s: float) -> Row:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await first.beat(fail)
    names: list[str] = []

    def look(rows: Sequence[Row], at_s: float) -> Row:
        names.extend(row.worker for row in rows)
        return row_of("b", at_s)

    await second.beat(look)
    await first.beat(look)

    assert names == ["b"]


async def test_beats_of_many_take_turns_and_no_share_is_given_twice(two: Two) -> None:
    most = 0

    async def one(shares: Shares, worker: str) -> None:
        def decide(rows: Sequence[Row], at_s: float) -> Row:
            nonlocal most
            total = sum(row.parts[Pool.CREATES].share for row in rows if row.worker != worker)
            share = min(4, 9 - total)
            most = max(most, total + share)
            return row_of(worker, at_s, share=share)

        for _ in range(5):
            await shares.beat(decide)

    async with asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(one(two[n % 2], f"w{n}"))

    assert most == 9


async def test_a_database_that_went_away_is_told_as_such_and_found_again() -> None:
    shares, other = await on_a_server()
    await shares.beat(lambda rows, at_s: row_of("a", at_s))
    with psycopg.connect(shares.store.address, autocommit=True) as killer:
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(LedgerUnusable, match="cannot be reached"):
        await shares.beat(lambda rows, at_s: row_of("a", at_s))
    await shares.beat(lambda rows, at_s: row_of("a", at_s))
    shares.close()
    other.close()


async def test_a_worker_that_is_stopped_in_the_middle_of_a_beat_holds_up_the_others_for_a_second() -> None:
    stopped, other = await on_a_server()
    is_stopped = threading.Event()

    def stop(rows: Sequence[Row], at_s: float) -> Row:
        is_stopped.set()
        time.sleep(1.5)
        return row_of("stopped", at_s)

    async def beat() -> None:
        with pytest.raises(LedgerUnusable):
            await stopped.beat(stop)

    thread = threading.Thread(target=lambda: asyncio.run(beat()))
    thread.start()
    await asyncio.to_thread(is_stopped.wait)
    names: list[str] = []

    def look(rows: Sequence[Row], at_s: float) -> Row:
        names.extend(row.worker for row in rows)
        return row_of("other", at_s)

    await other.beat(look)
    await asyncio.to_thread(thread.join)
    await other.beat(look)
    stopped.close()
    other.close()

    assert names == ["other"]
