"""Whether anybody sees how tasks fare: what is bought while no status is answered is paid for blindly.

Creates may work for hours while statuses are refused, or nobody answers them. A short trouble is none, and neither is
a run that may ask for little: what counts are looks in vain, with no look between them that showed its task.
"""

from __future__ import annotations

from jobs.resending import LIMITED_S_MAX
from jobs.wording import duration

__all__ = ["BLIND_AFTER_S", "GONE_MAX", "Sight"]

# So long without any status is no short trouble. Twice the time after which a service that answers nothing at all ends
# the run: there this one need not be asked.
BLIND_AFTER_S = 600.0

# A service may lose one task. So many, with none between them that it shows: then it loses them all, or it is asked at
# another address or for another account than they were bought with, and what is bought next would be lost, too.
GONE_MAX = 10


class Sight:
    """Looks in vain, and tasks that are gone, since the last that showed its task. Moments: the monotonic clock."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._first = ""
        self._is_one_task = True  # whose status alone may be broken
        self._gone = 0

    def seen(self, *, is_there: bool) -> None:
        """A look was answered: it showed its task, or that nothing is known of it."""
        self._since_s = None
        if is_there:
            self._gone = 0

    def vanished(self) -> str | None:
        """A task is gone for good. Why nothing more should be bought in this life, if so many are."""
        self._gone += 1
        if self._gone < GONE_MAX:
            return None
        return (
            f"the service answers 404 for {self._gone} tasks that it had accepted, and shows none; they count as spent"
        )

    def in_vain(self, identity: str, now_s: float) -> None:
        """A look was refused, or nobody answered it."""
        if self._since_s is None:
            self._since_s, self._first, self._is_one_task = now_s, identity, True
        self._is_one_task = self._is_one_task and identity == self._first

    def trouble(self, now_s: float, next_s: float) -> str | None:
        """Why nothing should be bought before a look shows its task. `next_s`: when the next one may leave."""
        if self._since_s is None:
            return None
        if now_s - self._since_s >= BLIND_AFTER_S and not self._is_one_task:
            return f"no status of a task was answered for {duration(now_s - self._since_s)}"
        if next_s - now_s >= BLIND_AFTER_S:
            return f"the service wants no status to be asked for {duration(next_s - now_s)}"
        return None

    def is_lost(self, now_s: float) -> bool:
        """It lasts as long as a run waits for creates that are refused."""
        return self._since_s is not None and now_s - self._since_s >= LIMITED_S_MAX
