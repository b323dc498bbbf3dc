"""One worker's side of shared limits: what its row says, and what it keeps to.

A beat has two moments. In the transaction `beat` is given all rows; it decides, and gives back at once what is to be
given back, because nothing may leave between the counting and the giving. Once the commit is known, `written` takes
what was added, for a lease that began before the transaction. A beat that fails, or nobody knows of, adds nothing; the
next one reads what became of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from jobs.leasing import LeasedPacer
from jobs.limits import Limits
from jobs.needs import Needs
from jobs.rates import Rate
from jobs.sharing import BEAT_S, LEASE_S, Grant, Part, Pool, Row, granted, kept_s, moving_s, teller, wanted

__all__ = ["FIRST_BEATS", "IDLE_S", "Shareholder"]

# Workers seldom come alone, nor come back alone when the database was away. The first finds all slots free and takes
# them; so many beats come soon after that, to see who else is there.
FIRST_BEATS = 4
# A call that could have left for so long waits for something that no slot helps: an answer, better weather, credits.
IDLE_S = BEAT_S


class Shareholder:
    """It begins with nothing. Rates and `places` are what its settings allow the whole account.

    `limits` is what its calls keep to, and outlives any run: slots that are taken stay so.
    """

    def __init__(self, worker: str, *, creates: Rate, polls: Rate, places: int) -> None:
        self.worker = worker
        self.places = 0  # so many tasks at once, from now on
        self.until_s = -math.inf  # the end of the lease, by the pacers' clock
        self._own = {Pool.CREATES: creates, Pool.POLLS: polls}
        self._pacers = {pool: LeasedPacer(pool.value, rate) for pool, rate in self._own.items()}
        self.limits = Limits(*self._pacers.values())
        self._own_places = places
        self._beats_left = 0  # of those with which it comes
        self._is_stuck = False  # creates could leave, and do not
        self._use: dict[Pool, Rate | None] = dict.fromkeys(self._pacers)  # what is kept to; None: nothing
        self._grants: dict[Pool, Grant] = {}
        self._followed_s = dict.fromkeys(self._pacers, -math.inf)  # when a cut was heard of last
        self._heard_pause_s = dict.fromkeys(self._pacers, -math.inf)
        self._places_found: int | None = None
        self._places_told = 1.0, 0.0  # what stands of them, and since when

    def allow(self, *, creates: Rate, polls: Rate, places: int) -> None:
        """The settings changed: from the next beat on."""
        self._own = {Pool.CREATES: creates, Pool.POLLS: polls}
        self._own_places = places

    def abandon(self, now_s: float) -> None:
        """Whoever waited for answers is gone: what has not come by now is taken for answered."""
        for pacer in self._pacers.values():
            for token in pacer.unanswered():
                self.limits.returned(pacer, token, now_s)

    def pacer(self, pool: Pool) -> LeasedPacer:
        """Of creates, or of polls."""
        return self._pacers[pool]

    @property
    def gap_s(self) -> float:
        """How soon to beat again: sooner while slots are on their way, or are to be, or others may just have come."""
        windows_s = [
            grant.window_s
            for pool, grant in self._grants.items()
            if pool is not Pool.PLACES
            and (self._beats_left or grant.is_last or not grant.share == grant.use == grant.fair)
        ]
        return moving_s(min(windows_s)) if windows_s else BEAT_S

    # A beat

    def beat(self, rows: Sequence[Row], needs: Needs, *, at_s: float, now_s: float) -> Row:
        """The row to write, with all rows as they are now. `at_s` is the database's clock, `now_s` the pacers'."""
        said_of_places = self._said_of_places(rows, needs, at_s)
        places = granted(Pool.PLACES, rows, self.worker, said_of_places, held=needs.running, at_s=at_s)
        self._grants[Pool.PLACES] = places
        parts = {
            Pool.CREATES: self._said_of_creates(needs, at_s, now_s),
            Pool.POLLS: self._said(Pool.POLLS, needs.polls, at_s, now_s),
        }
        for pool, part in parts.items():
            self._listen(pool, rows, part, at_s, now_s)
            grant = self._grants[pool] = granted(pool, rows, self.worker, part, held=part.used, at_s=at_s)
            parts[pool] = replace(part, share=grant.share)
        parts[Pool.PLACES] = replace(said_of_places, share=places.share)
        self._give_back(now_s)
        windows_s = [grant.window_s for grant in self._grants.values()]
        until_s = at_s + LEASE_S
        return Row(worker=self.worker, parts=parts, lease_until_s=until_s, free_at_s=until_s + kept_s(windows_s))

    def written(self, *, began_s: float, now_s: float) -> None:
        """The commit is known: use what was given. `began_s`: before the transaction, by the pacers' clock."""
        self._beats_left = FIRST_BEATS if now_s >= self.until_s else max(0, self._beats_left - 1)
        self.until_s = began_s + LEASE_S
        for pool in self._pacers:
            grant = self._grants[pool]
            self._keep_to(pool, Rate(count=grant.use, window_s=grant.window_s) if grant.use else None, now_s)
        self.places = self._grants[Pool.PLACES].use

    def leave(self, rows: Sequence[Row], *, at_s: float, now_s: float, running: int = 0) -> Row:
        """The last row: what is still taken, until it is free. Nothing leaves any more."""
        row = self.beat(rows, Needs(running=running), at_s=at_s, now_s=now_s)
        for pacer in self._pacers.values():
            pacer.shut()
        return replace(row, lease_until_s=at_s, free_at_s=at_s + row.free_at_s - row.lease_until_s)

    def _give_back(self, now_s: float) -> None:
        """What is used is never more than what a row has, neither the old one nor the new."""
        for pool, pacer in self._pacers.items():
            grant, use = self._grants[pool], self._use[pool]
            if use is None or (grant.use >= use.count and grant.window_s == use.window_s):
                continue
            is_less = grant.use > 0 and grant.window_s == use.window_s
            self._keep_to(pool, replace(use, count=grant.use) if is_less else None, now_s)
            assert self._use[pool] is None or pacer.rate.count <= grant.share, "less is kept to than is written"
        self.places = min(self.places, self._grants[Pool.PLACES].use)

    def _keep_to(self, pool: Pool, rate: Rate | None, now_s: float) -> None:
        self._use[pool] = rate
        if rate is None:
            self._pacers[pool].shut()
        else:
            fair_per_s = max(1, self._grants[pool].fair) / rate.window_s
            if self._is_stuck and pool is Pool.CREATES:
                fair_per_s = max(fair_per_s, 1.0 / IDLE_S)  # that it can send again is seen in that it does
            self._pacers[pool].lease(rate, now_s, fair_per_s=fair_per_s, until_s=self.until_s)

    # What workers tell one another

    def _said_of_creates(self, needs: Needs, at_s: float, now_s: float) -> Part:
        pacer = self._pacers[Pool.CREATES]
        has_place = needs.running < self._grants[Pool.PLACES].use
        left = max(0, needs.waiting - len(pacer.unanswered()))  # what is on its way has its slot
        self._is_stuck = left > 0 and pacer.idle_s(now_s) > IDLE_S
        can_send = left > 0 and has_place and not needs.is_held_up and not self._is_stuck
        want = wanted(waiting=needs.waiting, held_up=not can_send, used=pacer.held(now_s))
        return replace(self._said(Pool.CREATES, want, at_s, now_s), left=left if can_send else 0)

    def _said(self, pool: Pool, want: int, at_s: float, now_s: float) -> Part:
        pacer, own = self._pacers[pool], self._own[pool]
        used, stood = pacer.shares
        is_own_cut = pacer.cut_at_s != self._followed_s[pool]
        is_own_pause = pacer.paused_until_s > max(now_s, self._heard_pause_s[pool])
        return Part(
            limit=own.count,
            window_s=own.window_s,
            want=want,
            used=pacer.held(now_s),
            used_share=used,
            stood_share=stood,
            cut_at_s=at_s - (now_s - pacer.cut_at_s) if is_own_cut else 0.0,
            paused_until_s=at_s + (pacer.paused_until_s - now_s) if is_own_pause else 0.0,
        )

    def _said_of_places(self, rows: Sequence[Row], needs: Needs, at_s: float) -> Part:
        """A refusal shows how many tasks the account runs at most: those of this worker, and of the others then."""
        found = self.limits.places.found
        if found != self._places_found:
            self._places_found = found
            running = sum(row.parts[Pool.PLACES].used for row in rows if row.worker != self.worker)
            stands = 1.0 if found is None else min(1.0, (found + running) / self._own_places)
            self._places_told = stands, at_s
        stands, cut_at_s = self._places_told
        want, used = needs.places, needs.running
        return Part(limit=self._own_places, want=want, used=used, used_share=stands, cut_at_s=cut_at_s)

    def _listen(self, pool: Pool, rows: Sequence[Row], mine: Part, at_s: float, now_s: float) -> None:
        """A refusal slows all of them down once; from there on each goes by what it sees itself."""
        pacer = self._pacers[pool]
        paused_s = max((row.parts[pool].paused_until_s for row in rows if row.worker != self.worker), default=0.0)
        if paused_s > at_s:
            self._heard_pause_s[pool] = now_s + (paused_s - at_s)
            pacer.wait(self._heard_pause_s[pool])
        told = teller(pool, rows, self.worker, mine, at_s=at_s)
        if told is None or now_s - (at_s - told.cut_at_s) <= max(pacer.cut_at_s, self._followed_s[pool]):
            return
        self._followed_s[pool] = now_s
        if told.used_share < pacer.shares[0]:
            pacer.follow(told.used_share, told.stood_share, now_s)
