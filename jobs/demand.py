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
# What is shared out, of the polls that may leave: less for few tasks, whose looks want to leave now all at once and now
# not at all, by so much over the root of their number.
SPARED = 0.5


class Demand:
    """The ends of late, each with what looks at its class can save."""

    def __init__(self) -> None:
        self._ends = self._roots = self._tasks = self._span_s = 0.0
        self._last_s: float | None = None

    def ended(self, constant_s: float, now_s: float, tasks: int) -> None:
        """A task of a class with this constant has ended, one of so many."""
        fade = 1.0 - 1.0 / MEMORY
        if self._last_s is not None:
            self._span_s = self._span_s * fade + now_s - self._last_s
            self._roots = self._roots * fade + math.sqrt(constant_s)
            self._tasks = self._tasks * fade + tasks
            self._ends = self._ends * fade + 1.0
        self._last_s = now_s

    def price_s(self, per_s: float, tasks: int | None = None) -> float:
        """What a look must save, in seconds of delay, when so many polls may leave.

        `tasks`: the last ones. What is shared out goes to ever fewer of them.
        """
        if self._ends < ENDS_NEEDED or not self._span_s:
            return 0.0
        usual = max(1.0, self._tasks / self._ends)
        shared = (1.0 - SPARED / math.sqrt(usual)) * per_s
        left = 1.0 if tasks is None else min(1.0, tasks / usual)
        return (left * self._roots / (self._span_s * shared)) ** 2
