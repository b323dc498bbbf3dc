"""A worker: it claims shards, works on them in one engine, and keeps its leases. What goes wrong ends it whole.

It is its own process's one claimant. Whatever it is not sure of any more (a shard that went to another, an item that
somebody moved, a database that stays away) ends everything under way here, as a crash would; whoever has the shards
next, perhaps this process a moment later, goes on from the ledger. So there is one way to recover, and it is tried
every day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import anyio

from jobs.shards import Handed, handed_in
from jobs.terms import Terms
from jobs.verdict import Pause
from runner.blobs import Blobs
from runner.clock import Clock
from runner.errors import AuthError, HandoutUnknown, LeaseLost, OutputUnusable, UsageError
from runner.exchange import Fetcher
from runner.ledger.handle import LedgerHandle
from runner.ledger.shards import LEASE_S, Claim, Handout, Shards, Word
from runner.reporter import Reporter
from runner.service import Service
from runner.shards.bench import Bench, open_bench, terms_of
from runner.shards.lease import Lease
from runner.shared_limits import SharedLimits

__all__ = ["BEAT_S", "SHARDS_MAX", "Tools", "Worker"]

# How often leases are renewed, and what is said to all is read: five may get lost before others take over.
BEAT_S: Final = 1.0
# Shards at once from the queue: a few hundred items, so that no slot waits for an item while others wait for an end.
SHARDS_MAX: Final = 8
# Shards that others left are taken over besides, so many a beat: nobody but this worker may be there to do it.
TAKEN_OVER_A_BEAT: Final = 4
# After a gap in its own beats a worker lets others come back first: a database that was away let all leases end.
GRACE_S: Final = LEASE_S
# What cannot be worked on here (a reference has grown too old, results cannot be written) is tried again after this: it
# may be right within seconds, or not before a person has seen to it.
PUT_OFF_S: Final = 15.0

_Key = TypeVar("_Key", int, str)

# About one run, and nothing that another one would meet.
_UNFIT: Final = (HandoutUnknown, OutputUnusable, UsageError)


class OpenPlace(Protocol):
    """Opens the place where a run's results go."""

    async def __call__(self, terms: Terms) -> Blobs: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a worker works with, whatever the run."""

    account: str
    service: Service
    fetcher: Fetcher
    open_place: OpenPlace
    limits_for: Callable[[Terms], SharedLimits]  # the same whatever the terms, once there are any
    reporter: Reporter
    clock: Clock
    spread: Callable[[], float]
    say: Callable[[str], None]  # a line for whoever watches this process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    fence: int
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """One worker on one ledger, until it is told to leave or something ends it."""

    def __init__(self, ledger: LedgerHandle, shards: Shards, tools: Tools) -> None:
        self._ledger = ledger
        self._shards = shards
        self._tools = tools
        self._lease = Lease()
        self._held: dict[int, _Held] = {}
        self._claiming: set[int] = set()
        self._fences: dict[str, tuple[int, int]] = {}  # item -> its shard, and the fence of that
        self._refused: dict[str, float] = {}  # runs that cannot be worked on here -> until when that is not tried again
        self._complaints: set[tuple[str, int, str]] = set()  # each life forgets what was said to the one before
        self._put_off: dict[int, float] = {}  # shards that wait for something -> until when they are not taken again
        self._bench: Bench | None = None
        self._benches = asyncio.Condition()  # about `_bench`
        self._leaving = False
        self._beat_s = self._lease.ask_s()
        self._patient_until_s = float("-inf")
        self._group = anyio.create_task_group()
        ledger.belong(self._fences.__getitem__)

    async def run(self) -> None:
        """Work on what others left and on what is taken meanwhile, until it is told to leave.

        What makes going on unsafe is raised, as a group of RunnerErrors.
        """
        async with self._group:
            for shard_id in await self._shards.renew():  # what this process had a moment ago
                self._group.start_soon(self._take, shard_id)
            while not self._leaving or self._bench is not None:
                await self._beat()
                await anyio.sleep(BEAT_S)
            await self._shards.give_back()
            self._group.cancel_scope.cancel()

    @property
    def has_work(self) -> bool:
        return bool(self._held)

    def leave(self, why: str) -> None:
        """First signal: take nothing new, let answers come in, leave the rest to others."""
        self._leaving = True
        if self._bench is not None:
            self._bench.engine.drain(why)

    def cut(self) -> None:
        """Second signal: now."""
        if self._bench is not None:
            self._bench.engine.cut()

    async def take(self, shard_id: int) -> None:
        """Work on a shard, if nobody else has it; returns when nothing is left to do of it here, or this worker ends.

        What goes wrong is raised by `run`, whoever calls this.
        """
        over = asyncio.Event()

        async def take() -> None:
            try:
                await self._take(shard_id)
            finally:
                over.set()

        if not self._leaving:
            self._group.start_soon(take)
            await over.wait()

    async def _take(self, shard_id: int) -> None:
        if self._leaving or self._lease.ask_s() < self._put_off.get(shard_id, 0.0):
            return
        claim = await self._claim(shard_id)
        if claim is None:
            return
        held = self._held[shard_id]
        try:
            is_put = await self._put_claimed(claim)
        except _UNFIT as error:
            is_put = False
            await self._refuse(claim, error.message)
        if is_put:
            await held.over.wait()
        else:  # the run is stopped, or this worker leaves: what nobody works on here is not kept from others
            del self._held[shard_id]
            await self._shards.put_down(shard_id, claim.fence)

    async def _claim(self, shard_id: int) -> Claim | None:
        """Have a shard, once: it may come by the queue and because it was left, and the ledger refuses no second claim
        of the one who has it.
        """
        if shard_id in self._held or shard_id in self._claiming:
            return None
        asked_s = self._lease.ask_s()
        self._claiming.add(shard_id)
        try:
            claim = await self._shards.claim(shard_id, refused=_waiting(self._refused, asked_s))
        finally:
            self._claiming.discard(shard_id)
        if claim is not None:
            if not self._held:
                self._lease.renewed(asked_s)
            self._held[shard_id] = _Held(fence=claim.fence)
        return claim

    async def _put_claimed(self, claim: Claim) -> bool:
        """Raises what makes a run none for this worker."""
        try:
            handed = handed_in(claim.items)
        except ValueError:
            raise HandoutUnknown(f"shard {claim.shard_id} was cut by another release of rivya-batch") from None
        self._fences.update({one.item.identity: (claim.shard_id, claim.fence) for one in handed})
        is_put = await self._put(claim.run_id, claim.shard_id, handed)
        if is_put:
            self._tools.say(f"{claim.run_id}: shard {claim.shard_id}, {len(handed)} items")
        return is_put

    async def _refuse(self, claim: Claim, why: str) -> None:
        """The run cannot be worked on here: say so, to whoever began it as well, and leave it alone for a while."""
        now_s = self._lease.ask_s()
        self._put_off[claim.shard_id] = self._refused[claim.run_id] = now_s + PUT_OFF_S
        life_id = (await self._said(claim.run_id)).life_id
        if (claim.run_id, life_id, why) in self._complaints:
            return
        self._complaints.add((claim.run_id, life_id, why))
        self._tools.say(f"{claim.run_id} is left to others: {why}")
        await self._shards.complain(claim.run_id, why, life_id=life_id)

    async def _put(self, run_id: str, shard_id: int, handed: Sequence[Handed]) -> bool:
        """Put a shard on the bench of its run, once that of another run is done with; False where that must not be."""
        async with self._benches:
            while not self._leaving:
                handout = await self._said(run_id)
                if handout.word is Word.STOP:
                    return False
                bench = self._bench
                if bench is None:
                    return await self._began(handout, shard_id, handed)
                if bench.handout.run_id == run_id and await bench.put(shard_id, handed):
                    return True
                await bench.end()
                await self._benches.wait()
        return False

    async def _began(self, handout: Handout, shard_id: int, handed: Sequence[Handed]) -> bool:
        """Begin a run here with its first shard: a run that ends would be over at once without one.

        Until that lies there nobody else knows the bench, so that nobody can end it before there is work to end.
        """
        bench = await self._opened(handout)
        await bench.put(shard_id, handed)
        await bench.heed(await self._said(handout.run_id))  # what was said meanwhile
        if self._leaving:
            return False
        self._bench = bench
        self._group.start_soon(self._work, bench)
        return True

    async def _said(self, run_id: str) -> Handout:
        return (await self._shards.handouts([run_id]))[run_id]

    async def _opened(self, handout: Handout) -> Bench:
        tools, terms = self._tools, terms_of(handout)
        return await open_bench(
            handout,
            account=tools.account,
            ledger=self._ledger,
            shards=self._shards,
            fetcher=tools.fetcher,
            limits=tools.limits_for(terms),
            blobs=await tools.open_place(terms),
            service=tools.service,
            clock=tools.clock,
            reporter=tools.reporter,
            spread=tools.spread,
            permit=self._lease,
        )

    async def _leave_short(self, shard_id: int, fence: int) -> None:
        """What this worker cannot buy now is not done, and is for whoever takes it once that has changed."""
        self._put_off[shard_id] = self._lease.ask_s() + PUT_OFF_S
        self._tools.say(f"shard {shard_id} waits for references, which the command that began the run uploads anew")
        await self._shards.put_down(shard_id, fence)

    async def _work(self, bench: Bench) -> None:
        await bench.work()
        await self._tell_pauses(bench)
        if bench.refusal is not None:  # another run would end as this one did
            await self._shards.give_back()
            raise AuthError(f"The run has ended for all workers: {bench.refusal}")
        if not self._leaving:
            await self._close(sorted(bench.shards))
        async with self._benches:
            self._bench = None
            self._benches.notify_all()

    # Every second

    async def _beat(self) -> None:
        """Keep what is held, hear what is said, close what is done, take over what others left."""
        asked_s = self._lease.ask_s()
        if asked_s - self._beat_s > LEASE_S / 2:
            self._patient_until_s = asked_s + GRACE_S
        self._beat_s = asked_s
        await asyncio.gather(self._renew(asked_s), self._hear(), self._take_over(asked_s))
        bench = self._bench
        if bench is not None:
            await self._tell_pauses(bench)
            await self._close(bench.done())

    async def _renew(self, asked_s: float) -> None:
        before = dict(self._held)
        if not before:
            return
        kept = await self._shards.renew()
        for shard_id, held in before.items():
            if shard_id in self._held and kept.get(shard_id) != held.fence:
                raise LeaseLost(f"shard {shard_id} went to another worker while this one was away")
        self._lease.renewed(asked_s)

    async def _hear(self) -> None:
        bench = self._bench
        if bench is not None:
            await bench.heed(await self._said(bench.handout.run_id))

    async def _take_over(self, now_s: float) -> None:
        if self._leaving or now_s < self._patient_until_s:
            return
        put_off, refused = _waiting(self._put_off, now_s), _waiting(self._refused, now_s)
        for shard_id in await self._shards.left(TAKEN_OVER_A_BEAT, put_off=put_off, refused=refused):
            self._group.start_soon(self._take, shard_id)

    async def _tell_pauses(self, bench: Bench) -> None:
        """What keeps one worker from buying ends buying for all: it is as if one process ran all of it."""
        if bench.handout.word not in (Word.GO, Word.HOLD):
            return
        run_id, life_id = bench.handout.run_id, bench.handout.life_id
        for why, reason in bench.pauses.items():
            cap = bench.engine.core.state.books.cap if why is Pause.BUDGET else None
            await self._shards.say(run_id, Word.END, life_id=life_id, why=why.value, reason=reason, cap=cap)

    async def _close(self, shard_ids: Sequence[int]) -> None:
        ours = [shard_id for shard_id in shard_ids if shard_id in self._held]  # a beat and an end may both close it
        held = {shard_id: self._held.pop(shard_id) for shard_id in ours}
        short = frozenset() if self._bench is None else self._bench.short
        whole = {shard_id: one.fence for shard_id, one in held.items() if shard_id not in short}
        if whole:
            await self._shards.close(whole)
        for shard_id in held.keys() & short:
            await self._leave_short(shard_id, held[shard_id].fence)
        for one in held.values():
            one.over.set()


def _waiting(until_s: Mapping[_Key, float], now_s: float) -> list[_Key]:
    """What is not to be tried again yet."""
    return [one for one, moment_s in until_s.items() if now_s < moment_s]
