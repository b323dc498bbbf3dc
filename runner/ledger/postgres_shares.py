"""What the workers of an account have of its limits, as rows in its ledger's database (`jobs.sharing`).

A beat is a transaction under an advisory lock of the account: begin and lock, read, write, commit. It has a connection
of its own, so that a commit of the ledger that takes its time delays no lease, and the other way round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import anyio
import psycopg
from psycopg import sql

from jobs.sharing import Row, parts_in, parts_text
from runner.ledger.postgres_link import Link
from runner.ledger.postgres_trouble import translated
from runner.ledger.store import Database
from runner.shared_limits import Decide

__all__ = ["PostgresShares"]

# One trip. A worker that is stopped in the middle holds up the others for a second, and they wait for longer. A row
# that is lost with the server would be a share given twice, so each commit is flushed.
_BEGIN: Final = sql.SQL(
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; "
    "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '2s'; "
    "SET LOCAL idle_in_transaction_session_timeout = '1s'; SELECT pg_advisory_xact_lock({number})"
)


class PostgresShares:
    """The rows in the schema of one account's ledger, which is there already."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self._link = Link(store)
        self._lock = anyio.Lock()
        self._thread = ThreadPoolExecutor(1, "shares")  # its own: it waits for others, who must not wait for it
        number = (store.lock_number ^ 2).to_bytes(8, "big", signed=True)  # the ledger's own locks are others
        self._begin = _BEGIN.format(number=sql.Literal(int.from_bytes(number, "big", signed=True)))

    async def beat(self, decide: Decide) -> None:
        """As in `runner.shared_limits.Shares`. Raises `LedgerUnusable`."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            try:
                rows, at_s = await loop.run_in_executor(self._thread, self._read)
                row = decide(rows, at_s)
                await loop.run_in_executor(self._thread, self._write, row, at_s)
            except BaseException as error:
                self._thread.submit(self._link.drop)  # what was begun is undone
                if not isinstance(error, psycopg.Error):
                    raise
                trouble = translated(self.store, error)
                raise trouble() from None

    def close(self) -> None:
        """Give the connection back."""
        self._thread.submit(self._link.drop)
        self._thread.shutdown()

    def _read(self) -> tuple[Sequence[Row], float]:
        link = self._link
        link.control(self._begin)
        found = link.rows("shares")
        rows = [
            Row(
                worker=row["worker"],
                parts=parts_in(row["parts"]),
                lease_until_s=row["lease_until_s"],
                free_at_s=row["free_at_s"],
            )
            for row in found
            if row["worker"] is not None
        ]
        return rows, found[0]["at_s"]

    def _write(self, row: Row, at_s: float) -> None:
        link = self._link
        told = {
            "worker": row.worker,
            "parts": parts_text(row.parts),
            "lease_until_s": row.lease_until_s,
            "free_at_s": row.free_at_s,
            "at_s": at_s,
        }
        link.run("keep_share", told)
        said = link.control("COMMIT")
        assert said == "COMMIT", f"the transaction was undone: {said}"
