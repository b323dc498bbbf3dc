"""A lane: a crew of workers for one kind of request, fed by a question only one of them asks at a time.

Workers are hired as jobs come, up to the size of the crew: most runs never need all of them.

The question (`ask`) answers with a job, with how long there is none, or with None when the run is over. Whoever holds
the lane's turn waits for the earlier of that moment and `wake`; the others wait for the turn. So there is one timer a
lane however many items wait, and a worker that has a job never holds up the next question.

The moments of `Wait` are those of `runner.clock.Clock`; the loop's own timer only sleeps for what is left until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from anyio.abc import TaskGroup

from jobs.steps import Wait
from runner.clock import Clock

__all__ = ["Lane"]


Job = TypeVar("Job")


class Lane(Generic[Job]):
    """One kind of request."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        crew: int,
        ask: Callable[[], Awaitable[Job | Wait | None]],
        work: Callable[[Job], Awaitable[None]],
    ) -> None:
        self.name = name
        self._clock = clock
        self._crew = crew
        self._ask = ask
        self._work = work
        self._hired = 0
        self._free = 0  # those without a job: one asks, the others wait for the turn
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    def start(self, group: TaskGroup) -> None:
        """Put the first of the crew to work in the run's task group."""
        group.start_soon(self._worker, group, name=f"{self.name}-{self._hired}")
        self._hired += 1
        self._free += 1

    @property
    def busy(self) -> int:
        """Requests of this kind that are under way."""
        return self._hired - self._free

    def wake(self) -> None:
        """Something changed: ask again."""
        self._news.set()

    async def _worker(self, group: TaskGroup) -> None:
        while True:
            async with self._turn:
                job = await self._next()
            if job is None:
                return
            self._free -= 1
            if not self._free and self._hired < self._crew:
                self.start(group)
            await self._work(job)
            self._free += 1

    async def _next(self) -> Job | None:
        while True:
            self._news.clear()
            answer = await self._ask()
            if not isinstance(answer, Wait):
                return answer
            await self._news_until(answer.until_s)

    async def _news_until(self, moment_s: float | None) -> None:
        """One timer, not a cancel scope: this is the hottest wait of a run."""
        if moment_s is None:
            await self._news.wait()
            return
        delay_s = max(0.0, moment_s - self._clock.now().mono_s)
        timer = asyncio.get_running_loop().call_later(delay_s, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
