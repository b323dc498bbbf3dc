"""Many waiting writers, one commit.

Only one order matters: a write is durable before its writer goes on. So writers that wait at the same time may share
one commit, and one disk flush serves them all. There is one queue and one place that commits:

- in a thread of its own (`in_thread=True`): while it flushes, the event loop goes on and the queue fills again;
- on the loop itself (`in_thread=False`): all that was queued in one turn of the loop is committed at its end. For
  virtual time, where a thread would be a second clock.

A writer that is cancelled while it waits has still written: the work was queued whole, and is done whole.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar, cast

__all__ = ["GroupCommit", "Outcome", "Statistics"]

T = TypeVar("T")

# Keeps one commit, and with it everybody's wait, short: about 10 ms of statements.
CALLS_PER_COMMIT_MAX = 256

# What is looked after beside the commits may wait this long.
IDLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call gave: a value, or the error it raises at its writer."""

    value: object = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How well commits are shared."""

    calls: int
    commits: int


@dataclass(frozen=True, slots=True)
class _Call:
    work: Callable[[], object]
    future: asyncio.Future[object]


class GroupCommit:
    """The one writer. `commit` does some calls in one transaction and says what each gave; it never raises.

    `finish` is called once, by the committing side, after the last commit; `idle` in its thread, every second in which
    nothing was to be written.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Callable[[], object]]], Sequence[Outcome]],
        *,
        finish: Callable[[], None],
        in_thread: bool,
        idle: Callable[[], None] | None = None,
    ) -> None:
        self._commit = commit
        self._finish = finish
        self._idle = idle
        self._calls = 0
        self._commits = 0
        self._closed = False
        self._waiting: deque[_Call] = deque()  # without a thread
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()  # with one; None is the end
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if in_thread:
            self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
            self._thread.start()

    def statistics(self) -> Statistics:
        return Statistics(calls=self._calls, commits=self._commits)

    async def do(self, work: Callable[[], T]) -> T:
        """Do `work` in the next commit and return once that is durable."""
        assert not self._closed, "the ledger is closed"
        loop = asyncio.get_running_loop()
        call = _Call(work, loop.create_future())
        if self._thread:
            self._queue.put(call)
        else:
            self._waiting.append(call)
            if len(self._waiting) == 1:
                loop.call_soon(self._commit_waiting)
        return cast("T", await call.future)

    async def close(self) -> None:
        """Commit what waits, then finish. A second call only waits for the first."""
        first, self._closed = not self._closed, True
        if self._thread:
            if first:
                self._queue.put(None)
            await asyncio.to_thread(self._ended.wait)
        elif first:
            self._commit_waiting()
            self._finish()

    def _commit_waiting(self) -> None:
        while self._waiting:
            calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), CALLS_PER_COMMIT_MAX))]
            _tell(calls, self._done(calls))

    def _serve(self) -> None:
        try:
            while (first := self._next()) is not None:
                calls, last = self._take_after(first)
                outcomes = self._done(calls)
                with suppress(RuntimeError):  # the loop has ended without waiting; what was written stays written
                    calls[0].future.get_loop().call_soon_threadsafe(_tell, calls, outcomes)
                if last:
                    return
        finally:
            try:
                self._finish()
            finally:
                self._ended.set()  # whatever happened: somebody may be waiting for it

    def _next(self) -> _Call | None:
        if self._idle is None:
            return self._queue.get()
        while True:
            try:
                return self._queue.get(timeout=IDLE_S)
            except Empty:
                self._idle()

    def _take_after(self, first: _Call) -> tuple[list[_Call], bool]:
        """What is queued by now, and whether the end is."""
        calls = [first]
        while len(calls) < CALLS_PER_COMMIT_MAX and not self._queue.empty():
            call = self._queue.get()
            if call is None:
                return calls, True
            calls.append(call)
        return calls, False

    def _done(self, calls: Sequence[_Call]) -> Sequence[Outcome]:
        outcomes = self._commit([call.work for call in calls])
        assert len(outcomes) == len(calls), "every call has an outcome"
        self._calls += len(calls)
        self._commits += 1
        return outcomes


def _tell(calls: Sequence[_Call], outcomes: Sequence[Outcome]) -> None:
    for call, outcome in zip(calls, outcomes, strict=True):
        if call.future.done():  # its writer was cancelled
            continue
        if outcome.error is None:
            call.future.set_result(outcome.value)
        else:
            call.future.set_exception(outcome.error)
