"""Shards by way of Procrastinate: one job a shard, in tables of its own in the ledger's database.

A job says nothing but a shard's number. Whether that is open, who has it, and what is left of it says the ledger, so a
job that is lost, doubled, late or thought dead costs a look at a row.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import anyio
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from procrastinate.types import JSONValue
from psycopg_pool import PoolTimeout

from runner.engine import DRAIN_S
from runner.errors import LedgerUnusable
from runner.ledger.store import Database
from runner.shards.queueing import Take

__all__ = ["ProcrastinateQueue", "open_queue", "serve"]

# Workers ask for jobs so often instead of being told: that also works through a pooler, and a shard takes minutes.
FETCH_S: Final = 0.5
# When a worker of Procrastinate counts as dead. The leases tell sooner; this only forgets its jobs.
HEARTBEAT_S, SILENT_S = 10.0, 30.0
# A database that restarts ends a worker by an error or by a plain return: it is begun again, ever more slowly.
AGAIN_S, AGAIN_S_MAX = 0.5, 15.0
# One for asking and one for what jobs write.
CONNECTIONS_MAX: Final = 2

_TASK: Final = "rivya_batch.shard"
_TROUBLE: Final = (ConnectorException, PoolTimeout, OSError)

logging.getLogger("procrastinate").addHandler(logging.NullHandler())  # what matters of it is told by the worker
logging.getLogger("procrastinate").propagate = False
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
logging.getLogger("psycopg.pool").propagate = False


class ProcrastinateQueue:
    """The queue of one account's ledger, for who hands out."""

    remedy = "start some with `rivya-batch worker` and the same --store"

    def __init__(self, app: App, store: Database) -> None:
        self._app = app
        self._store = store

    async def submit(self, shard_ids: Sequence[int]) -> None:
        """One job each, unless one waits already. What does not get through is swept up later."""
        for shard_id in shard_ids:
            lock = f"{self._store.schema}:{shard_id}"
            job = self._app.configure_task(_TASK, queue=self._store.schema, queueing_lock=lock)
            try:
                await job.defer_async(shard_id=shard_id)
            except AlreadyEnqueued:
                continue
            except _TROUBLE:
                return

    async def sweep(self) -> None:
        """Forget jobs of workers that died: whoever has their shards now needs none."""
        manager = self._app.job_manager
        try:
            for job in await manager.get_stalled_jobs(queue=self._store.schema, seconds_since_heartbeat=SILENT_S):
                await manager.finish_job(job, status=Status.FAILED, delete_job=True)
        except _TROUBLE:
            return


@asynccontextmanager
async def open_queue(store: Database) -> AsyncIterator[ProcrastinateQueue]:
    """The queue in the ledger's database, made there at first use."""
    app = _app(store)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(app.open_async())
            if not await app.check_connection_async():
                await app.schema_manager.apply_schema_async()
        except _TROUBLE as trouble:
            said = type(trouble.__cause__ or trouble).__name__
            raise LedgerUnusable(
                f"the queue in {store} cannot be had: {said}",
                code="store-queue",
                next_step="GRANT CREATE ON SCHEMA public TO this user: the tables of Procrastinate are made there once",
            ) from None
        yield ProcrastinateQueue(app, store)


async def serve(store: Database, take: Take, *, jobs: int, say: Callable[[str], None]) -> None:
    """Take what is queued, so many shards at once, until cancelled. Trouble with the queue is waited out."""
    again_s = AGAIN_S
    while True:
        began_s = anyio.current_time()
        app = _app(store)

        async def work(_: JobContext, shard_id: JSONValue) -> None:
            assert isinstance(shard_id, int), "a job names a shard by its number"
            await take(shard_id)

        app.task(name=_TASK, pass_context=True)(work)
        try:
            async with app.open_async():
                await app.run_worker_async(
                    queues=[store.schema],
                    concurrency=jobs,
                    listen_notify=False,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    fetch_job_polling_interval=FETCH_S,
                    shutdown_graceful_timeout=DRAIN_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=SILENT_S,
                )
        except _TROUBLE as trouble:
            if anyio.current_time() - began_s > AGAIN_S_MAX:
                again_s = AGAIN_S
                say(f"the queue is away: {type(trouble).__name__}")
        await anyio.sleep(again_s)
        again_s = min(2 * again_s, AGAIN_S_MAX)


def _app(store: Database) -> App:
    connector = PsycopgConnector(
        conninfo=store.address,
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=10.0,
        kwargs={"prepare_threshold": None, "application_name": "rivya-batch queue", "connect_timeout": 10},
    )
    return App(connector=connector)
