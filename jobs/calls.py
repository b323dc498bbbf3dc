"""One window over all calls of the service, once refusals showed that there is one: found, kept to, and shared out.

What went through in the window before the refusals is what the service lets through. That is kept to by a pacer of its
own; now and then a little more is tried, ever more seldom while tries are refused. Refusals at much less than what was
found prove that it is no such limit but a storm: then it is given up when the storm is over.

Creates and polls share what there is, and what one does not use the other has. While both want more, creates have three
quarters: a task that waits to be asked for loses nothing, and the later it is, the surer a look shows its end.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobs.paces import PacerStatistics, RateChange
from jobs.pacing import Pacer
from jobs.rates import Rate

__all__ = ["Calls"]

SHARES = {"creates": 0.75, "polls": 0.25}
# Whose turn it is not leaves this much of the time between two calls later: the other goes first if it wants to.
YIELD_SHARE = 0.25
# Turns that were missed, or taken beyond one's share, count for this share of the window.
CATCH_UP_SHARE = 0.25
# How much more is tried: at first, at most when tries go well, at least when they do not. A try lasts so many windows.
TRY_SHARE = 0.04
TRY_SHARE_MAX = 0.25
TRY_SHARE_MIN = 0.002
TRY_WINDOWS = 1.5
# After a try that was refused the next comes after so many windows, and then each after twice as many.
TRY_AGAIN_WINDOWS = 8.0
TRY_AGAIN_WINDOWS_MAX = 512.0
# A refusal of what had been let through is a little too much, if it comes alone in so many windows.
ALONE_WINDOWS = 2.0
A_LITTLE = 0.02
# Of what was found: a window that was used less than that was not full.
FULL_SHARE = 0.85
# A limit refuses nothing at less than half of itself.
DOUBT_SHARE = 0.5


class Calls:
    """At most `count` calls in any `window_s` seconds, of which those of `answered_s` went through already."""

    def __init__(self, count: int, *, window_s: float, answered_s: Iterable[float], now_s: float) -> None:
        self._pacer = Pacer("calls", Rate(count=count, window_s=window_s), answered_s=answered_s, stands=True)
        self._tokens: dict[tuple[str, int], int] = {}
        self._turn_s = dict.fromkeys(SHARES, now_s)  # when it is the turn of a kind
        self._free_s = float("inf")  # since when the next call may leave
        self._cut_at_s = now_s
        self._fits = count  # stood, or went through
        self._share = TRY_SHARE
        self._since_s = now_s  # when the present number began
        self._failed = 0  # tries
        self._try_at_s = now_s + TRY_AGAIN_WINDOWS * window_s
        self._alone_s = float("-inf")
        self._is_storm = False

    @property
    def per_s(self) -> float:
        return self._pacer.per_s

    @property
    def paused_until_s(self) -> float:
        return self._pacer.paused_until_s

    def statistics(self) -> PacerStatistics:
        return self._pacer.statistics()

    def is_over(self, ceiling_per_s: float) -> bool:
        """It was a storm, and that is over; or users' limits allow no more anyway."""
        is_past = self._is_storm and self._pacer.per_s >= self._pacer.rate.per_second
        return is_past or self._fits / self._pacer.rate.window_s >= ceiling_per_s

    def is_full(self, now_s: float) -> bool:
        """Whether the window holds about what is let through now."""
        return self._pacer.held(now_s) >= FULL_SHARE * self._pacer.per_s * self._pacer.rate.window_s

    def due_s(self, name: str, now_s: float) -> float:
        """When the next call of a kind may leave. Never infinity: it may wait for the answer of another kind."""
        due_s = self._pacer.due_s(now_s)
        if due_s == float("inf"):
            due_s = now_s + 1.0 / self._pacer.per_s
        due_s = self._free_s = due_s if due_s > now_s else min(self._free_s, now_s)
        is_first = self._turn_s[name] <= min(self._turn_s.values())
        return due_s if is_first else due_s + YIELD_SHARE / self._pacer.per_s

    def leave(self, name: str, token: int, now_s: float) -> None:
        """A call leaves."""
        self._tokens[name, token] = self._pacer.leave(now_s)
        self._free_s = float("inf")
        late_s = CATCH_UP_SHARE * self._pacer.rate.window_s
        turn_s = min(max(self._turn_s[name], now_s - late_s), now_s + late_s)
        self._turn_s[name] = turn_s + 1.0 / (SHARES[name] * self._pacer.per_s)

    def wait(self, until_s: float) -> None:
        """The service asked to be left alone."""
        self._pacer.wait(until_s)

    def ended(self, name: str, token: int, now_s: float, *, clean: bool) -> RateChange | None:
        """A call ended without a refusal of its own."""
        inner = self._tokens.pop((name, token), None)
        if inner is None:
            return None
        change = self._pacer.answered(inner, now_s, clean=clean)
        return change or self._try_more(now_s)

    def _try_more(self, now_s: float) -> RateChange | None:
        pacer, window_s = self._pacer, self._pacer.rate.window_s
        if now_s < self._try_at_s or now_s - self._since_s < TRY_WINDOWS * window_s or not self.is_full(now_s):
            return None
        if pacer.per_s < pacer.rate.per_second:
            return None
        if pacer.rate.count > self._fits:
            went = pacer.went(now_s)
            if went <= self._fits:
                # Answers take too long for so many to be seen in a window: that they were let through shows in time.
                if now_s - self._since_s < TRY_AGAIN_WINDOWS * window_s:
                    return None
                went = pacer.rate.count
            self._fits, self._failed = min(went, pacer.rate.count), max(0, self._failed - 2)
            self._share = min(TRY_SHARE_MAX, 2.0 * self._share)
        return self._set(self._fits + max(1, round(self._share * self._fits)), now_s, "a full window without a refusal")

    def refused(
        self, name: str, token: int, now_s: float, *, left_at_s: float, wait_s: float, asked_s: float, reason: str
    ) -> RateChange | None:
        """A call was refused for this window. `asked_s` is Retry-After, `wait_s` that or a backoff."""
        inner, pacer = self._tokens.pop((name, token), None), self._pacer
        if left_at_s <= self._cut_at_s or inner is None:
            if inner is not None:
                pacer.answered(inner, now_s, clean=False)
            pacer.wait(now_s + asked_s)
            return None
        self._cut_at_s = now_s
        is_try, window_s = pacer.rate.count > self._fits, pacer.rate.window_s
        is_alone = now_s - self._alone_s > ALONE_WINDOWS * window_s and pacer.per_s >= pacer.rate.per_second
        if not (is_try or is_alone):
            is_storm = pacer.held(now_s) < DOUBT_SHARE * pacer.rate.count
            change = pacer.refused(inner, now_s, wait_s=wait_s, reason=reason)
            if is_storm:
                self._is_storm = True
                pacer.storm(now_s)
            return change
        pacer.answered(inner, now_s, clean=False)
        pacer.wait(now_s + asked_s)
        if is_try:
            self._failed += 1
            windows = min(TRY_AGAIN_WINDOWS_MAX, TRY_AGAIN_WINDOWS * 2.0 ** (self._failed - 1))
            self._share = max(TRY_SHARE_MIN, 0.5 * min(TRY_SHARE, self._share))
            self._try_at_s = now_s + windows * window_s
        else:
            self._alone_s = now_s
            self._fits = max(1, self._fits - max(1, round(A_LITTLE * self._fits)))
        return self._set(self._fits, now_s, reason)

    def _set(self, count: int, now_s: float, reason: str) -> RateChange | None:
        before = self._pacer.per_s
        self._pacer.set_rate(Rate(count=count, window_s=self._pacer.rate.window_s), now_s)
        self._since_s = now_s
        return RateChange(name="calls", before_per_s=before, after_per_s=self._pacer.per_s, reason=reason)
