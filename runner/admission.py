"""Who takes part when a life begins: the items asked for as the ledger has them, and what earlier lives still owe."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from jobs.core import Core, resume_rank
from jobs.item import Item
from jobs.lifecycle import OPEN, ItemState
from jobs.plan import Standing
from jobs.record import Attempt, Record
from jobs.steps import Step
from runner.clock import Clock
from runner.engine import Engine
from runner.ledger import Ledger, PastItem
from runner.prepare import Prepared, usable_uploads
from runner.service import Service

__all__ = ["Admission"]

# By so much the wall clock runs ahead of the monotonic one when the machine slept; honest clocks differ by far less.
SLEPT_S_MIN: Final = 2.0
# A clock that still jumps is broken; without the service's word, an intent is as old as our own clocks say.
LOOKS_MAX: Final = 3


class Knowing(Protocol):
    """Who wants to know where the items stand as the life begins."""

    def know(self, records: Iterable[Record]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Fills the core of one life."""

    prepared: Prepared
    ledger: Ledger
    clock: Clock
    service: Service

    async def admit(self, engine: Engine, traces: Knowing | None) -> int:
        """Fill the core with the items as the ledger has them now; returns how many had succeeded before."""
        core, choices = engine.core, self.prepared.choices
        items = [planned.item for planned in self.prepared.plan.items]
        records = self.ledger.records([item.identity for item in items])
        rest = self._paid_for({item.identity for item in items})
        if traces is not None:
            traces.know([*records.values(), *(record for _, record in rest)])
        opened = any(record.state is ItemState.SUBMITTING for record in (*records.values(), *(one for _, one in rest)))
        if opened or self.prepared.plan.count(Standing.NEW):
            # How old an intent is decides whether its key may be used again: ask the clock that counts, before the
            # first is written or taken up.
            await self._ask_time(core)
        now = self.clock.now()
        for item, record in rest:
            step = core.finish(item, record, now)
            if step != Step():
                await engine.commit(step)
        digests = {reference.sha256 for item in items for reference in item.references}
        if not choices.retry:  # a reference that the service forgot may be why an item was refused: upload it anew
            core.state.uploads.update(usable_uploads(self.ledger.uploads(sorted(digests)), now_s=now.wall_s))
        for item in sorted(items, key=lambda item: resume_rank(records[item.identity], item)):
            step = core.admit(item, records[item.identity], now, retry=choices.retry, again=choices.again)
            if step != Step():
                await engine.commit(step)
        return 0 if choices.again else sum(record.state is ItemState.SUCCEEDED for record in records.values())

    async def _ask_time(self, core: Core) -> None:
        """Let the core know the service's clock. An answer that this machine slept over tells of a time long gone."""
        for _ in range(LOOKS_MAX):
            asked = self.clock.now()
            end = await self.service.look()
            heard = self.clock.now()
            if (heard.wall_s - asked.wall_s) - (heard.mono_s - asked.mono_s) < SLEPT_S_MIN:
                core.state.contact(end, heard)
                return

    def _paid_for(self, asked: Container[str]) -> list[tuple[Item, Record]]:
        """Items of this run that this command did not select, or that the manifest lost, but whose purchase goes on."""
        run_id, now_wanted = self.prepared.plan.run_id, self.prepared.expansion.items
        rest = {item.identity: item for item in now_wanted if item.identity not in asked}
        past = {one.identity: one for one in self.ledger.unfinished_items(run_id) if one.identity not in asked}
        found = []
        for identity, record in self.ledger.records([*past]).items():
            unsaved = any(artifact.state in ("wanted", "partial") for artifact in record.artifacts)
            if record.attempt is not None and (record.state in OPEN or unsaved):
                found.append((rest.get(identity) or _no_longer_wanted(past[identity], record.attempt), record))
        return found


def _no_longer_wanted(past: PastItem, attempt: Attempt) -> Item:
    """The item as it was when it was bought. Its body is in the ledger, so its references are not needed again."""
    return Item(
        identity=past.identity,
        model=past.model,
        prompt=past.prompt,
        params=past.params,
        references=(),
        repeat=past.repeat,
        edition=past.edition,
        index=past.index,
        key=past.key,
        job=past.job,
        axes=past.axes,
        tags=past.tags,
        output_stem=past.output_stem,
        credits=None,
        price_class=attempt.price_class,
    )
