"""Buying: which create leaves next. What becomes of its attempt is told by `open_attempts`.

Resends of open attempts go before new purchases: their key's window is running. A new purchase needs a place in
flight, room in the budget, a price class that is not waiting for its first price, and a service that answers.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace

from jobs.answers import SendEnd
from jobs.breaker import REFUSALS_MAX, Breaker
from jobs.budget import Fit
from jobs.intent import create_body, intent_of
from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.open_attempts import ENDING, GIVING_UP, OpenAttempts
from jobs.pacing import Pacer
from jobs.record import Money
from jobs.resending import BAD_SENDS_MAX, Resending, Weather
from jobs.runstate import BUDGET_EXHAUSTED, RunState
from jobs.steps import NOTHING, Now, Send, Step, Wait, earliest, join, tell, until
from jobs.together import LOOK_S, Together
from jobs.verdict import Pause, judge
from jobs.wording import count

__all__ = ["Buying"]

# Not bought, because the service refused the same thing too often (`jobs.breaker`).
REFUSED_ALIKE = "refused_alike"

# Pauses after which not even an open attempt is sent again in this life.
_SILENCING = GIVING_UP | {Pause.AUTH, Pause.NETWORK}

# A create without an answer for so long hangs: what is answered at all is answered sooner. Its own end may take longer.
HANGS_S = 60.0


class Buying:
    """The create side of a run."""

    def __init__(self, state: RunState, pacer: Pacer) -> None:
        self._state = state
        self._pacer = pacer
        self._weather = Weather()
        self._breaker = Breaker()
        self._resending = Resending(state.settings.send_policy, self._weather)
        self.attempts = OpenAttempts(state, self._resending, self._breaker)
        self._sending: dict[str, float] = {}  # since when (monotonic seconds)
        self._was_held = False
        self._epochs: dict[str, int] = {}  # items a person asked to buy again, with their new epoch
        self.together = Together(state)

    @property
    def busy(self) -> bool:
        """A create is under way."""
        return bool(self._sending)

    @property
    def sending(self) -> Container[str]:
        """Items whose create is under way."""
        return self._sending

    @property
    def weather(self) -> Weather:
        """How the service takes creates."""
        return self._weather

    @property
    def silenced(self) -> bool:
        """Nothing is sent in this life any more, open attempts included."""
        return self._state.stopping or not _SILENCING.isdisjoint(self._state.pauses)

    def due_moments(self, chosen: Container[str]) -> dict[str, float]:
        """When those of the chosen that wait to be sent again may be, for their own part."""
        return self._resending.due_moments(chosen)

    def resends_allowed_s(self, now_s: float) -> float:
        """When the budget of all resends lets the next one go."""
        return self._resending.allowed_s(now_s)

    def buy_again(self, identity: str, epoch: int) -> None:
        """A person's explicit command: the next attempt of this item starts a new epoch."""
        self._epochs[identity] = epoch

    def next(self, now: Now, *, new: bool, ahead_s: float) -> Send | Wait | Step:
        """The next create, or how long there is none; a `Step` means changes without a request: commit, ask again.

        Without `new` only open attempts are sent again: their keys grow old. A new one may be decided on `ahead_s`
        before its slot, so that it is durable when that comes.
        """
        state = self._state
        if state.pauses and (given_up := self.attempts.heed_pauses(now)) is not None:
            return given_up
        if self.silenced:
            return until(None)
        self._heed_rest()
        resend_s = self._resending.due_s(now.mono_s, self.place_s) if self._resending else None
        if resend_s is not None and resend_s <= now.mono_s:
            paced_s = self._pacer.due_s(now.mono_s)
            return self._resend(now) if paced_s <= now.mono_s else until(paced_s)
        if not (new and state.ready and self._has_place):
            return until(resend_s)
        if self._weather.bad_sends >= BAD_SENDS_MAX and (tested_s := self._tested_until_s()) > now.mono_s:
            return until(earliest(resend_s, tested_s))
        pick = state.ready.pick(lambda item: state.books.fit(self.bound(item)), pass_over=self._passes_over)
        look_s = self.together.look_s(pick.fit, now)
        if look_s is not None:
            return until(earliest(resend_s, look_s))
        if pick.fit is Fit.WAIT and not state.slots:
            pick = state.ready.pick(lambda _: Fit.NEVER, pass_over=False)  # what is held comes back from nobody here
        if pick.item is None:
            return until(resend_s)
        shut = self._breaker.why(pick.item)
        if shut is not None:
            message = f"{REFUSALS_MAX} items with {shut.what} were refused: {shut.message}"
            return state.skip(state.ready.take(pick.item.identity).identity, now, code=REFUSED_ALIKE, message=message)
        if pick.fit is not Fit.YES:
            return self._unfit(pick.item, pick.fit, now, resend_s)
        paced_s = max(now.mono_s, self.place_s(), self._pacer.due_s(now.mono_s))
        wait_s = self._ask_again_s(paced_s, now, ahead_s)
        if wait_s is not None:
            return until(earliest(resend_s, wait_s))
        return self._buy(state.ready.take(pick.item.identity), now, leave_s=paced_s)

    def _unfit(self, item: Item, fit: Fit | None, now: Now, resend_s: float | None) -> Wait | Step:
        """The next item may not be bought: too dear, or the budget leaves no room for it."""
        if fit is Fit.TOO_DEAR:
            return self._skip(item, now, "over_per_item", f"per_item is {self._state.books.per_item}")
        if self._state.owed:  # credits may come back: first see
            return until(earliest(resend_s, now.mono_s + LOOK_S))
        return self._exhausted(item, now)

    def _ask_again_s(self, paced_s: float, now: Now, ahead_s: float) -> float | None:
        """When to ask again for a create that may leave at `paced_s`; None: it may be decided on now."""
        if paced_s > now.mono_s + ahead_s:
            return paced_s - ahead_s
        # It may also be the moment of a look whether an answer came, and no slot.
        return paced_s if paced_s > now.mono_s and self._pacer.due_s(paced_s) > paced_s else None

    @property
    def running(self) -> int:
        """Tasks that were accepted, and not seen to end."""
        return len(self._state.slots) - self._resending.opened

    def place_s(self) -> float:
        """When a create that makes a task may leave, for what is known of how many the service runs at once."""
        return math.inf if self._is_held else self._state.limits.places.due_s(self.running, len(self._sending))

    @property
    def _is_held(self) -> bool:
        """What makes a task waits for somebody or something, also what was decided on, and then goes on."""
        pauses = self._state.pauses
        return bool(pauses) and (Pause.PERSON in pauses or Pause.POLLS in pauses)

    def _heed_rest(self) -> None:
        """After a pause that ends, what befell creates before it says nothing: nobody tried meanwhile."""
        if self._state.pauses:
            self._was_held |= self._is_held
        elif self._was_held:
            self._was_held = False
            self._weather.rested()

    @property
    def _passes_over(self) -> bool:
        return self._state.settings.on_exhausted == "skip"

    def bound(self, item: Item) -> int:
        """Credits to hold for one attempt: the class's highest price seen, else the catalogue's base.

        With neither, the whole rest of the budget: what is unknown is not zero.
        """
        state = self._state
        seen = state.prices.get(item.price_class)
        if seen is not None:
            return seen
        if item.credits is not None:
            return item.credits
        return 0 if state.books.left is None else max(1, state.books.left)

    @property
    def _has_place(self) -> bool:
        """Whether anything new may be bought: nobody forbids it, and the user's number of tasks has room."""
        state = self._state
        return not state.pauses and len(state.slots) < state.settings.in_flight_max

    def _tested_until_s(self) -> float:
        """After a row of bad sends one new key at a time tests the service: how long the next one waits.

        For an open one that is to be sent again, and for what is under way, unless that hangs.
        """
        if len(self._resending):
            return math.inf
        return max(self._weather.probe_due_s, max(self._sending.values(), default=-math.inf) + HANGS_S)

    def _buy(self, item: Item, now: Now, *, leave_s: float) -> Send:
        state = self._state
        before = state.records[item.identity]
        previous = before.attempt
        epoch = self._epochs.pop(item.identity, previous.epoch if previous else 0)
        data = intent_of(
            item,
            previous,
            epoch=epoch,
            bound=self.bound(item),
            server_at_s=state.server_s(now),
            settings=state.settings,
        )
        key = str(data["key"])
        body = create_body(item, key, state.uploads)
        step = state.move(item.identity, EventType.INTENT, now, data, body=body)
        if state.books.shared is not None:
            self.together.before[item.identity] = before
        state.occupy(item.identity)
        self._resending.open(item.identity, now)
        self._sending[item.identity] = leave_s
        return Send(identity=item.identity, key=key, token=self._pacer.leave(leave_s), step=step, leave_s=leave_s)

    def _resend(self, now: Now) -> Send | Step:
        identity = self._resending.take(now.mono_s)
        parked = self.attempts.park_if_old(identity, now)
        if parked is not None:
            return parked
        self._sending[identity] = now.mono_s
        self._resending.leaves(identity, now.mono_s)
        key = self._state.attempt(identity).key
        token = self._pacer.leave(now.mono_s)
        return Send(identity=identity, key=key, token=token, step=NOTHING, leave_s=now.mono_s)

    def keep_back(self, send: Send, now: Now) -> Step | None:
        """A create that was decided on must not leave now: it waits like one that is sent again, or is given up when
        there is nothing to wait for. None: it may leave.
        """
        needs_place = not self.attempts.may_have_arrived(send.identity)
        is_held = needs_place and self._is_held
        is_over = needs_place and not ENDING.isdisjoint(self._state.pauses)
        if not (self.silenced or is_held or is_over) and self._pacer.may_leave(send.token, now.mono_s):
            return None
        self._sending.pop(send.identity, None)
        self._state.limits.returned(self._pacer, send.token, now.mono_s)
        if is_over:
            return self.attempts.let_go(send.identity, now)
        self._resending.put_off(send.identity, now.mono_s, needs_place=needs_place)
        return self.attempts.heed_pauses(now) or NOTHING

    def take_back(self, send: Send, now: Now) -> None:
        """The ledger refused this intent, because others hold what it needs: it never was, and its item waits."""
        state, before = self._state, self.together.before.pop(send.identity)
        epoch = state.attempt(send.identity).epoch
        if epoch != (before.attempt.epoch if before.attempt else 0):
            self._epochs[send.identity] = epoch
        state.books = state.books.moved(Money(reserved=-state.attempt(send.identity).reserved))
        state.records[send.identity] = before
        self._sending.pop(send.identity, None)
        state.limits.returned(self._pacer, send.token, now.mono_s)
        self.attempts.close(send.identity)
        state.ready.add(state.items[send.identity])

    def _skip(self, item: Item, now: Now, code: str, room: str) -> Step:
        self._state.ready.take(item.identity)
        message = f"needs {count(self.bound(item), 'credit')} or more; {room}"
        return self._state.skip(item.identity, now, code=code, message=message)

    def _exhausted(self, item: Item, now: Now) -> Step:
        books = self._state.books
        room = f"{max(0, books.left or 0)} of the budget's {books.cap} are left"
        if self._passes_over:
            return self._skip(item, now, BUDGET_EXHAUSTED, room)
        reason = f"the next item needs {count(self.bound(item), 'credit')} or more; {room}"
        return Step(notices=self._state.pause(Pause.BUDGET, reason))

    def ended(self, send: Send, end: SendEnd, now: Now) -> Step:
        """One send ended: what it proves, of the service and of the attempt, and what follows."""
        state = self._state
        self._sending.pop(send.identity, None)
        self.together.before.pop(send.identity, None)
        end = self._without_twin(send, end)
        verdict = judge(end)
        notices = state.pace(self._pacer, send.token, end, now, running=self.running) + state.contact(end, now)
        over = self._weather.ended(verdict, now.mono_s, spread=state.settings.spread())
        if over is not None and Pause.NETWORK not in state.pauses:
            notices += state.pause(Pause.CREATES, over)
        if verdict.pause is not None:
            notices += state.pause(verdict.pause, end.reason)
        step = self.attempts.ended(send.identity, verdict, now)
        step = join(step, self.attempts.heed_pauses(now) or NOTHING)
        return join(step, tell(notices))

    def _without_twin(self, send: Send, end: SendEnd) -> SendEnd:
        """A task that was made for another attempt is no answer to this one, whatever the service means by it."""
        if end.task is None or self._state.task_keys.setdefault(end.task.id, send.key) == send.key:
            return end
        return replace(end, task=None, reason=f"the service named {end.task.id}, which belongs to another attempt")
