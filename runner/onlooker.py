"""Where a run stands: counts that are kept up, what the slowest items wait for, and how long the rest takes.

It looks at the core and changes nothing. Until somebody asks for the first time it costs nothing either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from jobs.census import Census
from jobs.core import Core
from jobs.eta import Durations, Load, Steady, seconds_left
from jobs.record import Change
from jobs.speeds import Speed
from jobs.steps import Now
from jobs.waiting import queued, slowest
from runner.reporter import RunStatistics

__all__ = ["Onlooker"]

# Of the items under way so many are told of: more would be a list, and `status` has it.
SLOWEST_MAX = 8
# Before this a rate that was seen is a burst.
RATE_SEEN_S = 10.0


class Onlooker:
    """One life, seen from the side. `typical_s` is the plan's guess of a task's seconds, by price class."""

    def __init__(self, core: Core, *, began_s: float, typical_s: Mapping[str, float]) -> None:
        self._core = core
        self._began_s = began_s
        self._durations = Durations(typical_s)
        self._steady = Steady()
        self._saves = Speed()
        self._census: Census | None = None

    def moved(self, change: Change) -> None:
        """One change is durable."""
        if self._census is None:
            return
        took = self._census.moved(change)
        if took is not None:
            self._durations.learn(*took)

    def recount(self) -> None:
        """The records are others than what was told of them."""
        self._census = None

    def look(
        self,
        now: Now,
        *,
        uploads: tuple[int, int],
        downloads: int,
        due: Mapping[str, int],
        drain_left_s: float | None,
    ) -> RunStatistics:
        """The run at this moment; `uploads` are done and needed, `downloads` those that ended in this life."""
        core, state, elapsed_s = self._core, self._core.state, now.mono_s - self._began_s
        if self._census is None:
            self._census = Census(state.records, scope=state.settings.scope)
        self._saves.look(elapsed_s, downloads)
        return RunStatistics(
            counts=self._census.states,
            items=len(state.records),
            results=self._census.results,
            saved_bytes=self._census.saved_bytes,
            uploads_done=uploads[0],
            uploads_needed=uploads[1],
            credits=state.books.money,
            doubted_credits=self._census.doubted_credits,
            cap_credits=state.books.cap,
            pacers=state.limits.statistics(),
            pauses={why.value: reason for why, reason in state.pauses.items()},
            elapsed_s=elapsed_s,
            in_flight=len(state.slots),
            in_flight_max=state.places,
            accepted=self._census.accepted,
            eta_s=self._eta_s(now, self._census, elapsed_s),
            slowest=slowest(core, now, limit=SLOWEST_MAX, why_again=self._census.why),
            queued=queued(core, now),
            due=due,
            drain_left_s=drain_left_s,
        )

    def _keep_to_budget(self, unbought: Counter[str]) -> None:
        """What the cap leaves no credits for is not bought: it takes no time. A price nobody saw yet is no reason."""
        left = self._core.state.books.left
        if left is None:
            return
        for price_class, number in unbought.items():
            price = self._core.state.prices.get(price_class, 0)
            if price:
                unbought[price_class] = min(number, max(0, left) // price)
            left -= price * unbought[price_class]

    def _eta_s(self, now: Now, census: Census, elapsed_s: float) -> float | None:
        core, state = self._core, self._core.state
        creates = core.pacers[0]
        unbought: Counter[str] = Counter()
        if not (state.pauses or state.stopping):
            unbought.update(state.ready.by_class)
            unbought.update(state.items[identity].price_class for identity in state.missing)
            self._keep_to_budget(unbought)
        running = []
        for identity in state.slots:
            attempt = state.attempt(identity)
            began_s = now.wall_s if attempt.accepted_at_s is None else attempt.accepted_at_s
            running.append((attempt.price_class, max(0.0, now.wall_s - began_s)))
        # What was seen may be faster than this moment, after refusals, but not than a limit that was lowered since.
        seen_per_s = min(census.accepted / elapsed_s, creates.rate.per_second) if elapsed_s >= RATE_SEEN_S else 0.0
        held_s = creates.due_s(now.mono_s) - now.mono_s
        load = Load(
            unbought=unbought,
            running=running,
            creates_per_s=max(creates.per_s, seen_per_s),
            held_s=0.0 if held_s == float("inf") else max(0.0, held_s),
            places=state.places,
            timeout_s=state.settings.item_timeout_s,
            unsaved=core.backlog + sum(1 for _ in core.saving),
            saves_per_s=self._saves.per_s,
        )
        if state.pauses and not (running or load.unsaved):
            return None  # what is paused ends when somebody says so
        return self._steady.left_s(elapsed_s, seconds_left(load, self._durations))
