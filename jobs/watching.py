"""Watching: when to ask for a task, and what its status means for the item."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.demand import Demand
from jobs.lifecycle import EventType, ItemState
from jobs.looking_back import LookingBack
from jobs.pacing import Pacer
from jobs.poll_queue import PollQueue
from jobs.polling import Noticed
from jobs.record import NO_CREDITS_CODE, Attempt
from jobs.retry import RETRY_AFTER_CAP_S
from jobs.runstate import RunState
from jobs.sight import Sight
from jobs.steps import NOTHING, Now, Poll, Step, Wait, earliest, join, tell, until
from jobs.verdict import Pause, refuses_key

__all__ = ["Watching"]

# A task that answers 404 right after its creation may only be late to appear.
VANISH_GRACE_S = 60.0

# Pauses in which nothing is asked for either.
_SILENCING = frozenset({Pause.AUTH, Pause.NETWORK})

# Tasks that stall in one step, and so in one commit: many may be bought in a second.
STALLED_AT_ONCE_MAX = 256
# Entries of tasks whose time runs, for each task that is watched and beyond, before those of others are thrown out.
TIMED_MAX = 2
TIMED_SPARE = 64

_WATCHED = frozenset({ItemState.ACCEPTED, ItemState.VANISHED, ItemState.STALLED})


@dataclass(slots=True, kw_only=True)
class _Task:
    """A task that may still end. Moments are on the monotonic clock, which nobody sets."""

    accepted_s: float
    looked_s: float | None  # the last look, or the acceptance; None: left by an earlier life, and not asked for yet
    ran_s: float | None  # when it ran for certain; None: nobody knows
    asked_s: float = 0.0  # when the look left that is under way, or was last
    not_before_s: float  # whatever a look is worth
    spread: float = 0.0
    is_scout: bool = False
    polls: int = 0


class Watching:
    """One heap of all tasks that may still end."""

    def __init__(self, state: RunState, pacer: Pacer) -> None:
        self._state = state
        self._pacer = pacer
        self._queue = PollQueue()
        self._demand = Demand()
        self._asking: set[int] = set()  # by token: a look back and a new task of one item may be asked for at once
        self._tasks: dict[str, _Task] = {}
        self.noticed = Noticed()
        self._timed: deque[tuple[float, str]] = deque()  # tasks as they were taken in, the first first
        self._sight = Sight()
        self.looking_back = LookingBack(state)

    def watch(self, identity: str, now: Now, *, fresh: bool) -> None:
        """Ask for this item's task: after its first wait when it is fresh, at once when an earlier life left it."""
        state = self._state
        if not fresh:
            accepted_at_s = state.attempt(identity).accepted_at_s or now.wall_s
            accepted_s = now.mono_s - max(0.0, now.wall_s - accepted_at_s)
            task = _Task(accepted_s=accepted_s, looked_s=None, ran_s=None, not_before_s=now.mono_s)
            state.owed.add(identity)
        else:
            task = _Task(accepted_s=now.mono_s, looked_s=now.mono_s, ran_s=now.mono_s, not_before_s=now.mono_s)
            task.is_scout = state.polling.is_scout(state.items[identity].price_class)
            task.spread = state.settings.spread()
        self._tasks[identity] = task
        self._timed.append((now.mono_s, identity))
        if len(self._timed) > TIMED_SPARE + TIMED_MAX * len(self._tasks):
            self._timed = deque(entry for entry in self._timed if self._is_timed(*entry))
        self._plan(identity, now)

    @property
    def busy(self) -> bool:
        """A status request is under way."""
        return bool(self._asking)

    def due_moments(self, chosen: Container[str]) -> dict[str, float]:
        """When the chosen are asked for next; one that is being asked for has no such moment."""
        return self._queue.moments(self._worth_at, chosen)

    @property
    def _silenced(self) -> bool:
        return self._state.stopping or not _SILENCING.isdisjoint(self._state.pauses)

    def overdue(self, now: Now) -> Step | Wait:
        """Tasks whose time is over, or until when there is none.

        Only the word is theirs by time. Their places, and the end of the run, wait for one more look each: where polls
        are scarce they may have ended long ago, and what was bought in their place could not be seen either. While no
        status is answered there is nothing to wait for, and nothing is bought. What an earlier life left has as long
        again, so that it is looked at first.
        """
        steps, timeout_s = list[Step](), self._state.settings.item_timeout_s
        if self._silenced:
            return until(None)
        while self._timed and len(steps) < STALLED_AT_ONCE_MAX:
            since_s, identity = self._timed[0]
            if self._is_timed(since_s, identity):
                if since_s + timeout_s > now.mono_s:
                    break
                step = self._stalled(identity, now)
                steps += [step] if step.changes else []
                self._free_if_blind(identity)
            self._timed.popleft()
        return join(*steps) if steps else until((self._timed[0][0] if self._timed else now.mono_s) + timeout_s)

    def _free_if_blind(self, *identities: str) -> None:
        state = self._state
        for identity in identities:
            if Pause.POLLS in state.pauses and state.records[identity].state is ItemState.STALLED:
                state.release(identity)

    def _is_timed(self, since_s: float, identity: str) -> bool:
        """Whether an entry is of a task that is watched, and not of one that ended and was bought again."""
        task = self._tasks.get(identity)
        return task is not None and task.accepted_s <= since_s

    def next(self, now: Now, *, is_last: bool) -> Poll | Wait:
        """The next status request, or how long there is none. `is_last`: no more looks at tasks that may go on."""
        state = self._state
        if self._silenced:
            return until(None)
        due_s = self._first_due_s(now)
        if due_s is None or is_last:
            return until(None)
        at_s = max(due_s, self._pacer.due_s(now.mono_s))
        if at_s > now.mono_s:
            return until(at_s)
        identity = self._take(now)
        task_id = state.attempt(identity).task_id
        assert task_id is not None
        token = self._pacer.leave(now.mono_s)
        self._asking.add(token)
        return Poll(identity=identity, task_id=task_id, token=token)

    def _take(self, now: Now) -> str:
        identity = self._queue.first
        if identity is None:
            return self.looking_back.take()
        self._queue.pop()
        task = self._tasks[identity]
        task.asked_s = now.mono_s
        task.polls += 1
        return identity

    def _first_due_s(self, now: Now) -> float | None:
        """When the first look is due. What needs no look any more is dropped on the way."""
        records = self._state.records
        self._queue.advance(self._worth_at, now.mono_s)
        while (first := self._queue.first) is not None:
            if records[first].state in _WATCHED:
                return now.mono_s
            self._state.owed.discard(first)  # it ended some other way
            self._queue.drop(first)
            del self._tasks[first]
        due_s = self._queue.due_s()
        past_s = self.looking_back.due_s(now.mono_s)
        return due_s if past_s is None else earliest(due_s, past_s)

    def ended(self, poll: Poll, end: SendEnd, now: Now) -> Step:
        """One status request ended."""
        state = self._state
        self._asking.discard(poll.token)
        state.owed.discard(poll.identity)
        notices = state.pace(self._pacer, poll.token, end, now) + state.contact(end, now)
        shown = end.task if end.task is not None and end.task.id == poll.task_id else None
        is_gone = end.phase is Phase.ANSWERED and end.status == 404
        if shown is not None or is_gone:
            self._sight.seen(is_there=shown is not None)
            notices += state.resume(Pause.POLLS, "a status was answered")
        told = tell(notices)
        if state.attempt(poll.identity).task_id != poll.task_id:
            return told  # a look back, and the item was bought again meanwhile: this says nothing of its new attempt
        if state.records[poll.identity].state is ItemState.FAILED:
            return join(told, self.looking_back.looked(poll, end, now))
        if refuses_key(end.status, end.error):
            self._again(poll.identity, now)
            return join(told, tell(state.pause(Pause.AUTH, end.reason)))
        if shown is not None:
            return join(told, self.seen(poll.identity, shown, end, now))
        if is_gone:
            return join(told, self._not_found(poll.identity, end, now))
        asked_s = min(end.retry_after_s or 0.0, RETRY_AFTER_CAP_S)
        self._again(poll.identity, now, at_least_s=asked_s, is_look=not end.is_limited)
        return join(told, self._in_vain(poll.identity, end, now), self._overdue(poll.identity, now))

    def _in_vain(self, identity: str, end: SendEnd, now: Now) -> Step:
        """A look told nothing: while none does, nobody would see what is bought."""
        state, sight = self._state, self._sight
        sight.in_vain(identity, now.mono_s)
        if Pause.POLLS in state.pauses and sight.is_lost(now.mono_s):
            return tell(state.pause(Pause.NETWORK, f"{sight.trouble(now.mono_s, now.mono_s)}, last: {end.reason}"))
        trouble = sight.trouble(now.mono_s, self._pacer.paused_until_s)
        if trouble is None or Pause.NETWORK in state.pauses:
            return NOTHING
        told = tell(state.pause(Pause.POLLS, f"{trouble} (last: {end.reason}); buying goes on when one is"))
        if told.notices:
            self._free_if_blind(*state.slots)
        return told

    def seen(self, identity: str, task: TaskSeen, end: SendEnd, now: Now) -> Step:
        """The service showed the task. Unknown words of status are no end."""
        if task.status in ("succeeded", "failed"):
            return self._finished(identity, task, end, now)
        state, attempt, step = self._state, self._state.attempt(identity), NOTHING
        vanished = state.records[identity].state is ItemState.VANISHED
        data: dict[str, object] = {"status": task.status}
        if task.reserved_credits and task.reserved_credits != attempt.reserved_credits:
            data["reserved_credits"] = task.reserved_credits
        if vanished or "reserved_credits" in data:
            step = state.move(identity, EventType.SEEN, now, data)
        if vanished:
            state.occupy(identity)
        if "reserved_credits" in data:
            step = join(step, tell(state.figure_seen(identity, attempt.reserved, task.reserved_credits or 0)))
        self._again(identity, now, runs=True)
        return join(step, self._overdue(identity, now))

    def _finished(self, identity: str, task: TaskSeen, end: SendEnd, now: Now) -> Step:
        state = self._state
        item, attempt = state.items[identity], state.attempt(identity)
        charge, assumed = charge_of(task, attempt)
        polls, unseen_s = self._noticed(identity, now)
        data: dict[str, object] = {
            "final_credits": task.final_credits,
            "charge": charge,
            "assumed": assumed,
            "request_id": end.request_id,
            "polls": polls,
            "unseen_s": unseen_s,
        }
        if task.status == "succeeded":
            data["urls"] = list(task.urls)
            step = state.move(identity, EventType.SUCCEEDED, now, data)
            if charge:
                state.price_seen(item.price_class, charge)  # also an assumed one: the class must not stand still
        else:
            data["code"] = task.error.code if task.error else "generation_failed"
            data["message"] = task.error.message if task.error else "the service gave no reason"
            step = state.move(identity, EventType.FAILED, now, data)
            if data["code"] == NO_CREDITS_CODE:
                step = join(step, tell(state.pause(Pause.CREDITS, str(data["message"]))))
            else:
                step = join(step, tell(state.item_failed()))
            if charge:
                self.looking_back.charged(identity, now)
        state.release(identity)
        notices = state.surprise(identity, attempt.reserved, charge)
        if task.status == "succeeded" and not assumed:
            notices += state.drift(identity, charge)
        return join(step, tell(notices))

    def _noticed(self, identity: str, now: Now) -> tuple[int, float | None]:
        """A task ended: how many looks of this life that took, and how long the last was after one that saw it run."""
        if identity not in self._tasks:  # born ended
            return 0, None
        state = self._state
        unseen_s, polls = self._learn(identity, ended=True), self._tasks.pop(identity).polls
        constant_s = state.polling.constant_s(state.items[identity].price_class, state.settings.floors)
        if constant_s is not None:
            self._demand.ended(constant_s, now.mono_s, len(state.slots))
        if unseen_s is not None:
            self.noticed = self.noticed.and_one(polls, unseen_s)
        return polls, unseen_s

    def _not_found(self, identity: str, end: SendEnd, now: Now) -> Step:
        state = self._state
        self._again(identity, now)
        in_grace = self._age_s(identity, now) < VANISH_GRACE_S
        if in_grace or state.records[identity].state is ItemState.VANISHED:
            return NOTHING
        reason = f"the service answers 404 for {state.attempt(identity).task_id}; its credits count as spent"
        step = state.move(identity, EventType.VANISHED, now, {"reason": reason, "request_id": end.request_id})
        state.release(identity)
        why = self._sight.vanished()
        return step if why is None else join(step, tell(state.pause(Pause.VANISHED, why)))

    def _overdue(self, identity: str, now: Now) -> Step:
        """A look did not show the end. One after the timeout was the last that the task's place waits for."""
        step = self._stalled(identity, now)
        if self._state.records[identity].state is ItemState.STALLED and identity in self._state.slots:
            self._state.release(identity)
        return step

    def _stalled(self, identity: str, now: Now) -> Step:
        state, timeout_s = self._state, self._state.settings.item_timeout_s
        is_over = self._tasks[identity].accepted_s + timeout_s <= now.mono_s
        if not is_over or state.records[identity].state is not ItemState.ACCEPTED:
            return NOTHING
        told = f"{timeout_s:g} s" if timeout_s < 120.0 else f"{timeout_s / 60:g} min"
        reason = f"no end {told} after it was accepted (limits.timeout); it may still finish"
        return state.move(identity, EventType.STALLED, now, {"reason": reason})

    def _again(
        self, identity: str, now: Now, *, runs: bool = False, at_least_s: float = 0.0, is_look: bool = True
    ) -> None:
        """Ask again later. `runs`: the service said so, and its end is still to come.

        What was refused for its rate was no look: the task is as likely to have ended as before.
        """
        task = self._tasks[identity]
        if runs:
            self._learn(identity, ended=False)
        if is_look:
            task.looked_s = task.asked_s
        else:
            at_least_s = max(at_least_s, self._state.settings.floors.poll_gap_s)
        task.not_before_s = now.mono_s + at_least_s
        task.spread = self._state.settings.spread()
        self._plan(identity, now)

    def _plan(self, identity: str, now: Now) -> None:
        state = self._state
        price_class, floors = state.items[identity].price_class, state.settings.floors
        usual_s = self._demand.price_s(self._pacer.per_s, None if self._more_to_come() else len(state.slots))
        least = state.polling.least_level(price_class, floors, one_of=self._one_of(), usual_s=usual_s)
        self._queue.add(identity, self._worth_at, now.mono_s, least=least)

    def _worth_at(self, identity: str, level: int) -> float:
        """When a look at a task is worth a level, by what is known now."""
        state, task = self._state, self._tasks[identity]
        if task.looked_s is None:
            return task.not_before_s
        age_s = state.polling.next_s(
            state.items[identity].price_class,
            task.looked_s - task.accepted_s,
            state.settings.floors,
            level=level,
            spread=task.spread,
            is_scout=task.is_scout,
            is_last=not self._more_to_come(),
        )
        if task.looked_s < task.accepted_s + state.settings.item_timeout_s:
            age_s = min(age_s, state.settings.item_timeout_s)
        return max(task.accepted_s + age_s, task.not_before_s)

    def _one_of(self) -> int:
        """Of how many tasks the last end is waited for: who needs a place waits for any, a run's end for the last."""
        if not self._more_to_come():
            return max(1, len(self._state.slots))
        return 1 if len(self._state.slots) >= self._state.places else 0

    def _more_to_come(self) -> bool:
        """Something is still to be bought."""
        return bool(self._state.ready or self._state.missing)

    def _learn(self, identity: str, *, ended: bool) -> float | None:
        """What a look showed, in what class. Returns how long it was not seen before; None: nobody knows."""
        task, unseen_s = self._tasks[identity], None
        if task.ran_s is not None:
            unseen_s = max(0.0, task.asked_s - task.ran_s)
            ran_s = task.ran_s - task.accepted_s
            price_class = self._state.items[identity].price_class
            self._state.polling.looked(price_class, ran_s, ran_s + unseen_s, ended=ended)
        task.ran_s = task.asked_s
        return unseen_s

    def _age_s(self, identity: str, now: Now) -> float:
        """Seconds since the task was accepted; the time this machine slept may be missing."""
        return now.mono_s - self._tasks[identity].accepted_s


def charge_of(task: TaskSeen, attempt: Attempt) -> tuple[int, bool]:
    """Credits to settle, and whether they are assumed.

    A success that says 0 while credits were reserved is not believed: the field is documented to stay 0 until late. A
    failure that says 0 is the documented refund.
    """
    final, held = task.final_credits, max(attempt.reserved, task.reserved_credits or 0)
    if task.status == "failed":
        return (final, False) if final is not None else (held, True)
    if final:
        return final, False
    return held, held > 0
