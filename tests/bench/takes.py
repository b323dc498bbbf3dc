"""How many calls a second one limit on a real PostgreSQL lets through: a take for each, chunks, and leased slots.

    python -m tests.bench.takes

The server is the tests' own, on this machine, with every commit flushed, and so is everybody who asks. With leased
slots a call asks nobody, and the database sees beats alone: what they cost is measured too, for one account and many.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Sequence

import psycopg
from psycopg import sql

from jobs.needs import Needs
from jobs.rates import Rate
from jobs.shareholder import Shareholder
from jobs.sharing import BEAT_S, Pool, Row
from runner.ledger.postgres import open_ledger
from runner.ledger.postgres_shares import PostgresShares
from runner.ledger.store import Database
from tests.postgres_server import Server, database_of

__all__ = ["main"]

SPAN_S = 3.0
WARM_S = 4.0
ASKERS = 8
CHUNK = 50
FASTEST = Rate(count=10_000, window_s=1.0)


class _Worker:
    """It wants all there is."""

    def __init__(self, store: Database, name: str) -> None:
        self.holder = Shareholder(name, creates=FASTEST, polls=FASTEST, places=1000)
        self.shares = PostgresShares(store)
        self.beats = self.calls = 0

    async def beat(self) -> None:
        began_s = time.monotonic()
        await self.shares.beat(self._row)
        self.holder.written(began_s=began_s, now_s=time.monotonic())
        self.beats += 1

    def _row(self, rows: Sequence[Row], at_s: float) -> Row:
        return self.holder.beat(rows, Needs(waiting=10**6, places=1), at_s=at_s, now_s=time.monotonic())

    async def keep(self) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(self.holder.gap_s)

    async def call(self, ends_s: float) -> None:
        """Calls that are answered at once."""
        pacer = self.holder.pacer(Pool.CREATES)
        while (now_s := time.monotonic()) < ends_s:
            if pacer.due_s(now_s) <= now_s:
                pacer.answered(pacer.leave(now_s), now_s)
                self.calls += 1
            else:
                await asyncio.sleep(0)


def taken_per_s(store: Database, chunk: int) -> float:
    """With one conditional update of one row for each chunk."""
    take = sql.SQL("UPDATE bucket SET taken = taken + {n} WHERE taken + {n} < 1e15").format(n=sql.Literal(chunk))
    with psycopg.connect(store.address, autocommit=True) as link:
        link.execute("CREATE TABLE bucket AS SELECT CAST(0 AS BIGINT) AS taken")
    counts: list[int] = []
    began_s = time.monotonic()

    def ask() -> None:
        with psycopg.connect(store.address, autocommit=True) as link:
            while time.monotonic() < began_s + SPAN_S:
                link.execute(take)
                counts.append(chunk)

    askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    return sum(counts) / (time.monotonic() - began_s)


async def leased_per_s(store: Database) -> tuple[float, float]:
    """With leased slots, and beats a second beside them."""
    await open_ledger(store).close()
    workers = [_Worker(store, f"w{n}") for n in range(ASKERS)]
    keepers = [asyncio.create_task(one.keep()) for one in workers]
    ends_s = time.monotonic() + WARM_S + SPAN_S
    callers = asyncio.gather(*(one.call(ends_s) for one in workers))  # who does not call has no slots for long
    await asyncio.sleep(WARM_S)
    calls, beats, began_s = sum(one.calls for one in workers), sum(one.beats for one in workers), time.monotonic()
    await callers
    took_s = time.monotonic() - began_s
    for keeper in keepers:
        keeper.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)
    _close(workers)
    return (sum(one.calls for one in workers) - calls) / took_s, (sum(one.beats for one in workers) - beats) / took_s


async def beats_per_s(store: Database, accounts: int) -> float:
    """As many as so many workers can make, evenly over accounts."""
    stores = [store.whose(f"account-{n}", store.base_url) for n in range(accounts)]
    for each in stores:
        await open_ledger(each).close()
    workers = [_Worker(stores[n % accounts], f"w{n}") for n in range(ASKERS)]
    began_s = time.monotonic()

    async def beat(one: _Worker) -> None:
        while time.monotonic() < began_s + SPAN_S:
            await one.beat()

    await asyncio.gather(*(beat(one) for one in workers))
    took_s = time.monotonic() - began_s
    _close(workers)
    return sum(one.beats for one in workers) / took_s


def _close(workers: Sequence[_Worker]) -> None:
    for one in workers:
        one.shares.close()


def main() -> None:
    """Write the table."""
    server = Server(durable=True)
    server.start()
    try:
        single, chunked = (taken_per_s(database_of(server), chunk) for chunk in (1, CHUNK))
        calls, beats = asyncio.run(leased_per_s(database_of(server)))
        one, many = (asyncio.run(beats_per_s(database_of(server), accounts)) for accounts in (1, ASKERS))
    finally:
        server.stop()
    write = sys.stdout.write
    write(f"{'calls/s':>10} {'transactions/s':>16}   {ASKERS} workers on one limit\n")
    write(f"{single:>10,.0f} {single:>16,.0f}   a take for each call\n")
    write(f"{chunked:>10,.0f} {chunked / CHUNK:>16,.0f}   a take for {CHUNK}\n")
    write(f"{calls:>10,.0f} {beats:>16,.1f}   leased slots, under a limit of {FASTEST}\n\n")
    write(f"beats a second at most: {one:,.0f} on one account (so many workers, at one each {BEAT_S:g} s), ")
    write(f"{many:,.0f} on {ASKERS}\n")


if __name__ == "__main__":
    main()
