"""A worker's process: its connections, its queue, and beginning anew after whatever ended its work whole."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from os import getpid
from pathlib import Path
from typing import Final

import anyio

from jobs.terms import Terms
from runner.aws import aws_access
from runner.blobs import Blobs, LocalBlobs
from runner.clock import Clock
from runner.errors import LeaseLost, LedgerConflict, LedgerUnusable
from runner.interruption import Interruption, heard
from runner.ledger.handle import LedgerHandle
from runner.ledger.shards import Shards
from runner.ledger.store import Database
from runner.on_demand import bucket, postgres, postgres_shares, queue
from runner.open_files import make_room_for_files
from runner.places import is_bucket
from runner.reporter import Reporter
from runner.service import Service
from runner.settings import Settings, aws_variables
from runner.shards.lease import running_s
from runner.shards.queueing import Serve
from runner.shards.worker import BEAT_S, SHARDS_MAX, Tools, Worker
from runner.shared_limits import SharedLimits
from runner.transport import AiohttpFetcher, AiohttpTransport

__all__ = ["serve_shards"]

# After these a worker looks at the ledger anew and goes on; anything else ends its process.
_BEGUN_ANEW: Final = (LeaseLost, LedgerConflict, LedgerUnusable)
AGAIN_S, AGAIN_S_MAX = 0.5, 15.0
# What the queue may take to note that its jobs have ended; nobody depends on it.
LAST_WORDS_S: Final = 5.0
# Work that went on for so long had begun well.
WELL_S: Final = 60.0


async def serve_shards(
    settings: Settings,
    *,
    say: Callable[[str], None],
    serve: Serve | None = None,
    interruption: Interruption | None = None,
    idle_s: float = math.inf,
) -> int | None:
    """Work on what is handed out in this store until a signal comes; gives its number. Raises `RunnerError`.

    Without `serve` shards come by Procrastinate, and without `interruption` the signals are the process's own. After
    `idle_s` without a shard it is as if one had come.
    """
    make_room_for_files()
    assert isinstance(settings.store, Database), "shards are handed out in a database"
    store = settings.store.whose(settings.account, settings.service)
    name = f"{socket.gethostname()}:{getpid()}:{secrets.token_hex(4)}"
    clock = Clock(mono_s=running_s)
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(AiohttpTransport(settings.base_url, settings.need_key()))
        tools = Tools(
            account=settings.account,
            service=Service(transport),
            fetcher=await stack.enter_async_context(AiohttpFetcher.beside(settings.base_url)),
            open_place=_open_place,
            limits_for=_Limits(store, name, clock).of,
            reporter=Reporter(),
            clock=clock,
            spread=random.random,
            say=say,
        )
        hears_signals = interruption is None
        interruption = interruption or Interruption()
        stack.enter_context(heard(interruption, signals=hears_signals))
        serve = serve or partial(queue("procrastinate").serve, store, jobs=SHARDS_MAX, say=say)
        process = _Process(store, name, tools, interruption, serve)
        leaving = asyncio.create_task(process.leave_when_idle(idle_s))
        try:
            await process.serve()
        finally:
            leaving.cancel()
        return interruption.signal


class _Limits:
    """What this process has of the account's limits: made with the first terms, because without them it has no word."""

    def __init__(self, store: Database, name: str, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._clock = clock
        self._limits: SharedLimits | None = None

    def of(self, terms: Terms) -> SharedLimits:
        if self._limits is None:
            self._limits = SharedLimits(
                postgres_shares().PostgresShares(self._store),
                worker=self._name,
                clock=self._clock,
                creates=terms.creates,
                polls=terms.polls,
                places=terms.in_flight,
            )
        return self._limits


class _Process:
    def __init__(
        self, store: Database, name: str, tools: Tools, interruption: Interruption, serve_queue: Serve
    ) -> None:
        self._store = store
        self._tools = tools
        self._interruption = interruption
        self._serve_queue = serve_queue
        self._name = name
        self._worker: Worker | None = None

    async def serve(self) -> None:
        again_s, told = AGAIN_S, ""
        self._tools.say(f"{self._name} is there")
        while self._interruption.signal is None:
            began_s = anyio.current_time()
            try:
                await self._live()
            except* _BEGUN_ANEW as group:
                why = _first(group)
                if anyio.current_time() - began_s > WELL_S:
                    again_s = AGAIN_S
                if why != told:
                    self._tools.say(f"waits, and begins anew: {why}")
                    told = why
                await self._pause(again_s)
                again_s = min(2 * again_s, AGAIN_S_MAX)

    @property
    def _is_busy(self) -> bool:
        return self._worker is not None and self._worker.has_work

    async def leave_when_idle(self, idle_s: float) -> None:
        idle_since_s = anyio.current_time()
        while self._is_busy or anyio.current_time() - idle_since_s < idle_s:
            if self._is_busy:
                idle_since_s = anyio.current_time()
            await anyio.sleep(BEAT_S)
        self._interruption.say(signal.SIGTERM, "nothing was to do")

    async def _live(self) -> None:
        """From opening the ledger to closing it."""
        ledger: LedgerHandle = await anyio.to_thread.run_sync(
            lambda: postgres().open_ledger(self._store, role="worker")
        )
        try:
            worker = self._worker = Worker(ledger, Shards(ledger, self._name), self._tools)
            # Procrastinate ends its jobs in good order if it is cancelled once, which a task group does not do.
            serving = asyncio.ensure_future(self._serve_queue(worker.take))

            def leave(why: str) -> None:
                serving.cancel()
                worker.leave(why)

            self._interruption.attach(drain=leave, cut=worker.cut)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(_mind, serving)
                    await worker.run()
                    group.cancel_scope.cancel()
            finally:
                serving.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait({serving}, timeout=LAST_WORDS_S)
            if not serving.cancelled() and (trouble := serving.exception()) is not None:
                raise trouble
        finally:
            self._worker = None
            self._interruption.detach()
            with anyio.CancelScope(shield=True):
                await ledger.close()

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds) as pause:
            self._interruption.attach(drain=lambda _: pause.cancel(), cut=pause.cancel)
            await anyio.sleep_forever()
        self._interruption.detach()


async def _mind(serving: asyncio.Future[None]) -> None:
    """A worker whose queue broke down would get nothing new and look well: what broke it is raised."""
    await asyncio.wait({serving})
    if not serving.cancelled():
        serving.result()


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _open_place(terms: Terms) -> Blobs:
    if not is_bucket(terms.place) or not terms.save_results:
        return LocalBlobs(terms.place)
    return await bucket()(terms.place, aws_access(aws_variables(), home=Path.home()))
