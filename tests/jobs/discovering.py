"""The whole core against a service whose limits nobody tells, in virtual time.

The service is the benchmark's own book-keeper (`tests.bench.accounting`): exact sliding windows, places, lognormal
times, and the bound for the very times that it dealt. Here its limits may change while a batch runs.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from jobs.pacing import Pacer
from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.record import Event, fold
from jobs.runstate import CoreSettings
from jobs.steps import Notice, Now, Poll, Send, Step, Wait
from tests.bench.accounting import Batch
from tests.bench.workloads import Workload
from tests.jobs.workbench import made_item

__all__ = ["Discovery", "Told"]

CREW = 32  # requests of a kind at once, as the engine has them
WALL_S = 1_700_000_000.0
REFUSED = ErrorSeen(code="rate_limited", message="Too many requests.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a batch came to."""

    wall_s: float
    bound_s: float
    refused: int
    requests: int
    items: int

    @property
    def ratio(self) -> float:
        return self.wall_s / self.bound_s

    @property
    def refused_an_item(self) -> float:
        return self.refused / self.items

    @property
    def refused_share(self) -> float:
        return self.refused / self.requests


@dataclass(slots=True)
class Discovery:
    """One batch. `trip_s`: there and back, drawn for each request between half of it and the whole."""

    workload: Workload
    seed: int
    trip_s: float = 0.004
    retry_after_s: float | None = None
    message: str = REFUSED.message
    changes: Mapping[float, Mapping[str, int | None]] = field(default_factory=dict)  # when, and the new limits
    ceilings: Mapping[str, Rate] = field(default_factory=dict)
    unwell: Callable[[float], float] = field(default=lambda _: 0.0)  # share of requests refused whatever they are about
    batch: Batch = field(init=False)
    core: Core = field(init=False)
    now_s: float = 0.0
    notices: list[tuple[float, Notice]] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    _dice: random.Random = field(init=False)
    _coming: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: int = 0
    _busy: dict[str, int] = field(default_factory=lambda: {"creates": 0, "polls": 0})

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self.batch = Batch(self.workload, self.seed)
        shortest_s = min(kind.median_s for kind in self.workload.kinds)
        rates = {
            name: self.ceilings.get(name) or Rate(count=limit or 1000, window_s=1.0)
            for name, limit in (("creates", self.workload.creates), ("polls", self.workload.polls))
        }
        self.core = Core(
            CoreSettings(
                account="default",
                scope="run",
                in_flight_max=self.workload.in_flight,
                floors=PollFloors(first_poll_s=shortest_s / 20, poll_gap_s=shortest_s / 50),
                spread=self._dice.random,
                save_results=False,
            ),
            books=Books(cap=None),
            prices={"m": 10},
            creates=Pacer("creates", rates["creates"]),
            polls=Pacer("polls", rates["polls"]),
        )
        for index in range(self.workload.items):
            item = made_item(index)
            record = fold(None, Event(type=EventType.PLANNED, at_s=WALL_S, identity=item.identity, data={}))
            self.core.admit(item, record, self._now())

    def run(self, until_s: float = math.inf) -> Told:
        """To the end, or to a moment."""
        turns = sorted(at_s for at_s in self.changes if at_s >= self.now_s)
        while not self.core.finished() and self.now_s < until_s:
            wake_s = self._ask()
            next_s = min(wake_s, self._coming[0][0] if self._coming else math.inf, turns[0] if turns else math.inf)
            assert next_s < math.inf, "nothing is coming, and nothing is due"
            self.now_s = max(self.now_s, next_s)
            if turns and turns[0] <= next_s:
                self._turn(self.changes[turns.pop(0)])
            elif self._coming and self._coming[0][0] <= next_s:
                heapq.heappop(self._coming)[2]()
        if self.core.finished():
            states = {record.state for record in self.core.state.records.values()}
            assert states == {ItemState.SUCCEEDED}, states
        books = self.batch.books()
        return Told(
            wall_s=books.makespan_s,
            bound_s=books.bound_s,
            refused=books.refused_creates + books.refused_polls,
            requests=books.creates + books.polls,
            items=self.workload.items,
        )

    def _turn(self, limits: Mapping[str, int | None]) -> None:
        changed = Batch(replace(self.workload, **limits), 0)  # type: ignore[arg-type]
        self.batch.workload = changed.workload
        for new, old in zip(changed._windows, self.batch._windows, strict=True):
            if new is not None and old is not None:
                new._admitted.extend(old._admitted)
        self.batch._windows = changed._windows

    def _ask(self) -> float:
        """Let leave what may; when to ask again."""
        wakes_s = [math.inf]
        while self._busy["creates"] < CREW:
            answer = self.core.next_create(self._now())
            if not isinstance(answer, Send):
                assert isinstance(answer, Wait), answer
                wakes_s.append(math.inf if answer.until_s is None else answer.until_s)
                break
            self._create(answer)
        while self._busy["polls"] < CREW:
            asked = self.core.next_poll(self._now())
            if not isinstance(asked, Poll):
                wakes_s.append(math.inf if asked.until_s is None else asked.until_s)
                break
            self._poll(asked)
        return min(wakes_s)

    def _create(self, send: Send) -> None:
        index = int(send.identity.removeprefix("i1-"))
        self._busy["creates"] += 1

        def arrived() -> None:
            number = None
            if self._dice.random() >= self.unwell(self.now_s):
                number = self.batch.create(self.now_s, key=send.key.encode(), model="z-image", prompt=str(index))
            (self.refused_s if number is None else self.taken_s).append(self.now_s)
            self._later(lambda: answered(_answer(number, "queued") if number is not None else self._refusal()))

        def answered(end: SendEnd) -> None:
            self._busy["creates"] -= 1
            self._tell(self.core.create_ended(send, end, self._now()))

        self._later(arrived)

    def _poll(self, poll: Poll) -> None:
        number = int(poll.task_id)
        self._busy["polls"] += 1

        def arrived() -> None:
            ended = None
            if self._dice.random() >= self.unwell(self.now_s):
                ended = self.batch.status(self.now_s, number)
            if ended is None:
                self.refused_s.append(self.now_s)
            end = self._refusal() if ended is None else _answer(number, "succeeded" if ended else "running")
            self._later(lambda: answered(end))

        def answered(end: SendEnd) -> None:
            self._busy["polls"] -= 1
            self._tell(self.core.poll_ended(poll, end, self._now()))

        self._later(arrived)

    def _refusal(self) -> SendEnd:
        error = replace(REFUSED, message=self.message)
        reason = "HTTP 429 rate_limited"
        return SendEnd(phase=Phase.ANSWERED, status=429, error=error, retry_after_s=self.retry_after_s, reason=reason)

    def _tell(self, step: Step) -> None:
        self.notices += [(self.now_s, notice) for notice in step.notices]

    def _later(self, what: Callable[[], None]) -> None:
        self._order += 1
        delay_s = self.trip_s * self._dice.uniform(0.25, 0.5)
        heapq.heappush(self._coming, (self.now_s + delay_s, self._order, what))

    def _now(self) -> Now:
        return Now(self.now_s, WALL_S + self.now_s)


def _answer(number: int, status: str) -> SendEnd:
    task = TaskSeen(id=str(number), status=status, reserved_credits=10, final_credits=10)
    return SendEnd(phase=Phase.ANSWERED, status=200, task=task)
