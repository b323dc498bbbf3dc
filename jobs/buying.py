"""Buying: which create leaves next, and what its end means for the attempt.

Resends of open attempts go before new purchases: their key's window is running. A new purchase needs a place in
flight, room in the budget, a price class that is not waiting for its first price, and a service that answers.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from jobs.answers import SendEnd, TaskSeen
from jobs.breaker import REFUSALS_MAX, Breaker
from jobs.budget import Fit
from jobs.intent import create_body, intent_of
from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.pacing import Pacer
from jobs.record import NOT_SENT_CODE, RUNNER, Money
from jobs.resending import BAD_SENDS_MAX, Resending, Weather
from jobs.retry import BACKOFF_CAP_S, wait_s
from jobs.runstate import BUDGET_EXHAUSTED, RunState
from jobs.steps import NOTHING, Notice, Now, Send, Step, Wait, earliest, join, tell, until
from jobs.together import LOOK_S, Together
from jobs.verdict import Follow, Next, Pause, Verdict, VerdictKind, judge, settle
from jobs.wording import count

__all__ = ["Buying"]

# Not bought, because the service refused the same thing too often (`jobs.breaker`).
REFUSED_ALIKE = "refused_alike"

# Pauses after which no create leaves in this life, and nothing waits for it.
_GIVING_UP = frozenset({Pause.CONFIG, Pause.CREATES})
# Pauses after which not even an open attempt is sent again in this life.
_SILENCING = _GIVING_UP | {Pause.AUTH, Pause.NETWORK}
# Pauses after which nothing leaves that would make a task, be it decided on or refused before. What was decided on fits
# a budget that is used up since.
_ENDING = frozenset({Pause.CREDITS, Pause.DISK, Pause.HALT, Pause.VANISHED})

# A create without an answer for so long hangs: what is answered at all is answered sooner. Its own end may take longer.
HANGS_S = 60.0

# A doubtful key is sent once more this long before it is too old, whatever the service asks for.
WINDOW_MARGIN_S = 300.0


class Buying:
    """The create side of a run."""

    def __init__(self, state: RunState, pacer: Pacer) -> None:
        self._state = state
        self._pacer = pacer
        self._weather = Weather()
        self._resending = Resending(state.settings.send_policy, self._weather)
        self._sending: dict[str, float] = {}  # since when (monotonic seconds)
        self._was_held = False
        self._epochs: dict[str, int] = {}  # items a person asked to buy again, with their new epoch
        self._breaker = Breaker()
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

    def adopt(self, identity: str, now: Now) -> Step:
        """An intent left open by an earlier life: send it again with its own key and bytes, or give up guessing."""
        state = self._state
        age_s = state.age_s(state.attempt(identity), now)
        if age_s is None or age_s >= state.settings.send_policy.key_window_s:
            told = "an unknown time" if age_s is None else f"{age_s / 60:.0f} min"
            reason = f"its create was sent or about to be, {told} ago; the service may have forgotten the key since"
            return state.move(identity, EventType.UNCERTAIN, now, {"reason": reason})
        self._resending.open(identity, Now(now.mono_s - age_s, now.wall_s - age_s), restarted=True)
        state.occupy(identity)
        self._resending.put_off(identity, now.mono_s)
        return NOTHING

    def next(self, now: Now, *, new: bool, ahead_s: float) -> Send | Wait | Step:
        """The next create, or how long there is none; a `Step` means changes without a request: commit, ask again.

        Without `new` only open attempts are sent again: their keys grow old. A new one may be decided on `ahead_s`
        before its slot, so that it is durable when that comes.
        """
        state = self._state
        if state.pauses and (given_up := self._given_up(now)) is not None:
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
        state = self._state
        window_s = state.settings.send_policy.key_window_s
        if self.may_have_arrived(identity) and self._age_s(identity, now) >= window_s:
            reason = f"not sent again within {window_s / 60:.0f} min; the service may have forgotten the key"
            step = state.move(identity, EventType.UNCERTAIN, now, {"reason": reason})
            self._leave(identity)
            return step
        self._sending[identity] = now.mono_s
        self._resending.leaves(identity, now.mono_s)
        key = state.attempt(identity).key
        token = self._pacer.leave(now.mono_s)
        return Send(identity=identity, key=key, token=token, step=NOTHING, leave_s=now.mono_s)

    def keep_back(self, send: Send, now: Now) -> Step | None:
        """A create that was decided on must not leave now: it waits like one that is sent again, or is given up when
        there is nothing to wait for. None: it may leave.
        """
        is_held = self._is_held and not self.may_have_arrived(send.identity)
        is_over = not (_ENDING.isdisjoint(self._state.pauses) or self.may_have_arrived(send.identity))
        if not (self.silenced or is_held or is_over) and self._pacer.may_leave(send.token, now.mono_s):
            return None
        self._sending.pop(send.identity, None)
        self._state.limits.returned(self._pacer, send.token, now.mono_s)
        if is_over:
            return self._let_go(send.identity, now)
        self._resending.put_off(send.identity, now.mono_s, needs_place=not self.may_have_arrived(send.identity))
        return self._given_up(now) or NOTHING

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
        self._leave(send.identity)
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
        """One send ended: what it proves, and what follows."""
        state = self._state
        self._sending.pop(send.identity, None)
        self.together.before.pop(send.identity, None)
        end = self._without_twin(send, end)
        verdict = judge(end)
        notices = state.pace(self._pacer, send.token, end, now, running=self.running) + state.contact(end, now)
        over = self._weather.ended(verdict, now.mono_s, spread=state.settings.spread())
        if over is not None and Pause.NETWORK not in state.pauses:
            notices += state.pause(Pause.CREATES, over)
        follow = self._follow(send.identity, verdict, now)
        if verdict.pause is not None:
            notices += state.pause(verdict.pause, end.reason)
        step = self._apply(send.identity, verdict, follow, now)
        step = join(step, self._given_up(now) or NOTHING)
        return join(step, tell(notices))

    def _without_twin(self, send: Send, end: SendEnd) -> SendEnd:
        """A task that was made for another attempt is no answer to this one, whatever the service means by it."""
        if end.task is None or self._state.task_keys.setdefault(end.task.id, send.key) == send.key:
            return end
        return replace(end, task=None, reason=f"the service named {end.task.id}, which belongs to another attempt")

    def _follow(self, identity: str, verdict: Verdict, now: Now) -> Follow:
        state, tried = self._state, self._resending[identity]
        attempt = state.attempt(identity)
        tried.tries += 1
        if verdict.kind not in (VerdictKind.NOT_SENT, VerdictKind.LIMITED):
            tried.posts += 1
        if verdict.kind is VerdictKind.CONFLICT and tried.conflict_since_s is None:
            tried.conflict_since_s = now.mono_s
        # Out of reach for this key as for any: it stays open for a later life.
        out_of_reach = Pause.NETWORK in state.pauses or Pause.CREATES in state.pauses
        return settle(
            verdict,
            ambiguous=attempt.ambiguous or tried.restarted,
            resends=-1 if out_of_reach else tried.posts - 1,
            age_s=self._age_s(identity, now),
            conflict_age_s=None if tried.conflict_since_s is None else now.mono_s - tried.conflict_since_s,
            policy=state.settings.send_policy,
        )

    def _apply(self, identity: str, verdict: Verdict, follow: Follow, now: Now) -> Step:
        state, end, error = self._state, verdict.end, verdict.error
        if follow.next is Next.ACCEPT:
            assert verdict.task is not None
            return self._accept(identity, verdict.task, end, now)
        if follow.next is Next.REJECT:
            code = error.code if error else f"http_{end.status}"
            data = {"code": code, "message": error.message if error else end.reason, "request_id": end.request_id}
            step = state.move(identity, EventType.REJECTED, now, data)
            self._leave(identity)
            if verdict.kind is VerdictKind.NO_CREDITS:
                return step
            return join(step, tell(state.item_failed() + self._refused_alike(identity, data)))
        sent = {
            "outcome": verdict.kind.value,
            "ambiguous": follow.ambiguous,
            "status": end.status,
            "request_id": end.request_id,
            "reason": follow.reason,
        }
        step = state.move(identity, EventType.SEND_ENDED, now, sent)
        if follow.next is Next.RESEND:
            self._put_off(identity, end, now)
            return step
        if follow.next is Next.PARK:
            step = join(step, state.move(identity, EventType.UNCERTAIN, now, {"reason": follow.reason}))
        self._leave(identity)
        return step

    def _accept(self, identity: str, task: TaskSeen, end: SendEnd, now: Now) -> Step:
        state, bound = self._state, self._state.attempt(identity).bound
        data = {"task_id": task.id, "reserved_credits": task.reserved_credits, "request_id": end.request_id}
        step = state.move(identity, EventType.ACCEPTED, now, data)
        self._resending.accepted(identity)
        self._breaker.taken(state.items[identity])
        if not task.reserved_credits:
            return step
        return join(step, tell(state.figure_seen(identity, bound, task.reserved_credits)))

    def _refused_alike(self, identity: str, refusal: Mapping[str, object]) -> tuple[Notice, ...]:
        """The same refusal again: perhaps everything that shares a value with this item would meet it too."""
        state = self._state
        code, message = str(refusal["code"]), str(refusal["message"])
        shut = self._breaker.refused(state.items[identity], code=code, message=message, left=state.unbought())
        if shut is None:
            return ()
        return (Notice(name="shut", data={"what": shut.what, "times": REFUSALS_MAX, "code": code, "why": message}),)

    def _leave(self, identity: str) -> None:
        self._resending.close(identity)
        self._state.release(identity)

    def _put_off(self, identity: str, end: SendEnd, now: Now) -> None:
        """Wait as long as the service wishes, but not until a doubtful key has grown too old to be sent again."""
        state = self._state
        pause_s = wait_s(self._resending[identity].tries, end.retry_after_s, state.settings.spread())
        if state.attempt(identity).ambiguous:
            left_s = state.settings.send_policy.key_window_s - WINDOW_MARGIN_S - self._age_s(identity, now)
            pause_s = min(pause_s, max(left_s, BACKOFF_CAP_S))
        self._resending.put_off(identity, now.mono_s + pause_s, needs_place=not self.may_have_arrived(identity))

    def may_have_arrived(self, identity: str) -> bool:
        """Whether the task may be there: then a resend takes no place, and its key grows old."""
        return self._state.attempt(identity).ambiguous or self._resending[identity].restarted

    def _age_s(self, identity: str, now: Now) -> float:
        """Seconds since the intent, by whichever clock makes it oldest: the service may tell its time only later."""
        told_s = self._state.age_s(self._state.attempt(identity), now)
        return max(self._resending[identity].age_s(now), told_s or 0.0)

    def _given_up(self, now: Now) -> Step | None:
        """What waits for a create that pauses, wherever they came from, allow no more in this life. None: nothing."""
        pauses = self._state.pauses
        is_all = not _GIVING_UP.isdisjoint(pauses)
        if not is_all and _ENDING.isdisjoint(pauses):
            return None
        left = self._resending.give_up(doubtful=is_all)
        return self._all_let_go(left, now) if left else None

    def give_up(self, now: Now) -> Step:
        """Nothing is sent again in this life."""
        return self._all_let_go(self._resending.give_up(doubtful=True), now)

    def _all_let_go(self, identities: Iterable[str], now: Now) -> Step:
        step = NOTHING
        for identity in identities:
            step = join(step, self._let_go(identity, now))
        return step

    def _let_go(self, identity: str, now: Now) -> Step:
        """This one is not sent in this life any more. It stays open for a later one, unless it never left.

        An attempt that this life opened, and of which no byte left, is no purchase: its credits are free again. Of one
        that an earlier life opened, or that is under way, a send may have left unseen.
        """
        if self._never_left(identity):
            return self._undo(identity, now)
        self._leave(identity)
        return NOTHING

    def _never_left(self, identity: str) -> bool:
        attempt = self._state.attempt(identity)
        return not (attempt.sends or attempt.ambiguous or self._resending[identity].restarted)

    def _undo(self, identity: str, now: Now) -> Step:
        data = {"code": NOT_SENT_CODE, "message": "no byte of its create left this machine", "by": RUNNER}
        step = self._state.move(identity, EventType.REJECTED, now, data)
        self._leave(identity)
        return step
