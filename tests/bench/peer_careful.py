"""What a careful user writes in an evening: aiohttp, a semaphore, aiolimiter, one task per item, JSON lines at the end.

It paces instead of bursting (one permit every 1/rate seconds), backs off with jitter, and repeats a create with its
key. It keeps no ledger: what it bought is known when it has finished.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import nullcontext
from typing import Any, TextIO

import aiohttp
from aiolimiter import AsyncLimiter

from tests.bench.workloads import Told

__all__ = ["main"]

BACKOFF_S = 0.5
BACKOFF_MAX_S = 8.0


def limiter(rate: int | None) -> AsyncLimiter | nullcontext[None]:
    return nullcontext() if rate is None else AsyncLimiter(1, 1 / rate)


class Script:
    def __init__(self, told: Told, session: aiohttp.ClientSession, results: TextIO) -> None:
        self.told = told
        self.session = session
        self.results = results
        self.places = asyncio.Semaphore(told.in_flight)
        self.creates = limiter(told.creates)
        self.polls = limiter(told.polls)

    async def call(self, limit: AsyncLimiter | nullcontext[None], method: str, path: str, **named: Any) -> Any:
        for attempt in range(1000):
            async with limit, self.session.request(method, f"{self.told.url}{path}", **named) as response:
                if response.status < 400:
                    return await response.json()
                if response.status != 429:
                    response.raise_for_status()
                wait_s = float(response.headers.get("Retry-After", 0)) or BACKOFF_S * 2 ** min(attempt, 4)
            await asyncio.sleep(min(wait_s, BACKOFF_MAX_S) * random.uniform(0.5, 1.0))
        raise RuntimeError(f"{path}: still refused after 1,000 tries")

    async def item(self, number: int) -> None:
        body = {"model": self.told.model(number), "prompt": f"a paper boat, number {number}"}
        async with self.places:
            headers = {"Idempotency-Key": f"careful-{number}"}
            task = await self.call(self.creates, "POST", "/api/v1/generations", json=body, headers=headers)
            while task["status"] not in ("succeeded", "failed"):
                await asyncio.sleep(self.told.interval_s)
                task = await self.call(self.polls, "GET", f"/api/v1/generations/{task['id']}")
        self.results.write(json.dumps({"item": number, **task}) + "\n")


async def main(told: Told) -> None:
    headers = {"Authorization": "Bearer rvya_sk_bench"}
    with open(told.out, "w", encoding="utf-8") as results:  # noqa: ASYNC230, PTH123  # as people write it
        connector = aiohttp.TCPConnector(limit=100)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            script = Script(told, session, results)
            async with asyncio.TaskGroup() as group:
                for number in range(told.items):
                    group.create_task(script.item(number))


if __name__ == "__main__":
    asyncio.run(main(Told(**json.loads(sys.argv[1]))))
