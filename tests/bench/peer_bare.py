"""No runner at all: aiohttp on uvloop as fast as it goes, so many GETs to a POST. What aiohttp itself costs.

    python -m tests.bench.peer_bare TOLD POLLS_PER_ITEM shared|fresh

`fresh` gives every POST a connection to itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import aiohttp
import orjson
import uvloop

from tests.bench.workloads import Told

__all__ = ["main"]

WORKERS = 64


async def main(told: Told, polls_per_item: float, *, fresh: bool) -> None:
    headers = {"Authorization": "Bearer rvya_sk_bench", "Content-Type": "application/json"}
    numbers = iter(range(told.items))
    keeping = aiohttp.TCPConnector(limit=0)
    posting = aiohttp.TCPConnector(limit=0, force_close=True) if fresh else keeping
    async with (
        aiohttp.ClientSession(connector=keeping, headers=headers) as asks,
        aiohttp.ClientSession(connector=posting, headers=headers) as posts,
    ):
        await asyncio.gather(*(_work(told, numbers, polls_per_item, posts, asks) for _ in range(WORKERS)))


async def _work(
    told: Told,
    numbers: Iterator[int],
    polls_per_item: float,
    posts: aiohttp.ClientSession,
    asks: aiohttp.ClientSession,
) -> None:
    owed = 0.0
    url = f"{told.url}/api/v1/generations"
    for number in numbers:
        body = orjson.dumps({"model": told.model(number), "prompt": f"a paper boat, number {number}"})
        async with posts.post(url, data=body, headers={"Idempotency-Key": f"bare-{number}"}) as response:
            task = orjson.loads(await response.read())
        owed += polls_per_item
        while owed >= 1.0:
            owed -= 1.0
            async with asks.get(f"{url}/{task['id']}") as response:
                orjson.loads(await response.read())


if __name__ == "__main__":
    uvloop.run(main(Told(**json.loads(sys.argv[1])), float(sys.argv[2]), fresh=sys.argv[3] == "fresh"))
