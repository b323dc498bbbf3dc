"""How long the rest of a run takes: the plan's own model, corrected by what was seen.

The plan knows what a task of its kind usually takes, the rate of creates and the places in flight. While a run goes on
there is more to know: how long the tasks of each price class really took, how old those are that run, and how fast
creates really leave. Nothing here is exact, and nothing needs to be: it is never negative, less work never takes
longer, and neither do more places or a higher rate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Durations", "Load", "Steady", "seconds_left"]

# Durations kept for each price class: enough for a steady mean, few enough to follow a service that slows down.
DURATIONS_KEPT = 64
# For how many seen tasks the plan's guess counts at first, and after how many seen ones for half of that. The first
# that end are the quick ones, so they must not be believed at once.
GUESS_WEIGHT = 3.0
GUESS_HALVES_AFTER = 10.0
# A class nobody has a guess for; the plan takes the longest that is typical.
UNKNOWN_S = 90.0
# A task that is past its time already is expected to take this share of its age longer.
OVERDUE_SHARE = 0.2
# Places run empty one after the other at the end: about this share of a task's time is lost to it.
TAIL_SHARE = 0.5
# The end that is told moves towards the one computed with this time constant, so that the figure can be read ...
STEADY_S = 4.0
# ... but jumps to it when they are this far apart: then something has happened.
JUMP_FACTOR = 2.0


@dataclass(slots=True)
class _Seen:
    last: deque[float] = field(default_factory=lambda: deque(maxlen=DURATIONS_KEPT))
    total_s: float = 0.0


class Durations:
    """Seconds from acceptance to the end, by price class."""

    def __init__(self, typical_s: Mapping[str, float]) -> None:
        self._typical_s = dict(typical_s)
        self._seen: dict[str, _Seen] = {}
        self._count = 0
        self._took_s = 0.0  # of all tasks seen ...
        self._guessed_s = 0.0  # ... and what was typical of them

    def learn(self, price_class: str, seconds: float) -> None:
        """One task of the class ended after so long."""
        seen = self._seen.setdefault(price_class, _Seen())
        if len(seen.last) == DURATIONS_KEPT:
            seen.total_s -= seen.last[0]
        seen.last.append(seconds)
        seen.total_s += seconds
        self._count += 1
        self._took_s += seconds
        self._guessed_s += self.typical_s(price_class)

    def typical_s(self, price_class: str) -> float:
        """The plan's guess."""
        return self._typical_s.get(price_class, UNKNOWN_S)

    def is_seen(self, price_class: str) -> bool:
        """Whether a task of the class ended."""
        return price_class in self._seen

    def expected_s(self, price_class: str) -> float:
        """What a task of the class takes: the mean of the last ones, with the guess among them.

        Where none was seen the guess is scaled by how wrong guesses were so far: a service that is twice as slow with
        one model is likely to be so with the next.
        """
        typical_s, seen = self.typical_s(price_class), self._seen.get(price_class)
        if seen is None:
            counted_s = _weight(self._count) * typical_s
            return typical_s * (counted_s + self._took_s) / (counted_s + self._guessed_s)
        weight = _weight(len(seen.last))
        return (weight * typical_s + max(0.0, seen.total_s)) / (weight + len(seen.last))


def _weight(seen: int) -> float:
    return GUESS_WEIGHT * GUESS_HALVES_AFTER / (GUESS_HALVES_AFTER + seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is left to do, and how fast it may go."""

    unbought: Mapping[str, int]  # price class -> items that have no task yet
    running: Sequence[tuple[str, float]]  # price class and age of each task in flight
    creates_per_s: float
    held_s: float = 0.0  # before the next create may leave
    places: int
    timeout_s: float = math.inf  # a task is not waited for longer than this
    unsaved: int = 0  # results to be saved ...
    saves_per_s: float | None = None  # ... and how fast that goes; None: not known


def seconds_left(load: Load, durations: Durations) -> float:
    """Seconds until the last result is saved: the rate, the places or the downloads, whichever binds."""
    oldest_s: dict[str, float] = {}
    for price_class, age_s in load.running:
        oldest_s[price_class] = max(age_s, oldest_s.get(price_class, 0.0))
    expected_s = {price_class: durations.expected_s(price_class) for price_class in (*load.unbought, *oldest_s)}
    for price_class, age_s in oldest_s.items():
        if not durations.is_seen(price_class):  # those that run say at least that it takes longer than their age
            expected_s[price_class] = max(expected_s[price_class], age_s)
    left_s = [
        min(max(expected_s[name] - age_s, OVERDUE_SHARE * age_s), max(0.0, load.timeout_s - age_s))
        for name, age_s in load.running
    ]
    longest_s = max(left_s, default=0.0)
    new = sum(load.unbought.values())
    if new:
        work_s = sum(left_s) + sum(number * expected_s[name] for name, number in load.unbought.items())
        last_s = max(expected_s[name] for name, number in load.unbought.items() if number)
        by_rate_s = max(0.0, load.held_s) + (new - 1) / load.creates_per_s + last_s
        by_places_s = work_s / load.places + TAIL_SHARE * last_s * (1.0 - 1.0 / load.places)
        longest_s = max(longest_s, by_rate_s, by_places_s)
    if load.unsaved and load.saves_per_s:
        longest_s = max(longest_s, load.unsaved / load.saves_per_s)
    return longest_s


class Steady:
    """The same figure, calmly: people read it, so it must not tremble."""

    def __init__(self) -> None:
        self._end_s: float | None = None
        self._at_s = 0.0

    def left_s(self, at_s: float, computed_s: float) -> float:
        """What to tell at this moment for what was computed."""
        end_s = at_s + computed_s
        told_s = 0.0 if self._end_s is None else max(0.0, self._end_s - at_s)
        is_far = told_s > JUMP_FACTOR * computed_s or computed_s > JUMP_FACTOR * told_s
        if self._end_s is None or is_far:
            self._end_s = end_s
        else:
            share = 1.0 - math.exp(-max(0.0, at_s - self._at_s) / STEADY_S)
            self._end_s += share * (end_s - self._end_s)
        self._at_s = at_s
        return max(0.0, self._end_s - at_s)
