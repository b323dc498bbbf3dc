"""Who hands a run out, in the place of an engine: it uploads, cuts, hands out, watches, sweeps, and ends the run.

It buys nothing and may die at any moment. Whoever runs the same command again finds what it left: shards that a worker
has are left to it, the others are cut anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio

from jobs.core import Core
from jobs.item import Item
from jobs.lifecycle import IN_DOUBT, EventType, ItemState
from jobs.ready import ReadyQueue
from jobs.record import NO_CREDITS_CODE, NOT_SENT_CODE, Change, Record, rebuys
from jobs.runstate import BUDGET_EXHAUSTED
from jobs.shards import ITEMS_MIN, Handed, cut, identities_in, text_of
from jobs.steps import Notice, Step
from jobs.terms import Terms, text_of_terms
from jobs.verdict import Pause
from runner.engine import Engine
from runner.errors import RunnerError
from runner.lane import Lane
from runner.ledger.handle import LedgerHandle
from runner.ledger.shards import Shards, Standing, Word
from runner.matching import usable_uploads
from runner.shards.mirror import Mirror
from runner.shards.queueing import Queue
from runner.upload_queue import Upload

__all__ = ["Conducting", "Conductor", "next_look_s"]

# How often the ledger is looked at: what a screen shows is as old at most.
LOOK_S: Final = 0.5
# Of so few that are left, with all bought, one end says that others may be near: so soon after it, then ever later. Of
# many, some always end.
LAST_LOOK_S: Final = 0.05
LAST_ITEMS: Final = 50
# How often shards are looked at that should be worked on and are not.
SWEEP_S: Final = 5.0
# Nobody knows how many workers there will be. As many shards as four of them want suit two as well as ten.
WORKERS_ASSUMED: Final = 4
# After so long without any worker somebody should hear of it.
NOBODY_S: Final = 10.0
# So much longer than a worker's own drain takes, its answers may be on their way.
HEARD_S: Final = 5.0

# How often it is looked whether references grow too old for what is not bought yet: they are taken for usable for an
# hour more by workers, so that some tries may fail.
RENEW_S: Final = 600.0

# After these nobody sends anything in this life, as in a run of one process.
_SILENCING: Final = frozenset({Pause.AUTH, Pause.NETWORK})

_ENDED: Final = frozenset({ItemState.FAILED, ItemState.REJECTED, ItemState.UNCERTAIN, ItemState.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conducting:
    """What a conductor has beyond an engine."""

    terms: Terms
    ledger: LedgerHandle
    shards: Shards
    queue: Queue


class Conductor(Engine):
    """One life of a run that others work on. Filled like an engine; `run` returns when the run has ended."""

    def __init__(self, core: Core, *, conducting: Conducting, **engine: Any) -> None:
        super().__init__(core, **engine)
        self.stays = True
        self._terms = conducting.terms
        self._handle = conducting.ledger
        self._shards = conducting.shards
        self._queue = conducting.queue
        self._mirror = Mirror(core, conducting.ledger, self._clock)
        self._shard_of: dict[str, int] = {}  # items that are handed out
        self._again: set[str] = set()  # those that were handed out a second time
        self._unended: set[str] = set()
        self._asked: dict[str, int] = {}  # what may be bought as the life begins -> version of its record then
        self._complaints = {""}
        self._has_begun = self._is_funded = False
        self._renewing: set[str] = set()  # references that were brought before
        self._renewed_s = self._swept_s = self._alone_since_s = self._clock.now().mono_s
        self._is_told_alone = False

    @property
    def _lanes(self) -> tuple[Lane[Any], ...]:
        return (self._upload_lane,)

    async def run(self) -> None:
        """Until nothing more can be done in this life."""
        self._has_begun = True
        self._uploads.know(self.core.state.items.values())
        self._queue_uploads()
        is_quiet = False
        with self._scope:
            async with anyio.create_task_group() as group:
                self._upload_lane.start(group)
                is_quiet = await self._conduct()
                self._over = True
                self._look()
        with anyio.CancelScope(shield=True):
            self._over = True
            await self._shards.say(self._terms.run_id, Word.STOP, life_id=self._handle.life_id)
            is_quiet = is_quiet and not any(one.is_held for one in await self._shards.open(self._terms.run_id))
            await self._follow()
            if not await self._mirror.settle():
                self._onlooker.recount()
            if is_quiet:  # nobody else writes, nor begins to after that word: what the budget left is told as such
                self._show_unbought()
                await self.commit(self.core.leave_unbought(self._clock.now()))
        self.counts.downloads["left"] = self._unsaved() if not self.core.state.stopping else 0

    async def commit(self, step: Step, *, cap_credits: int | None = None) -> None:
        """What becomes of an earlier life's purchases writes who has their shard, or will: it may be at them now."""
        if self._has_begun:
            await super().commit(step, cap_credits=cap_credits)
        else:
            await self._mirror.reflect(change.event.identity for change in step.changes)

    def drain(self, why: str) -> None:
        super().drain(why)
        self._scope.deadline += HEARD_S

    async def _conduct(self) -> bool:
        """Returns when the run has ended, and whether nobody has a shard any more."""
        await self._begin()
        gap_s = LOOK_S
        while True:
            await self._hand_out()
            standing = await self._shards.open(self._terms.run_id)  # ahead of the look: what is closed has happened
            has_moved = await self._follow()
            await self._tell()
            if self._is_at_end(standing):
                return not any(one.is_held for one in standing)
            await self._sweep(standing)
            await self._renew()
            gap_s = next_look_s(gap_s, is_last_news=has_moved and self._is_last)
            await anyio.sleep(gap_s)

    @property
    def _is_last(self) -> bool:
        """Whether little is left, and nothing of it to be bought."""
        state = self.core.state
        return len(self._unended) <= LAST_ITEMS and not state.ready and not state.missing

    # Handing out

    async def _begin(self) -> None:
        """Leave to workers what they have of an earlier life; what else there is of it is cut anew."""
        state, run_id = self.core.state, self._terms.run_id
        life_id = self._handle.life_id
        await self._shards.hand_out(run_id, life_id, text_of_terms(self._terms))
        withdrawn = []
        for one in await self._shards.open(run_id, whole=True):
            identities = identities_in(one.items)
            if one.is_held and all(identity in state.items for identity in identities):
                self._shard_of.update(dict.fromkeys(identities, one.shard_id))
            else:
                withdrawn.append(one.shard_id)
        await self._shards.withdraw(withdrawn)
        asked = {item.identity for item in state.ready} | state.missing.keys()
        self._asked = {identity: state.records[identity].version for identity in asked}
        self._unended = {identity for identity, record in state.records.items() if not self._has_ended(record)}
        await self._cut(self._begun())

    def _begun(self) -> Iterable[Item]:
        """What earlier lives bought and did not see through."""
        state, core = self.core.state, self.core
        unbought = {item.identity for item in state.ready} | state.missing.keys()
        for identity in core.under_way() | {i for i, one in state.records.items() if one.state in IN_DOUBT}:
            if identity not in unbought and state.records[identity].state is not ItemState.UNCERTAIN:
                yield state.items[identity]

    async def _hand_out(self) -> None:
        """What has all it needs, unless that is little and more is on its way."""
        state = self.core.state
        if state.stopping or self._ending:
            return
        ready = [item for item in state.ready if item.identity not in self._shard_of]
        if len(ready) >= ITEMS_MIN or not self._is_uploading:
            await self._cut(ready)

    @property
    def _is_uploading(self) -> bool:
        return bool(self.core.state.missing)

    async def _cut(self, items: Iterable[Item]) -> None:
        parts = cut([item for item in items if item.identity not in self._shard_of], workers=WORKERS_ASSUMED)
        if not parts:
            return
        shard_ids = await self._shards.add(self._terms.run_id, [text_of(map(self._handed, part)) for part in parts])
        for part, shard_id in zip(parts, shard_ids, strict=True):
            self._shard_of.update((item.identity, shard_id) for item in part)
        await self._queue.submit(shard_ids)

    def _handed(self, item: Item) -> Handed:
        version = self.core.state.records[item.identity].version
        return Handed(item=item, version=version, wanted=self.core.is_asked_for(item.identity))

    # References

    async def _renew(self) -> None:
        """Bring references anew that a worker would soon not trust any more, for what is handed out and not bought."""
        now = self._clock.now()
        if now.mono_s - self._renewed_s < RENEW_S or not self._uploads.is_empty:
            return
        self._renewed_s, state = now.mono_s, self.core.state
        unbought = (state.items[identity] for identity in self._unended - state.slots - state.missing.keys())
        wanted = sorted({file.sha256 for item in unbought for file in item.references})
        known = await asyncio.to_thread(self._handle.uploads, wanted)
        old = set(wanted) - usable_uploads(known, now_s=now.wall_s).keys()
        self._renewing |= old
        self._uploads.renew(old)
        self._upload_lane.wake()

    async def _upload_failed(self, wanted: Upload, error: RunnerError) -> None:
        """One that is brought anew has an hour left, and is tried again: no reason to end anything."""
        if wanted.reference.sha256 not in self._renewing:
            await super()._upload_failed(wanted, error)
            return
        why = f"{wanted.reference.path} grows old at the service and could not be uploaded anew: {error.message}"
        self._tell_notices([Notice(name="ledger", data={"why": why})])

    # Watching

    async def _follow(self) -> bool:
        """Take in what workers did; whether they did anything."""
        changes = await self._mirror.look()
        state = self.core.state
        found = await self._shards.books(self._terms.run_id)
        state.books = state.books.found(found)  # as they are by now: a person may have turned the budget meanwhile
        for change in changes:
            self._count(change)
            self._onlooker.moved(change)
            self._reporter.changed(state.items[change.event.identity], change)
            if self._has_ended(change.record):
                self._unended.discard(change.record.identity)
            else:
                self._unended.add(change.record.identity)
        if changes:
            self._show_unbought()
        return bool(changes)

    def _count(self, change: Change) -> None:
        event, record = change.event, change.record
        match event.type:
            case EventType.ACCEPTED | EventType.SEND_ENDED:
                self.counts.creates += 1
            case EventType.REJECTED if record.error_code != NOT_SENT_CODE:
                self.counts.creates += 1
                if record.error_code != NO_CREDITS_CODE:
                    self._tell_notices(self.core.state.item_failed())
            case EventType.FAILED:
                self._tell_notices(self.core.state.item_failed())
            case EventType.SAVED:
                self.counts.downloads[str(event.data["state"])] += 1
            case _:
                pass

    def _tell_notices(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._reporter.noticed(notice)

    def _show_unbought(self) -> None:
        """What nothing was bought for yet, to be looked at: nothing is bought out of it."""
        state = self.core.state
        state.ready = ReadyQueue()
        for identity in self._unended - state.slots - state.missing.keys():
            if self._is_unbought(state.records[identity]):
                state.ready.add(state.items[identity])

    def _is_unbought(self, record: Record) -> bool:
        return self._waits(record) or (record.state is not ItemState.SKIPPED and self._rebuys(record))

    def _waits(self, record: Record) -> bool:
        """Whether it may be bought, whatever it came to in earlier lives, and nothing was done about it in this one."""
        return self._asked.get(record.identity) == record.version

    def _rebuys(self, record: Record) -> bool:
        is_asked = self.core.is_asked_for(record.identity)
        return is_asked and rebuys(record, resubmit_failed=self._terms.resubmit_failed)

    def _has_ended(self, record: Record) -> bool:
        if self._waits(record):
            return False
        if record.state is ItemState.SUCCEEDED:
            return not (self._terms.save_results and record.is_unsaved)
        if record.state not in _ENDED:
            return False
        return record.state is ItemState.SKIPPED or not self._rebuys(record)

    def _unsaved(self) -> int:
        records = self.core.state.records.values()
        return sum(record.state is ItemState.SUCCEEDED and not self._has_ended(record) for record in records)

    # Telling

    @property
    def _ending(self) -> tuple[Pause, str] | None:
        """Why nothing more is bought, but for a person's word."""
        return next(((why, text) for why, text in self.core.state.pauses.items() if why is not Pause.PERSON), None)

    async def _tell(self) -> None:
        """Hear what workers ended the run for, and tell all what they must know."""
        state, run_id = self.core.state, self._terms.run_id
        terms = self._terms_now()
        if terms.spends_more_than(self._terms):
            self._is_funded = True
            self._again.clear()
            state.pauses.pop(Pause.BUDGET, None)  # the end may have been heard after the person's word
            await self._shards.fund(run_id, text_of_terms(terms), life_id=self._handle.life_id)
        said = (await self._shards.handouts([run_id]))[run_id]
        if said.word is Word.END and self._ending is None:
            self._tell_notices(state.pause(Pause(said.why), said.reason))
        if said.word in (Word.GO, Word.HOLD) and said.reason not in self._complaints:
            self._complaints.add(said.reason)
            self._tell_notices(
                [Notice(name="ledger", data={"why": f"a worker leaves this run to others: {said.reason}"})]
            )
        word, why, reason = Word.GO, "", ""
        if state.stopping:
            word = Word.STOP
        elif self._ending is not None:
            word, why, reason = Word.END, self._ending[0].value, self._ending[1]
        elif Pause.PERSON in state.pauses:
            word = Word.HOLD
        if word is not said.word:
            await self._shards.say(run_id, word, life_id=self._handle.life_id, why=why, reason=reason)
        if terms != self._terms:
            self._terms = terms
            await self._shards.say_terms(run_id, text_of_terms(terms))

    def _terms_now(self) -> Terms:
        """With the dials as a person has turned them."""
        creates, polls = (pacer.rate for pacer in self.core.pacers)
        state = self.core.state
        in_flight = state.settings.in_flight_max
        return replace(self._terms, cap_credits=state.books.cap, in_flight=in_flight, creates=creates, polls=polls)

    def _left_out(self) -> set[str]:
        """What the budget left unbought."""
        records = self.core.state.records.values()
        return {one.identity for one in records if one.error_code == BUDGET_EXHAUSTED and self._rebuys(one)}

    # The end

    def _is_at_end(self, standing: list[Standing]) -> bool:
        state, held = self.core.state, [one for one in standing if one.is_held]
        if state.stopping:
            return not held
        if self._ending is not None:
            is_silenced = self._ending[0] in _SILENCING or self._clock.now().mono_s - self._alone_since_s >= NOBODY_S
            # What nobody ever had has nothing bought in it; what somebody had is seen through, if anybody is there.
            return not held and (is_silenced or not any(one.was_held for one in standing))
        if self._is_uploading:
            return False
        if standing and (self._unended or self._is_funded):
            return False
        return not self._second_chances()

    def _second_chances(self) -> bool:
        """A worker may have closed a shard as an earlier life ended, or before it heard of a larger budget. What is not
        done of it is handed out once more.
        """
        left = {identity for identity in self._unended if identity in self._shard_of} - self._again
        left_out = self._left_out() - self._again if self._is_funded else set()
        self._again |= left | left_out
        for identity in left | left_out:
            self._shard_of.pop(identity, None)
        self._asked |= {identity: self.core.state.records[identity].version for identity in left_out}
        self._unended |= left_out
        self._show_unbought()
        return bool(left or left_out)

    async def _sweep(self, standing: list[Standing]) -> None:
        now_s = self._clock.now().mono_s
        if any(one.is_held for one in standing):
            self._alone_since_s, self._is_told_alone = now_s, False
        elif standing and now_s - self._alone_since_s >= NOBODY_S and not self._is_told_alone:
            self._is_told_alone = True
            why = f"no worker is there; {self._queue.remedy}"
            self._tell_notices([Notice(name="ledger", data={"why": why})])
        if now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        await self._queue.sweep()
        await self._queue.submit([one.shard_id for one in standing if not one.is_held])


def next_look_s(last_s: float, *, is_last_news: bool) -> float:
    """How soon to look again, when the last look came after `last_s`."""
    return LAST_LOOK_S if is_last_news else min(LOOK_S, 2 * last_s)
