"""A lane: a crew of workers for one kind of request, fed by one question that is asked again and again.

A foreman asks and hands out the jobs. It asks only while a worker is free, and as often as there are jobs, without a
turn of the loop in between: at a turn a job, a busy loop would start a few hundred a second. Workers are hired as jobs
come, up to the size of the crew: most runs never need all of them.

The question (`ask`) answers with a job, with how long there is none, or with None when the run is over. The foreman
waits for the earlier of that moment and `wake`, so there is one timer a lane however many items wait.

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
        self._idle: list[asyncio.Future[Job | None]] = []  # without a job; the last of them is the next to go
        self._freed = asyncio.Event()
        self._over = False
        self._news = asyncio.Event()

    def start(self, group: TaskGroup) -> None:
        """Begin to ask, and to hire, in the run's task group."""
        group.start_soon(self._hand_out, group, name=f"{self.name}-foreman")

    @property
    def busy(self) -> int:
        """Requests of this kind that are under way."""
        return self._hired - len(self._idle)

    def wake(self) -> None:
        """Something changed: ask again."""
        self._news.set()

    async def _hand_out(self, group: TaskGroup) -> None:
        while True:
            while self.busy == self._crew:
                self._freed.clear()
                await self._freed.wait()
            job = await self._next()
            if job is None:
                break
            if self._idle:
                _tell(self._idle.pop(), job)
            else:
                group.start_soon(self._work_on, job, name=f"{self.name}-{self._hired}")
                self._hired += 1
        self._over = True
        for worker in self._idle:
            _tell(worker, None)

    async def _work_on(self, job: Job | None) -> None:
        while job is not None:
            await self._work(job)
            if self._over:
                return
            told: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
            self._idle.append(told)
            self._freed.set()
            job = await told

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
        timer = asyncio.get_running_loop().call_later(self._clock.left_s(moment_s), self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()


def _tell(worker: asyncio.Future[Job | None], job: Job | None) -> None:
    if not worker.done():  # else the run is being called off, and the job with it
        worker.set_result(job)
