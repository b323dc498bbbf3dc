"""When to ask for a task's status: floors, what was learned, and one heap for all tasks.

A poll before a task can have ended tells nothing; a poll long after it did costs time. Completion times of one price
class are alike, so after a few of them polls go where completions are likely; before that, gaps grow with age.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container
from dataclasses import dataclass

__all__ = ["PollFloors", "PollHeap", "Timings"]

# Completion times kept per price class: enough for quantiles, short enough to follow a service that slows down.
TIMINGS_KEPT = 256
# Before this many, a class is unknown: quantiles of fewer say little.
TIMINGS_NEEDED = 5
# Unknown class: the next gap as a share of the task's age, so that detection is never later than about a tenth.
GAP_SHARE_OF_AGE = 0.1
# Known class: polls spread over the likely span of completions.
POLLS_OVER_SPAN = 8
# The longest gap while a task is expected, and for one that is overdue or troubled.
GAP_S_MAX = 15.0
GAP_S_MAX_OLD = 60.0
# Every gap is moved by up to a tenth so that tasks created together are not asked for together.
JITTER_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFloors:
    """The manifest's `limits.first_poll` and `limits.poll_gap`."""

    first_poll_s: float = 2.0
    poll_gap_s: float = 1.0


class Timings:
    """Seconds from acceptance to the seen end, per price class."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}
        self._quantiles: dict[str, tuple[float, float]] = {}

    def learn(self, price_class: str, seconds: float) -> None:
        """One task of the class ended after `seconds`."""
        self._seen.setdefault(price_class, deque(maxlen=TIMINGS_KEPT)).append(seconds)
        self._quantiles.pop(price_class, None)

    def span_s(self, price_class: str) -> tuple[float, float] | None:
        """(10 %, 90 %) quantiles, or None while too few are known."""
        seen = self._seen.get(price_class)
        if seen is None or len(seen) < TIMINGS_NEEDED:
            return None
        if price_class not in self._quantiles:
            ordered = sorted(seen)
            last = len(ordered) - 1
            self._quantiles[price_class] = (ordered[int(0.1 * last)], ordered[min(last, int(0.9 * last + 0.999))])
        return self._quantiles[price_class]


def first_wait_s(floors: PollFloors, span: tuple[float, float] | None, spread: float) -> float:
    """From acceptance to the first poll. `spread` is uniform in 0..1."""
    if span is None:
        return floors.first_poll_s * (1.0 + JITTER_SHARE * spread)
    early_s = span[0] * (1.0 - JITTER_SHARE * spread)
    return max(floors.first_poll_s, early_s)


def next_wait_s(age_s: float, floors: PollFloors, span: tuple[float, float] | None, spread: float) -> float:
    """From one poll to the next of the same task, `age_s` after acceptance."""
    if span is None or age_s > 2.0 * span[1]:
        ceiling_s = GAP_S_MAX if span is None else GAP_S_MAX_OLD
        gap_s = min(ceiling_s, GAP_SHARE_OF_AGE * age_s)
    else:
        gap_s = min(GAP_S_MAX, (span[1] - span[0]) / POLLS_OVER_SPAN)
    return max(floors.poll_gap_s, gap_s) * (1.0 + JITTER_SHARE * spread)


class PollHeap:
    """Every open task with the moment it is next due; one entry a task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._order = 0

    def push(self, identity: str, due_s: float) -> None:
        """Ask for this one at `due_s` (monotonic seconds)."""
        self._order += 1
        heapq.heappush(self._heap, (due_s, self._order, identity))

    def due_s(self) -> float | None:
        """When the first one is due."""
        return self._heap[0][0] if self._heap else None

    def due_moments(self, chosen: Container[str]) -> dict[str, float]:
        """When those of the chosen that are in here are due."""
        return {identity: due_s for due_s, _, identity in self._heap if identity in chosen}

    @property
    def first(self) -> str:
        """The one that is due first; there must be one."""
        return self._heap[0][2]

    def pop(self) -> str:
        """Take the first one out."""
        return heapq.heappop(self._heap)[2]
