"""Who takes part when a life begins: the items asked for as the ledger has them, and what earlier lives still owe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from jobs.core import Core, resume_rank
from jobs.item import Item
from jobs.lifecycle import OPEN, ItemState
from jobs.plan import Standing
from jobs.record import Attempt, Record
from jobs.steps import NOTHING, Step
from runner.clock import Clock
from runner.engine import Engine
from runner.gathering import batched
from runner.ledger import Ledger, PastItem
from runner.matching import Wanted, usable_uploads
from runner.prepare import Prepared
from runner.service import Service

__all__ = ["Admission", "ask_time"]

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
    lost: set[str] = field(default_factory=set)  # items that are seen through, and that the manifest no longer has

    async def admit(self, engine: Engine, traces: Knowing | None) -> int:
        """Fill the core with the items as the ledger has them now; returns how many had succeeded before."""
        core, choices = engine.core, self.prepared.choices
        wanted = await self.ledger.reading(self._wanted)
        rest = await self.ledger.reading(partial(self._paid_for, wanted))
        if traces is not None:
            traces.know(record for _, record in (*wanted, *rest))
        new, earlier = _parted(wanted)
        opened = any(record.state is ItemState.SUBMITTING for _, record in (*earlier, *rest))
        if opened or self.prepared.plan.count(Standing.NEW):
            # How old an intent is decides whether its key may be used again: ask the clock that counts, before the
            # first is written or taken up.
            await ask_time(core, self.service, self.clock)
        now = self.clock.now()
        for item, record in rest:
            await self._commit(engine, core.finish(item, record, now))
        digests = {reference.sha256 for item, _ in wanted for reference in item.references}
        if not choices.retry:  # a reference that the service forgot may be why an item was refused: upload it anew
            known = await self.ledger.reading(partial(self.ledger.uploads, sorted(digests)))
            core.state.uploads.update(usable_uploads(known, now_s=now.wall_s))
        earlier.sort(key=lambda one: resume_rank(one[1], one[0]))
        for item, record in earlier:
            await self._commit(engine, core.admit(item, record, now, retry=choices.retry, again=choices.again))
        core.admit_planned(new)
        return 0 if choices.again else sum(record.state is ItemState.SUCCEEDED for _, record in earlier)

    async def _commit(self, engine: Engine, step: Step) -> None:
        if step != NOTHING:
            await engine.commit(step)

    @property
    def _is_as_planned(self) -> bool:
        """Whether nothing happened in the ledger since the plan was made."""
        return self.ledger.position() == self.prepared.plan.position

    def _wanted(self) -> list[Wanted]:
        """What is asked for, as the ledger has it now: as the plan had it, unless something happened since."""
        prepared = self.prepared
        if prepared.admitted is not None and self._is_as_planned:
            return list(prepared.admitted)
        found: list[Wanted] = []
        for batch in batched(prepared.items):
            records = self.ledger.records([item.identity for item in batch])
            found += [(item, records[item.identity]) for item in batch]
        return found

    def _paid_for(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Items of this run that this command did not select, or that the manifest lost, but whose purchase goes on."""
        run_id = self.prepared.plan.run_id
        if self.prepared.admitted is not None and not self.prepared.plan.missing and self._is_as_planned:
            return []  # all that the run ever wanted is asked for
        asked = {item.identity for item, _ in wanted}
        past = {one.identity: one for one in self.ledger.unfinished_items(run_id) if one.identity not in asked}
        if not past:
            return []
        rest = {item.identity: item for item in self.prepared.expansion.items if item.identity in past}
        found = []
        for identity, record in self.ledger.records([*past]).items():
            unsaved = any(artifact.state in ("wanted", "partial") for artifact in record.artifacts)
            if record.attempt is not None and (record.state in OPEN or unsaved):
                if identity not in rest:
                    self.lost.add(identity)
                found.append((rest.get(identity) or _no_longer_wanted(past[identity], record.attempt), record))
        return found


def _parted(wanted: Iterable[Wanted]) -> tuple[list[Wanted], list[Wanted]]:
    """What was never bought, and what was."""
    new: list[Wanted] = []
    earlier: list[Wanted] = []
    planned = ItemState.PLANNED  # a member costs as much as the rest of the loop
    for one in wanted:
        (new if one[1].state is planned else earlier).append(one)
    return new, earlier


async def ask_time(core: Core, service: Service, clock: Clock) -> None:
    """Let the core know the service's clock. An answer that this machine slept over tells of a time long gone."""
    for _ in range(LOOKS_MAX):
        asked = clock.now()
        end = await service.look()
        heard = clock.now()
        if (heard.wall_s - asked.wall_s) - (heard.mono_s - asked.mono_s) < SLEPT_S_MIN:
            core.state.contact(end, heard)
            return


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
