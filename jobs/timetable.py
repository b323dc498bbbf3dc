"""The ages at which to look at a task: the least delay in noticing ends for a given price of a look in vain.

When ends follow a known law, the best moment of the next look depends only on the age at the last one. It is found
backwards over a grid of ages: from each, the delay until the next look and what that look costs if the task still runs.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.ends import STEP, age_of, place_of

__all__ = ["Law", "Timetable", "law_of", "timetable"]

# Points of the grid: an eighth of the finest gaps that come out of it.
POINTS = 128
# So many points without a better one end the search: the costs have one valley, but not a smooth one.
PATIENCE = 4
# Of the law only this much is planned for; who is earlier or later is looked at by rule.
EARLY_SHARE = 0.005
LATE_SHARE = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """When tasks of a class end, on a grid of ages in steps of one ratio."""

    ages_s: Sequence[float]
    left: Sequence[float]  # the share that still runs
    ended_s: Sequence[float]  # seconds that an ended task has waited by then, per task
    constant_s: float  # mean delay times looks, placed as well as can be


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """For each age of a look in vain, that of the next one."""

    ages_s: Sequence[float]
    next_s: Sequence[float]

    @property
    def end_s(self) -> float:
        """From here on the timetable says nothing."""
        return self.ages_s[-1]

    def after(self, age_s: float) -> float:
        """When to look next at a task that ran at this age."""
        ages_s, next_s = self.ages_s, self.next_s
        place = bisect_left(ages_s, age_s)
        if place == 0:
            return next_s[0]
        if place == len(ages_s):
            return next_s[-1]
        share = (age_s - ages_s[place - 1]) / (ages_s[place] - ages_s[place - 1])
        return next_s[place - 1] + share * (next_s[place] - next_s[place - 1])


def law_of(rates: Sequence[float], *, from_s: float, last: int) -> Law:
    """The law behind rates per bin, for tasks that are first looked at `from_s` or later."""
    hazard, low, high = 0.0, None, last
    for place, rate in enumerate(rates[:last]):
        hazard += rate
        if low is None and -math.expm1(-hazard) >= EARLY_SHARE:
            low = place
        if math.exp(-hazard) <= LATE_SHARE:
            high = place + 1
            break
    first = max(0.0, place_of(from_s) - 1.0, float(low or 0))
    step = max(4.0, high - first) / (POINTS - 1)
    places = [first + n * step for n in range(POINTS)]
    hazards = _hazards(rates, places)
    ages_s = [age_of(place) for place in places]
    left = [math.exp(-one) for one in hazards]
    ended_s, waited_s, root = [0.0], 0.0, 0.0
    for n in range(1, POINTS):
        wide_s = ages_s[n] - ages_s[n - 1]
        waited_s += (1.0 - 0.5 * (left[n] + left[n - 1])) * wide_s
        ended_s.append(waited_s)
        died = left[n - 1] - left[n]
        root += math.sqrt(max(0.0, died) * 0.5 * (left[n] + left[n - 1]) * wide_s)
    return Law(
        ages_s=array("d", ages_s), left=array("d", left), ended_s=array("d", ended_s), constant_s=0.5 * root * root
    )


def _hazards(rates: Sequence[float], places: Sequence[float]) -> list[float]:
    sums = [0.0]
    for rate in rates:
        sums.append(sums[-1] + rate)
    found = []
    for place in places:
        whole = min(int(place), len(rates) - 1)
        found.append(sums[whole] + rates[whole] * (place - whole))
    return found


def timetable(law: Law, *, price_s: float, gap_s: float) -> Timetable:
    """The best looks when one in vain is worth `price_s` of delay, none closer than `gap_s`."""
    ages_s, left, ended_s = law.ages_s, law.left, law.ended_s
    last = len(ages_s) - 1
    vain = [0.0] * (last + 1)  # what a look in vain costs, with all that follows, per task that was accepted
    vain[last] = left[last] * 4.0 * price_s  # who comes so far is looked at some more
    chosen = [last] * (last + 1)
    best_n = last
    for n in range(last - 1, -1, -1):
        gone, age_s, waited_s = 1.0 - left[n], ages_s[n], ended_s[n]
        best, best_at = math.inf, best_n
        for m in range(best_n, n, -1):
            wait_s = ages_s[m] - age_s
            if wait_s < gap_s and m < best_n:
                break
            total = ended_s[m] - waited_s - gone * wait_s + vain[m]
            if total < best:
                best, best_at = total, m
            elif best_at - m > PATIENCE:
                break
        vain[n] = best + left[n] * price_s
        chosen[n], best_n = best_at, max(best_at, n + 1)
    next_s = array("d", [ages_s[m] for m in chosen])
    next_s[last] *= 1.0 + STEP
    return Timetable(ages_s=ages_s, next_s=next_s)
