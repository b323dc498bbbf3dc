"""The budget: settled + reserved <= cap after every step. Whole credits, plain arithmetic, no I/O.

One `Books` value stands for one run (manifest name and edition) over all its lives. Everything that may have been
bought counts: settled, reserved, and what is uncertain (it stays reserved).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from jobs.lifecycle import EventType
from jobs.record import NO_MONEY, Event, Money, Record

__all__ = ["Books", "Fit", "Shared", "delta"]


class Fit(StrEnum):
    """May this bound be reserved?"""

    YES = "yes"
    WAIT = "wait"  # not now: credits held by open attempts may come back
    NEVER = "never"  # settled credits alone leave no room
    TOO_DEAR = "too_dear"  # above the manifest's `per_item`


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Books that several move, as they were found. Of what is reserved, what open attempts hold may come `back`."""

    cap: int | None
    reserved: int
    settled: int
    back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Credits of one run. `cap` None means no budget; `per_item` None means no limit for one item.

    With `shared` others move them too. What is known of them here may be old; the ledger holds every intent to its cap.
    """

    cap: int | None
    per_item: int | None = None
    reserved: int = 0
    settled: int = 0
    shared: Shared | None = None  # as they were found last

    @property
    def left(self) -> int | None:
        """Credits that may still be reserved; negative after a price surprise, None without a budget."""
        return None if self.cap is None else self.cap - self.reserved - self.settled

    @property
    def money(self) -> Money:
        """The two figures without the cap."""
        return Money(reserved=self.reserved, settled=self.settled)

    @property
    def overshoot(self) -> int:
        """Credits above the cap: only a charge above its bound can cause it."""
        return max(0, -(self.left or 0))

    def fit(self, bound: int) -> Fit:
        """Whether `bound` credits fit now, may fit later, or never."""
        if self.per_item is not None and bound > self.per_item:
            return Fit.TOO_DEAR
        if self.cap is None or self.settled + self.reserved + bound <= self.cap:
            return Fit.YES
        return Fit.WAIT if self.settled + bound <= self.cap and self.reserved > 0 else Fit.NEVER

    def moved(self, change: Money) -> Books:
        """The books after a change of one attempt."""
        if not (change.reserved or change.settled):
            return self
        reserved, settled = self.reserved + change.reserved, self.settled + change.settled
        if self.shared is not None:  # they may have been looked at before this attempt was in them
            return replace(self, reserved=max(0, reserved), settled=max(0, settled))
        assert reserved >= 0, "no more can come back than was reserved"
        assert settled >= 0, "no more can be refunded than was settled"
        return Books(cap=self.cap, per_item=self.per_item, reserved=reserved, settled=settled)

    def found(self, shared: Shared) -> Books:
        """The books as somebody looked them up, who may not know of our cap yet."""
        return replace(self, reserved=shared.reserved, settled=shared.settled, shared=shared)


def delta(before: Record | None, event: Event, after: Record) -> Money:
    """What one event adds to the books of its attempt's scope."""
    now, was = after.attempt, before.attempt if before else None
    if event.type is EventType.INTENT:
        was = None  # a new attempt: what the one before it settled stays where it is
    if now is None or now is was:
        return NO_MONEY
    if was is None:
        return Money(reserved=now.reserved, settled=now.settled)
    return Money(reserved=now.reserved - was.reserved, settled=now.settled - was.settled)
