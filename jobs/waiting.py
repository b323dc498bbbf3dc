"""What each item of a run waits for: the slowest of those under way, and what keeps the rest from being bought.

Only looks: nothing of the core moves. It costs one pass over the items in flight, however many are left to buy.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from jobs.budget import Fit
from jobs.core import DOWNLOAD_BACKLOG_MAX, Core
from jobs.lifecycle import ItemState
from jobs.rates import per_minute
from jobs.resending import BAD_SENDS_MAX
from jobs.steps import Now
from jobs.verdict import Pause

__all__ = ["On", "Queued", "Waiting", "queued", "slowest"]

# A look that is less late than this says nothing about the limiter of polls: it is taking turns.
LATE_LOOK_S = 3.0


class On(StrEnum):
    """What is waited for. Public words: `--json` tells them."""

    ANSWER = "answer"  # of the create, which has left
    RESEND = "resend"  # the same create again, later
    CREATES = "create_limit"
    GENERATION = "generation"  # the service is at it
    POLLS = "poll_limit"
    DOWNLOAD = "download"
    NEXT_LIFE = "next_run"  # nothing more happens to it in this one
    UPLOAD = "upload"
    PRICE = "price"  # the first of its price class shows what it costs
    BUDGET = "budget"  # credits that are held, and may come back
    PLACE = "place"  # in flight
    SAVING = "saving"  # of results that wait already
    SERVICE = "service"  # it answered badly; one create at a time tests it
    PAUSE = "pause"  # of the rest of this life
    RESUME = "resume"  # by the person who paused it, or another
    STATUS = "status"  # of any task: none was answered for long


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An item under way: for how long, and what it waits for now."""

    item: str
    age_s: float
    on: On
    for_s: float | None = None  # how much longer at least; None: nobody knows
    why: str = ""
    usual_s: tuple[float, float] | None = None  # a generation of its class takes: most between these


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Items that nothing was bought for yet, and what they wait for."""

    items: int
    on: On
    for_s: float | None = None
    why: str = ""


def slowest(core: Core, now: Now, *, limit: int, why_again: Callable[[str], str]) -> tuple[Waiting, ...]:
    """Those that are under way for longest. `why_again` tells why a create must be sent again.

    Of a run that stops only those whose answer or result is still waited for: the next run asks for the others.
    """
    state = core.state
    flying = (identity for identity in state.slots if not state.stopping or identity in core.buying.sending)

    def began_s(identity: str) -> float:
        return state.attempt(identity).opened_at_s

    oldest = heapq.nsmallest(limit, (*flying, *core.saving), key=began_s)
    if not oldest:
        return ()
    look = _Look(core, now, frozenset(oldest), why_again)
    return tuple(look.at(identity, max(0.0, now.wall_s - began_s(identity))) for identity in oldest)


class _Look:
    """The moments that concern a few items, found in one pass over what waits."""

    def __init__(self, core: Core, now: Now, chosen: frozenset[str], why_again: Callable[[str], str]) -> None:
        self._core = core
        self._now = now
        self._why_again = why_again
        self._polls = core.watching.due_moments(chosen)
        self._resends = core.buying.due_moments(chosen)

    def at(self, identity: str, age_s: float) -> Waiting:
        state = self._core.state
        item = state.items[identity]
        match state.records[identity].state:
            case ItemState.SUBMITTING:
                on, for_s = self._create(identity)
                return Waiting(item=item.key, age_s=age_s, on=on, for_s=for_s, why=self._why_again(identity))
            case ItemState.SUCCEEDED:
                return Waiting(item=item.key, age_s=age_s, on=On.DOWNLOAD)
            case _:
                on, for_s = self._generation(identity)
                usual_s = state.polling.span_s(item.price_class)
                return Waiting(item=item.key, age_s=age_s, on=on, for_s=for_s, usual_s=usual_s)

    def _create(self, identity: str) -> tuple[On, float | None]:
        now_s, buying = self._now.mono_s, self._core.buying
        due_s = self._resends.get(identity)
        if due_s is None:
            return On.ANSWER, None
        if buying.silenced:
            return On.NEXT_LIFE, None
        if due_s > now_s:
            return On.RESEND, due_s - now_s
        place_s = buying.place_s()
        if Pause.PERSON in self._core.state.pauses and not buying.attempts.may_have_arrived(identity):
            return On.RESUME, None
        if Pause.POLLS in self._core.state.pauses and not buying.attempts.may_have_arrived(identity):
            return On.STATUS, None
        if place_s > now_s and not buying.attempts.may_have_arrived(identity):
            return On.PLACE, _finite(place_s - now_s)
        paced_s = self._core.pacers[0].due_s(now_s)
        if paced_s > now_s:
            return On.CREATES, _finite(paced_s - now_s)
        return On.RESEND, max(0.0, buying.resends_allowed_s(now_s) - now_s)

    def _generation(self, identity: str) -> tuple[On, float | None]:
        now_s = self._now.mono_s
        due_s = self._polls.get(identity)
        if due_s is None:  # asked for now
            return On.GENERATION, None
        if due_s > now_s:
            return On.GENERATION, due_s - now_s
        paced_s = self._core.pacers[1].due_s(now_s)
        on = On.POLLS if max(now_s, paced_s) - due_s >= LATE_LOOK_S else On.GENERATION
        return on, _finite(max(0.0, paced_s - now_s))


def queued(core: Core, now: Now) -> tuple[Queued, ...]:
    """What keeps from being bought what is not bought yet; one entry for each reason, the most items first."""
    found = [one for one in _queued(core, now) if one.items]
    return tuple(sorted(found, key=lambda one: -one.items))


def _queued(core: Core, now: Now) -> Iterator[Queued]:
    state = core.state
    if state.pauses or state.stopping:
        why = next(iter(state.pauses.values()), "the run is stopping")
        on = On.PAUSE
        if not state.stopping and state.pauses.keys() <= {Pause.PERSON, Pause.POLLS}:
            on = On.RESUME if Pause.PERSON in state.pauses else On.STATUS
        yield Queued(items=len(state.ready) + len(state.missing), on=on, why=why)
        return
    yield Queued(items=len(state.missing), on=On.UPLOAD)
    unpriced = state.ready.held_back
    yield Queued(items=unpriced, on=On.PRICE)
    on, for_s, why = _next_create(core, now)
    yield Queued(items=len(state.ready) - unpriced, on=on, for_s=for_s, why=why)


def _next_create(core: Core, now: Now) -> tuple[On, float | None, str]:
    """What the next purchase waits for, in the order in which buying asks."""
    state, weather = core.state, core.buying.weather
    if core.backlog >= DOWNLOAD_BACKLOG_MAX:
        return On.SAVING, None, f"{core.backlog} results"
    if len(state.slots) >= state.settings.in_flight_max:
        return On.PLACE, None, f"{len(state.slots)} of {state.settings.in_flight_max} taken"
    found, place_s = state.limits.places.found, core.buying.place_s()
    if found is not None and place_s > now.mono_s:
        return On.PLACE, _finite(place_s - now.mono_s), f"the service runs {found} at once"
    if weather.bad_sends >= BAD_SENDS_MAX:
        return On.SERVICE, max(0.0, weather.probe_due_s - now.mono_s), f"{weather.bad_sends} bad answers in a row"
    first = state.ready.first
    if first is not None and state.books.fit(core.buying.bound(first)) is Fit.WAIT:
        return On.BUDGET, None, f"{state.books.reserved:,} credits are held"
    creates = core.pacers[0]
    return On.CREATES, _finite(max(0.0, creates.due_s(now.mono_s) - now.mono_s)), f"{per_minute(creates.per_s)}/min"


def _finite(seconds: float) -> float | None:
    """A moment that only an answer brings is not known."""
    return None if seconds == float("inf") else seconds
