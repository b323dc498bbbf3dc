"""How shards reach workers. A hint and no more: what is lost, doubled or late here costs nothing but time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Queue"]


class Queue(Protocol):
    """One engine's way of handing out, for whoever began the run."""

    async def submit(self, shard_ids: Sequence[int]) -> None:
        """Have these worked on by somebody. Raises nothing: what did not get through is submitted again."""

    async def sweep(self) -> None:
        """Forget what workers that died had begun."""
