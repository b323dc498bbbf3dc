"""Open attempts of this life: when each may be sent again, and what all creates together tell of the service.

A resend costs nothing and risks nothing: the key and the bytes are those of its intent. But a key may be sent only so
often and so long, and what is asked of a service that is down is asked for nothing. So resends have one budget in
common, and while nothing at all is answered, the last send of a key is kept until it can teach something.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container
from dataclasses import dataclass

from jobs.answers import Phase
from jobs.retry import RetryBudget, backoff_s
from jobs.runstate import UNREACHABLE_AFTER_S
from jobs.steps import Now, earliest
from jobs.verdict import SendPolicy, Verdict, VerdictKind

__all__ = ["BAD_SENDS_MAX", "LIMITED_S_MAX", "OpenSend", "Resending", "Weather"]

# Sends in a row that ended badly before no new key is put at risk; open ones are still sent again.
BAD_SENDS_MAX = 3

# Nothing but "not now" for this long is no rush hour any more: the run ends, says so, and can go on later.
LIMITED_S_MAX = 6 * 3600.0

# How often a kept send looks whether the service answers again.
KEPT_LOOK_S = 15.0


@dataclass(slots=True)
class OpenSend:
    """What this life knows of an open attempt beyond its record."""

    since: Now  # when its intent was written, by both of our clocks
    restarted: bool = False  # the intent was found open at the start: a send may have arrived
    posts: int = 0  # those that count against `resends_max`
    tries: int = 0
    conflict_since_s: float | None = None

    def age_s(self, now: Now) -> float:
        """Seconds since the intent: one clock stands still while the machine sleeps, the other may be set."""
        return max(now.mono_s - self.since.mono_s, now.wall_s - self.since.wall_s)


class Weather:
    """What the ends of creates, one after the other, tell of the service.

    Polls have no say: they may work when creates do not.
    """

    def __init__(self) -> None:
        self.bad_sends = 0  # in a row
        self.probe_due_s = float("-inf")  # when a new key may test a service that answered badly
        self.silent_since_s: float | None = None  # the first bad end since any answer
        self.limited_since_s: float | None = None  # the first "not now" since any other end

    def rested(self) -> None:
        """Nothing was tried for a while: how long it has lasted is counted anew."""
        self.silent_since_s = self.limited_since_s = None

    def ended(self, verdict: Verdict, now_s: float, *, spread: float) -> str | None:
        """One create ended. Why buying is over for this life, if it is."""
        if verdict.kind is VerdictKind.LIMITED:
            self.silent_since_s = None
            self.limited_since_s = now_s if self.limited_since_s is None else self.limited_since_s
            if now_s - self.limited_since_s < LIMITED_S_MAX:
                return None
            return f"creates were refused for {LIMITED_S_MAX / 3600:g} h without a break, last: {verdict.end.reason}"
        self.limited_since_s = None
        if verdict.kind not in (VerdictKind.AMBIGUOUS, VerdictKind.NOT_SENT):
            self.bad_sends, self.silent_since_s = 0, None
            return None
        self.bad_sends += 1
        self.probe_due_s = now_s + backoff_s(self.bad_sends, spread)
        if verdict.end.phase is Phase.ANSWERED and (verdict.end.status or 0) < 500:
            self.silent_since_s = None  # not usable, but somebody is there
            return None
        self.silent_since_s = now_s if self.silent_since_s is None else self.silent_since_s
        if now_s - self.silent_since_s < UNREACHABLE_AFTER_S:
            return None
        return f"no usable answer to a create for {UNREACHABLE_AFTER_S / 60:g} min, last: {verdict.end.reason}"


class Resending:
    """The open attempts, and which of them is sent again next."""

    def __init__(self, policy: SendPolicy, weather: Weather) -> None:
        self._policy = policy
        self._weather = weather
        self._open: dict[str, OpenSend] = {}
        self._waiting: list[tuple[float, int, str]] = []  # (when due, ordinal, identity)
        self._placeless: list[tuple[float, int, str]] = []  # the same, of those that make a task, and need a place
        self._order = 0
        self._budget = RetryBudget()

    def __len__(self) -> int:
        """How many wait to be sent again."""
        return len(self._waiting) + len(self._placeless)

    @property
    def opened(self) -> int:
        """Attempts that are open, whether they wait or are under way."""
        return len(self._open)

    def __getitem__(self, identity: str) -> OpenSend:
        return self._open[identity]

    def open(self, identity: str, since: Now, *, restarted: bool = False) -> None:
        """An attempt is open: its intent was just written, or (`restarted`) found."""
        self._open[identity] = OpenSend(since=since, restarted=restarted)

    def close(self, identity: str) -> None:
        """The attempt is over, for good or for this life."""
        self._open.pop(identity, None)

    def accepted(self, identity: str) -> None:
        """The attempt became a task: good sends pay for the resends of others."""
        self._budget.went_well(resend=self._open.pop(identity).tries > 1)

    def put_off(self, identity: str, due_s: float, *, needs_place: bool = False) -> None:
        """Send it again at `due_s` (monotonic), not sooner."""
        self._order += 1
        heapq.heappush(self._placeless if needs_place else self._waiting, (due_s, self._order, identity))

    def due_s(self, now_s: float, place_s: Callable[[], float]) -> float | None:
        """When the next one may leave: its own wait is over, and the budget of all has room. None: none waits.

        What an earlier life left is taken up at once: that is no repetition of this life's. `place_s`: when there is
        a place for one more task.
        """
        self._keep_last_sends(now_s)
        first_s, placeless_s = self._first_due_s(self._waiting, now_s), self._first_due_s(self._placeless, now_s)
        return first_s if placeless_s is None else earliest(first_s, max(placeless_s, place_s()))

    def _first_due_s(self, waiting: list[tuple[float, int, str]], now_s: float) -> float | None:
        if not waiting:
            return None
        due_s, _, identity = waiting[0]
        if due_s > now_s or not self._open[identity].tries:
            return due_s
        return self._budget.due_s(now_s)

    def due_moments(self, chosen: Container[str]) -> dict[str, float]:
        """When those of the chosen that wait are due, for their own part."""
        waiting = (*self._waiting, *self._placeless)
        return {identity: due_s for due_s, _, identity in waiting if identity in chosen}

    def allowed_s(self, now_s: float) -> float:
        """When the budget in common has room for a resend."""
        return self._budget.due_s(now_s)

    def take(self, now_s: float) -> str:
        """The next one that is due, to be looked at, and perhaps sent; those go first whose keys grow old."""
        first_s = self._first_due_s(self._waiting, now_s)
        is_due = first_s is not None and first_s <= now_s
        return heapq.heappop(self._waiting if is_due else self._placeless)[2]

    def leaves(self, identity: str, now_s: float) -> None:
        """It is sent again."""
        if self._open[identity].tries:
            self._budget.resent(now_s)

    def give_up(self, *, doubtful: bool) -> list[str]:
        """Nothing waits any more, or nothing but what is in doubt: those that did."""
        left = [*self._placeless]
        self._placeless.clear()
        if doubtful:
            left += self._waiting
            self._waiting.clear()
        return [identity for _, _, identity in sorted(left)]

    def _keep_last_sends(self, now_s: float) -> None:
        """A last send while nothing is answered would be wasted, and its item left in doubt.

        It leaves when any create is answered, or at last to show that the service is out of reach.
        """
        silent_since_s = self._weather.silent_since_s
        if silent_since_s is None or self._weather.bad_sends < BAD_SENDS_MAX:
            return
        kept_until_s = silent_since_s + UNREACHABLE_AFTER_S
        while self._waiting and self._waiting[0][0] <= now_s < kept_until_s:
            identity = self._waiting[0][2]
            if self._open[identity].posts < max(1, self._policy.resends_max):  # its first send is nobody's last
                return
            heapq.heappop(self._waiting)
            self.put_off(identity, min(kept_until_s, now_s + KEPT_LOOK_S))
