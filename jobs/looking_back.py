"""Looking back: a failed task that was charged is asked for once more, because its credits may come back late.

Only an answer proves it; until then nothing is assumed. A run does not wait for these looks, which leave when nothing
else is due; its next life begins with one, for a day.
"""

from __future__ import annotations

import heapq

from jobs.answers import SendEnd
from jobs.lifecycle import EventType, ItemState
from jobs.runstate import RunState
from jobs.steps import NOTHING, Notice, Now, Poll, Step, join, tell

__all__ = ["LookingBack"]

# When it is asked for, after its end and after each look.
LOOK_BACK_S = (60.0, 600.0, 3600.0)
LOOK_BACK_AGE_S_MAX = 86_400.0
LOOKS_OWED_MAX = 100  # more of them are asked for as well, but no run waits for it


class LookingBack:
    """Items that failed and were charged for, by when they are asked for again."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._heap: list[tuple[float, int, str]] = []  # (when due, ordinal, identity)
        self._order = 0
        self._looks: dict[str, int] = {}  # key of the attempt -> how often it was asked for
        self._owed = 0  # how many of those that earlier lives left this one does not end without

    def take_in(self, identity: str, now: Now) -> None:
        """An item failed and was charged for in an earlier life: its credits may have come back since."""
        attempt = self._state.attempt(identity)
        if attempt.settled and now.wall_s - (attempt.finished_at_s or 0.0) < LOOK_BACK_AGE_S_MAX:
            self._push(identity, now.mono_s)
            if self._owed < LOOKS_OWED_MAX:
                self._owed += 1
                self._state.owed.add(identity)

    def charged(self, identity: str, now: Now) -> None:
        """An item failed just now, and was charged for."""
        self._push(identity, now.mono_s + LOOK_BACK_S[0])

    def _push(self, identity: str, due_s: float) -> None:
        self._order += 1
        heapq.heappush(self._heap, (due_s, self._order, identity))

    def due_s(self, now_s: float) -> float | None:
        """When the first look is due. What was bought again is dropped on the way."""
        heap = self._heap
        while heap and heap[0][0] <= now_s and self._state.records[heap[0][2]].state is not ItemState.FAILED:
            self._state.owed.discard(self.take())
        return heap[0][0] if heap else None

    def take(self) -> str:
        """The item whose look is due first: it leaves now."""
        return heapq.heappop(self._heap)[2]

    def looked(self, poll: Poll, end: SendEnd, now: Now) -> Step:
        """A look ended: what it says of credits that came back."""
        state, identity = self._state, poll.identity
        key = state.attempt(identity).key
        looks = self._looks[key] = self._looks.get(key, 0) + 1
        if looks < len(LOOK_BACK_S):
            self._push(identity, now.mono_s + LOOK_BACK_S[looks])
        settled = state.attempt(identity).settled
        task = end.task
        if task is None or task.id != poll.task_id or task.status != "failed":  # while it runs, 0 says nothing
            return NOTHING
        final = task.final_credits
        if final is None or final >= settled:
            return NOTHING
        step = state.move(identity, EventType.REFUNDED, now, {"credits": settled - final, "request_id": end.request_id})
        data = {"item": state.items[identity].key, "credits": settled - final}
        return join(step, tell((Notice(name="refund", data=data),)))
