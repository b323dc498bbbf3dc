"""What is known of when tasks of one kind end: a sketch of fixed size, made from looks.

A look at a task tells two ages: at the first it still ran (or was just accepted), at the second it ran or had ended. So
an end is never a moment but a span, and a task that still runs says something too: without the survivors the first
ends of a young batch, which are the quick ones, would be taken for all.

Ages are counted in bins of equal ratio. Per bin the sketch holds how many tasks passed through it and how many ended in
it. The end within a span is spread over its bins as the sketch itself expects it (one step of expectation and
maximisation per look). Old looks fade; when looks go against all expectation, they fade at once.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

__all__ = ["BINS", "Ends", "age_of", "place_of"]

# Ages from 20 ms, the quickest a poll can tell, in steps of 5 %: finer than any times are alike; up to 18 hours.
FIRST_S = 0.02
STEP = 0.05
BINS = 300
# Ends after which older ones count a third: enough for a steady shape, few enough to follow a service.
MEMORY = 256.0
# How likely it is that a task ends in a bin nothing is known of: as if its chance to end fell with its age.
UNKNOWN_RATE = STEP
# What that guess counts for, in tasks. It only matters where few tasks came.
UNKNOWN_WEIGHT = 0.03
# The sketch tells nothing of ages later than those of all but so many of the ends.
LATEST_SHARE = 1e-4
# Before so many ends (five, a little faded) the shape is not told: the spread of fewer says little.
ENDS_NEEDED = 4.5
# The width of smoothing over spread of ends, for one end; it narrows with the fifth root of their number.
WIDTH = 0.5
ROUNDS_MAX = 24
# The narrowest span of an end, in bins: nobody looks twice at once, but clocks are coarse.
NARROWEST = 1e-3
# What a task that still runs counts for, in ends, when it is asked whether the rates are worth making anew, and by how
# much all must have grown for that.
NEWS_OF_A_SURVIVOR = 0.2
NEWS_SHARE = 0.2
# What is recalled is spread again by what came of it, so often.
RECALL_ROUNDS = 5
# No end is certain, and none impossible: one alone proves nothing.
LEAST_CHANCE = 1e-3
# Odds of an end within a look, against the sketch, that count as another speed of the service, and how sure one wants
# to be: with e^12 false alarms are seldom even among 100,000 looks, and a dozen looks that all go wrong are enough.
ODDS = 4.0
SURPRISE = 12.0
_NONE = array("d", bytes(8 * (BINS + 2)))
_UNKNOWN = array("d", [UNKNOWN_RATE]) * BINS
# What the old looks count for after an alarm, in ends: a shape to start from.
KEPT_AFTER_ALARM = 8.0
# Fading by growing the weight of what is new; before numbers get out of hand all are scaled.
WEIGHT_MAX = 1e9


def place_of(age_s: float) -> float:
    """Where an age lies among the bins, with its fraction."""
    return min(BINS - 1.0, max(0.0, math.log(max(age_s, FIRST_S) / FIRST_S) / STEP))


def age_of(place: float) -> float:
    """The age at a place."""
    return FIRST_S * math.exp(STEP * place)


class Ends:
    """The sketch of one price class."""

    def __init__(self) -> None:
        self._ended = _NONE[:BINS]
        self._passed = _NONE[:]  # differences from bin to bin
        self._rates = _UNKNOWN[:]
        self._weight = 1.0
        self._ends = 0.0  # of the present weight
        self._unspread: list[tuple[float, float, float]] = []  # ends, by place and weight
        self.is_known = False  # enough ended to say when the others will
        self._news = 0.0
        self._slower = self._faster = self._other = 0.0  # evidence
        self.last_place = BINS  # of those at which ends were seen
        self.version = 0  # grows when the rates are others

    @property
    def count(self) -> float:
        """Ends that are remembered."""
        return self._ends / self._weight

    @property
    def rates(self) -> Sequence[float]:
        """Per bin, the rate of ending of a task that came so far."""
        if self._news >= max(1.0, NEWS_SHARE * self.count):
            self._refresh()
        return self._rates

    def look(self, ran_s: float, age_s: float, *, ended: bool) -> None:
        """A task ran at one age and had ended, or still ran, at another."""
        high = max(NARROWEST, place_of(age_s))
        low = min(place_of(ran_s), high - NARROWEST)
        if self.is_known and self._is_surprised(low, high, ended=ended):
            self._scale(min(1.0, KEPT_AFTER_ALARM / self.count))
            self._slower = self._faster = self._other = 0.0
            self._refresh()
        if ended:
            self._end(low, high)
        else:
            self._pass(low, high, self._weight)
            self._news += NEWS_OF_A_SURVIVOR

    def recall(self, spans_s: Sequence[tuple[float, float]]) -> None:
        """Ends that earlier lives saw, each between two ages: all of them at once, to be gone through repeatedly."""
        for _ in range(RECALL_ROUNDS):
            self._scale(0.0)
            for ran_s, age_s in spans_s:
                high = max(NARROWEST, place_of(age_s))
                low = min(place_of(ran_s), high - NARROWEST)
                self._pass(0.0, low, self._weight)
                self._end(low, high)
            self._refresh()

    def quantile_s(self, share: float) -> float:
        """The age by which such a share has ended."""
        wanted, hazard = -math.log1p(-share), 0.0
        for place, rate in enumerate(self.rates):
            if hazard + rate >= wanted:
                return age_of(place + (wanted - hazard) / rate)
            hazard += rate
        return age_of(BINS)

    def _hazard(self, low: float, high: float) -> float:
        rates, first, last = self.rates, int(low), int(high)
        if first == last:
            return rates[first] * (high - low)
        inner = sum(rates[first + 1 : last])
        return rates[first] * (first + 1 - low) + inner + rates[last] * (high - last)

    def _pass(self, low: float, high: float, weight: float) -> None:
        passed, first, last = self._passed, int(low), int(high)
        passed[first] += weight * (first + 1 - low)
        passed[first + 1] += weight * (low - first)
        passed[last] -= weight * (last + 1 - high)
        passed[last + 1] -= weight * (high - last)

    def _end(self, low: float, high: float) -> None:
        """Take in an end. It is spread over the bins of its span once that tells somebody anything."""
        self._unspread.append((low, high, self._weight))
        self._ends += self._weight
        self._news += 1.0
        self._weight *= 1.0 + 1.0 / MEMORY
        self.is_known = self.count >= ENDS_NEEDED
        if self.is_known:
            self._spread()
        if self._weight > WEIGHT_MAX:
            self._scale(1.0 / self._weight)
            self._weight = 1.0

    def _spread(self) -> None:
        for low, high, weight in self._unspread:
            self._spread_one(low, high, weight)
        self._unspread.clear()

    def _spread_one(self, low: float, high: float, weight: float) -> None:
        """One end, over the bins of its span as it is expected there."""
        rates, ended, passed = self._rates, self._ended, self._passed
        first, last = int(low), int(high)
        parts = [1.0] * (last - first + 1)
        parts[0], parts[-1] = first + 1.0 - low, high - last
        if first == last:
            parts[0] = high - low
        left, lefts = 1.0, []
        for place, part in enumerate(parts, start=first):
            left *= math.exp(-rates[place] * part)
            lefts.append(left)
        scale, still, before = weight / (1.0 - left), 1.0, 0.0
        for place, (part, after) in enumerate(zip(parts, lefts, strict=True), start=first):
            ended[place] += scale * (still - after)
            risk = part * scale * (0.5 * (still + after) - left)  # who ends later passes all of it, who ends here half
            passed[place] += risk - before
            still, before = after, risk
        passed[last + 1] -= before

    def _is_surprised(self, low: float, high: float, *, ended: bool) -> bool:
        """Three running tests (Page's): do ends come likelier, or less likely, by the odds that matter, or anywhere?"""
        chance = -math.expm1(-self._hazard(low, high))
        known = max(LEAST_CHANCE, min(1.0 - LEAST_CHANCE, chance))
        likelier = 1.0 / (1.0 + (1.0 / known - 1.0) / ODDS)
        unlikelier = 1.0 / (1.0 + (1.0 / known - 1.0) * ODDS)
        anywhere = max(LEAST_CHANCE, min(1.0 - LEAST_CHANCE, -math.expm1(-UNKNOWN_RATE * (high - low))))
        self._faster = max(0.0, self._faster + _evidence(known, likelier, ended=ended))
        self._slower = max(0.0, self._slower + _evidence(known, unlikelier, ended=ended))
        self._other = max(0.0, self._other + _evidence(known, anywhere, ended=ended))
        return max(self._slower, self._faster, self._other) > SURPRISE

    def _scale(self, factor: float) -> None:
        self._spread()
        for place in range(BINS):
            self._ended[place] *= factor
        for place in range(BINS + 2):
            self._passed[place] *= factor
        self._ends *= factor
        self.is_known = self.count >= ENDS_NEEDED

    def _refresh(self) -> None:
        """Rates anew: ends over passes, both smoothed as wide as so many ends call for."""
        self._spread()
        ended, passed, running = list(self._ended), [], 0.0
        for place in range(BINS):
            running += self._passed[place]
            passed.append(running)
        for _ in range(self._rounds()):
            ended, passed = _smooth(ended), _smooth(passed)
        guess = UNKNOWN_WEIGHT * self._weight
        for place in range(BINS):
            self._rates[place] = (ended[place] + guess * UNKNOWN_RATE) / (max(0.0, passed[place]) + guess)
        self._news = 0.0
        self.version += 1
        enough = LATEST_SHARE * sum(ended)
        self.last_place = next((place for place in range(BINS - 1, 0, -1) if ended[place] > enough), BINS - 1) + 1

    def _rounds(self) -> int:
        """Each round of smoothing adds half a bin to the variance; the width is the usual one for a density."""
        whole = sum(self._ended)
        if whole <= 0.0:
            return 0
        mean = sum(place * weight for place, weight in enumerate(self._ended)) / whole
        variance = sum((place - mean) ** 2 * weight for place, weight in enumerate(self._ended)) / whole
        width = WIDTH * math.sqrt(variance) * math.pow(max(1.0, self.count), -0.2)
        rounds: int = round(2.0 * width * width)
        return min(ROUNDS_MAX, max(1, rounds))


def _evidence(known: float, other: float, *, ended: bool) -> float:
    """What one look says for the other chance of an end, against the known one."""
    return math.log(other / known) if ended else math.log((1.0 - other) / (1.0 - known))


def _smooth(row: list[float]) -> list[float]:
    before, after = [row[0], *row[:-1]], [*row[1:], row[-1]]
    return [0.25 * a + 0.5 * b + 0.25 * c for a, b, c in zip(before, row, after, strict=True)]
