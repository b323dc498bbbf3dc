"""How shards reach workers. A hint and no more: what is lost, doubled or late here costs nothing but time.

An engine is a module with `open_queue(store)`, which gives a `Queue` for as long as somebody hands out, and with a way
to `serve` that in each worker. `runner/on_demand.py` knows which engines there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

__all__ = ["Queue", "Serve", "Take"]

# Works on a shard if it is to be had, and returns when nothing is left to do of it here.
Take = Callable[[int], Awaitable[None]]

# A worker's end: takes what is queued until it is cancelled.
Serve = Callable[[Take], Awaitable[None]]


class Queue(Protocol):
    """One engine's way of handing out, for whoever began the run."""

    @property
    def remedy(self) -> str:
        """What a person may do about it when nobody works."""

    async def submit(self, shard_ids: Sequence[int]) -> None:
        """Have these worked on by somebody. Raises nothing: what did not get through is submitted again."""

    async def sweep(self) -> None:
        """Forget what workers that died had begun."""
