"""How soon the end of a task is noticed, and for how many polls: a model in virtual time, with the real core in it.

    python -m tests.bench.polling_model            the table
    python -m tests.bench.polling_model w5 w3a     some of its rows

The service deals lognormal times and knows when each task ended; the way there and back takes a moment. `x best` is the
mean delay over the least that any placement of as many polls reaches (its square root is the mean of the classes'
constants' roots over that of the polls; fewer than three a task cannot reach it). `x fixed`: over a poller of one gap
for all that was given as many polls, and no queue. `x bound`: the end of the run over the moment at which the last end
could have been told, under all limits; late ends cost places in flight. `night 2` begins with what `night 1` noted.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item
from jobs.lifecycle import EventType, ItemState
from jobs.pacing import Pacer
from jobs.polling import PollFloors, Polling
from jobs.rates import Rate
from jobs.record import Change, Event, fold
from jobs.runstate import CoreSettings
from jobs.steps import Now, Poll, Send
from runner.ledger import ENDS_KEPT

__all__ = ["CASES", "Case", "Told", "main", "played"]

Spans = Mapping[str, Sequence[tuple[float, float]]]

# One way to the service and back, in seconds: a near one, so that the polls and not the way are judged.
TRIP_S = 0.002
# Requests of a kind at once, as the engine has them.
CREW = 32
START_WALL_S = 1_700_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Times of one price class: lognormal."""

    median_s: float
    sigma: float
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One workload. What is created at `turn_at_s` or later takes `turn_factor` times as long."""

    items: int
    classes: tuple[Class, ...]
    creates_per_s: int
    polls_per_s: int
    polls_per_min: int | None = None  # instead
    places: int = 100_000
    turn_at_s: float = math.inf
    turn_factor: float = 1.0
    floors: PollFloors = field(default_factory=lambda: PollFloors(first_poll_s=0.05, poll_gap_s=0.02))


TWO = (Class(median_s=2.0, sigma=0.25, share=0.5), Class(median_s=10.0, sigma=0.25, share=0.5))
FAR = (Class(median_s=2.0, sigma=0.25, share=0.5), Class(median_s=20.0, sigma=0.25, share=0.5))
TWO_WIDE = tuple(replace(one, sigma=0.5) for one in FAR)
TURNED = Case(items=2000, classes=(Class(median_s=10.0, sigma=0.25),), creates_per_s=10, polls_per_s=40)
PLACES = Case(items=300, classes=(Class(median_s=1.0, sigma=0.25),), creates_per_s=1000, polls_per_s=1000, places=8)
CLIPS = (Class(median_s=60.0, sigma=0.25),)
USUAL = Case(items=300, classes=CLIPS, creates_per_s=1, polls_per_s=5, places=20, floors=PollFloors())

CASES: Mapping[str, Case] = {
    "w5": Case(items=2000, classes=TWO, creates_per_s=10, polls_per_s=20),
    "w5-far": Case(items=2000, classes=FAR, creates_per_s=8, polls_per_s=20),
    "w5-wide": Case(items=2000, classes=TWO_WIDE, creates_per_s=8, polls_per_s=20),
    "w5-ample": Case(items=2000, classes=FAR, creates_per_s=4, polls_per_s=20),
    "w5-scarce": Case(items=2000, classes=FAR, creates_per_s=12, polls_per_s=20),
    "w5-burst": Case(items=2000, classes=FAR, creates_per_s=50, polls_per_s=20),
    "w1": Case(items=2000, classes=(Class(median_s=2.0, sigma=0.5),), creates_per_s=50, polls_per_s=200),
    "w3a": PLACES,
    "w3a-few": replace(PLACES, polls_per_min=1043),
    "steady": TURNED,
    "slower": replace(TURNED, turn_at_s=100.0, turn_factor=3.0),
    "faster": replace(TURNED, turn_at_s=100.0, turn_factor=1 / 3),
    "much-slower": replace(TURNED, turn_at_s=100.0, turn_factor=10.0),
    "much-faster": replace(TURNED, turn_at_s=100.0, turn_factor=0.1),
    "usual": USUAL,
    "usual-burst": replace(USUAL, places=200, creates_per_s=5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run came to."""

    polls: float  # an item
    delay_s: float  # mean, of noticing
    late_s: float  # 99 of 100 ends are noticed within this
    best_s: float  # the least mean delay for as many polls
    fixed_s: float  # that of fixed gaps for as many polls
    wall_s: float
    bound_s: float
    busiest: int  # polls in the busiest second
    worst_polls: int  # of one item


def constant(one: Class) -> float:
    """C of one class: half the square of the integral of sqrt(density * survivors), by a sum over quantiles."""
    steps = 4000
    total, sigma = 0.0, one.sigma
    for n in range(-steps, steps):
        z, dz = 8.0 * (n + 0.5) / steps, 8.0 / steps
        age_s = one.median_s * math.exp(sigma * z)
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (sigma * age_s)
        survivors = 0.5 * math.erfc(z / math.sqrt(2))
        total += math.sqrt(density * survivors) * age_s * sigma * dz
    return 0.5 * total * total


class Service:
    """It deals each task its time, and knows the end."""

    def __init__(self, case: Case, seed: int) -> None:
        rng = random.Random(seed)
        self.case = case
        self.whose = rng.choices(range(len(case.classes)), [one.share for one in case.classes], k=case.items)
        self.took_s = [case.classes[c].median_s * math.exp(rng.gauss(0, case.classes[c].sigma)) for c in self.whose]
        self.ends_s: dict[int, float] = {}
        self.made_s: dict[int, float] = {}

    def create(self, index: int, now_s: float) -> None:
        factor = self.case.turn_factor if now_s >= self.case.turn_at_s else 1.0
        self.made_s[index] = now_s
        self.ends_s[index] = now_s + self.took_s[index] * factor


def least_delay_s(case: Case, service: Service, polls: float) -> float:
    """The mean delay when polls are shared out among tasks, and placed, as well as can be."""
    roots = [math.sqrt(constant(one)) for one in case.classes]
    turned = math.sqrt(case.turn_factor)
    mean = fmean(
        roots[service.whose[n]] * (turned if at >= case.turn_at_s else 1.0) for n, at in service.made_s.items()
    )
    return mean * mean / polls


def _item(index: int, price_class: str) -> Item:
    return Item(
        identity=f"i1-{index}", model="m", prompt="p", params={}, references=(), repeat=1, edition="", index=index,
        key=f"job/{index}", job="job", output_stem=str(index), credits=10, price_class=price_class,
    )  # fmt: skip


def _answer(index: int, status: str) -> SendEnd:
    task = TaskSeen(id=f"task_{index}", status=status, reserved_credits=10, final_credits=10, error=None, urls=())
    return SendEnd(phase=Phase.ANSWERED, status=200, task=task)


def _polls(case: Case) -> Rate:
    if case.polls_per_min is not None:
        return Rate(count=case.polls_per_min, window_s=60.0)
    return Rate(count=case.polls_per_s, window_s=1.0)


def _made_core(case: Case, service: Service, seed: int, spans_s: Spans) -> Core:
    rng = random.Random(seed + 1)
    settings = CoreSettings(
        account="default",
        scope="run",
        in_flight_max=case.places,
        floors=case.floors,
        spread=rng.random,
        save_results=False,
    )
    polling = Polling()
    for price_class, spans in spans_s.items():
        polling.recall(price_class, spans[-ENDS_KEPT:])
    core = Core(
        settings,
        books=Books(cap=None),
        prices={f"m?c={c}": 10 for c in range(len(case.classes))},
        creates=Pacer("creates", Rate(count=case.creates_per_s, window_s=1.0)),
        polls=Pacer("polls", _polls(case)),
        polling=polling,
    )
    for index, c in enumerate(service.whose):
        item = _item(index, f"m?c={c}")
        record = fold(None, Event(type=EventType.PLANNED, at_s=START_WALL_S, identity=item.identity, data={}))
        core.admit(item, record, Now(0.0, START_WALL_S))
    return core


class _Play:
    """The core's loop in virtual time: a heap of ends that are on their way."""

    def __init__(self, case: Case, seed: int, spans_s: Spans) -> None:
        self.case, self.service = case, Service(case, seed)
        self.core = _made_core(case, self.service, seed, spans_s)
        self.spans_s: dict[str, list[tuple[float, float]]] = {}  # as the ledger will have them
        self.now_s = 0.0
        self.coming: list[tuple[float, int, Callable[[], None]]] = []
        self.order = self.creating = self.polling = 0
        self.noticed_s: dict[int, float] = {}
        self.polls: list[int] = [0] * case.items
        self.asked_s: list[float] = []

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.coming, (self.now_s + delay_s, self.order, what))

    def _now(self) -> Now:
        return Now(self.now_s, START_WALL_S + self.now_s)

    def _create(self, send: Send) -> None:
        index = int(send.identity.removeprefix("i1-"))
        self.creating += 1

        def arrived() -> None:
            self.service.create(index, self.now_s)
            self._later(TRIP_S / 2, answered)

        def answered() -> None:
            self.creating -= 1
            self.core.create_ended(send, _answer(index, "queued"), self._now())

        self._later(TRIP_S / 2, arrived)

    def _poll(self, poll: Poll) -> None:
        index = int(poll.identity.removeprefix("i1-"))
        self.polling += 1
        self.polls[index] += 1

        def arrived() -> None:
            self.asked_s.append(self.now_s)
            is_done = self.service.ends_s[index] <= self.now_s
            if is_done:
                self.noticed_s[index] = self.now_s
            self._later(TRIP_S / 2, lambda: answered(_answer(index, "succeeded" if is_done else "running")))

        def answered(end: SendEnd) -> None:
            self.polling -= 1
            for change in self.core.poll_ended(poll, end, self._now()).changes:
                self._note(change)

        self._later(TRIP_S / 2, arrived)

    def _note(self, change: Change) -> None:
        attempt, unseen_s = change.record.attempt, change.event.data["unseen_s"]
        assert attempt is not None
        assert isinstance(unseen_s, float)
        age_s = (attempt.finished_at_s or 0.0) - (attempt.accepted_at_s or 0.0)
        self.spans_s.setdefault(attempt.price_class, []).append((max(0.0, age_s - unseen_s), age_s))

    def run(self) -> None:
        while not self.core.finished():
            wake_s = math.inf
            while self.creating < CREW:
                answer = self.core.next_create(self._now())
                if not isinstance(answer, Send):
                    wake_s = min(wake_s, getattr(answer, "until_s", None) or math.inf)
                    break
                self._create(answer)
            while self.polling < CREW:
                asked = self.core.next_poll(self._now())
                if not isinstance(asked, Poll):
                    wake_s = min(wake_s, asked.until_s or math.inf)
                    break
                self._poll(asked)
            if self.coming and self.coming[0][0] <= wake_s:
                self.now_s, _, what = heapq.heappop(self.coming)
                what()
            else:
                assert wake_s < math.inf, "nothing is coming, and nothing is due"
                self.now_s = max(self.now_s, wake_s)
        assert all(record.state is ItemState.SUCCEEDED for record in self.core.state.records.values())


def played(case: Case, seed: int) -> tuple[Told, Told]:
    """Two runs of the core: one that knows nothing of the service's times, and the next one."""
    first = _Play(case, seed, {})
    first.run()
    second = _Play(case, seed + 100, first.spans_s)
    second.run()
    return _told(first), _told(second)


def _told(play: _Play) -> Told:
    case, service = play.case, play.service
    delays_s = sorted(play.noticed_s[index] - end_s for index, end_s in service.ends_s.items())
    polls = sum(play.polls) / case.items
    return Told(
        polls=polls,
        delay_s=fmean(delays_s),
        late_s=delays_s[int(0.99 * (len(delays_s) - 1))],
        best_s=least_delay_s(case, service, polls),
        fixed_s=fixed_delay_s(case, service, polls),
        wall_s=play.now_s,
        bound_s=bound_s(case, service),
        busiest=busiest(sorted(play.asked_s)),
        worst_polls=max(play.polls),
    )


def busiest(asked_s: Sequence[float]) -> int:
    """Most polls in any second."""
    most = low = 0
    for high, moment_s in enumerate(asked_s):
        while asked_s[low] <= moment_s - 1.0 + 1e-9:
            low += 1
        most = max(most, high - low + 1)
    return most


def fixed_delay_s(case: Case, service: Service, polls: float) -> float:
    """Mean delay of a poller with one gap for all, as long as lets it get by with so many polls, and no queue."""
    took_s = [service.ends_s[index] - service.made_s[index] for index in service.ends_s]
    low_s, high_s = 1e-3, 10.0 * max(took_s)
    while high_s > low_s * 1.001:
        gap_s = math.sqrt(low_s * high_s)
        if fmean(math.ceil(one / gap_s) for one in took_s) > polls:
            low_s = gap_s
        else:
            high_s = gap_s
    return fmean(math.ceil(one / high_s) * high_s - one for one in took_s)


def bound_s(case: Case, service: Service) -> float:
    """The makespan with every end seen at once: creates at the limit, a place as soon as one is free."""
    free: list[float] = [0.0] * min(case.places, case.items)
    ends: list[float] = []
    for index in sorted(service.made_s, key=lambda index: service.made_s[index]):
        began_s = max(heapq.heappop(free), index // case.creates_per_s)
        end_s = began_s + (service.ends_s[index] - service.made_s[index])
        ends.append(end_s)
        heapq.heappush(free, end_s)
    told: list[float] = []
    for n, end_s in enumerate(sorted(ends)):
        told.append(max(end_s, told[n - case.polls_per_s] + 1.0 if n >= case.polls_per_s else 0.0))
    return told[-1]


def main(names: Sequence[str]) -> None:
    """Write the table: of three runs the middle one by its delay."""
    head = ("polls", "delay", "p99", "x best", "x fixed", "x bound", "most", "in 1 s")
    sys.stdout.write(f"{'case':12} {'night':>5} " + " ".join(f"{one:>8}" for one in head) + "\n")
    for name in names or CASES:
        nights = zip(*(played(CASES[name], seed) for seed in (1, 2, 3)), strict=True)
        for night, told in enumerate(nights, start=1):
            one = sorted(told, key=lambda each: each.delay_s / each.best_s)[1]
            ratios = (one.delay_s / one.best_s, one.delay_s / one.fixed_s, one.wall_s / one.bound_s)
            row = (f"{one.polls:.2f}", f"{one.delay_s:.3f}", f"{one.late_s:.3f}", *(f"{ratio:.3f}" for ratio in ratios))
            cells = (*row, str(one.worst_polls), str(one.busiest))
            sys.stdout.write(f"{name:12} {night:5} " + " ".join(f"{cell:>8}" for cell in cells) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
