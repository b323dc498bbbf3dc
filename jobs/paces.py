"""What a pacer tells of itself, and what it asks of a window that it shares with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["PacerStatistics", "RateChange", "SharedWindow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChange:
    """A change of speed, for the reporter: from and to in requests per second, and why."""

    name: str
    before_per_s: float
    after_per_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacerStatistics:
    """What a pacer is doing now."""

    name: str
    ceiling_per_s: float
    per_s: float
    unanswered: int
    paused_until_s: float
    left: int = 0  # requests that left, in all


class SharedWindow(Protocol):
    """A limit over all kinds of requests (`jobs.calls.Calls`)."""

    @property
    def paused_until_s(self) -> float: ...

    def due_s(self, name: str, now_s: float) -> float: ...

    def leave(self, name: str, token: int, now_s: float) -> None: ...
