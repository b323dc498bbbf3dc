"""How long to wait before trying again: numbers in, numbers out. Randomness comes in as an argument."""

from __future__ import annotations

__all__ = ["RETRY_AFTER_CAP_S", "backoff_s", "wait_s"]

# First wait and cap of the exponential backoff. One second is the smallest unit the service's windows are likely to
# have; beyond a minute waiting longer only delays recovery.
BACKOFF_FIRST_S = 1.0
BACKOFF_CAP_S = 60.0

# The service's wish is obeyed up to an hour; beyond that the run says so and stops instead of sleeping a night away.
RETRY_AFTER_CAP_S = 3600.0


def backoff_s(tries: int, spread: float) -> float:
    """Full-jitter backoff after `tries` failures in a row (1 or more); `spread` is uniform in 0..1.

    Half of the wait is fixed so that two tries never follow each other at once.
    """
    ceiling = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0 ** min(tries - 1, 16))
    return ceiling * (0.5 + 0.5 * spread)


def wait_s(tries: int, retry_after_s: float | None, spread: float) -> float:
    """Retry-After where there is one (never earlier, up to a tenth later), else the backoff.

    "At once" is no answer to a request that was just refused: less than the first backoff counts as none.
    """
    if retry_after_s is None or retry_after_s < BACKOFF_FIRST_S:
        return backoff_s(tries, spread)
    asked = min(retry_after_s, RETRY_AFTER_CAP_S)
    return asked + min(asked * 0.1, 5.0) * spread
