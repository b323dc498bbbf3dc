"""A worker's part of its account's limits, kept up while it works: one small transaction a second.

    limits = SharedLimits(shares, worker=name, clock=clock, creates=..., polls=..., places=...)
    core = Core(..., creates=limits.creates, polls=limits.polls, limits=limits.limits)
    limits.serve(engine)                    the engine of that core, until `serve(None)` or another
    await limits.keep()                     a task of its own, beside the engine
    await limits.leave()                    in the end: what is free at once is for the others

Pacers outlive cores, because slots that are taken stay so. The clock must go on while the process or the machine is
stopped: a lease does. What is decided stands in `jobs.shareholder`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import anyio
import anyio.lowlevel

from jobs.leasing import LeasedPacer
from jobs.limits import Limits
from jobs.needs import Needs, needs_of
from jobs.rates import Rate
from jobs.shareholder import Shareholder
from jobs.sharing import Pool, Row
from jobs.steps import NOTHING
from runner.clock import Clock
from runner.engine import Engine
from runner.errors import LedgerUnusable

__all__ = ["Decide", "MemoryShares", "SharedLimits", "Shares"]

# Given all rows and the database's clock, the row to write.
Decide = Callable[[Sequence[Row], float], Row]

# Beats come a little early or late, so that the workers of an account do not queue up for its lock.
JITTER_SHARE: Final = 0.1
# News are told at once, but a crowd of them is one.
HURRY_S: Final = 0.1
# A database that is away is asked again after this.
AGAIN_S: Final = 0.5


class Shares(Protocol):
    """The rows of an account's workers."""

    async def beat(self, decide: Decide) -> None:
        """One transaction, one at a time for all workers; returns once the row is durable.

        `decide` runs on the event loop, without a turn of it between. Raises `LedgerUnusable`: perhaps it is durable.
        """


class MemoryShares:
    """The rows of workers in one process, as a database would keep them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.rows: dict[str, Row] = {}
        self._clock = clock
        self._lock = anyio.Lock()

    async def beat(self, decide: Decide) -> None:
        async with self._lock:
            at_s = self._clock()
            self.rows = {name: row for name, row in self.rows.items() if row.free_at_s > at_s}
            row = decide(tuple(self.rows.values()), at_s)
            await anyio.lowlevel.checkpoint()
            self.rows[row.worker] = row


class SharedLimits:
    """What one worker keeps to. It begins with nothing, and nothing leaves before the first beat."""

    def __init__(
        self,
        shares: Shares,
        *,
        worker: str,
        clock: Clock,
        creates: Rate,
        polls: Rate,
        places: int,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._shares = shares
        self._clock = clock
        self._spread = spread
        self._places = places
        self._holder = Shareholder(worker, creates=creates, polls=polls, places=places)
        self._engine: Engine | None = None
        self._hurried = anyio.Event()

    @property
    def limits(self) -> Limits:
        """For the core."""
        return self._holder.limits

    @property
    def creates(self) -> LeasedPacer:
        return self._holder.pacer(Pool.CREATES)

    @property
    def polls(self) -> LeasedPacer:
        return self._holder.pacer(Pool.POLLS)

    def allow(self, *, creates: Rate, polls: Rate, places: int) -> None:
        """What the next engine's settings allow the whole account."""
        self._places = places
        self._holder.allow(creates=creates, polls=polls, places=places)

    def serve(self, engine: Engine | None) -> None:
        """The engine whose needs are told, and whose limits are set; None while there is none."""
        self._engine = engine
        self._holder.abandon(self._clock.now().mono_s)  # an engine that broke down has left calls behind
        if engine is not None:
            self._set_places(engine)
        self.hurry()

    def hurry(self) -> None:
        """There is more or less to do than a moment ago: tell it now."""
        self._hurried.set()

    async def keep(self) -> None:
        """Beat until cancelled. A database that is away costs the lease, and nothing else."""
        while True:
            self._hurried = anyio.Event()
            try:
                await self.beat()
                gap_s = self._holder.gap_s * (1.0 + JITTER_SHARE * (2.0 * self._spread() - 1.0))
            except LedgerUnusable:
                gap_s = AGAIN_S
            await anyio.sleep(HURRY_S)
            with anyio.move_on_after(gap_s - HURRY_S):
                await self._hurried.wait()

    async def leave(self) -> None:
        """The last beat, after `keep` was cancelled. Nothing leaves any more."""

        def last(rows: Sequence[Row], at_s: float) -> Row:
            return self._holder.leave(rows, at_s=at_s, now_s=self._clock.now().mono_s)

        await self._shares.beat(last)

    async def beat(self) -> None:
        """One beat, now. Raises `LedgerUnusable`."""
        began_s = self._clock.now().mono_s
        await self._shares.beat(self._decide)
        self._holder.written(began_s=began_s, now_s=self._clock.now().mono_s)
        if self._engine is not None:
            self._set_places(self._engine)
            await self._engine.steer(NOTHING)

    def _decide(self, rows: Sequence[Row], at_s: float) -> Row:
        now_s, engine = self._clock.now().mono_s, self._engine
        needs = Needs() if engine is None else needs_of(engine.core, now_s, places=self._places)
        row = self._holder.beat(rows, needs, at_s=at_s, now_s=now_s)
        if engine is not None:
            self._set_places(engine)
        return row

    def _set_places(self, engine: Engine) -> None:
        state = engine.core.state
        if state.settings.in_flight_max != self._holder.places:
            state.settings = replace(state.settings, in_flight_max=self._holder.places)
