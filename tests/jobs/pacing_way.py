"""A model of the service that counts exactly, and the way to it, which takes its time."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable
from random import Random

from jobs.paces import RateChange
from jobs.pacing import Pacer
from jobs.rates import Rate

__all__ = ["Way", "most_in_a_window"]


class Way:
    """Sends through a pacer as fast as it allows, over a way with random delays; remembers every moment."""

    def __init__(self, rate: Rate, *, seed: int = 0, delay_s: float = 0.0, steady: bool = False) -> None:
        self.dice = Random(seed)
        self.pacer = Pacer("creates", rate)
        self.delay_s, self.steady = delay_s, steady
        self.now_s = 0.0
        self.left_s: list[float] = []
        self.counted_s: list[float] = []  # when the service counted a request
        self.changes: list[tuple[float, RateChange]] = []
        self.says: Callable[[float], float | None] = lambda _: None  # a refusal's wait, or None for a yes
        self._answers: list[tuple[float, int, float | None]] = []

    def run(self, until_s: float, *, every_s: float = 0.0) -> None:
        """Send until then; with `every_s` there is a request to send only that often."""
        wanted_s = self.now_s
        while True:
            due_s = max(self.pacer.due_s(self.now_s), wanted_s)
            answer_s = self._answers[0][0] if self._answers else float("inf")
            self.now_s = max(self.now_s, min(due_s, answer_s))
            if self.now_s > until_s:
                self.now_s = until_s
                return
            if answer_s <= due_s:
                self._answered()
            elif self.pacer.due_s(self.now_s) <= self.now_s:
                self._leave()
                wanted_s = self.now_s + every_s

    def _leave(self) -> None:
        token = self.pacer.leave(self.now_s)
        self.left_s.append(self.now_s)
        there_s = self.now_s + self._way_s()
        self.counted_s.append(there_s)
        heapq.heappush(self._answers, (there_s + self._way_s(), token, self.says(there_s)))

    def _way_s(self) -> float:
        return self.delay_s if self.steady else self.delay_s * self.dice.random()

    def _answered(self) -> None:
        answer_s, token, wait_s = heapq.heappop(self._answers)
        if wait_s is None:
            change = self.pacer.answered(token, answer_s)
        else:
            change = self.pacer.refused(token, answer_s, wait_s=wait_s, reason="HTTP 429")
        if change is not None:
            self.changes.append((answer_s, change))


def most_in_a_window(moments_s: list[float], window_s: float) -> int:
    """The fullest window of a service that counts exactly, over all windows there are."""
    ordered = sorted(moments_s)
    began_s = [moment - window_s + 1e-9 for moment in ordered]  # a window is open at one end; floats are not exact
    return max((n - bisect_right(ordered, began) for n, began in enumerate(began_s, 1)), default=0)
