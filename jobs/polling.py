"""When a look at a task is worth a poll: floors, and what was learned of each price class.

A poll before a task can have ended tells nothing; a poll long after it did costs time. Per price class the times of
ends are learned (`jobs.ends`), and from those the looks that notice ends soonest at a given price of a look in vain
(`jobs.timetable`). The price is in seconds of delay and the same for all classes, so that whichever task a poll goes
to, it saves as much as with any other. Prices come in levels; `jobs.poll_queue` finds the one that fits the
polls there are.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.ends import Ends
from jobs.timetable import Law, Timetable, law_of, timetable

__all__ = ["LEVELS", "Noticed", "PollFloors", "Polling", "price_s"]

# Polls that a task may cost on average while polls are plenty: one more would find its end a hundredth earlier. What is
# still to be learned costs one more: W3a of the benchmark, with a goal of 12, takes 11.2 at this aim and 12.04 at 11.
POLLS_MAX = 10.5
# While nothing waits for the ends of tasks a poll must save this much: nobody notices less.
PATIENT_PRICE_S = 0.2
# Prices from what is nothing to what no look is worth before its task has ended for certain; from level to level gaps
# grow by a quarter.
PRICE_S_MIN = 1e-4
PRICE_RATIO = 1.6
LEVELS = 36
# Of a class nothing is known of, so many tasks are looked at like others. What one of the rest would teach, the scouts
# teach as well: while nothing waits for ends they stand a few levels below, and while polls are scarce far below.
SCOUTS = 12
UNKNOWN_BELOW = 4
UNKNOWN_FAR_BELOW = 14
# What earlier runs saw holds when so many ends of this life fit it. Until then scouts look by their age as well, or a
# service that is much quicker than last night would be found out only when its tasks should have ended.
PROVEN_BY = 5
SCOUT_SHARE = 0.25
# Unknown class, or later than all that are known: the next gap as a share of the task's age, or longer when polls are
# dear. Detection is then never later than by that share, and a task that never ends costs few polls.
GAP_SHARE = 0.05
# The same where the whole run waits for this task's end: what is left is few tasks, and a delay is everybody's.
GAP_SHARE_LAST = 0.02
# No gap is longer than this share of the age, however sure it seems that no end is near.
GAP_SHARE_MAX = 0.5
# The longest gap while an end of an unknown class is expected, and of a task that is overdue.
GAP_S_MAX = 15.0
GAP_S_MAX_OLD = 60.0
# Gaps differ by this share so that tasks created together are not asked for together; so do the floors, upwards.
JITTER_SHARE = 0.1
# Price classes that are remembered, by their last look; each holds some 20 KB at most.
CLASSES_KEPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFloors:
    """The manifest's `limits.first_poll` and `limits.poll_gap`."""

    first_poll_s: float = 2.0
    poll_gap_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """How the ends of tasks were noticed: of those that were seen as they happened."""

    ends: int = 0
    polls: int = 0
    unseen_s: float = 0.0  # from the last look at which they ran to the one that showed the end, in all

    def and_one(self, polls: int, unseen_s: float) -> Noticed:
        return Noticed(ends=self.ends + 1, polls=self.polls + polls, unseen_s=self.unseen_s + unseen_s)

    @property
    def polls_each(self) -> float:
        return self.polls / max(1, self.ends)

    @property
    def delay_s(self) -> float:
        """Mean, if ends lie in the middle of what was not seen."""
        return 0.5 * self.unseen_s / max(1, self.ends)


_PRICES_S = tuple(PRICE_S_MIN * PRICE_RATIO**level for level in range(LEVELS + UNKNOWN_FAR_BELOW))


def price_s(level: int) -> float:
    """What a look in vain may cost at a level, in seconds of delay."""
    return _PRICES_S[level]


def _level_of(seconds: float) -> int:
    level = math.log(max(seconds, PRICE_S_MIN) / PRICE_S_MIN) / math.log(PRICE_RATIO)
    return min(LEVELS - 1, round(level))


def _level_within(seconds: float) -> int:
    """The highest that costs no more."""
    return min(LEVELS - 1, bisect_right(_PRICES_S, seconds, lo=1) - 1)


PATIENT_LEVEL = _level_of(PATIENT_PRICE_S)


class _Class:
    """One price class: what is known, and the timetables made of it."""

    def __init__(self) -> None:
        self.ends = Ends()
        self.scouts = 0
        self.seen = 0  # ends, in this life
        self._version = -1
        self._law: Law | None = None
        self._tables: dict[int, Timetable] = {}

    def law(self, floors: PollFloors) -> Law:
        rates = self.ends.rates
        if self._law is None or self.ends.version != self._version:
            self._law = law_of(rates, from_s=floors.first_poll_s, last=self.ends.last_place)
            self._version = self.ends.version
            self._tables.clear()
        return self._law

    def table(self, level: int, floors: PollFloors) -> Timetable:
        law = self.law(floors)
        table = self._tables.get(level)
        if table is None:
            table = self._tables[level] = timetable(law, price_s=price_s(level), gap_s=floors.poll_gap_s)
        return table


class Polling:
    """What was learned of all classes, and when to look by it. Ages are seconds since a task was accepted."""

    def __init__(self) -> None:
        self._classes: dict[str, _Class] = {}

    def looked(self, price_class: str, ran_s: float, age_s: float, *, ended: bool) -> None:
        """A task ran at one age (0: it was accepted), and at another it ran or had ended."""
        one = self._taken(price_class)
        one.ends.look(ran_s, age_s, ended=ended)
        one.seen += ended

    def recall(self, price_class: str, spans_s: Sequence[tuple[float, float]]) -> None:
        """Ages between which tasks of the class ended in earlier lives, the oldest first."""
        self._taken(price_class).ends.recall(spans_s)

    def _taken(self, price_class: str) -> _Class:
        one = self._classes.pop(price_class, None) or _Class()
        self._classes[price_class] = one
        if len(self._classes) > CLASSES_KEPT:
            del self._classes[next(iter(self._classes))]
        return one

    def _known(self, price_class: str) -> _Class | None:
        one = self._classes.get(price_class)
        return one if one is not None and one.ends.is_known else None

    def span_s(self, price_class: str) -> tuple[float, float] | None:
        """Ages by which a tenth and nine tenths of a class end, or None while too few are known."""
        one = self._known(price_class)
        return None if one is None else (one.ends.quantile_s(0.1), one.ends.quantile_s(0.9))

    def is_scout(self, price_class: str) -> bool:
        """Whether a task that was just accepted is one of the first of its class, so that it teaches about the rest."""
        one = self._taken(price_class)
        one.scouts += 1
        return one.scouts <= SCOUTS

    def constant_s(self, price_class: str, floors: PollFloors) -> float | None:
        """Mean delay times looks of a class, placed as well as can be; None while too few ends are known."""
        one = self._known(price_class)
        return None if one is None else one.law(floors).constant_s

    def least_level(self, price_class: str, floors: PollFloors, *, one_of: int, usual_s: float = 0.0) -> int:
        """No look at a task of the class is worth less, even while polls are plenty. `usual_s`: what one is of late.

        `one_of`: the last end of so many tasks is waited for, and each is the last with the same chance; 0: none is.
        """
        constant_s = self.constant_s(price_class, floors)
        least_s = 0.0 if constant_s is None else constant_s / POLLS_MAX**2
        waiting = min(PATIENT_LEVEL, _level_of(least_s * one_of)) if one_of else PATIENT_LEVEL
        least = max(waiting, _level_of(least_s))
        return least if constant_s is None else max(least, _level_within(usual_s))

    def next_s(
        self,
        price_class: str,
        ran_s: float,
        floors: PollFloors,
        *,
        level: int,
        spread: float,
        is_scout: bool,
        is_last: bool = False,
    ) -> float:
        """At what age the next look is worth the price of a level, after one in vain at `ran_s` (0: none yet).

        It grows with the level. `spread` is uniform in 0..1. `is_last`: nothing else is left to be bought.
        """
        floor_s = ran_s + floors.poll_gap_s if ran_s else floors.first_poll_s
        floor_s += JITTER_SHARE * spread * (floor_s - ran_s)
        one = self._known(price_class)
        table = None if one is None else one.table(level, floors)
        if table is None:
            gap_s = min(GAP_S_MAX, _gap_by_age_s(ran_s, level if is_scout else level + _unknown_below(level)))
        elif ran_s >= table.end_s:
            gap_s = min(GAP_S_MAX_OLD, _gap_by_age_s(ran_s, level, GAP_SHARE_LAST if is_last else GAP_SHARE))
        else:
            gap_s = table.after(ran_s) - ran_s
            if is_scout and one is not None and one.seen < PROVEN_BY:
                gap_s = min(gap_s, SCOUT_SHARE * ran_s)
            elif ran_s:
                gap_s = min(gap_s, GAP_SHARE_MAX * ran_s)
        return max(floor_s, ran_s + gap_s * (1.0 + JITTER_SHARE * (spread - 0.5)))


def _unknown_below(level: int) -> int:
    if level > PATIENT_LEVEL:
        return UNKNOWN_FAR_BELOW
    return UNKNOWN_BELOW if level == PATIENT_LEVEL else 0


def _gap_by_age_s(age_s: float, level: int, share: float = GAP_SHARE) -> float:
    """The gap for a task whose end may come at any time, its chance falling with its age."""
    return max(share * age_s, math.sqrt(2.0 * _PRICES_S[level] * age_s))
