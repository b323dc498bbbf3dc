"""One run in one worker: a core and an engine like those of a run of its own, but the items come shard by shard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from jobs.core import resume_rank
from jobs.lifecycle import IN_DOUBT
from jobs.rates import Rate
from jobs.record import Record
from jobs.shards import Handed
from jobs.steps import NOTHING, Now, Step, join
from jobs.terms import Terms, terms_in
from jobs.verdict import Pause
from runner.admission import ask_time
from runner.blobs import Blobs
from runner.clock import Clock
from runner.engine import Engine, Lanes
from runner.errors import HandoutUnknown, LeaseLost, LedgerUnusable
from runner.exchange import Fetcher, Permit
from runner.ledger.handle import LedgerHandle
from runner.ledger.shards import Handout, Shards, Word
from runner.making import made_core
from runner.matching import UPLOAD_LIFE_LEFT_S, usable_uploads
from runner.reporter import Reporter
from runner.saving import ResultSaver
from runner.service import Service
from runner.shared_limits import SharedLimits

__all__ = ["Bench", "open_bench", "terms_of"]

# These pass, by a person's word or by a status that is answered: nobody's run ends with them.
_PASSING: Final = frozenset({Pause.PERSON, Pause.POLLS})
# Several writers wait for one another's commits, because all of them move the same books.
AHEAD_S: Final = 0.25


class Bench:
    """Made by `open_bench`; `work` it, and `put` shards on it."""

    def __init__(
        self,
        handout: Handout,
        terms: Terms,
        engine: Engine,
        *,
        ledger: LedgerHandle,
        limits: SharedLimits,
        clock: Clock,
        service: Service,
    ) -> None:
        self.handout = handout
        self.engine = engine
        self._terms = terms
        self._ledger = ledger
        self._limits = limits
        self._clock = clock
        self._service = service
        self._classes: set[str] = set()
        self._knows_time = False
        self._parts: dict[int, frozenset[str]] = {}  # shard -> its items
        self._short: set[int] = set()  # shards with items whose references only the command that began the run brings
        self._over_before: frozenset[int] = frozenset()
        self._heard: set[Pause] = set()  # pauses that are others' findings
        engine.stays = True
        self._heed_word(handout)

    async def put(self, shard_id: int, handed: Sequence[Handed]) -> bool:
        """Work on a shard as well; False where the run has ended here, or is about to."""
        await self._prepare(handed)
        records = await asyncio.to_thread(self._ledger.records, [one.item.identity for one in handed])
        digests = sorted({file.sha256 for one in handed for file in one.item.references})
        uploads = await asyncio.to_thread(self._ledger.uploads, digests)
        if self.engine.over or self.engine.core.state.stopping:
            return False  # a later life may hand out while an earlier one still waits for its answers
        now, core = self._clock.now(), self.engine.core
        core.state.uploads.update(usable_uploads(uploads, now_s=now.wall_s, spare_s=UPLOAD_LIFE_LEFT_S))
        self._parts[shard_id] = frozenset(one.item.identity for one in handed)
        known = [(one, records[one.item.identity]) for one in handed if one.item.identity in records]
        known.sort(key=lambda one: resume_rank(one[1], one[0].item))
        busy = core.under_way()
        steps = [self._admit(one, record, now, busy) for one, record in known]
        self._short.discard(shard_id)
        await self.engine.admitted([one.item for one in handed], join(*steps))
        self._limits.hurry()
        return True

    async def _prepare(self, handed: Iterable[Handed]) -> None:
        """What a run learns of the time and of its price classes when it begins."""
        core = self.engine.core
        if not self._knows_time:
            self._knows_time = True
            await ask_time(core, self._service, self._clock)
        new = {one.item.price_class for one in handed} - self._classes
        if not new:
            return
        self._classes |= new
        prices = await asyncio.to_thread(self._ledger.class_prices)
        for price_class in new & prices.keys():
            core.state.price_seen(price_class, prices[price_class])
        for price_class, spans_s in (await asyncio.to_thread(self._ledger.ends_seen, sorted(new))).items():
            core.state.polling.recall(price_class, spans_s)

    def _admit(self, one: Handed, record: Record, now: Now, busy: Container[str]) -> Step:
        core, terms = self.engine.core, self._terms
        before = core.state.records.get(record.identity)
        if before is not None and (record.identity in busy or before.state in IN_DOUBT):
            return NOTHING  # it is looked after already
        if not one.wanted:
            return core.finish(one.item, record, now)
        is_asked = record.version == one.version  # else it was bought again since, as a person asked
        return core.admit(one.item, record, now, retry=terms.retry and is_asked, again=terms.again and is_asked)

    async def work(self) -> None:
        """Until the run is over here: something ends it for all, or `end` was called and nothing is left."""
        self._limits.serve(self.engine)
        async with anyio.create_task_group() as group:
            group.start_soon(self._limits.keep)
            await self.engine.run()
            group.cancel_scope.cancel()
        self._limits.serve(None)
        with suppress(LedgerUnusable):  # then its part comes back when its lease is over
            await self._limits.leave()

    async def end(self) -> None:
        """Nothing more will be put here."""
        self.engine.stays = False
        await self.engine.steer(NOTHING)

    @property
    def pauses(self) -> Mapping[Pause, str]:
        """Why nothing more is bought in this life."""
        return {why: reason for why, reason in self.engine.core.state.pauses.items() if why not in _PASSING}

    @property
    def refusal(self) -> str | None:
        """What the service said to this worker's own key when it refused that."""
        return None if Pause.AUTH in self._heard else self.pauses.get(Pause.AUTH)

    @property
    def shards(self) -> frozenset[int]:
        """What lies here and is not done."""
        return frozenset(self._parts)

    @property
    def short(self) -> frozenset[int]:
        """What of it is not done when nothing is left to do of it here: unless the run has ended."""
        return frozenset() if self.pauses or self.engine.core.state.stopping else frozenset(self._short)

    def done(self) -> list[int]:
        """Shards of which nothing is left to do, and was not when this was asked last: all of it is durable by then."""
        left = self.engine.core.lacking.leave()  # it would wait here for ever
        self._short |= {shard_id for shard_id, items in self._parts.items() if not left.isdisjoint(items)}
        state = self.engine.core.state
        if state.stopping or not state.pauses.keys() <= {Pause.PERSON}:
            return []  # the end of the engine is the end of them, or it goes on with them
        busy = self.engine.core.under_way()
        over = frozenset(shard_id for shard_id, items in self._parts.items() if busy.isdisjoint(items))
        done, self._over_before = over & self._over_before, over
        for shard_id in done:
            del self._parts[shard_id]
        return sorted(done)

    async def heed(self, handout: Handout) -> None:
        """What is said to all who work on the run. Raises `LeaseLost` where the terms ask for another bench, or a new
        life or a larger budget does, which knows nothing of what keeps this one from buying.
        """
        if handout == self.handout:
            return
        if handout.life_id != self.handout.life_id:
            if self.engine.core.state.stopping:
                return  # it ends as part of its own life
            if self.pauses:
                raise LeaseLost("the run began anew after it had ended here")
        try:
            terms = terms_of(handout)
        except HandoutUnknown as unknown:
            raise LeaseLost(unknown.message) from None
        state = self.engine.core.state
        if _but_for_dials(terms) != _but_for_dials(self._terms):
            raise LeaseLost("the run goes on under other terms")
        if Pause.BUDGET in self.pauses and terms.spends_more_than(self._terms):
            raise LeaseLost("the budget was raised after it had ended the run here")
        _allow(self._limits, terms)
        self.handout, self._terms = handout, terms
        self._ledger.join_life(handout.life_id)
        state.books = replace(state.books, cap=terms.cap_credits)
        self._heed_word(handout)
        await self.engine.steer(NOTHING)

    def _heed_word(self, handout: Handout) -> None:
        core = self.engine.core
        match handout.word:
            case Word.GO:
                core.let_go("")
            case Word.HOLD:
                core.hold("")
            case Word.END:
                why = Pause(handout.why)
                if core.state.pause(why, handout.reason):
                    self._heard.add(why)
            case Word.STOP:
                self.engine.drain("the run is stopped")


def terms_of(handout: Handout) -> Terms:
    """What the run is to be worked on by. Raises `HandoutUnknown` where this release cannot know that."""
    try:
        return terms_in(handout.terms)
    except ValueError:  # what pydantic raises
        raise HandoutUnknown(f"the run {handout.run_id} was handed out by another release of rivya-batch") from None


def _but_for_dials(terms: Terms) -> Terms:
    """What cannot change while a core works by it."""
    any_rate = Rate(count=1, window_s=1.0)
    return replace(terms, cap_credits=None, in_flight=0, creates=any_rate, polls=any_rate)


def _allow(limits: SharedLimits, terms: Terms) -> None:
    limits.allow(creates=terms.creates, polls=terms.polls, places=terms.in_flight)


async def open_bench(
    handout: Handout,
    *,
    account: str,
    ledger: LedgerHandle,
    shards: Shards,
    limits: SharedLimits,
    fetcher: Fetcher,
    blobs: Blobs,
    service: Service,
    clock: Clock,
    reporter: Reporter,
    spread: Callable[[], float],
    permit: Permit,
) -> Bench:
    """A bench for a run, with nothing on it."""
    terms = terms_of(handout)
    _allow(limits, terms)
    make = partial(
        made_core, terms, account=account, ledger=ledger, price_classes=(), spread=spread, limits=limits.limits
    )
    core = await asyncio.to_thread(partial(make, shared=await shards.books(terms.run_id)))
    ledger.join_life(handout.life_id)
    engine = Engine(
        core,
        ledger=ledger,
        sender=service,
        uploader=None,  # whoever began the run has the files
        saver=ResultSaver(
            core, fetcher=fetcher, blobs=blobs, clock=clock, run_id=terms.run_id, sidecars=terms.sidecars
        ),
        reporter=reporter,
        clock=clock,
        lanes=Lanes(uploads=terms.uploads, downloads=terms.downloads),
        look_up=partial(shards.books, terms.run_id),
        permit=permit,
        ahead_s=AHEAD_S,
    )
    return Bench(handout, terms, engine, ledger=ledger, limits=limits, clock=clock, service=service)
