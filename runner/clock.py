"""Time, read in one place: a monotonic clock for durations, the wall clock for stamps.

Not the event loop's own time: uvloop's is cut to milliseconds and as old as the turn, and a slot of a rate window that
is given back half a millisecond early is one request too many. The wall clock is read anew each time, because a machine
that slept has moved it and not the other. Under a virtual loop both are the loop's, so that an hour of backoff takes a
millisecond and the ledger still tells an hour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from jobs.steps import Now

__all__ = ["TICK_S", "Clock", "stamp"]


# The loop's timers count in these. Who sets one for less is woken too early, and again and again until it is time.
TICK_S = 0.001


class Clock:
    """Now, as the core wants it."""

    def __init__(
        self, *, mono_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time
    ) -> None:
        self._mono_s = mono_s
        self._wall_s = wall_s

    def now(self) -> Now:
        """Monotonic seconds, and wall-clock seconds since 1970 (UTC)."""
        return Now(self._mono_s(), self._wall_s())

    def left_s(self, moment_s: float) -> float:
        """For how long to set a timer that ends at a monotonic moment, not before; 0 when that is over."""
        return max(0.0, math.ceil((moment_s - self._mono_s()) / TICK_S) * TICK_S)


def stamp(at_s: float) -> str:
    """A moment as everything we write spells it: `2026-05-11T00:00:00.000Z`."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
