"""A pacer with a part of a limit, and only for a while, because other workers have the rest (`jobs.sharing`)."""

from __future__ import annotations

from jobs.pacing import CUT_FACTOR, Pacer, floor_of
from jobs.rates import Rate

__all__ = ["LeasedPacer"]

_SHUT = float("-inf")


class LeasedPacer(Pacer):
    """It begins with nothing; `rate` is the limit of all.

    While slots are on their way to it or from it, it has fewer or more than its fair part; but it spaces its calls as
    with just that. So the pace of all together stays what it is, whoever has the slots.
    """

    __slots__ = ("_fair_per_s", "_idle_since_s", "_idle_token", "_since_s", "_until_s")

    def __init__(self, name: str, rate: Rate) -> None:
        super().__init__(name, rate)
        self._fair_per_s = rate.per_second
        self._since_s = _SHUT  # it had a lease all the time since
        self._until_s = _SHUT  # nothing leaves from then on: others may have the slots
        self._idle_since_s: float | None = None  # a call could leave and none has left ...
        self._idle_token = 0  # ... after this one

    def due_s(self, now_s: float) -> float:
        """As of any pacer; infinity also means after the next lease."""
        due_s = super().due_s(now_s)
        return due_s if max(due_s, now_s) < self._until_s else float("inf")

    def may_leave(self, token: int, now_s: float) -> bool:
        """Whether what took a slot a moment ago may still leave now: a slot of a lease that ended may be another's."""
        return super().may_leave(token, now_s) and now_s < self._until_s and self.left_at_s(token) >= self._since_s

    def is_leased(self, now_s: float) -> bool:
        """Whether there is a lease."""
        return now_s < self._until_s

    def idle_s(self, now_s: float) -> float:
        """For how long no call left, since one was first seen to be free to. Asked with every beat."""
        if not self.is_leased(now_s) or self._token != self._idle_token:
            self._idle_token, self._idle_since_s = self._token, None
        if self._idle_since_s is None and self.due_s(now_s) <= now_s:
            self._idle_since_s = now_s
        return 0.0 if self._idle_since_s is None else now_s - self._idle_since_s

    @property
    def per_s(self) -> float:
        """The present speed in requests per second."""
        return self._fair_per_s * self._factor

    def lease(self, rate: Rate, now_s: float, *, fair_per_s: float, until_s: float) -> None:
        """Keep to this part, and only until then.

        What was learned of the service's limit is a share of it, and the same share of another part.
        """
        if now_s >= self._until_s:
            self._since_s = now_s
        self._until_s = until_s
        self.rate = rate
        if fair_per_s == self._fair_per_s:
            return
        before, self._fair_per_s = self.per_s, fair_per_s
        self._floor = floor_of(rate)
        self._factor = max(self._floor, self._factor)
        # What a window and clean answers have taught so far is kept: near the end parts change with every beat.
        self._respace(before, now_s)

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
