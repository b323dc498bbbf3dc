"""httpx and aiometer: the pleasant way. aiometer paces the items, httpx does the calls."""

from __future__ import annotations

import asyncio
import functools
import json
import random
import sys
from typing import Any

import aiometer
import httpx

from tests.bench.workloads import Told

__all__ = ["main"]

BACKOFF_S = 0.5


async def call(client: httpx.AsyncClient, method: str, path: str, **named: Any) -> Any:
    for attempt in range(1000):
        response = await client.request(method, path, **named)
        if response.status_code != 429:
            response.raise_for_status()
            return response.json()
        await asyncio.sleep(BACKOFF_S * 2 ** min(attempt, 4) * random.uniform(0.5, 1.0))
    raise RuntimeError(f"{path}: still refused after 1,000 tries")


async def item(client: httpx.AsyncClient, told: Told, number: int) -> dict[str, Any]:
    body = {"model": told.model(number), "prompt": f"a paper boat, number {number}"}
    headers = {"Idempotency-Key": f"aiometer-{number}"}
    task = await call(client, "POST", "/api/v1/generations", json=body, headers=headers)
    while task["status"] not in ("succeeded", "failed"):
        await asyncio.sleep(told.interval_s)
        task = await call(client, "GET", f"/api/v1/generations/{task['id']}")
    return {"item": number, **task}


async def main(told: Told) -> None:
    headers = {"Authorization": "Bearer rvya_sk_bench"}
    async with httpx.AsyncClient(base_url=told.url, headers=headers, timeout=120) as client:
        results = await aiometer.run_all(
            [functools.partial(item, client, told, number) for number in range(told.items)],
            max_at_once=told.in_flight,
            max_per_second=told.creates,
        )
    with open(told.out, "w", encoding="utf-8") as out:  # noqa: ASYNC230, PTH123  # as people write it
        out.writelines(json.dumps(result) + "\n" for result in results)


if __name__ == "__main__":
    asyncio.run(main(Told(**json.loads(sys.argv[1]))))
