"""Counts of a run, kept up change by change: to tell where it stands costs the same for ten items and 100,000."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from jobs.lifecycle import EventType, ItemState
from jobs.record import Change, Record, doubted

__all__ = ["Census"]

_ENDS = frozenset({EventType.SUCCEEDED, EventType.FAILED})


class Census:
    """What is durable. Made from the records of the start; told of every change after that."""

    def __init__(self, records: Mapping[str, Record], *, scope: str) -> None:
        self._scope = scope
        self._last = dict(records)
        states = Counter(record.state for record in self._last.values())
        self._states = Counter({state.value: number for state, number in states.items()})
        self._results: Counter[str] = Counter()
        self._accepted_s: dict[str, float] = {}  # in this life, and not ended: an end of those is seen as it happens
        self._why: dict[str, str] = {}  # why the last send of an open attempt settled nothing
        self.saved_bytes = 0
        self.doubted_credits = 0
        self.accepted = 0  # tasks that this life got
        for record in self._last.values():
            if record.attempt is not None:
                self._count_bought(record, 1)

    @property
    def states(self) -> Mapping[str, int]:
        """Items by state; only states that some item is in."""
        return {state: number for state, number in self._states.items() if number}

    @property
    def results(self) -> Mapping[str, int]:
        """Results known, by download state; only states that some result is in."""
        return {state: number for state, number in self._results.items() if number}

    def why(self, identity: str) -> str:
        """Why the item's create has to be sent again."""
        return self._why.get(identity, "")

    def moved(self, change: Change) -> tuple[str, float] | None:
        """One change became durable. For a task whose whole life was seen, its price class and the seconds it took."""
        record, event = change.record, change.event
        before = self._last.get(record.identity)
        self._last[record.identity] = record
        if before is not None:
            self._count(before, -1)
        self._count(record, 1)
        if event.type is EventType.SEND_ENDED:
            self._why[record.identity] = str(event.data.get("reason") or "")
            return None
        if record.state is not ItemState.SUBMITTING:
            self._why.pop(record.identity, None)
        if event.type is EventType.ACCEPTED:
            self.accepted += 1
            self._accepted_s[record.identity] = event.at_s
        if event.type not in _ENDS or record.attempt is None:
            return None
        accepted_s = self._accepted_s.pop(record.identity, None)
        return None if accepted_s is None else (record.attempt.price_class, max(0.0, event.at_s - accepted_s))

    def _count(self, record: Record, one: int) -> None:
        self._states[record.state.value] += one
        self._count_bought(record, one)

    def _count_bought(self, record: Record, one: int) -> None:
        self.doubted_credits += one * doubted(record, self._scope)
        for artifact in record.artifacts:
            self._results[artifact.state] += one
            self.saved_bytes += one * (artifact.bytes or 0)
