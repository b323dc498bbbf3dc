"""What workers do to a run, as the one who handed it out sees it: events of the ledger, folded into a core that rests.

That core buys nothing. It is there so that screens, counts and the end of a run are made of the same things as in a run
of one process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import orjson

from jobs.budget import delta
from jobs.core import Core
from jobs.lifecycle import OPEN, EventType, IllegalMove
from jobs.record import Change, Event, Record, fold
from runner.clock import Clock
from runner.ledger.handle import LedgerHandle
from runner.ledger.rows import Row

__all__ = ["GAP_S", "Mirror", "Tail"]

# Events are numbered when they are written and seen when they are committed, so a later one may be seen first. What is
# missing for this long was never committed: the server undoes a transaction that rests for 15 s.
GAP_S: Final = 20.0


@dataclass(slots=True)
class Tail:
    """The numbers of events that were seen, down to the first gap."""

    low: int  # all up to here were seen, or never came
    stands_since_s: float
    seen: set[int] = field(default_factory=set)

    def take(self, rows: Sequence[Row], now_s: float) -> Iterator[Row]:
        """Those that are new."""
        for row in rows:
            if row["seq"] not in self.seen:
                self.seen.add(row["seq"])
                yield row
        if self.seen and now_s - self.stands_since_s > GAP_S:
            self.low = min(self.seen) - 1
        before = self.low
        while self.low + 1 in self.seen:
            self.low += 1
            self.seen.discard(self.low)
        if self.low != before or not self.seen:
            self.stands_since_s = now_s


class Mirror:
    """One core beside one ledger. Made before the core is filled, so that nothing is missed."""

    def __init__(self, core: Core, ledger: LedgerHandle, clock: Clock) -> None:
        self._core = core
        self._ledger = ledger
        self._clock = clock
        self._tail = Tail(low=ledger.position(), stands_since_s=clock.now().mono_s)

    async def look(self) -> list[Change]:
        """What happened since the last look, in order; the core has it after that."""
        state = self._core.state
        ask = partial(self._ledger.db.rows, "late_events", {"after": self._tail.low})
        rows = await self._ledger.question(ask)
        fresh = [row for row in self._tail.take(rows, self._clock.now().mono_s) if row["identity"] in state.records]
        if not fresh:
            return []
        latest = await self._records(dict.fromkeys(row["identity"] for row in fresh))
        changes = [change for row in fresh if (change := self._folded(row, latest[row["identity"]])) is not None]
        for identity in latest:
            self._stand(state.records[identity])
        return changes

    async def reflect(self, identities: Iterable[str]) -> None:
        """These items as the ledger has them now."""
        for record in (await self._records(dict.fromkeys(identities))).values():
            self._stand(record)

    async def settle(self) -> bool:
        """At the end: every item as the ledger has it. Whether that is as it was seen to come about."""
        before = dict(self._core.state.records)
        await self.reflect(before)
        return before == self._core.state.records

    async def _records(self, identities: Mapping[str, object]) -> dict[str, Record]:
        return await asyncio.to_thread(self._ledger.records, list(identities))

    def _folded(self, row: Row, latest: Record) -> Change | None:
        """An event that the record here does not have yet. The latest record may have more of them than were seen."""
        state = self._core.state
        before = state.records[row["identity"]]
        if before.version >= latest.version:
            return None
        event = Event(
            type=EventType(row["type"]), at_s=row["at_s"], identity=row["identity"], data=orjson.loads(row["data"])
        )
        try:
            after = fold(before, event)
        except IllegalMove:  # it is in the record already, and a later one is not
            return None
        after = latest if after.version == latest.version else after
        state.records[after.identity] = after
        scope = after.attempt.scope if after.attempt else state.settings.scope
        return Change(event=event, record=after, delta=delta(before, event, after), scope=scope)

    def _stand(self, record: Record) -> None:
        state = self._core.state
        state.records[record.identity] = record
        if record.state in OPEN:
            state.slots.add(record.identity)
        else:
            state.slots.discard(record.identity)
