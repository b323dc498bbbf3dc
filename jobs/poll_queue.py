"""Which task to ask for next: every open task in one queue, one timer for all, and polls where they save most.

The worth of a look grows while it waits: with the chance that the task has ended, and with the time since. It is told
in levels (`jobs.polling.price_s`). A task waits in a heap for the moment at which a look is worth its level; then it is
ready, and waits for the next level, until a poll is free. The highest goes first. So when polls are plenty all leave at
the lowest level, when they are scarce at the one at which just as many leave as may, and nobody has to know it before.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container
from dataclasses import dataclass

from jobs.polling import LEVELS

__all__ = ["PollQueue"]

# A look that is due later than this is planned again after a share of the time, and again: by then more is known.
REPLAN_S = 4.0
REPLAN_SHARE = 0.3
# Tasks begin so many levels below the lowest that polls left at lately: what is lower would only wait ...
LEVELS_BELOW = 3.0
# ... and that one rises so much with each poll while others wait, and falls so much while none does.
RISES = 0.05
FALLS = 0.2
# Entries of the ready, for each task and beyond, before those that were overtaken are thrown out: while polls are
# scarce they never come to the top.
ENTRIES_MAX = 4
ENTRIES_SPARE = 64

# When a look at a task is worth a level (monotonic seconds): later for a higher one.
WorthAt = Callable[[str, int], float]


@dataclass(slots=True)
class _Place:
    level: int  # that it waits for
    coming: int = 0  # which of its entries in each heap counts; 0: none
    ready: int = 0
    ready_s: float | None = None  # since when it is ready


class PollQueue:
    """Open tasks, by the worth of a look at them."""

    def __init__(self) -> None:
        self._coming: list[tuple[float, int, str]] = []
        self._unsure: list[tuple[float, int, str]] = []  # the same, by when they are planned again
        self._ready: list[tuple[int, float, int, str]] = []
        self._places: dict[str, _Place] = {}
        self._stamp = 0
        self._level = 0.0

    def add(self, identity: str, worth_at: WorthAt, now_s: float, *, least: int) -> None:
        """Look at this one when it is worth the `least` level, or what polls are worth now."""
        level = max(least, int(self._level - LEVELS_BELOW))
        self._places[identity] = place = _Place(level)
        self._come(identity, place, worth_at(identity, level), now_s)

    def _come(self, identity: str, place: _Place, due_s: float, now_s: float) -> None:
        self._stamp += 1
        place.coming = self._stamp
        heapq.heappush(self._coming, (due_s, self._stamp, identity))
        if due_s - now_s > REPLAN_S:
            heapq.heappush(self._unsure, (now_s + REPLAN_SHARE * (due_s - now_s), self._stamp, identity))

    def advance(self, worth_at: WorthAt, now_s: float) -> None:
        """Let climb whose look is worth its level by now."""
        for heap in (self._unsure, self._coming):
            while heap and heap[0][0] <= now_s:
                _, stamp, identity = heapq.heappop(heap)
                place = self._places.get(identity)
                if place is not None and place.coming == stamp:
                    self._climb(identity, place, worth_at, now_s)

    def _climb(self, identity: str, place: _Place, worth_at: WorthAt, now_s: float) -> None:
        place.coming = 0
        due_s = worth_at(identity, place.level)
        if due_s > now_s:
            self._come(identity, place, due_s, now_s)
            return
        place.level, reached_s, due_s = _reached(identity, place.level, due_s, worth_at, now_s)
        if due_s > now_s:
            self._come(identity, place, due_s, now_s)
        self._stamp += 1
        place.ready = self._stamp
        if place.ready_s is None:
            place.ready_s = reached_s
        heapq.heappush(self._ready, (1 - place.level, reached_s, self._stamp, identity))
        if len(self._ready) > ENTRIES_SPARE + ENTRIES_MAX * len(self._places):
            self._ready = [entry for entry in self._ready if self._is_ready(entry)]
            heapq.heapify(self._ready)

    def _is_ready(self, entry: tuple[int, float, int, str]) -> bool:
        """Whether nothing overtook this entry of the ready."""
        place = self._places.get(entry[3])
        return place is not None and place.ready == entry[2]

    @property
    def first(self) -> str | None:
        """The one to look at first; None while none is ready."""
        return self._ready[0][3] if self._waits() else None

    def _waits(self) -> bool:
        """Whether one is ready. Entries that were overtaken are dropped on the way."""
        while self._ready:
            if self._is_ready(self._ready[0]):
                return True
            heapq.heappop(self._ready)
        return False

    def pop(self) -> None:
        """The first one is looked at."""
        assert self._waits(), "one is ready"
        level, _, _, identity = heapq.heappop(self._ready)
        del self._places[identity]
        moved = self._level + (RISES if self._waits() else -FALLS)
        self._level = max(0.0, min(moved, -level))

    def drop(self, identity: str) -> None:
        """This one ended some other way."""
        del self._places[identity]

    def due_s(self) -> float | None:
        """Since when the first one is ready; while none is, when to advance again.

        What is planned again does not count: more is known only after an answer, and then somebody asks anyhow.
        """
        first = self.first
        if first is not None:
            return self._places[first].ready_s
        coming = self._coming
        while coming and ((place := self._places.get(coming[0][2])) is None or place.coming != coming[0][1]):
            heapq.heappop(coming)
        return coming[0][0] if coming else None

    def moments(self, worth_at: WorthAt, chosen: Container[str]) -> dict[str, float]:
        """When a look at the chosen that are in here is due, or became so."""
        found = {identity: place for identity, place in self._places.items() if identity in chosen}
        return {
            identity: worth_at(identity, place.level) if place.ready_s is None else place.ready_s
            for identity, place in found.items()
        }


def _reached(identity: str, level: int, due_s: float, worth_at: WorthAt, now_s: float) -> tuple[int, float, float]:
    """A look is worth `level` since `due_s`: the first level that it is not worth yet, since when it is worth the one
    below, and when it will be worth that one; the last is over when all are reached.

    Mostly that is the next level, or the last: those are asked for first, and what lies between is halved.
    """
    above, above_s = LEVELS, due_s
    for tried in (level + 1, LEVELS - 1):
        if level < tried < above:
            tried_s = worth_at(identity, tried)
            if tried_s > now_s:
                above, above_s = tried, tried_s
            else:
                level, due_s = tried, tried_s
    while above - level > 1:
        tried = (above + level) // 2
        tried_s = worth_at(identity, tried)
        if tried_s > now_s:
            above, above_s = tried, tried_s
        else:
            level, due_s = tried, tried_s
    return above, due_s, above_s
