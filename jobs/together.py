"""Books that several cores move: when one of them must look them up before its items wait, or are left unbought.

A core that shares its books knows them as they were when it looked last. It may decide on what does not fit any more:
then the ledger refuses the intent, and it is taken back. And nothing is left unbought by what it only remembers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from jobs.budget import Fit, Shared
from jobs.record import Record
from jobs.runstate import RunState
from jobs.steps import Now

__all__ = ["LOOK_S", "Together"]

# How long an empty budget waits for a look at what may come back, before it ends buying.
LOOK_S: Final = 1.0


class Together:
    """What one core keeps of books that it shares; of books of its own, nothing."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._seen_s = float("-inf")  # when they were looked up last
        self._short_since_s: float | None = None  # since when nothing fits them
        self.due_s: float | None = None  # when they are to be looked up; None: there is no need
        self.before: dict[str, Record] = {}  # what an intent stands on that was not refused yet

    def look_s(self, fit: Fit | None, now: Now) -> float | None:
        """When to look, before the next item waits or is left unbought; None: no need to. Also kept in `due_s`."""
        self.due_s = self._look_s(fit, now) if self._state.books.shared is not None else None
        return self.due_s

    def _look_s(self, fit: Fit | None, now: Now) -> float | None:
        if fit not in (Fit.WAIT, Fit.NEVER):
            self._short_since_s = None
            return None
        if self._short_since_s is None:
            self._short_since_s = now.mono_s
        if self._seen_s < self._short_since_s:
            return now.mono_s
        shared = self._state.books.shared
        is_held = fit is Fit.WAIT and (self._state.slots or (shared is not None and shared.back))
        return self._seen_s + LOOK_S if is_held else None

    def found(self, shared: Shared, asked_s: float) -> None:
        """The books were looked up; they were asked for at `asked_s`."""
        if asked_s < self._seen_s:
            return  # somebody looked later, and heard sooner
        self._state.books = replace(self._state.books.found(shared), cap=shared.cap)
        self._seen_s, self.due_s = asked_s, None
