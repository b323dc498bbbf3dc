"""A pacer with a part of a limit, and only for a while, because other workers have the rest (`jobs.sharing`)."""

from __future__ import annotations

from jobs.pacing import CUT_FACTOR, Pacer, floor_of
from jobs.rates import Rate

__all__ = ["LeasedPacer"]

_SHUT = float("-inf")


class LeasedPacer(Pacer):
    """It begins with nothing; `rate` is the limit of all."""

    __slots__ = ("_until_s",)

    def __init__(self, name: str, rate: Rate) -> None:
        super().__init__(name, rate)
        self._until_s = _SHUT  # nothing leaves from then on: others may have the slots

    def due_s(self, now_s: float) -> float:
        """As of any pacer; infinity also means after the next lease."""
        due_s = super().due_s(now_s)
        return due_s if max(due_s, now_s) < self._until_s else float("inf")

    def may_leave(self, now_s: float) -> bool:
        """Whether what was decided on a moment ago may still leave now."""
        return super().may_leave(now_s) and now_s < self._until_s

    def lease(self, rate: Rate, now_s: float, *, until_s: float, at_once: int = 1) -> None:
        """Keep to this part, and only until then.

        What was learned of the service's limit is a share of it, and the same share of a larger part. Slots that were
        added came free elsewhere, at the pace of all: `at_once` of them may leave now, and need not wait for that of
        the few that are here.
        """
        is_new, self._until_s = self._until_s == _SHUT, until_s
        if rate == self.rate and not is_new:
            return
        before, added = self.per_s, rate.count - (0 if is_new else self.rate.count)
        self.rate, self._floor = rate, floor_of(rate)
        self._factor = max(self._floor, self._factor)
        self._space_anew(before, now_s)
        if added > 0:
            self._next_even_s = now_s - min((min(added, at_once) - 1) / self.per_s, self._catch_up_s)

    def shut(self) -> None:
        """Nothing leaves until there is another lease."""
        self._until_s = _SHUT

    @property
    def shares(self) -> tuple[float, float]:
        """Of the user's limit: the share that is used now, and the share that stood or is to come back."""
        if self._fits is not None or self._stands or self._factor < self._regrow_to or self._factor >= 1.0:
            return self._factor, self._regrow_to if self._fits is None else self._fits
        return self._factor, self._factor * CUT_FACTOR

    @property
    def cut_at_s(self) -> float:
        """When refusals slowed this down last."""
        return self._cut_at_s

    def follow(self, used: float, stood: float, now_s: float) -> None:
        """Another worker under the same limit knows better what it lets through, and says both of its `shares`.

        Calls that left before now say nothing new about that.
        """
        before, self._factor = self.per_s, max(self._floor, used)
        self._regrow_to = self._stood = self._was = max(self._factor, stood)
        self._stands, self._fits = self._factor == stood, stood if self._factor > stood else None
        self._refusals, self._cut_at_s, self._storm_until_s = int(used < 1.0), now_s, None
        self._space_anew(before, now_s)
