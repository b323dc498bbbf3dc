"""How many tasks the service runs at once, as far as its refusals show.

Nobody is told this number, so it is found: first only a few creates are under way unanswered, so that the first refusal
finds few of them. A refusal sets the ceiling to what ran at that moment, once for all creates that had left by then; a
create that waits for a place leaves with the next end that is seen. Now and then one more is tried: first as soon as
the refusal would be over if it was about something else, and then ever more seldom, because each try costs a refusal. A
try that goes well is followed by the next one sooner, and by larger ones: a limit that was lifted is soon used.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Places", "PlacesChange"]

# Creates unanswered before anything was accepted, and how many accepted ones allow one more: a limit of eight is then
# found with five refusals at most, and a far service that takes 50 a second is at full speed within a second or two.
SLOW_START = 3
SLOW_START_SHARE = 4
# The second try of one more comes after this, the following ones each after twice the time: in an hour nine refusals.
TRY_S = 8.0
TRY_S_MIN = 1.0  # the first one
TRY_S_MAX = 512.0
# Refused with fewer tasks than this share of those that ran before, it is about something else: a storm.
FALLS_SHARE = 0.5
# What ran before is forgotten by this share with every task that is accepted; after six or so fewer are believed.
MOST_FADES = 1 / 8
# A try that went well is followed by the next after this share of the time.
WENT_WELL_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesChange:
    """Another ceiling of tasks at once; None is none."""

    before: int | None
    after: int | None
    reason: str


class Places:
    """`running` is always what was accepted and not seen to end; `sending` are creates without an answer."""

    def __init__(self) -> None:
        self.found: int | None = None
        self._try_s = TRY_S_MIN  # when one more is tried after the first refusal
        self._accepted = 0
        self._most = 0.0  # tasks that ran at once of late
        self._cut_at_s = float("-inf")
        self._failed = 0  # tries
        self._try_at_s = float("-inf")
        self._step = 0

    def due_s(self, running: int, sending: int) -> float:
        """When the next create may leave for want of a place: infinity means after an answer or an end."""
        if self.found is None:
            return float("-inf") if sending < SLOW_START + self._accepted // SLOW_START_SHARE else float("inf")
        if running + sending < self.found:
            return float("-inf")
        return float("inf") if sending else self._try_at_s

    def accepted(self, running: int, *, left_at_s: float, now_s: float) -> PlacesChange | None:
        """A create became a task, so that `running` do now."""
        self._accepted += 1
        self._most = max(running, self._most + MOST_FADES * (running - self._most))
        before = self.found
        if before is None or running <= before:
            return None
        self.found = running
        if left_at_s > self._cut_at_s:
            self._failed = max(0, self._failed - 1)
            self._try_at_s = now_s + WENT_WELL_SHARE * self._wait_s()
            self.found, self._step = running + self._step, max(1, 2 * self._step)
        return PlacesChange(before=before, after=self.found, reason="one more was accepted")

    def may_be_full(self, running: int) -> bool:
        """Whether a refusal may be for want of a place, with so few tasks."""
        return running > 0 and running >= FALLS_SHARE * self._most

    def refused(
        self, running: int, *, left_at_s: float, now_s: float, reason: str, try_s: float, asked_s: float = 0.0
    ) -> PlacesChange | None:
        """A create was refused for want of a place.

        `try_s`: how soon one more shows whether it was. `asked_s`: how long the service wants to be left alone.
        """
        if left_at_s <= self._cut_at_s:
            return None
        self._try_s = max(TRY_S_MIN, try_s)
        before, self.found = self.found, max(1, running)
        self._cut_at_s, self._try_at_s = now_s, now_s + max(asked_s, self._wait_s())
        self._failed, self._step = self._failed + 1, 0
        return None if before == self.found else PlacesChange(before=before, after=self.found, reason=reason)

    def forget(self, reason: str) -> PlacesChange | None:
        """It was something else that refused."""
        before, self.found = self.found, None
        self._failed = self._step = 0
        return None if before is None else PlacesChange(before=before, after=None, reason=reason)

    def _wait_s(self) -> float:
        if not self._failed:
            return self._try_s
        return min(TRY_S_MAX, max(TRY_S, self._try_s) * 2.0 ** (self._failed - 1))
