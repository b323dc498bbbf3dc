"""Workers that share limits, in virtual time: real pacers and beats; the database, the way and deaths are made up.

The database serialises an account's beats by a lock. A transaction takes time at each step, and each may fail: it never
begins, it is rolled back, or it is committed and nobody hears of it. A worker may die, or stop and go on later as if
nothing had been; each has a clock of its own that runs a little fast or slow. The service only counts.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from jobs.needs import Needs
from jobs.rates import Rate
from jobs.shareholder import Shareholder
from jobs.sharing import BEAT_S, Pool, Row

__all__ = ["Account", "Chances", "Member", "World", "most_in_a_window"]

POLLS = Rate(count=100, window_s=1.0)
PLACES = 100
# Clocks run so much fast or slow: the worst crystals.
DRIFT = 1e-4
# What the service asks for when it refuses.
REFUSED_S = 2.0
# A beat that failed is tried again after this.
AGAIN_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How the world treats them. Shares are of beats; seconds are the longest."""

    step_s: float = 0.002  # one step of a transaction
    way_s: float = 0.05  # to the service, and back
    near: float = 0.0  # of workers: their way takes nearly nothing
    fails: float = 0.0
    unheard: float = 0.0  # committed, and nobody was told
    slow: float = 0.0  # takes up to `slow_s` a step
    slow_s: float = 4.0


@dataclass(slots=True)
class Account:
    """A bucket in the database, and what the service counted of it."""

    name: str
    rate: Rate
    rows: dict[str, Row] = field(default_factory=dict)
    is_locked: bool = False
    queue: list[Callable[[], None]] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    allows: Rate | None = None  # what the service lets through, where that is less than its users think
    left_s: list[float] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)  # and were let through
    refused_s: list[float] = field(default_factory=list)
    beats: int = 0
    takes: int = 0  # beats that changed what somebody has

    def lets_through(self, now_s: float) -> bool:
        if self.allows is not None:
            began = bisect_right(self.arrived_s, now_s - self.allows.window_s)
            if len(self.arrived_s) - began >= self.allows.count:
                self.refused_s.append(now_s)
                return False
        self.arrived_s.append(now_s)
        return True


class Member:
    """One worker."""

    def __init__(self, world: World, account: Account, name: str, *, rate: Rate | None = None) -> None:
        self.world, self.account, self.name = world, account, name
        self.skew = 1.0 + world.dice.uniform(-DRIFT, DRIFT)
        self.way_s = 0.001 if world.dice.random() < world.chances.near else world.chances.way_s
        self.offset_s = world.dice.uniform(0, 1e5)
        self.holder = Shareholder(name, creates=rate or account.rate, polls=POLLS, places=PLACES)
        self.pacer = self.holder.pacer(Pool.CREATES)
        self.backlog: float = 0
        self.held_up = False  # its calls wait for something else as well
        self.is_stuck = False  # the same, and it says nothing of it
        self.is_dead = self.is_stopped = self.is_leaving = False
        self.is_cut_off = False  # from the database, but not from the service
        self.later: list[Callable[[], None]] = []  # what happens to it once it goes on
        self.sent_s: list[float] = []
        self.pumps_at_s = math.inf

    def now_s(self) -> float:
        """Its own clock."""
        return self.offset_s + self.world.now_s * self.skew

    @property
    def share(self) -> int:
        """What its row has."""
        row = self.account.rows.get(self.name)
        return 0 if row is None or row.free_at_s <= self.world.now_s else row.parts[Pool.CREATES].share

    @property
    def may_send(self) -> bool:
        return self.backlog > 0 and not (self.held_up or self.is_stuck or self.is_dead or self.is_leaving)

    def when_it_runs(self, what: Callable[[], None]) -> None:
        if self.is_dead:
            return
        if self.is_stopped:
            self.later.append(what)
        else:
            what()

    def die(self) -> None:
        self.is_dead = True

    def stop(self) -> None:
        self.is_stopped = True

    def go_on(self) -> None:
        self.is_stopped = False
        todo, self.later = self.later, []
        for what in todo:
            self.when_it_runs(what)
        self.pump()

    def needs(self) -> Needs:
        waiting = 0 if self.is_leaving else math.ceil(min(self.backlog, 1e6))
        return Needs(waiting=waiting, is_held_up=self.held_up, places=1)

    # Beats

    def beat(self) -> None:
        world, chances = self.world, self.world.chances
        began_s = self.now_s()
        if self.is_cut_off or world.dice.random() < chances.fails / 2:
            world.after(AGAIN_S, lambda: self.when_it_runs(self.beat))
            return
        world.after(world.step_s(), lambda: self._lock(began_s))

    def _lock(self, began_s: float) -> None:
        account = self.account
        if account.is_locked:
            account.queue.append(lambda: self.when_it_runs(lambda: self._lock(began_s)))
            return
        if self.is_dead:
            return
        account.is_locked = True
        self.world.after(self.world.step_s(), lambda: self._decide(began_s))

    def _unlock(self) -> None:
        self.account.is_locked = False
        todo, self.account.queue = self.account.queue, []
        for what in todo:
            what()

    def _decide(self, began_s: float) -> None:
        """A transaction that was read under the lock; a database rolls back what a stopped or dead one leaves open."""
        world = self.world
        if self.is_dead or self.is_stopped:
            self._unlock()
            self.when_it_runs(lambda: world.after(AGAIN_S, lambda: self.when_it_runs(self.beat)))
            return
        at_s, account = world.now_s, self.account
        for name in [name for name, row in account.rows.items() if row.free_at_s <= at_s]:
            del account.rows[name]
        if self.is_leaving:
            row = self.holder.leave(tuple(account.rows.values()), at_s=at_s, now_s=self.now_s())
        else:
            row = self.holder.beat(tuple(account.rows.values()), self.needs(), at_s=at_s, now_s=self.now_s())
        fate = world.dice.random()
        is_committed = fate >= world.chances.fails / 2
        is_heard = is_committed and fate >= world.chances.fails / 2 + world.chances.unheard
        world.after(world.step_s(), lambda: self._commit(row, began_s, is_committed=is_committed, is_heard=is_heard))

    def _commit(self, row: Row, began_s: float, *, is_committed: bool, is_heard: bool) -> None:
        account, world = self.account, self.world
        if is_committed:
            before = account.rows.get(self.name)
            account.takes += before is None or before.parts[Pool.CREATES].share != row.parts[Pool.CREATES].share
            account.beats += 1
            account.rows[self.name] = row
        self._unlock()
        if self.is_leaving and is_committed:
            self.die()
        world.after(world.step_s(), lambda: self.when_it_runs(lambda: self._told(began_s, is_heard)))

    def _told(self, began_s: float, is_heard: bool) -> None:
        if is_heard:
            self.holder.written(began_s=began_s, now_s=self.now_s())
            self.world.check(self.account)
            self.pump()
        gap_s = self.holder.gap_s * self.world.dice.uniform(0.9, 1.1) if is_heard else AGAIN_S
        self.world.after(gap_s, lambda: self.when_it_runs(self.beat))

    # Creates

    def pump(self) -> None:
        """Send what may leave, and come again when more may."""
        while self.may_send and not self.is_stopped:
            now_s = self.now_s()
            due_s = self.pacer.due_s(now_s)
            if due_s > now_s:
                if due_s < math.inf:
                    self._pump_at(self.world.now_s + max(1e-6, (due_s - now_s) / self.skew))
                return
            self._send(now_s)

    def _pump_at(self, at_s: float) -> None:
        if at_s >= self.pumps_at_s and self.pumps_at_s > self.world.now_s:
            return
        self.pumps_at_s = at_s
        self.world.at(at_s, lambda: self.when_it_runs(self.pump))

    def _send(self, now_s: float) -> None:
        world, account = self.world, self.account
        token = self.pacer.leave(now_s)
        self.backlog -= 1
        account.left_s.append(world.now_s)
        self.sent_s.append(world.now_s)
        world.after(self.way_s * world.dice.random(), lambda: self._arrived(token))

    def _arrived(self, token: int) -> None:
        world = self.world
        is_through = self.account.lets_through(world.now_s)
        world.after(
            self.way_s * world.dice.random(),
            lambda: self.when_it_runs(lambda: self._answered(token, is_through=is_through)),
        )

    def _answered(self, token: int, *, is_through: bool) -> None:
        if is_through:
            self.pacer.answered(token, self.now_s())
        else:
            self.backlog += 1
            self.pacer.refused(token, self.now_s(), wait_s=REFUSED_S, reason="HTTP 429")
        self.pump()


class World:
    """Virtual time. `now_s` is also the clock of the database."""

    def __init__(self, seed: int, chances: Chances | None = None) -> None:
        self.dice = Random(seed)
        self.chances = chances or Chances()
        self.now_s = 1_000_000.0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def join(self, account: Account, name: str, *, backlog: float = math.inf, rate: Rate | None = None) -> Member:
        member = Member(self, account, name, rate=rate)
        member.backlog = backlog
        account.members.append(member)
        self.after(BEAT_S * self.dice.random(), lambda: member.when_it_runs(member.beat))
        return member

    def step_s(self) -> float:
        is_slow = self.chances.slow and self.dice.random() < self.chances.slow
        return self.dice.random() * (self.chances.slow_s if is_slow else self.chances.step_s)

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        self.at(self.now_s + delay_s, what)

    def at(self, moment_s: float, what: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._coming, (moment_s, self._order, what))

    def run(self, for_s: float) -> None:
        until_s = self.now_s + for_s
        while self._coming and self._coming[0][0] <= until_s:
            self.now_s, _, what = heapq.heappop(self._coming)
            what()
        self.now_s = until_s

    def alive(self, account: Account) -> Iterator[Member]:
        return (one for one in account.members if not one.is_dead)

    def check(self, account: Account) -> None:
        """What workers keep to is never more than there is, and never more than the rows say."""
        total = 0
        for one in self.alive(account):
            use = one.pacer.rate.count if one.pacer.is_leased(one.now_s()) else 0
            assert use <= one.share, f"{one.name} of {account.name} keeps to {use}, and has {one.share}"
            total += use
        assert total <= account.rate.count, f"{account.name}: {total} of {account.rate.count} are kept to"


def most_in_a_window(moments_s: list[float], window_s: float) -> int:
    """The fullest window, open at one end, of a service whose seconds are a little shorter than any worker's."""
    ordered = sorted(moments_s)
    began_s = [moment_s - window_s * (1.0 - 2.0 * DRIFT) + 1e-6 for moment_s in ordered]
    return max((n - bisect_right(ordered, began) for n, began in enumerate(began_s, 1)), default=0)
