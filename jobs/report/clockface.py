"""The time of a run without the breaks between its lives, so that a night's rest does not flatten its charts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.report.facts import LifeSpan

__all__ = ["Clockface"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockface:
    """Spans of work, in order: what lies between two of them takes no room."""

    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    before_s: tuple[float, ...]  # seconds of work before each start

    @classmethod
    def of(cls, lives: Sequence[LifeSpan], *, last_s: float) -> Clockface:
        """The clock of these lives; `last_s` is now, for the one that has not ended."""
        ended = ((life.started_s, last_s if life.ended_s is None else life.ended_s) for life in lives)
        spans = sorted((start, max(start, end)) for start, end in ended)
        starts: list[float] = []
        ends: list[float] = []
        before: list[float] = []
        total = 0.0
        for start, end in spans:
            if ends and start < ends[-1]:
                ends[-1] = max(ends[-1], end)  # a clock that was set back
                continue
            if ends:
                total += ends[-1] - starts[-1]
            starts.append(start)
            ends.append(end)
            before.append(total)
        return cls(starts_s=tuple(starts), ends_s=tuple(ends), before_s=tuple(before))

    @property
    def total_s(self) -> float:
        """Seconds of work in all."""
        return self.before_s[-1] + self.ends_s[-1] - self.starts_s[-1] if self.starts_s else 0.0

    @property
    def breaks_s(self) -> list[tuple[float, float]]:
        """Where a later life went on, in seconds of work, and how long the break was."""
        pairs = zip(self.before_s[1:], self.starts_s[1:], self.ends_s, strict=False)
        return [(at_s, start_s - end_s) for at_s, start_s, end_s in pairs]

    def at(self, at_s: float) -> float:
        """Seconds of work until then; a moment in a break is its beginning."""
        place = bisect_right(self.starts_s, at_s) - 1
        if place < 0:
            return 0.0
        return self.before_s[place] + min(at_s, self.ends_s[place]) - self.starts_s[place]
