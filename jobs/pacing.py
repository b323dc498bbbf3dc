"""When the next request of a kind may leave. A plain object with `now` as an argument: no waiters, no timers.

Two rules, and a request needs both:

1. Even spacing: one slot every `window / count`, so that nothing bursts. A late caller may catch up a little.
2. A sliding window the service cannot see overrun: slot number i is free again one window after the *answer* to
   request i - count. The service counted that request before it answered, so however long the way was, no window of
   its own holds more than `count`. (Departure stamps are not enough: jitter on the way puts count + 1 into one window.)

Refusals shrink the rate once per episode, not once per refusal: answers to requests that left before the last cut say
nothing new. Clean windows that were really used grow it back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from jobs.rates import Rate

__all__ = ["Pacer", "PacerStatistics", "RateChange"]

CUT_FACTOR = 0.5  # one episode of refusals halves the rate: the usual multiplicative decrease
GROWTH_FACTOR = 1.25  # per clean, used window: back at full speed four windows after a halving
REGROWTH_FACTOR = (
    2.0  # the same below half of the speed at which a storm began: what was fine before it comes back soon
)
FLOOR_FACTOR = 1 / 64  # a trickle that still notices recovery
SATURATED_SHARE = 0.8  # a window counts as used when this share of it was: an idle limit proves nothing
CATCH_UP_SHARE = 0.25  # of a window: how much lateness may be made up by closer spacing


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


class Pacer:
    """Paces one kind of request under one user limit, which is a ceiling."""

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.rate = rate
        self._factor = 1.0
        self._next_even_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._left: dict[int, float] = {}  # token -> when it left, for requests without an answer
        self._answered: deque[float] = deque()  # when a slot was last given back, oldest first
        self._token = 0
        self._cut_at_s = float("-inf")
        self._window_began_s = float("-inf")
        self._window_used = 0
        self._refusals = 0
        self._regrow_below = 0.0  # factor up to which growth is fast

    @property
    def per_s(self) -> float:
        """The present speed in requests per second."""
        return self.rate.per_second * self._factor

    def due_s(self, now_s: float) -> float:
        """When the next request may leave: `now_s` or earlier means at once; infinity means after an answer."""
        held = len(self._left) + len(self._recent(now_s))
        if held >= self.rate.count:
            window_due_s = self._answered[0] + self.rate.window_s if self._answered else float("inf")
        else:
            window_due_s = float("-inf")
        return max(self._next_even_s, self._paused_until_s, window_due_s)

    def leave(self, now_s: float) -> int:
        """Take a slot. Call only when `due_s(now_s) <= now_s`; returns the token to give back with the answer."""
        assert self.due_s(now_s) <= now_s, f"{self.name}: a request left before its slot"
        late_s = now_s - self._next_even_s
        began_s = self._next_even_s if late_s <= self.rate.window_s * CATCH_UP_SHARE else now_s
        self._next_even_s = began_s + 1.0 / self.per_s
        self._token += 1
        self._left[self._token] = now_s
        self._window_used += 1
        return self._token

    def answered(self, token: int, now_s: float) -> RateChange | None:
        """The request ended (in whatever way) without a refusal for its rate."""
        self._give_back(token, now_s)
        return self._grow(now_s)

    def refused(self, token: int, now_s: float, *, wait_s: float, reason: str) -> RateChange | None:
        """The service said "not now" (429, 503). One cut per episode; `wait_s` is Retry-After or a backoff."""
        left_at_s = self._give_back(token, now_s)
        self._paused_until_s = max(self._paused_until_s, now_s + wait_s)
        if left_at_s <= self._cut_at_s:
            return None
        before = self.per_s
        if self._refusals == 0:
            self._regrow_below = self._factor * CUT_FACTOR
        self._factor = max(FLOOR_FACTOR, self._factor * CUT_FACTOR)
        self._cut_at_s = now_s
        self._refusals += 1
        self._window_began_s, self._window_used = max(now_s, self._paused_until_s), 0
        self._next_even_s = max(self._next_even_s, self._paused_until_s)
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason=reason)

    @property
    def refusals(self) -> int:
        """Refusal episodes without a clean window since: the number of tries a backoff should count."""
        return self._refusals

    def statistics(self) -> PacerStatistics:
        """An immutable view for the screen, the log and the tests."""
        return PacerStatistics(
            name=self.name,
            ceiling_per_s=self.rate.per_second,
            per_s=self.per_s,
            unanswered=len(self._left),
            paused_until_s=self._paused_until_s,
        )

    def _recent(self, now_s: float) -> deque[float]:
        while self._answered and self._answered[0] + self.rate.window_s <= now_s:
            self._answered.popleft()
        return self._answered

    def _give_back(self, token: int, now_s: float) -> float:
        left_at_s = self._left.pop(token)
        self._answered.append(now_s)
        return left_at_s

    def _grow(self, now_s: float) -> RateChange | None:
        if self._factor >= 1.0 or now_s - self._window_began_s < self.rate.window_s:
            return None
        used = self._window_used >= SATURATED_SHARE * self.per_s * (now_s - self._window_began_s)
        self._window_began_s, self._window_used = now_s, 0
        if not used:
            return None
        before = self.per_s
        growth = REGROWTH_FACTOR if self._factor < self._regrow_below else GROWTH_FACTOR
        self._factor = min(1.0, self._factor * growth)
        self._refusals = 0
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason="a clean, full window")
