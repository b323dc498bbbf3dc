"""The service's own books of one batch: exact windows, when each task truly ended, who saw it when, and the bound.

Nothing here reads a clock. The bound is what a client with no network, one poll per task and perfect foresight would
need for the very latencies that were dealt: nobody reaches it.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tests.bench.workloads import Workload

__all__ = ["Batch", "Books", "SlidingWindow", "bound_s", "busiest"]

WINDOW_S = 1.0


class SlidingWindow:
    """At most `count` admissions in any `window_s` seconds, exactly. A refused request counts for nothing."""

    def __init__(self, count: int, window_s: float = WINDOW_S) -> None:
        self._count = count
        self._window_s = window_s
        self._admitted: deque[float] = deque()

    def has_room(self, now_s: float) -> bool:
        admitted = self._admitted
        while admitted and admitted[0] + self._window_s <= now_s:
            admitted.popleft()
        return len(admitted) < self._count

    def admit(self, now_s: float) -> None:
        self._admitted.append(now_s)


@dataclass(slots=True, kw_only=True)
class Task:
    """One task, dealt when it was created."""

    kind: int
    created_s: float
    ends_s: float
    polls: int = 0
    seen_s: float | None = None  # the first status that showed the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a batch came to, all of it counted by the service."""

    tasks: int
    unseen: int  # tasks whose end nobody saw
    makespan_s: float  # from the first create to the last end that was seen
    creating_s: float  # from the first create to the last task
    span_s: float  # from the first create to the last request of any kind
    bound_s: float
    creates: int  # requests, refused ones included
    polls: int
    refused_creates: int
    refused_polls: int
    replays: int  # creates with a key that was known
    twice: int  # tasks made for a model and prompt that had one already
    delay_mean_s: float
    delay_p50_s: float
    delay_p99_s: float
    first_s: float | None  # when the first request came, on the clock of the machine
    busiest_creates: int  # in any one second
    busiest_polls: int
    running_max: int


@dataclass(slots=True)
class Batch:
    """The service while a batch runs."""

    workload: Workload
    seed: int
    tasks: list[Task] = field(default_factory=list)
    creates: int = 0
    polls: int = 0
    refused_creates: int = 0
    refused_polls: int = 0
    replays: int = 0
    first_s: float | None = None
    _began_s: float | None = None
    _last_s: float = 0.0
    _keys: dict[bytes, int] = field(default_factory=dict)
    _wanted: set[tuple[str, str]] = field(default_factory=set)
    _polled_s: list[float] = field(default_factory=list)
    _running: list[float] = field(default_factory=list)
    _running_max: int = 0
    _windows: tuple[SlidingWindow | None, ...] = ()
    _dealers: tuple[random.Random, ...] = ()
    _kinds: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = self.workload.creates, self.workload.polls, self.workload.shared
        self._windows = tuple(None if limit is None else SlidingWindow(limit) for limit in limits)
        self._dealers = tuple(random.Random(f"{self.seed}/{kind.model}") for kind in self.workload.kinds)
        self._kinds = {kind.model: number for number, kind in enumerate(self.workload.kinds)}

    def create(self, now_s: float, *, key: bytes, model: str, prompt: str) -> int | None:
        """The number of the task; None when the create is refused."""
        self.creates += 1
        self._came(now_s)
        if self._began_s is None:
            self._began_s = now_s
        if not self._admit(self._windows[0], now_s):
            self.refused_creates += 1
            return None
        known = self._keys.get(key) if key else None
        if known is not None:
            self.replays += 1
            return known
        while self._running and self._running[0] <= now_s:
            heapq.heappop(self._running)
        if self.workload.running is not None and len(self._running) >= self.workload.running:
            self.refused_creates += 1
            return None
        return self._deal(now_s, key, model, prompt)

    def _deal(self, now_s: float, key: bytes, model: str, prompt: str) -> int:
        kind = self._kinds[model]
        shape = self.workload.kinds[kind]
        ends_s = now_s + self._dealers[kind].lognormvariate(math.log(shape.median_s), shape.sigma)
        number = len(self.tasks)
        self.tasks.append(Task(kind=kind, created_s=now_s, ends_s=ends_s))
        self._keys[key] = number
        self._wanted.add((model, prompt))
        heapq.heappush(self._running, ends_s)
        self._running_max = max(self._running_max, len(self._running))
        return number

    def knows(self, number: int) -> bool:
        """A task of this batch; another may be left from one before."""
        return number < len(self.tasks)

    def status(self, now_s: float, number: int) -> bool | None:
        """Whether the task has ended; None when the request is refused."""
        self.polls += 1
        self._came(now_s)
        if not self._admit(self._windows[1], now_s):
            self.refused_polls += 1
            return None
        self._polled_s.append(now_s)
        task = self.tasks[number]
        task.polls += 1
        if task.ends_s > now_s:
            return False
        if task.seen_s is None:
            task.seen_s = now_s
        return True

    def other(self, now_s: float) -> bool:
        """A call that is neither; it counts in the window that all share."""
        return self._admit(None, now_s)

    def _came(self, now_s: float) -> None:
        self._last_s = now_s
        if self.first_s is None:
            self.first_s = now_s

    def _admit(self, own: SlidingWindow | None, now_s: float) -> bool:
        shared = self._windows[2]
        if (own is not None and not own.has_room(now_s)) or (shared is not None and not shared.has_room(now_s)):
            return False
        for window in (own, shared):
            if window is not None:
                window.admit(now_s)
        return True

    def books(self) -> Books:
        began_s = self._began_s or 0.0
        seen = [task for task in self.tasks if task.seen_s is not None]
        delays = sorted((task.seen_s or 0.0) - task.ends_s for task in seen)
        return Books(
            tasks=len(self.tasks),
            unseen=len(self.tasks) - len(seen),
            makespan_s=max((task.seen_s or 0.0 for task in seen), default=began_s) - began_s,
            creating_s=self.tasks[-1].created_s - began_s if self.tasks else 0.0,
            span_s=self._last_s - began_s,
            bound_s=bound_s(self.workload, [task.ends_s - task.created_s for task in self.tasks]),
            creates=self.creates,
            polls=self.polls,
            refused_creates=self.refused_creates,
            refused_polls=self.refused_polls,
            replays=self.replays,
            twice=len(self.tasks) - len(self._wanted),
            delay_mean_s=fmean(delays) if delays else 0.0,
            delay_p50_s=_quantile(delays, 0.50),
            delay_p99_s=_quantile(delays, 0.99),
            first_s=self.first_s,
            busiest_creates=busiest([task.created_s for task in self.tasks]),
            busiest_polls=busiest(self._polled_s),
            running_max=self._running_max,
        )


def bound_s(workload: Workload, latencies_s: Sequence[float]) -> float:
    """The least makespan for these latencies, in the order of creation.

    A create may leave when its window and a place are free, an end is seen at once or when the poll window has room. A
    window that all calls share lets no more through than one create and one poll per task.
    """
    if not latencies_s:
        return 0.0
    places: list[float] = []
    ends_s = []
    for number, latency_s in enumerate(latencies_s):
        start_s = 0.0 if workload.creates is None else number // workload.creates * WINDOW_S
        if workload.running is not None and len(places) >= workload.running:
            start_s = max(start_s, heapq.heappop(places))
        heapq.heappush(places, start_s + latency_s)
        ends_s.append(start_s + latency_s)
    seen_s: list[float] = []
    for end_s in sorted(ends_s):
        full = workload.polls is not None and len(seen_s) >= workload.polls
        room_s = seen_s[-(workload.polls or 0)] + WINDOW_S if full else 0.0
        seen_s.append(max(end_s, room_s))
    least_s = max(seen_s)
    if workload.shared is not None:
        least_s = max(least_s, (2 * len(latencies_s) - 1) // workload.shared * WINDOW_S)
    return least_s


def busiest(moments_s: Sequence[float], window_s: float = WINDOW_S) -> int:
    """The most of them in any one window."""
    ordered, first, most = sorted(moments_s), 0, 0
    for last, moment_s in enumerate(ordered):
        while ordered[first] <= moment_s - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
