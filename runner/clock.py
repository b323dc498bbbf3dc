"""Time, read in one place: durations from the event loop, stamps from the wall clock.

The wall clock is read anew each time, because a machine that slept has moved it and not the loop's; a virtual loop
hands in one that moves with it, so that an hour of backoff takes a millisecond and the ledger still tells an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from jobs.steps import Now

__all__ = ["Clock"]


class Clock:
    """Now, as the core wants it. Make it inside the running loop."""

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._loop = asyncio.get_running_loop()
        self._wall_s = wall_s

    def now(self) -> Now:
        """Monotonic seconds of the loop and wall-clock seconds since 1970 (UTC)."""
        return Now(self._loop.time(), self._wall_s())
