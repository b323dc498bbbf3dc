"""What a poll is worth while polls are scarce, told by the ends of late rather than by who waits at this moment.

Of a class with the constant C (mean delay times looks, placed as well as can be) a task has C/k of delay for k looks,
so its last look is worth C/k^2. With one price for all tasks, ends of which there are n a second take the sum of their
roots of C over the root of the price in looks, and that is what may leave. A look that is worth less is left out, even
when nobody else wants the poll just then: it would take the place of a better one a moment later.
"""

from __future__ import annotations

import math

__all__ = ["Demand"]

# Ends after which older ones count a third.
MEMORY = 64.0
# Before so many ends the pace of ends is not known.
ENDS_NEEDED = 8.0
# What is shared out, of the polls that may leave: with many tasks a little more than all, for some looks come too late
# to be worth it; with few tasks less, for their looks want to leave now all at once and now not at all.
USED = 1.1
SPARED = 0.5  # over the root of the number of tasks


class Demand:
    """The ends of late, each with what looks at its class can save."""

    def __init__(self) -> None:
        self._ends = self._roots = self._span_s = 0.0
        self._last_s: float | None = None

    def ended(self, constant_s: float, now_s: float) -> None:
        """A task of a class with this constant has ended."""
        fade = 1.0 - 1.0 / MEMORY
        if self._last_s is not None:
            self._span_s = self._span_s * fade + now_s - self._last_s
            self._roots = self._roots * fade + math.sqrt(constant_s)
            self._ends = self._ends * fade + 1.0
        self._last_s = now_s

    def price_s(self, per_s: float, tasks: int) -> float:
        """What a look must save, in seconds of delay, when so many polls may leave for so many open tasks."""
        if self._ends < ENDS_NEEDED or not self._span_s:
            return 0.0
        shared = (USED - SPARED / math.sqrt(max(1, tasks))) * per_s
        return (self._roots / (self._span_s * shared)) ** 2
