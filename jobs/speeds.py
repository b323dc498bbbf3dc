"""How fast a count grows, by its last minute."""

from __future__ import annotations

from collections import deque

__all__ = ["Speed"]

# Long enough that single items do not make the figure jump, short enough to follow a change of the limits.
WINDOW_S = 60.0
# Looks that are kept: closer ones are joined, so that four looks a second take no more room than one.
LOOK_GAP_S = 1.0


class Speed:
    """Tell it the count now and then; it tells the growth per second over the last minute, at the start over less."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque()  # (moment, count), oldest first
        self._last: tuple[float, float] | None = None

    def look(self, at_s: float, count: float) -> None:
        """The count at this moment; moments never go back."""
        self._last = (at_s, count)
        if not self._looks or at_s - self._looks[-1][0] >= LOOK_GAP_S:
            self._looks.append(self._last)
        while len(self._looks) > 1 and self._looks[1][0] <= at_s - WINDOW_S:
            self._looks.popleft()

    @property
    def per_s(self) -> float | None:
        """Growth per second; None while less than a second was seen."""
        if self._last is None:
            return None
        (began_s, first), (at_s, count) = self._looks[0], self._last
        return (count - first) / (at_s - began_s) if at_s - began_s >= LOOK_GAP_S else None
