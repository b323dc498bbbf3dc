"""What a worker may do by its own clock, which goes on while the process or the machine is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio

from runner.ledger.shards import LEASE_S

__all__ = ["Lease", "running_s"]

# The worker's lease ends by so much sooner than the database's: a create that was let go by then has left, and no clock
# is wrong by as much in seconds.
MARGIN_S: Final = 1.0

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # elsewhere than on Linux that one does not stop


def running_s() -> float:
    """Seconds that also pass while this machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """The lease on all shards of one worker: they are renewed together."""

    def __init__(self, clock: Callable[[], float] = running_s) -> None:
        self._clock = clock
        self._until_s = float("-inf")
        self._renewed = anyio.Event()

    def ask_s(self) -> float:
        """The moment before a renewal is asked for: the lease counts from there."""
        return self._clock()

    def renewed(self, asked_s: float) -> None:
        """The database has kept the shards for this worker."""
        self._until_s = asked_s + LEASE_S - MARGIN_S
        self._renewed.set()
        self._renewed = anyio.Event()

    @property
    def is_held(self) -> bool:
        return self._clock() < self._until_s

    async def held(self) -> None:
        """Wait until it is held. Who hears meanwhile that a shard went to another ends everything that waits here."""
        while not self.is_held:
            await self._renewed.wait()
