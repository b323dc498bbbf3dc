"""Buying: which create leaves next, and what its end means for the attempt.

Resends of open attempts go before new purchases: their key's window is running. A new purchase needs a place in
flight, room in the budget, a price class that is not waiting for its first price, and a service that answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jobs.answers import SendEnd, TaskSeen, Uploaded
from jobs.breaker import REFUSALS_MAX, Breaker
from jobs.budget import Fit
from jobs.identity import body_bytes, idempotency_key
from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.pacing import Pacer
from jobs.retry import RetryBudget, backoff_s, wait_s
from jobs.runstate import UNREACHABLE_AFTER_S, RunState
from jobs.steps import Notice, Now, Send, Step, Wait, earliest, join
from jobs.verdict import Follow, Next, Pause, Verdict, VerdictKind, judge, settle

__all__ = ["Buying"]

# Sends in a row that ended badly before no new key is put at risk; open ones are still sent again.
BAD_SENDS_MAX = 3

# How often a kept send looks whether the service answers again.
KEPT_LOOK_S = 15.0

# Nothing but "not now" for this long is no rush hour any more: the run ends, says so, and can go on later.
LIMITED_S_MAX = 6 * 3600.0

# Not bought, because the service refused the same thing too often (`jobs.breaker`).
REFUSED_ALIKE = "refused_alike"

# Pauses after which not even an open attempt is sent again in this life.
_SILENCING = (Pause.AUTH, Pause.NETWORK, Pause.CONFIG)


@dataclass(slots=True)
class _Try:
    """What this life knows of an open attempt beyond its record."""

    since: Now  # when its intent was written, by both of our clocks
    restarted: bool = False  # the intent was found open at the start: a send may have arrived
    posts: int = 0  # those that count against `resends_max`
    tries: int = 0
    conflict_since_s: float | None = None
    fresh_conflict: bool = False  # the key's very first send met a 409

    def age_s(self, now: Now) -> float:
        """Seconds since the intent: one clock stands still while the machine sleeps, the other may be set."""
        return max(now.mono_s - self.since.mono_s, now.wall_s - self.since.wall_s)


class Buying:
    """The create side of a run."""

    def __init__(self, state: RunState, pacer: Pacer) -> None:
        self._state = state
        self._pacer = pacer
        self._resends: list[tuple[float, int, str]] = []
        self._order = 0
        self._tries: dict[str, _Try] = {}
        self._sending: set[str] = set()
        self._epochs: dict[str, int] = {}  # items a person asked to buy again, with their new epoch
        self._bad_sends = 0
        self._probe_due_s = float("-inf")
        self._limited_since_s: float | None = None  # the first "not now" since any other answer
        self._retries = RetryBudget()
        self._breaker = Breaker()

    @property
    def busy(self) -> bool:
        """A create is under way."""
        return bool(self._sending)

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
        self._tries[identity] = _Try(since=Now(now.mono_s - age_s, now.wall_s - age_s), restarted=True)
        state.occupy(identity)
        self._push_resend(identity, now.mono_s)
        return Step()

    def next(self, now: Now, *, new: bool) -> Send | Wait | Step:
        """The next create, or how long there is none; a `Step` means changes without a request: commit, ask again.

        Without `new` only open attempts are sent again: their keys grow old.
        """
        state = self._state
        if state.stopping or any(why in state.pauses for why in _SILENCING):
            return Wait(until_s=None)
        self._keep_last_sends(now)
        paced_s = self._pacer.due_s(now.mono_s)
        resend_s = self._resend_due_s(now)
        if resend_s is not None and resend_s <= now.mono_s:
            return self._resend(now) if paced_s <= now.mono_s else _until(paced_s)
        if not (new and self._may_buy()):
            return _until(resend_s)
        if self._bad_sends >= BAD_SENDS_MAX and self._probe_due_s > now.mono_s:
            return _until(self._probe_due_s)
        pick = state.ready.pick(lambda item: state.books.fit(self.bound(item)), pass_over=self._passes_over)
        if pick.fit is Fit.WAIT and not state.slots:
            pick = state.ready.pick(lambda _: Fit.NEVER, pass_over=False)  # what is held comes back from nobody here
        if pick.item is None:
            return _until(resend_s)
        shut = self._breaker.why(pick.item)
        if shut is not None:
            message = f"{REFUSALS_MAX} items with {shut.what} were refused: {shut.message}"
            return state.skip(state.ready.take(pick.item.identity).identity, now, code=REFUSED_ALIKE, message=message)
        if pick.fit is Fit.TOO_DEAR:
            return self._skip(pick.item, now, "over_per_item", f"per_item is {state.books.per_item}")
        if pick.fit is Fit.NEVER:
            return self._exhausted(pick.item, now)
        if paced_s > now.mono_s:
            return _until(earliest(resend_s, paced_s))
        return self._buy(state.ready.take(pick.item.identity), now)

    def _keep_last_sends(self, now: Now) -> None:
        """While nothing at all is answered, the last send of a key is kept: it would be wasted, and its item in doubt.

        It leaves when the service answers anything, or at last to show that it is out of reach.
        """
        silent_since_s = self._state.unanswered_since_s
        if silent_since_s is None or self._bad_sends < BAD_SENDS_MAX:
            return
        kept_until_s = silent_since_s + UNREACHABLE_AFTER_S
        while self._resends and self._resends[0][0] <= now.mono_s < kept_until_s:
            identity = self._resends[0][2]
            if self._tries[identity].posts < self._state.settings.send_policy.resends_max:
                return
            heapq.heappop(self._resends)
            self._push_resend(identity, min(kept_until_s, now.mono_s + KEPT_LOOK_S))

    def _resend_due_s(self, now: Now) -> float | None:
        """When the first open attempt may be sent again: its own backoff is over, and the run's budget has room.

        What an earlier life left is taken up at once: that is no repetition of this life's.
        """
        if not self._resends:
            return None
        due_s, _, identity = self._resends[0]
        if due_s > now.mono_s or not self._tries[identity].tries:
            return due_s
        return self._retries.due_s(now.mono_s)

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

    def _may_buy(self) -> bool:
        """After a row of bad sends one new key at a time may test the service, when no open one does."""
        state = self._state
        if state.pauses or len(state.slots) >= state.settings.in_flight_max:
            return False
        return self._bad_sends < BAD_SENDS_MAX or not (self._resends or self._sending)

    def _buy(self, item: Item, now: Now) -> Send:
        state = self._state
        previous = state.records[item.identity].attempt
        epoch = self._epochs.pop(item.identity, previous.epoch if previous else 0)
        ordinal = previous.ordinal + 1 if previous and previous.epoch == epoch else 0
        key = idempotency_key(
            account=state.settings.account,
            edition=item.edition,
            identity=item.identity,
            repeat=item.repeat,
            epoch=epoch,
            ordinal=ordinal,
        )
        data = {
            "epoch": epoch,
            "ordinal": ordinal,
            "key": key,
            "bound": self.bound(item),
            "price_class": item.price_class,
            "scope": state.settings.scope,
            "server_at_s": state.server_s(now),
        }
        step = state.move(item.identity, EventType.INTENT, now, data, body=self._body(item, key))
        state.occupy(item.identity)
        self._tries[item.identity] = _Try(since=now)
        self._sending.add(item.identity)
        return Send(identity=item.identity, key=key, token=self._pacer.leave(now.mono_s), step=step)

    def _body(self, item: Item, key: str) -> bytes:
        held = [self._state.uploads[reference.sha256] for reference in item.references]
        return body_bytes(
            model=item.model,
            prompt=item.prompt,
            params=item.params,
            reference_items=[_reference_item(uploaded) for uploaded in held],
            client_request_id=key,
        )

    def _resend(self, now: Now) -> Send | Step:
        identity = heapq.heappop(self._resends)[2]
        state, tried = self._state, self._tries[identity]
        window_s = state.settings.send_policy.key_window_s
        if (tried.restarted or state.attempt(identity).ambiguous) and tried.age_s(now) >= window_s:
            reason = f"not sent again within {window_s / 60:.0f} min; the service may have forgotten the key"
            step = state.move(identity, EventType.UNCERTAIN, now, {"reason": reason})
            self._leave(identity)
            return step
        self._sending.add(identity)
        if tried.tries:
            self._retries.resent(now.mono_s)
        key = state.attempt(identity).key
        return Send(identity=identity, key=key, token=self._pacer.leave(now.mono_s), step=Step())

    def _skip(self, item: Item, now: Now, code: str, room: str) -> Step:
        self._state.ready.take(item.identity)
        message = f"needs {self.bound(item)} credits or more; {room}"
        return self._state.skip(item.identity, now, code=code, message=message)

    def _exhausted(self, item: Item, now: Now) -> Step:
        books = self._state.books
        room = f"{max(0, books.left or 0)} of the budget's {books.cap} are left"
        if self._passes_over:
            return self._skip(item, now, "budget_exhausted", room)
        return Step(
            notices=self._state.pause(Pause.BUDGET, f"the next item needs {self.bound(item)} credits or more; {room}")
        )

    def ended(self, send: Send, end: SendEnd, now: Now) -> Step:
        """One send ended: what it proves, and what follows."""
        state = self._state
        self._sending.discard(send.identity)
        end = self._without_twin(send, end)
        verdict = judge(end)
        notices = state.pace(self._pacer, send.token, end, now) + state.contact(end, now)
        notices += self._count_limited(verdict, now)
        follow = self._follow(send.identity, verdict, now)
        self._count_bad(verdict, now)
        if verdict.pause is not None:
            notices += state.pause(verdict.pause, end.reason)
        step = self._apply(send.identity, verdict, follow, now)
        if Pause.CONFIG in state.pauses:
            self._hold_all()
        return join(step, Step(notices=notices))

    def _without_twin(self, send: Send, end: SendEnd) -> SendEnd:
        """A task that was made for another attempt is no answer to this one, whatever the service means by it."""
        if end.task is None or self._state.task_keys.setdefault(end.task.id, send.key) == send.key:
            return end
        return replace(end, task=None, reason=f"the service named {end.task.id}, which belongs to another attempt")

    def _follow(self, identity: str, verdict: Verdict, now: Now) -> Follow:
        state, tried = self._state, self._tries[identity]
        attempt = state.attempt(identity)
        tried.tries += 1
        if verdict.kind not in (VerdictKind.NOT_SENT, VerdictKind.LIMITED):
            tried.posts += 1
        if verdict.kind is VerdictKind.CONFLICT and tried.conflict_since_s is None:
            tried.conflict_since_s = now.mono_s
            tried.fresh_conflict = tried.tries == 1 and not (tried.restarted or attempt.ambiguous)
        out_of_reach = Pause.NETWORK in state.pauses  # for this key as for any: it stays open for a later life
        return settle(
            verdict,
            ambiguous=attempt.ambiguous or tried.restarted,
            resends=-1 if out_of_reach else tried.posts - 1,
            age_s=tried.age_s(now),
            conflict_age_s=None if tried.conflict_since_s is None else now.mono_s - tried.conflict_since_s,
            fresh_conflict=tried.fresh_conflict,
            policy=state.settings.send_policy,
        )

    def _count_limited(self, verdict: Verdict, now: Now) -> tuple[Notice, ...]:
        if verdict.kind is not VerdictKind.LIMITED:
            self._limited_since_s = None
            return ()
        if self._limited_since_s is None:
            self._limited_since_s = now.mono_s
        if now.mono_s - self._limited_since_s < LIMITED_S_MAX:
            return ()
        reason = f"creates were refused for {LIMITED_S_MAX / 3600:.0f} h without a break, last: {verdict.end.reason}"
        return self._state.pause(Pause.NETWORK, reason)

    def _count_bad(self, verdict: Verdict, now: Now) -> None:
        if verdict.kind in (VerdictKind.AMBIGUOUS, VerdictKind.NOT_SENT):
            self._bad_sends += 1
            self._probe_due_s = now.mono_s + backoff_s(self._bad_sends, self._state.settings.spread())
        elif verdict.kind is not VerdictKind.LIMITED:
            self._bad_sends = 0

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
            return join(step, Step(notices=state.item_failed() + self._refused_alike(identity, data)))
        sent = {
            "outcome": verdict.kind.value,
            "ambiguous": follow.ambiguous,
            "status": end.status,
            "request_id": end.request_id,
            "reason": follow.reason,
        }
        step = state.move(identity, EventType.SEND_ENDED, now, sent)
        if follow.next is Next.RESEND:
            tries, spread = self._tries[identity].tries, state.settings.spread()
            self._push_resend(identity, now.mono_s + wait_s(tries, end.retry_after_s, spread))
            return step
        if follow.next is Next.PARK:
            step = join(step, state.move(identity, EventType.UNCERTAIN, now, {"reason": follow.reason}))
        self._leave(identity)
        return step

    def _accept(self, identity: str, task: TaskSeen, end: SendEnd, now: Now) -> Step:
        state, bound = self._state, self._state.attempt(identity).bound
        data = {"task_id": task.id, "reserved_credits": task.reserved_credits, "request_id": end.request_id}
        step = state.move(identity, EventType.ACCEPTED, now, data)
        self._retries.went_well(resend=self._tries.pop(identity).tries > 1)
        self._breaker.taken(state.items[identity])
        if not task.reserved_credits:
            return step
        return join(step, Step(notices=state.figure_seen(identity, bound, task.reserved_credits)))

    def _refused_alike(self, identity: str, refusal: Mapping[str, object]) -> tuple[Notice, ...]:
        """The same refusal again: perhaps everything that shares a value with this item would meet it too."""
        state = self._state
        code, message = str(refusal["code"]), str(refusal["message"])
        shut = self._breaker.refused(state.items[identity], code=code, message=message, left=state.ready)
        if shut is None:
            return ()
        return (Notice(name="shut", data={"what": shut.what, "times": REFUSALS_MAX, "code": code, "why": message}),)

    def _leave(self, identity: str) -> None:
        self._tries.pop(identity, None)
        self._state.release(identity)

    def _hold_all(self) -> None:
        """Nothing can be created at this address: open attempts stay open for a later life."""
        for _, _, identity in self._resends:
            self._leave(identity)
        self._resends.clear()

    def _push_resend(self, identity: str, due_s: float) -> None:
        self._order += 1
        heapq.heappush(self._resends, (due_s, self._order, identity))


def _reference_item(uploaded: Uploaded) -> dict[str, object]:
    item: dict[str, object] = {
        "url": uploaded.url,
        "kind": uploaded.kind,
        "name": uploaded.name,
        "mimeType": uploaded.mime_type,
    }
    if uploaded.duration_s is not None:
        item["durationSeconds"] = uploaded.duration_s
    if uploaded.duration_token is not None:
        item["durationToken"] = uploaded.duration_token
    return item


def _until(moment_s: float | None) -> Wait:
    return Wait(until_s=None if moment_s == float("inf") else moment_s)
