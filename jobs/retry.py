"""How long to wait before trying again: numbers in, numbers out. Randomness comes in as an argument."""

from __future__ import annotations

__all__ = ["BACKOFF_CAP_S", "RETRY_AFTER_CAP_S", "RetryBudget", "backoff_s", "wait_s"]

# First wait and cap of the exponential backoff. One second is the smallest unit the service's windows are likely to
# have; beyond a minute waiting longer only delays recovery.
BACKOFF_FIRST_S = 1.0
BACKOFF_CAP_S = 60.0

# The service's wish is obeyed up to this long, then it is asked again: less than the hour for which keys are trusted,
# so that a key in doubt is sent once more while it is.
RETRY_AFTER_CAP_S = 2700.0


# The resends of a run in common: one costs 5, a purchase that went well at once gives 1 back, a resend that went well
# its 5. So in good times one send in six may be a repetition, and in a storm 20 in a row and then one every 10 s:
# enough to notice its end, and to try each of a hundred open keys several times within the hour they are trusted.
RESEND_COST = 5.0
RESEND_TOKENS_MAX = 100.0
RESEND_TRICKLE_PER_S = RESEND_COST / 10.0


class RetryBudget:
    """How soon the next resend may leave, whoever's it is. Backoff spares one key's sends; this spares the service."""

    def __init__(self) -> None:
        self._tokens = RESEND_TOKENS_MAX
        self._at_s: float | None = None

    def due_s(self, now_s: float) -> float:
        """When there is enough for a resend: `now_s` or earlier means now."""
        lacking = RESEND_COST - self._held(now_s)
        return now_s + max(0.0, lacking / RESEND_TRICKLE_PER_S)

    def resent(self, now_s: float) -> None:
        """A resend leaves. It may leave before it is due: the first of a life is no repetition of this life's."""
        self._tokens, self._at_s = max(0.0, self._held(now_s) - RESEND_COST), now_s

    def went_well(self, *, resend: bool) -> None:
        """A send was answered with a task."""
        self._tokens = min(RESEND_TOKENS_MAX, self._tokens + (RESEND_COST if resend else 1.0))

    def _held(self, now_s: float) -> float:
        passed_s = 0.0 if self._at_s is None else now_s - self._at_s
        return min(RESEND_TOKENS_MAX, self._tokens + passed_s * RESEND_TRICKLE_PER_S)


def backoff_s(tries: int, spread: float) -> float:
    """Full-jitter backoff after `tries` failures in a row (1 or more); `spread` is uniform in 0..1.

    Half of the wait is fixed so that two tries never follow each other at once.
    """
    ceiling = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0 ** min(tries - 1, 16))
    return ceiling * (0.5 + 0.5 * spread)


def wait_s(tries: int, retry_after_s: float | None, spread: float) -> float:
    """Retry-After where there is one (never earlier up to its cap, up to a tenth later), else the backoff.

    "At once" is no answer to a request that was just refused: less than the first backoff counts as none.
    """
    if retry_after_s is None or retry_after_s < BACKOFF_FIRST_S:
        return backoff_s(tries, spread)
    asked = min(retry_after_s, RETRY_AFTER_CAP_S)
    return asked + min(asked * 0.1, 5.0) * spread
