"""When the next request of a kind may leave. A plain object with `now` as an argument: no waiters, no timers.

Two rules, and a request needs both:

1. Even spacing: one slot every `window / count`, so that nothing bursts. A late caller may catch up a little.
2. A sliding window the service cannot see overrun: slot number i is free again one window after the *answer* to
   request i - count. The service counted that request before it answered, so however long the way was, no window of
   its own holds more than `count`. (Departure stamps are not enough: jitter on the way puts count + 1 into one window.)

Refusals shrink the rate once per episode, not once per refusal: answers to requests that left before the last cut say
nothing new. A speed that had stood a whole window before the refusals comes back with the first clean answers: that was
a storm, and it is over. Beyond what is known to stand, clean windows that were really used grow it step by step; a step
that is refused is taken back, and the next is smaller and comes later.

A service that tells how many requests are left is believed before it refuses: they are spread over the time they have
to last for. And all kinds together may have one more window, once that was found (`jobs.calls`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from jobs.answers import Quota
from jobs.paces import PacerStatistics, RateChange, SharedWindow
from jobs.rates import Rate
from jobs.retry import RETRY_AFTER_CAP_S

__all__ = ["Pacer", "floor_of"]

CUT_FACTOR = 0.5  # one episode of refusals halves the rate: the usual multiplicative decrease
GROWTH_SHARE = 0.25  # per clean, used window: the usual careful increase above what is known to stand ...
GROWTH_SHARE_MIN = 0.04  # ... halved with each step that was refused, down to this
GROWTH_WINDOWS_MAX = 64.0  # after a step that was refused the next waits for twice as many windows, up to this
REGROWTH_FACTOR = 2.0  # per some clean answers, up to the speed that stood before the refusals
REGROWTH_SHARE = 1 / 8  # of a window's requests at the present speed: so many clean answers, and the next step follows
STORM_STREAK = 3  # a storm that refuses nine of ten lets so many in a row through once in a thousand times
STORM_FAILURES = 3  # and lets two through soon after each other as seldom, so many times in a row
STORM_DROP = 1 / 8  # of what stood: a limit seldom falls below this at once; refusals at any speed are a storm
STORM_WINDOWS = 10.0  # a storm teaches nothing about a limit for this long
FLOOR_FACTOR = 1 / 64  # a trickle that still notices recovery ...
FLOOR_GAP_S = 30.0  # ... within this time: half of the longest window that is common
FLOOR_FACTOR_MAX = 1 / 8  # for limits that are a trickle by themselves
SATURATED_SHARE = 0.8  # a window counts as used when this share of it was: an idle limit proves nothing
TOOK_MEMORY = 16.0  # answers after which how long older ones took counts a third ...
TOOK_WINDOWS_MAX = 10.0  # ... and in windows: one answer that hangs is not how far the service is
CATCH_UP_SHARE = 0.25  # of a window: how much lateness may be made up by closer spacing ...
CATCH_UP_S_MAX = 15.0  # ... and in time: a quarter of an hour's window would leave as one burst of hundreds


class Pacer:
    """Paces one kind of request under one user limit, which is a ceiling.

    `answered_s`: slots that are taken already. `stands`: so many did go through.
    """

    # More attributes than fit a shared dictionary: without slots each look at one would cost twice.
    __slots__ = (
        "_answered", "_clean", "_cut_at_s", "_factor", "_failed", "_failed_at_s", "_fits", "_floor", "_grow_at_s",
        "_growth_failed", "_growth_share", "_last_s", "_left", "_next_even_s", "_paused_until_s", "_quota_until_s",
        "_refusals", "_regrow_to", "_regrown", "_shown_s", "_stands", "_stood", "_storm_until_s", "_streak", "_token",
        "_took_s", "_tries", "_was", "_was_shown_s", "_was_standing", "_window_began_s", "_window_used", "name", "rate",
        "shared",
    )  # fmt: skip

    def __init__(self, name: str, rate: Rate, *, answered_s: Iterable[float] = (), stands: bool = False) -> None:
        self.name = name
        self.rate = rate
        self.shared: SharedWindow | None = None
        self._factor = 1.0
        self._next_even_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._left: dict[int, float] = {}  # token -> when it left, for requests without an answer
        self._answered = deque(answered_s)  # when a slot was last given back, oldest first
        self._token = 0
        self._last_s = float("-inf")  # the last that left; it may yet have to: slots are taken in order
        self._cut_at_s = float("-inf")
        self._window_began_s = float("-inf")
        self._window_used = 0
        self._floor = floor_of(rate)
        self._refusals = 0
        self._stands = stands  # the present speed was used for a whole window, and nothing was refused
        self._fits: float | None = None  # the factor that stood before a step of growth; None: no step is being tried
        self._growth_share = GROWTH_SHARE
        self._growth_failed = 0
        self._grow_at_s = float("-inf")
        self._quota_until_s = float("-inf")  # what the service told of its quota slows this down until then
        self._regrow_to = 1.0  # the factor that comes back quickly
        self._took_s = 0.0  # how long answers take of late
        self._shown_s = float("inf")  # the shortest window in which refusals showed the limit that was found
        self._stood = 1.0  # what it was before the refusals ...
        self._was = 1.0  # ... and what was used then ...
        self._was_standing = False  # ... and whether that stood ...
        self._was_shown_s = float("inf")  # ... and what was shown by then
        self._storm_until_s: float | None = None  # refusals at any speed; None: none seen since a clean window
        self._regrown = False  # since the last cut
        self._clean = 0  # answers since the last cut or step of regrowth
        self._streak = 0  # clean answers since the last refusal
        self._failed = 0  # steps of regrowth in a row, each soon after the other, that were refused again
        self._failed_at_s = float("-inf")
        self._tries = 0  # cuts since the last clean answer

    @property
    def per_s(self) -> float:
        """The present speed in requests per second."""
        return self.rate.per_second * self._factor

    def due_s(self, now_s: float) -> float:
        """When the next request may leave: `now_s` or earlier means at once; infinity means after an answer."""
        due_s = max(self._next_even_s, self._paused_until_s, self._last_s)
        over = len(self._left) + len(self._answered) - self._slots
        if over >= 0:
            over = self.held(now_s) - self._slots  # slots to come back, less one
        if over >= 0:
            window_due_s = self._answered[over] + self.rate.window_s if over < len(self._answered) else float("inf")
            due_s = max(due_s, window_due_s)
        if self._keeps_to_shown:
            due_s = max(due_s, self._shown_due_s())
        return due_s if self.shared is None else max(due_s, self.shared.due_s(self.name, now_s))

    @property
    def _keeps_to_shown(self) -> bool:
        """Whether the service showed its limit in a window shorter than the user's."""
        return self._shown_s < self.rate.window_s and self.is_found

    @property
    def _shown_slots(self) -> int:
        """Requests in the window that the service showed: what is known to stand."""
        return math.ceil(round(self.rate.per_second * self._shown_s * max(self._factor, self._regrow_to), 6))

    def _shown_due_s(self) -> float:
        taken = len(self._left) - self._shown_slots  # and a negative number of those that were answered last
        if taken >= 0:
            return float("inf")
        return self._answered[taken] + self._shown_s if -taken <= len(self._answered) else float("-inf")

    @property
    def _slots(self) -> int:
        """Requests in a window: the user's limit, or what of it is known to stand, if that is more than is used now."""
        if self._factor >= 1.0 or self._regrow_to >= 1.0:
            return self.rate.count
        return max(1, round(self.rate.count * max(self._factor, self._regrow_to)))

    def leave(self, now_s: float) -> int:
        """Take a slot. Call only when `due_s(now_s) <= now_s`; returns the token to give back with the answer."""
        assert self.due_s(now_s) <= now_s, f"{self.name}: a request left before its slot"
        late_s = now_s - self._next_even_s
        began_s = self._next_even_s if late_s <= self._catch_up_s else now_s
        self._next_even_s = began_s + 1.0 / self.per_s
        self._token += 1
        self._left[self._token] = self._last_s = now_s
        self._window_used += 1
        if self.shared is not None:
            self.shared.leave(self.name, self._token, now_s)
        return self._token

    @property
    def _catch_up_s(self) -> float:
        return min(CATCH_UP_S_MAX, self.rate.window_s * CATCH_UP_SHARE)

    def left_at_s(self, token: int) -> float:
        """When a request that has no answer yet left."""
        return self._left[token]

    def wait(self, until_s: float) -> None:
        """Nothing leaves before then."""
        self._paused_until_s = max(self._paused_until_s, until_s)

    def returned(self, token: int, now_s: float) -> None:
        """The request was refused, but not for this limit: that says nothing about it."""
        self._give_back(token, now_s)

    def forgive(self) -> RateChange | None:
        """The last refusals were about another limit: what they took comes back."""
        if not self._refusals or self._factor >= self._was:
            return None
        before, self._factor = self.per_s, self._was
        self._regrow_to, self._refusals, self._tries, self._storm_until_s = self._was, 0, 0, None
        self._stands, self._shown_s = self._was_standing, self._was_shown_s
        reason = "another limit refused"
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason=reason)

    def told(self, quota: Quota, now_s: float) -> RateChange | None:
        """The service says how many requests are left, and for how long: they are spread, and at none it is waited.

        Those under way may be counted already, or not. Told once for each time they have to last for.
        """
        reset_s = min(quota.reset_s, RETRY_AFTER_CAP_S)
        left = quota.remaining - len(self._left)
        if left > 0 and reset_s * self.per_s <= left:
            return None
        before, gap_s = self.per_s, reset_s / max(1, left)
        if quota.remaining == 0:
            self.wait(now_s + reset_s)
        self._next_even_s = max(self._next_even_s, now_s + gap_s)
        if now_s < self._quota_until_s or gap_s * before <= 1.0:
            return None
        self._quota_until_s = now_s + reset_s
        reason = f"its quota has {quota.remaining} left for {reset_s:g} s"
        return RateChange(name=self.name, before_per_s=before, after_per_s=1.0 / gap_s, reason=reason)

    def answered(self, token: int, now_s: float, *, clean: bool = True) -> RateChange | None:
        """The request ended without a refusal for its rate; not `clean` when its end says nothing about rates."""
        left_at_s = self._give_back(token, now_s)
        if not clean:
            return None
        took_s = min(now_s - left_at_s, TOOK_WINDOWS_MAX * self.rate.window_s)
        self._took_s += (took_s - self._took_s) / TOOK_MEMORY
        if not self._refusals or self._factor >= self._regrow_to:
            return self._grow(now_s)
        return self._regrow(now_s) if left_at_s > self._cut_at_s else None

    def refused(
        self, token: int, now_s: float, *, wait_s: float, reason: str, is_limit: bool = True, went: Rate | None = None
    ) -> RateChange | None:
        """The service said "not now" (429, 503). One cut per episode; `wait_s` is Retry-After or a backoff.

        Without `is_limit` it is out of order, whatever the speed: that teaches nothing of what it lets through. `went`:
        so many went through in the window before, and may be what a limit of the service lets through. Is that window
        shorter than the user's, it is kept to as well: else what is late would leave in a burst that overruns it.
        """
        left_at_s = self._give_back(token, now_s)
        self._paused_until_s = max(self._paused_until_s, now_s + wait_s)
        if left_at_s <= self._cut_at_s:
            self._streak = 0
            return None
        before = self.per_s
        went_share = None
        if self._refusals == 0:
            self._was_shown_s = self._shown_s
        if went is not None:
            went_share = went.per_second / self.rate.per_second
            self._shown_s = min(self._shown_s if self.is_found else float("inf"), went.window_s)
        if self._refusals == 0:
            self._before_refusals(now_s, went_share)
        elif not is_limit or (self._factor <= self._floor and self._amid_nothing(now_s)):
            self.storm(now_s)
        elif self._regrown:
            self._fail(now_s, went_share)
        self._factor = max(self._floor, self._factor * CUT_FACTOR)
        self._cut_at_s = now_s
        self._refusals += 1
        self._tries += 1
        self._stands = self._regrown = False
        self._clean = self._streak = 0
        self._window_began_s, self._window_used = max(now_s, self._paused_until_s), 0
        self._next_even_s = max(self._next_even_s, self._paused_until_s)
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason=reason)

    def set_rate(self, rate: Rate, now_s: float) -> None:
        """A person set another ceiling. What left already counts in the new window too, as far back as the old went.

        So after a cut nothing leaves until the service sees no more than the lower number in any window that ends now.
        What was learned of the service's limits is about requests per second, and stays: a speed that refusals brought
        down goes on as it is (or lower), and what is to come back quickly comes back to what it was. Only without any
        refusal a higher ceiling is the speed at once.
        """
        before, scale = self.per_s, self.rate.per_second / rate.per_second
        is_full, is_higher = self._factor >= 1.0, scale < 1.0
        self.rate, self._floor = rate, floor_of(rate)
        self._factor = 1.0 if is_full and is_higher else max(self._floor, min(1.0, self._factor * scale))
        self._regrow_to, self._stood = min(1.0, self._regrow_to * scale), min(1.0, self._stood * scale)
        self._was = min(1.0, self._was * scale)
        self._stands, self._fits = self._stands and not is_higher, None
        self._space_anew(before, now_s)

    def _space_anew(self, before_per_s: float, now_s: float) -> None:
        self._respace(before_per_s, now_s)
        self._window_began_s, self._window_used = now_s, 0
        self._clean = 0

    def _respace(self, before_per_s: float, now_s: float) -> None:
        moved_s = self._next_even_s + 1.0 / self.per_s - 1.0 / before_per_s
        self._next_even_s = max(moved_s, now_s)  # nothing to catch up of the time before

    def may_leave(self, token: int, now_s: float) -> bool:
        """Whether what took a slot a moment ago may still leave now."""
        return token in self._left and self.paused_until_s <= now_s

    def unanswered(self) -> list[int]:
        """Tokens of requests without an answer."""
        return list(self._left)

    @property
    def is_cut(self) -> bool:
        """Whether refusals slowed this down, and what stood before them has not come back."""
        return self._refusals > 0 and self._factor < self._regrow_to

    @property
    def is_found(self) -> bool:
        """Whether the service showed that it lets through less than the user's limit."""
        return self._regrow_to < 1.0 and self._factor < 1.0

    def is_full(self, now_s: float) -> bool:
        """Whether the window holds about as much as is let through now."""
        return self.held(now_s) >= SATURATED_SHARE * self._slots

    def went(self, now_s: float) -> int:
        """Requests that were answered within the window."""
        return len(self._recent(now_s))

    def held(self, now_s: float) -> int:
        """Slots that are taken: requests without an answer, and those that were answered within the window."""
        return len(self._left) + len(self._recent(now_s))

    @property
    def paused_until_s(self) -> float:
        """Nothing leaves before, because the service asked for it."""
        return self._paused_until_s if self.shared is None else max(self._paused_until_s, self.shared.paused_until_s)

    @property
    def refusals(self) -> int:
        """Refusal episodes in a row: the number of tries a backoff should count."""
        return self._tries

    def statistics(self) -> PacerStatistics:
        """An immutable view for the screen, the log and the tests."""
        return PacerStatistics(
            name=self.name,
            ceiling_per_s=self.rate.per_second,
            per_s=self.per_s,
            unanswered=len(self._left),
            paused_until_s=self._paused_until_s,
            left=self._token,
        )

    def _recent(self, now_s: float) -> deque[float]:
        while self._answered and self._answered[0] + self.rate.window_s <= now_s:
            self._answered.popleft()
        return self._answered

    def _give_back(self, token: int, now_s: float) -> float:
        left_at_s = self._left.pop(token)
        self._answered.append(max(now_s, self._answered[-1]) if self._answered else now_s)
        return left_at_s

    def _regrow(self, now_s: float) -> RateChange | None:
        """Back to what stood before, in steps that a few clean answers allow: a storm ends at once, or not yet."""
        self._clean += 1
        self._streak += 1
        self._tries = 0
        if self._clean < REGROWTH_SHARE * self.rate.count * self._factor:
            return None
        before = self.per_s
        self._factor = min(self._regrow_to, self._factor * REGROWTH_FACTOR)
        self._regrown, self._clean = True, 0
        self._window_began_s, self._window_used = now_s, 0
        self._next_even_s = min(self._next_even_s, now_s + 1.0 / self.per_s)
        reason = "answers without a refusal"
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason=reason)

    def _before_refusals(self, now_s: float, went_share: float | None) -> None:
        """What comes back quickly: a step of growth that is refused is taken back, what stood does so again."""
        self._was, self._was_standing = self._factor, self._stands
        if self._fits is not None:
            self._growth_failed += 1
            self._growth_share = max(GROWTH_SHARE_MIN, 0.5 * self._growth_share)
            windows = min(GROWTH_WINDOWS_MAX, 2.0**self._growth_failed)
            self._grow_at_s = now_s + windows * self.rate.window_s
            self._regrow_to = self._stood = min(self._factor, max(self._fits, went_share or 0.0))
            self._fits = None
            return
        self._regrow_to = self._stood = self._factor if self._stands else self._factor * CUT_FACTOR
        if went_share is None:
            return
        is_near = self._factor < 1.0 and went_share >= SATURATED_SHARE * self._factor
        if is_near or not self._stands:
            self._regrow_to = min(self._factor, max(self._floor, went_share))

    def _fail(self, now_s: float, went_share: float | None) -> None:
        """What came back was refused again. In a storm that is luck and seldom; else that much is too much now."""
        if self._storm_until_s is not None and now_s < self._storm_until_s:
            return
        if went_share is not None:
            self._regrow_to = min(self._factor, max(self._factor * CUT_FACTOR, went_share))
            return
        soon = now_s - self._failed_at_s <= 2.0 * self.rate.window_s
        self._failed, self._failed_at_s = (self._failed + 1 if soon else 1), now_s
        if self._streak < STORM_STREAK and self._failed < STORM_FAILURES:
            return
        self._regrow_to = self._factor * CUT_FACTOR
        if self._storm_until_s is None and self._regrow_to < STORM_DROP * self._stood:
            self.storm(now_s)

    def _amid_nothing(self, now_s: float) -> bool:
        return len(self._recent(now_s)) <= 1 + self._floor * self.rate.count

    def storm(self, now_s: float) -> None:
        """A limit refuses nothing below itself. What refuses at any speed says nothing about what stands after it."""
        self._storm_until_s = now_s + STORM_WINDOWS * self.rate.window_s
        self._regrow_to = self._stood

    @property
    def _most_per_s(self) -> float:
        """What can leave at the present speed: a slot is taken for its window and the way there and back."""
        stands_per_s = self.per_s * max(1.0, self._regrow_to / self._factor)
        most_per_s = min(self.per_s, stands_per_s * self.rate.window_s / (self.rate.window_s + self._took_s))
        if self._keeps_to_shown:
            most_per_s = min(most_per_s, self._shown_slots / (self._shown_s + self._took_s))
        return most_per_s

    def _grow(self, now_s: float) -> RateChange | None:
        if now_s - self._window_began_s < self.rate.window_s:
            return None
        used = self._window_used >= SATURATED_SHARE * self._most_per_s * (now_s - self._window_began_s)
        self._window_began_s, self._window_used = now_s, 0
        if not used:
            return None
        self._refusals = self._tries = 0
        self._storm_until_s = None
        self._stands = True
        if self._fits is not None:  # the step stands
            self._fits, self._growth_failed = None, 0
            self._growth_share = min(GROWTH_SHARE, 2.0 * self._growth_share)
        if self._factor >= 1.0:
            self._shown_s = float("inf")
            return None
        if now_s < self._grow_at_s:
            return None
        before, self._fits = self.per_s, self._factor
        self._factor = min(1.0, self._factor * (1.0 + self._growth_share))
        self._stands = False
        return RateChange(name=self.name, before_per_s=before, after_per_s=self.per_s, reason="a clean, full window")


def floor_of(rate: Rate) -> float:
    """The share of a rate that is kept whatever is refused."""
    return max(FLOOR_FACTOR, min(FLOOR_FACTOR_MAX, 1.0 / (FLOOR_GAP_S * rate.per_second)))
