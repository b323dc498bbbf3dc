"""What becomes of an open attempt: what the end of a send proves of it, whether it is sent again, when it is let go.

It is open from its intent on, until it is a task, was refused, or nobody can tell any more: `uncertain`. When nothing
more leaves in this life it stays open for a later one, unless no byte of it ever left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jobs.answers import SendEnd, TaskSeen
from jobs.breaker import REFUSALS_MAX, Breaker
from jobs.lifecycle import EventType
from jobs.record import NOT_SENT_CODE, RUNNER
from jobs.resending import Resending
from jobs.retry import BACKOFF_CAP_S, wait_s
from jobs.runstate import RunState
from jobs.steps import NOTHING, Notice, Now, Step, join, tell
from jobs.verdict import Follow, Next, Pause, Verdict, VerdictKind, settle

__all__ = ["ENDING", "GIVING_UP", "OpenAttempts"]

# Pauses after which no create leaves in this life, and nothing waits for it.
GIVING_UP = frozenset({Pause.CONFIG, Pause.CREATES})
# Pauses after which nothing leaves that would make a task, be it decided on or refused before. What was decided on fits
# a budget that is used up since.
ENDING = frozenset({Pause.CREDITS, Pause.DISK, Pause.HALT, Pause.VANISHED})

# A doubtful key is sent once more this long before it is too old, whatever the service asks for.
WINDOW_MARGIN_S = 300.0


class OpenAttempts:
    """The open attempts that `Resending` holds for this life: they are taken up, judged by their sends, and closed."""

    def __init__(self, state: RunState, resending: Resending, breaker: Breaker) -> None:
        self._state = state
        self._resending = resending
        self._breaker = breaker

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

    def may_have_arrived(self, identity: str) -> bool:
        """Whether the task may be there: then a resend takes no place, and its key grows old."""
        return self._state.attempt(identity).ambiguous or self._resending[identity].restarted

    def park_if_old(self, identity: str, now: Now) -> Step | None:
        """A resend is due, and its key is too old for one: nobody can tell any more. None: it may leave."""
        state = self._state
        window_s = state.settings.send_policy.key_window_s
        if not self.may_have_arrived(identity) or self._age_s(identity, now) < window_s:
            return None
        reason = f"not sent again within {window_s / 60:.0f} min; the service may have forgotten the key"
        step = state.move(identity, EventType.UNCERTAIN, now, {"reason": reason})
        self.close(identity)
        return step

    def _age_s(self, identity: str, now: Now) -> float:
        """Seconds since the intent, by whichever clock makes it oldest: the service may tell its time only later."""
        told_s = self._state.age_s(self._state.attempt(identity), now)
        return max(self._resending[identity].age_s(now), told_s or 0.0)

    def ended(self, identity: str, verdict: Verdict, now: Now) -> Step:
        """A send of it ended: what follows from its verdict, and from what is known of the attempt already."""
        follow, end, error = self._follow(identity, verdict, now), verdict.end, verdict.error
        state = self._state
        if follow.next is Next.ACCEPT:
            assert verdict.task is not None
            return self._accept(identity, verdict.task, end, now)
        if follow.next is Next.REJECT:
            code = error.code if error else f"http_{end.status}"
            data = {"code": code, "message": error.message if error else end.reason, "request_id": end.request_id}
            step = state.move(identity, EventType.REJECTED, now, data)
            self.close(identity)
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
        self.close(identity)
        return step

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

    def _put_off(self, identity: str, end: SendEnd, now: Now) -> None:
        """Wait as long as the service wishes, but not until a doubtful key has grown too old to be sent again."""
        state = self._state
        pause_s = wait_s(self._resending[identity].tries, end.retry_after_s, state.settings.spread())
        if state.attempt(identity).ambiguous:
            left_s = state.settings.send_policy.key_window_s - WINDOW_MARGIN_S - self._age_s(identity, now)
            pause_s = min(pause_s, max(left_s, BACKOFF_CAP_S))
        self._resending.put_off(identity, now.mono_s + pause_s, needs_place=not self.may_have_arrived(identity))

    def close(self, identity: str) -> None:
        """It is over, for good or for this life: its place is free."""
        self._resending.close(identity)
        self._state.release(identity)

    def heed_pauses(self, now: Now) -> Step | None:
        """Let go of what waits for a create that pauses, wherever they came from, allow no more. None: of nothing."""
        pauses = self._state.pauses
        is_all = not GIVING_UP.isdisjoint(pauses)
        if not is_all and ENDING.isdisjoint(pauses):
            return None
        left = self._resending.give_up(doubtful=is_all)
        return self._all_let_go(left, now) if left else None

    def give_up(self, now: Now) -> Step:
        """Let go of all that waits: nothing is sent again in this life."""
        return self._all_let_go(self._resending.give_up(doubtful=True), now)

    def _all_let_go(self, identities: Iterable[str], now: Now) -> Step:
        step = NOTHING
        for identity in identities:
            step = join(step, self.let_go(identity, now))
        return step

    def let_go(self, identity: str, now: Now) -> Step:
        """This one is not sent in this life any more. It stays open for a later one, unless it never left.

        An attempt that this life opened, and of which no byte left, is no purchase: its credits are free again. Of one
        that an earlier life opened, or that is under way, a send may have left unseen.
        """
        if self._never_left(identity):
            return self._undo(identity, now)
        self.close(identity)
        return NOTHING

    def _never_left(self, identity: str) -> bool:
        attempt = self._state.attempt(identity)
        return not (attempt.sends or attempt.ambiguous or self._resending[identity].restarted)

    def _undo(self, identity: str, now: Now) -> Step:
        data = {"code": NOT_SENT_CODE, "message": "no byte of its create left this machine", "by": RUNNER}
        step = self._state.move(identity, EventType.REJECTED, now, data)
        self.close(identity)
        return step
