"""What the service lets through: a pacer for each kind of call, places for tasks, and perhaps one window for all calls.

Users' limits are ceilings. The service's own are unknown, and a refusal does not say which of them it was about, but
what there was at that moment does: tasks that ran, calls of its kind in the window and in the last second, calls of all
kinds. A limit refuses at the same count each time, so the one whose count is what it was before is blamed, and only
that one gives way. With nothing to compare: a poll takes no place, so it is about a window; a create is about places,
which one more create soon after it proves or disproves cheaply. When creates and polls are refused together, they share
a window.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jobs.answers import Phase, SendEnd
from jobs.calls import Calls
from jobs.paces import PacerStatistics, RateChange
from jobs.pacing import Pacer
from jobs.places import Places, PlacesChange
from jobs.rates import Rate
from jobs.retry import wait_s
from jobs.steps import Notice

__all__ = ["Limits"]

# What a refusal says, in its code or its words, when it is about tasks at once.
_PLACES_WORDS: Final = re.compile(r"concurren|simultaneous|parallel|at once|at the same time", re.IGNORECASE)

# One more create is tried so many windows after a first refusal that may have been about places: a window that was full
# has room again by then.
TRY_WINDOWS = 1.25
# Counts that differ by one, or by this share, are alike: ends are seen late, and requests are on their way.
ALIKE_SHARE = 1 / 8
# Refusals of both kinds belong together when no more than this lies between them, or one of the users' windows.
TOGETHER_S_MAX = 2.0
# With less than this share of all calls the other kind is not what fills a window.
OTHERS_SHARE = 0.2
# The fewest calls that show what a window lets through; a refusal after fewer may be about anything.
WENT_LEAST = 4
# A window that let through this much more before is no limit now: it is a storm.
MOST_SHARE = 0.75
# Calls are counted in windows of this length at most, and so many at most: a quarter of a megabyte.
COUNTED_S_MAX = 60.0
# A window that services count in, whatever users count in. A longer one shows little of it: all that held calls back
# earlier is in its count.
SECOND_S = 1.0
# What a moment let through is no measure of a window that has not passed: a shorter one is assumed, this at least.
COUNTED_S_MIN = 1.0
COUNTED_MAX = 4096


class _Blame(StrEnum):
    OWN = "own"  # the window of the call's kind
    PLACES = "places"
    CALLS = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A call that was refused, and what there was then."""

    pacer: Pacer
    token: int
    left_at_s: float
    now_s: float
    wait_s: float  # what the service asked for, or a backoff
    asked_s: float  # only what the service asked for
    reason: str
    says_places: bool
    running: int
    own: int  # calls of its kind that went through in its window ...
    second: int  # ... and in a second
    calls: int  # and of all kinds in the window over all ...
    others: int  # ... without those of its kind


class Limits:
    """All limits of a run. `pacers`: creates, polls."""

    def __init__(self, creates: Pacer, polls: Pacer) -> None:
        self.pacers = (creates, polls)
        self.places = Places()
        self.calls: Calls | None = None
        self._went_s = {pacer.name: deque[float](maxlen=COUNTED_MAX) for pacer in self.pacers}
        self._began_s: float | None = None  # when the first call ended
        self._refused_s = dict.fromkeys(self._went_s, float("-inf"))
        self._blamed: dict[str, tuple[float, _Blame]] = {}  # for the refusals that began an episode
        self._before: dict[str, _Refusal] = {}  # what the next one is compared with
        self._tells = False  # a refusal said that it was about places: then the others are not

    def statistics(self) -> tuple[PacerStatistics, ...]:
        """An immutable view; the window over all calls has one too while there is one."""
        pacers = tuple(pacer.statistics() for pacer in self.pacers)
        return pacers if self.calls is None else (*pacers, self.calls.statistics())

    def ended(
        self, pacer: Pacer, token: int, end: SendEnd, now_s: float, *, running: int, spread: Callable[[], float]
    ) -> tuple[Notice, ...]:
        """A call ended. `running`: tasks that were accepted and not seen to end, before this one."""
        changes: list[RateChange | PlacesChange | None]
        pause_s = 0.0
        self._began_s = now_s if self._began_s is None else self._began_s
        if end.is_limited:
            pause_s = wait_s(pacer.refusals + 1, end.retry_after_s, spread())
            changes = self._refused(self._refusal(pacer, token, end, now_s, running, pause_s))
        elif end.status == 503:  # it is not up to anything
            pause_s = wait_s(pacer.refusals + 1, end.retry_after_s, spread())
            changes = [pacer.refused(token, now_s, wait_s=pause_s, reason=end.reason, is_limit=False)]
            changes.append(self._shared_ended(pacer.name, token, now_s, clean=False))
        else:
            changes = self._answered(pacer, token, end, now_s, running)
        if end.quota is not None:
            changes.append(pacer.told(end.quota, now_s))
        return tuple(self._notice(change, pause_s) for change in changes if change is not None)

    def _answered(
        self, pacer: Pacer, token: int, end: SendEnd, now_s: float, running: int
    ) -> list[RateChange | PlacesChange | None]:
        clean = end.phase is Phase.ANSWERED and (end.status or 0) < 500  # what broke says nothing about rates
        left_at_s = pacer.left_at_s(token)
        changes: list[RateChange | PlacesChange | None] = [pacer.answered(token, now_s, clean=clean)]
        if clean:
            self._went_s[pacer.name].append(now_s)
        if self.calls is not None:
            changes.append(self._shared_ended(pacer.name, token, now_s, clean=clean))
        if end.task is not None and pacer is self.pacers[0]:
            changes.append(self.places.accepted(running + 1, left_at_s=left_at_s, now_s=now_s))
        return changes

    def _shared_ended(self, name: str, token: int, now_s: float, *, clean: bool) -> RateChange | None:
        if self.calls is None:
            return None
        change = self.calls.ended(name, token, now_s, clean=clean)
        return self._drop_calls() if self.calls.is_over(self._ceiling_per_s) else change

    def returned(self, pacer: Pacer, token: int, now_s: float) -> None:
        """A call that was to leave did not."""
        pacer.returned(token, now_s)
        self._shared_ended(pacer.name, token, now_s, clean=False)

    # Refusals

    def _refusal(self, pacer: Pacer, token: int, end: SendEnd, now_s: float, running: int, pause_s: float) -> _Refusal:
        window_s = self._window_s(now_s)
        calls = {name: _since(went, now_s - window_s) for name, went in self._went_s.items()}
        said = "" if end.error is None else f"{end.error.code} {end.error.message}"
        return _Refusal(
            pacer=pacer,
            token=token,
            left_at_s=pacer.left_at_s(token),
            now_s=now_s,
            wait_s=pause_s,
            asked_s=pause_s if (end.retry_after_s or 0.0) >= 1.0 else 0.0,
            reason=end.reason,
            says_places=_PLACES_WORDS.search(said) is not None,
            running=running,
            own=_since(self._went_s[pacer.name], now_s - pacer.rate.window_s),
            second=_since(self._went_s[pacer.name], now_s - SECOND_S),
            calls=sum(calls.values()),
            others=sum(calls.values()) - calls[pacer.name],
        )

    def _refused(self, refusal: _Refusal) -> list[RateChange | PlacesChange | None]:
        name, now_s = refusal.pacer.name, refusal.now_s
        begun_s, blame = self._blamed.get(name, (float("-inf"), _Blame.OWN))
        is_given_up = self.calls is None and blame is _Blame.CALLS
        if refusal.left_at_s > begun_s or is_given_up or (self.calls is None and self._are_together(refusal)):
            blame = self._blame(refusal)
            self._blamed[name] = now_s, blame
            before = self._before.get(name)
            if before is None or self._is_another(refusal, before):
                self._before[name] = refusal
        self._refused_s[name] = now_s
        match blame:
            case _Blame.PLACES:
                return self._blame_places(refusal)
            case _Blame.CALLS:
                return self._blame_calls(refusal)
            case _:
                return self._blame_own(refusal)

    def _is_another(self, refusal: _Refusal, before: _Refusal) -> bool:
        """Whether the next refusals are to be compared with this one."""
        if not (_alike(refusal.running, before.running) and _alike(refusal.own, before.own)):
            return True
        return not _alike(refusal.second, before.second) and self._is_second(refusal)

    def _are_together(self, refusal: _Refusal) -> bool:
        """Whether both kinds are refused at once, by a window over both or by a storm."""
        others_s = max(at_s for name, at_s in self._refused_s.items() if name != refusal.pacer.name)
        if refusal.now_s - others_s > min(TOGETHER_S_MAX, *(pacer.rate.window_s for pacer in self.pacers)):
            return False
        return self.calls is not None or self._is_window(refusal)  # which looks at all calls: last

    def _is_window(self, refusal: _Refusal) -> bool:
        """Whether what went through may be what a window over all calls lets through."""
        went_s = sorted(moment_s for went in self._went_s.values() for moment_s in went)
        return _is_most(refusal.calls, went_s, self._window_s(refusal.now_s))

    def _blame(self, refusal: _Refusal) -> _Blame:
        before = self._before.get(refusal.pacer.name)
        if self._are_together(refusal) or (self.calls is not None and self.calls.is_full(refusal.now_s)):
            return _Blame.CALLS
        if refusal.pacer is self.pacers[0]:
            self._tells = self._tells or refusal.says_places
            if refusal.says_places:
                return _Blame.PLACES
            if refusal.pacer.is_cut or (refusal.pacer.is_found and refusal.pacer.is_full(refusal.now_s)):
                return _Blame.OWN  # within a storm a number of tasks is a coincidence
            is_places = before is None or (
                _alike(refusal.running, before.running) and not self._is_rather_a_second(refusal, before)
            )
            is_places = is_places and self.places.may_be_full(refusal.running) and not self._tells
            return _Blame.PLACES if is_places else _Blame.OWN
        if self.calls is not None or not self._is_window(refusal):
            return _Blame.OWN
        if before is not None and _alike(refusal.own, before.own) and not _alike(refusal.calls, before.calls):
            return _Blame.OWN
        return _Blame.CALLS if refusal.others >= OTHERS_SHARE * refusal.calls else _Blame.OWN

    def _is_second(self, refusal: _Refusal) -> bool:
        """Whether the last second may be full: none let through more, and it was not the pace that held it down."""
        pace = refusal.pacer.per_s * SECOND_S
        if refusal.second < WENT_LEAST or refusal.second > pace or _alike(refusal.second, pace):
            return False
        return _alike(refusal.second, _most(self._went_s[refusal.pacer.name], SECOND_S))

    def _is_rather_a_second(self, refusal: _Refusal, before: _Refusal) -> bool:
        """Whether the count in the last second is nearer to what it was before than that of tasks is."""
        off, tasks_off = _off(refusal.second, before.second), _off(refusal.running, before.running)
        return off < tasks_off and self._is_second(refusal)

    def _blame_own(self, refusal: _Refusal) -> list[RateChange | PlacesChange | None]:
        pacer, now_s = refusal.pacer, refusal.now_s
        change = pacer.refused(
            refusal.token, now_s, wait_s=refusal.wait_s, reason=refusal.reason, went=self._went(refusal)
        )
        shared = self._shared_ended(pacer.name, refusal.token, now_s, clean=False)
        forgotten = self.places.forget("its window refused") if pacer is self.pacers[0] else None
        return [change, shared, forgotten]

    def _went(self, refusal: _Refusal) -> Rate | None:
        """What a limit may let through, by the window that shows it: a second, or the user's."""
        pacer = refusal.pacer
        if pacer.rate.window_s > SECOND_S and self._is_second(refusal):
            return Rate(count=refusal.second, window_s=SECOND_S)
        if not _is_most(refusal.own, self._went_s[pacer.name], pacer.rate.window_s):
            return None
        windows = self._passed_s(refusal.now_s, pacer.rate.window_s) / pacer.rate.window_s
        return Rate(count=max(1, round(refusal.own / windows)), window_s=pacer.rate.window_s)

    def _blame_places(self, refusal: _Refusal) -> list[RateChange | PlacesChange | None]:
        pacer, now_s = refusal.pacer, refusal.now_s
        pacer.returned(refusal.token, now_s)
        pacer.wait(now_s + refusal.asked_s)
        shared = self._shared_ended(pacer.name, refusal.token, now_s, clean=False)
        change = self.places.refused(
            refusal.running,
            left_at_s=refusal.left_at_s,
            now_s=now_s,
            reason=refusal.reason,
            asked_s=refusal.asked_s,
            try_s=TRY_WINDOWS * min(COUNTED_S_MAX, self._passed_s(now_s, pacer.rate.window_s)),
        )
        return [shared, change]

    def _blame_calls(self, refusal: _Refusal) -> list[RateChange | PlacesChange | None]:
        pacer, now_s = refusal.pacer, refusal.now_s
        pacer.returned(refusal.token, now_s)
        if self.calls is None:
            return self._find_calls(refusal)
        change = self.calls.refused(
            pacer.name,
            refusal.token,
            now_s,
            left_at_s=refusal.left_at_s,
            wait_s=refusal.wait_s,
            asked_s=refusal.asked_s,
            reason=refusal.reason,
        )
        return [change]

    # The window over all calls

    @property
    def _ceiling_per_s(self) -> float:
        return sum(pacer.rate.per_second for pacer in self.pacers)

    def _window_s(self, now_s: float) -> float:
        """The longer of the users' windows, if it has passed, and if calls are counted as far back."""
        window_s = min(COUNTED_S_MAX, self._passed_s(now_s, max(pacer.rate.window_s for pacer in self.pacers)))
        if any(len(went) == COUNTED_MAX and went[0] > now_s - window_s for went in self._went_s.values()):
            return min(window_s, *(pacer.rate.window_s for pacer in self.pacers))
        return window_s

    def _passed_s(self, now_s: float, window_s: float) -> float:
        """How much of a window has passed since the first call ended."""
        assert self._began_s is not None, "a call ended"
        return min(window_s, max(COUNTED_S_MIN, now_s - self._began_s))

    def _find_calls(self, refusal: _Refusal) -> list[RateChange | PlacesChange | None]:
        now_s, window_s = refusal.now_s, self._window_s(refusal.now_s)
        went_s = (moment_s for went in self._went_s.values() for moment_s in went if moment_s > now_s - window_s)
        self.calls = Calls(refusal.calls, window_s=window_s, answered_s=sorted(went_s), now_s=now_s)
        self.calls.wait(now_s + refusal.wait_s)
        changes: list[RateChange | PlacesChange | None] = []
        for pacer in self.pacers:
            pacer.shared = self.calls
            if now_s - self._refused_s[pacer.name] <= window_s:
                changes.append(pacer.forgive())
        changes.append(self.places.forget("all calls share a window"))
        before_per_s, after_per_s = self._ceiling_per_s, self.calls.per_s
        reason = refusal.reason
        changes.append(RateChange(name="calls", before_per_s=before_per_s, after_per_s=after_per_s, reason=reason))
        return changes

    def _drop_calls(self) -> RateChange:
        assert self.calls is not None, "there is one to be dropped"
        before_per_s, self.calls = self.calls.per_s, None
        for pacer in self.pacers:
            pacer.shared = None
        after_per_s, reason = self._ceiling_per_s, "it is no limit any more"
        return RateChange(name="calls", before_per_s=before_per_s, after_per_s=after_per_s, reason=reason)

    def _notice(self, change: RateChange | PlacesChange, pause_s: float) -> Notice:
        if isinstance(change, PlacesChange):
            return Notice(name="places", data={"before": change.before, "after": change.after, "why": change.reason})
        full = {pacer.name: pacer.rate.per_second for pacer in self.pacers}.get(change.name, self._ceiling_per_s)
        data = {
            "limit": change.name,
            "before": change.before_per_s,
            "after": change.after_per_s,
            "full": full,
            "wait_s": pause_s,
            "why": change.reason,
        }
        return Notice(name="rate", data=data)


def _since(moments_s: Iterable[float], from_s: float) -> int:
    return sum(moment_s > from_s for moment_s in moments_s)


def _is_most(went: int, went_s: Iterable[float], window_s: float) -> bool:
    """Whether so many may be all that a window lets through: it never let through much more."""
    return went >= WENT_LEAST and went >= MOST_SHARE * _most(went_s, window_s)


def _most(went_s: Iterable[float], window_s: float) -> int:
    """The most calls that went through in any window."""
    most, inside = 0, deque[float]()
    for moment_s in went_s:
        inside.append(moment_s)
        while inside[0] <= moment_s - window_s:
            inside.popleft()
        most = max(most, len(inside))
    return most


def _off(one: int, other: int) -> float:
    """By what share they differ."""
    return abs(one - other) / max(1, other)


def _alike(one: int, other: float) -> bool:
    return abs(one - other) <= max(1.0, ALIKE_SHARE * other)
