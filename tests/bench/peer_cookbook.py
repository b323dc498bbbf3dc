"""The shape of the well-known cookbook script for parallel API calls.

One loop that starts at most one request a millisecond, capacities that refill as time passes, a queue of what to try
again, and a pause of everything after a refusal. Capacities are per second here, and the pause is one second: the
original's minute would wait for most of the batch.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.bench.workloads import Told

__all__ = ["main"]

TURN_S = 0.001
PAUSE_S = 1.0
UNLIMITED_PER_S = 100_000


@dataclass
class Status:
    started: int = 0
    in_progress: int = 0
    done: int = 0
    refused_at: float = 0.0


@dataclass
class Capacity:
    per_s: float
    available: float = 1.0
    updated: float = field(default_factory=time.monotonic)

    def refill(self) -> None:
        now = time.monotonic()
        self.available = min(self.available + self.per_s * (now - self.updated), max(1.0, self.per_s / 10))
        self.updated = now

    def take(self) -> bool:
        if self.available < 1:
            return False
        self.available -= 1
        return True


class Processor:
    def __init__(self, told: Told, session: aiohttp.ClientSession) -> None:
        self.told = told
        self.session = session
        self.status = Status()
        self.creates = Capacity(told.creates or UNLIMITED_PER_S)
        self.polls = Capacity(told.polls or UNLIMITED_PER_S)
        self.again: deque[int] = deque()
        self.due: list[tuple[float, int, str]] = []
        self.calls: set[asyncio.Task[None]] = set()
        self.results: list[dict[str, Any]] = []

    async def run(self) -> None:
        while self.status.done < self.told.items:
            self.creates.refill()
            self.polls.refill()
            self._start_one()
            await asyncio.sleep(TURN_S)
            rest = PAUSE_S - (time.monotonic() - self.status.refused_at)
            if rest > 0:
                await asyncio.sleep(rest)

    def _start_one(self) -> None:
        if self.due and self.due[0][0] <= time.monotonic() and self.polls.take():
            _, number, task_id = heapq.heappop(self.due)
            self._spawn(self._poll(number, task_id))
        elif self._may_create() and self.creates.take():
            if self.again:
                number = self.again.popleft()
            else:
                number = self.status.started
                self.status.started += 1
            self.status.in_progress += 1
            self._spawn(self._create(number))

    def _may_create(self) -> bool:
        more = bool(self.again) or self.status.started < self.told.items
        return more and self.status.in_progress < self.told.in_flight

    def _spawn(self, call: Any) -> None:
        task = asyncio.create_task(call)
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    async def _create(self, number: int) -> None:
        body = {"model": self.told.model(number), "prompt": f"a paper boat, number {number}"}
        headers = {"Idempotency-Key": f"cookbook-{number}"}
        url = f"{self.told.url}/api/v1/generations"
        async with self.session.post(url, json=body, headers=headers) as response:
            if response.status == 429:
                self.status.refused_at = time.monotonic()
                self.status.in_progress -= 1
                self.again.append(number)
                return
            task = await response.json()
        heapq.heappush(self.due, (time.monotonic() + self.told.interval_s, number, task["id"]))

    async def _poll(self, number: int, task_id: str) -> None:
        async with self.session.get(f"{self.told.url}/api/v1/generations/{task_id}") as response:
            refused = response.status == 429
            task = await response.json()
        if refused:
            self.status.refused_at = time.monotonic()
        if refused or task["status"] not in ("succeeded", "failed"):
            heapq.heappush(self.due, (time.monotonic() + self.told.interval_s, number, task_id))
            return
        self.results.append({"item": number, **task})
        self.status.in_progress -= 1
        self.status.done += 1


async def main(told: Told) -> None:
    headers = {"Authorization": "Bearer rvya_sk_bench"}
    async with aiohttp.ClientSession(headers=headers) as session:
        processor = Processor(told, session)
        await processor.run()
    with open(told.out, "w", encoding="utf-8") as results:  # noqa: ASYNC230, PTH123  # as people write it
        results.writelines(json.dumps(result) + "\n" for result in processor.results)


if __name__ == "__main__":
    asyncio.run(main(Told(**json.loads(sys.argv[1]))))
