"""A thousand workers on a hundred accounts, in virtual time: what sharing limits costs, and how well it shares them.

    python -m tests.bench.fleet            the table: a minute
    python -m tests.bench.fleet --quick    a tenth of it

Pacers, shares and beats are the product's. Workers get work and run out of it, die and are replaced, stop for a minute
and go on; the database takes milliseconds. `used` is what was sent over what one process that had all the work would
have sent at its limit; `dead` and `moving` are the shares of all slots that silent workers kept, and that nobody had
while somebody wanted them. `Jain` (1 is even) and `worst` (of its fair part) are of the workers of an account that had
work all the time. `again`: from a death until its slots were another's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, median

from jobs.rates import Rate
from jobs.sharing import Pool
from tests.jobs.sharing_world import Account, Chances, Member, World, most_in_a_window

__all__ = ["Told", "main", "played"]

RATES = (Rate(count=60, window_s=60.0), Rate(count=600, window_s=60.0), Rate(count=50, window_s=1.0))
WARM_S, SPAN_S = 70.0, 90.0
DEATHS_S, LAST_S = 30.0, 20.0  # they happen early enough for their slots to be waited for, the last of them after it
WAY_S = 0.05  # one way to the service at most, half of it on average
STEADY = 0.5  # of workers have work all the time; the others
BUSY_S, IDLE_S = 60.0, 30.0  # have it for so long on average, and then none
DIES = 0.03  # of workers within the span
STOPS = 0.02
STOP_S = 50.0
REPLACED_S = 5.0
POLLS_A_CREATE = 4.0  # what a careful poller makes
SAMPLE_S = 1.0


@dataclass(slots=True, kw_only=True)
class Told:
    """What the accounts of one limit came to."""

    rate: Rate
    accounts: int = 0
    workers: int = 0
    beats: int = 0
    sent: int = 0
    possible: float = 0.0
    over: int = 0  # calls beyond the limit, in the fullest window of any account
    takes_chunked: float = 0.0
    dead: list[float] = field(default_factory=list)
    moving: list[float] = field(default_factory=list)
    jain: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)


class _Fleet:
    """The world, and who does what to it."""

    def __init__(self, accounts: int, workers: int, seed: int) -> None:
        self.dice = Random(seed)
        self.world = World(seed, Chances(way_s=WAY_S))
        self.accounts = [Account(f"a{n}", RATES[n % len(RATES)]) for n in range(accounts)]
        self.told = {rate: Told(rate=rate) for rate in RATES}
        self.steady: set[str] = set()
        self.busy_s = dict.fromkeys((account.name for account in self.accounts), 0.0)
        sizes = [1 + self.dice.paretovariate(1.2) for _ in self.accounts]  # a few are large
        for account, size in zip(self.accounts, sizes, strict=True):
            of_all = max(1, round(workers * size / sum(sizes)))
            self.told[account.rate].accounts += 1
            self.told[account.rate].workers += of_all
            for n in range(of_all):
                self._join(account, f"{account.name}-{n}")

    def _join(self, account: Account, name: str) -> None:
        member = self.world.join(account, name)
        if self.dice.random() < STEADY:
            self.steady.add(name)
        else:
            self._turn(member, works=self.dice.random() < BUSY_S / (BUSY_S + IDLE_S))

    def _turn(self, member: Member, *, works: bool) -> None:
        member.backlog = math.inf if works else 0
        member.when_it_runs(member.pump)
        stays_s = self.dice.expovariate(1.0 / (BUSY_S if works else IDLE_S))
        self.world.after(stays_s, lambda: self._turn(member, works=not works))

    def play(self) -> Mapping[Rate, Told]:
        world = self.world
        world.run(WARM_S)
        began_s = world.now_s
        before = {account.name: (account.beats, len(account.left_s)) for account in self.accounts}
        for account in self.accounts:
            for member in list(account.members):
                self._doom(member)
        while world.now_s < began_s + SPAN_S:
            world.run(SAMPLE_S)
            self._sample()
        for account in self.accounts:
            self._add(account, *before[account.name], began_s=began_s)
        world.run(LAST_S)
        return self.told

    def _doom(self, member: Member) -> None:
        at_s, fate = self.dice.uniform(0.0, DEATHS_S), self.dice.random()
        if fate < DIES:
            self.world.after(at_s, lambda: self._die(member))
        elif fate < DIES + STOPS:
            self.steady.discard(member.name)
            self.world.after(at_s, member.stop)
            self.world.after(at_s + STOP_S, member.go_on)

    def _die(self, member: Member) -> None:
        self.steady.discard(member.name)
        if member.share and any(one.backlog for one in self.world.alive(member.account) if one is not member):
            self._wait_for_slots(member, self.world.now_s)
        member.die()
        self.world.after(REPLACED_S, lambda: self._replace(member))

    def _replace(self, member: Member) -> None:
        self.world.join(member.account, member.name + "+")

    def _wait_for_slots(self, member: Member, died_s: float) -> None:
        """Until its row is gone, and a beat after it found what was free."""
        world, account = self.world, member.account
        if member.share or self._unused(account) > 0:
            world.after(0.2, lambda: self._wait_for_slots(member, died_s))
        else:
            self.told[account.rate].again_s.append(world.now_s - died_s)

    def _unused(self, account: Account) -> int:
        """Slots that nobody has though somebody wants more."""
        rows = [row.parts[Pool.CREATES] for row in account.rows.values() if row.free_at_s > self.world.now_s]
        if not any(one.backlog and not one.is_stopped for one in self.world.alive(account)):
            return 0
        return account.rate.count - sum(part.share for part in rows)

    def _sample(self) -> None:
        now_s = self.world.now_s
        for account in self.accounts:
            works = [one for one in self.world.alive(account) if one.backlog and not one.is_stopped]
            if not works:
                continue
            told = self.told[account.rate]
            self.busy_s[account.name] += SAMPLE_S
            told.takes_chunked += sum(min(1.0, account.rate.per_second / len(works)) for _ in works) * SAMPLE_S
            silent = [row for row in account.rows.values() if row.lease_until_s <= now_s < row.free_at_s]
            told.dead.append(sum(row.parts[Pool.CREATES].share for row in silent) / account.rate.count)
            told.moving.append(self._unused(account) / account.rate.count)

    def _add(self, account: Account, beats: int, sent: int, *, began_s: float) -> None:
        rate, told = account.rate, self.told[account.rate]
        told.beats += account.beats - beats
        told.sent += len(account.left_s) - sent
        told.possible += rate.count / (rate.window_s + WAY_S) * self.busy_s[account.name]
        told.over = max(told.over, most_in_a_window(account.arrived_s, rate.window_s) - rate.count)
        steady = [one for one in account.members if one.name in self.steady and not one.is_stopped]
        counts = [sum(moment_s >= began_s for moment_s in one.sent_s) for one in steady]
        if len(counts) > 1 and rate.per_second * SPAN_S >= 10 * len(account.members):  # else a turn is all they had
            told.jain.append(sum(counts) ** 2 / (len(counts) * sum(one * one for one in counts)))
            told.worst.append(min(counts) / fmean(counts))


def played(accounts: int, workers: int, *, seed: int = 1) -> Mapping[Rate, Told]:
    """What so many came to, by limit."""
    return _Fleet(accounts, workers, seed).play()


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def _lines(told: Mapping[Rate, Told]) -> Iterator[str]:
    head = ("accounts", "workers", "beats/s", "sent/s", "used", "dead", "moving", "over", "Jain", "worst", "again s")
    yield f"{'limit':>8} " + " ".join(f"{one:>8}" for one in head)
    for rate, one in told.items():
        again = f"{median(one.again_s):.0f}" if one.again_s else "-"
        worst = f"{min(one.worst, default=math.nan):.2f}"
        shares = [f"{value:.3f}" for value in (one.sent / one.possible, _mean(one.dead), _mean(one.moving))]
        rates = [f"{value / SPAN_S:.1f}" for value in (one.beats, one.sent)]
        cells = (str(one.accounts), str(one.workers), *rates, *shares, str(one.over), f"{_mean(one.jain):.3f}", worst)
        yield f"{rate!s:>8} " + " ".join(f"{cell:>8}" for cell in (*cells, again))
    sent, beats = (sum(getattr(one, name) for one in told.values()) / SPAN_S for name in ("sent", "beats"))
    chunks = sum(one.takes_chunked for one in told.values()) / SPAN_S
    yield ""
    yield f"transactions a second: {beats:,.0f} for creates, polls and places with leased slots;"
    calls = (1 + POLLS_A_CREATE) * sent
    yield f"{calls:,.0f} with one for each call ({sent:,.0f} creates, {POLLS_A_CREATE:g} polls each);"
    yield f"{2 * chunks:,.0f} with chunks of a second's calls, one take for creates and one for polls"


def main(arguments: Sequence[str]) -> None:
    """Write the table."""
    told = played(10, 100) if "--quick" in arguments else played(100, 1000)
    sys.stdout.write("\n".join(_lines(told)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
