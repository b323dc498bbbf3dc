"""One account's limits, shared by workers that do not talk to one another: who has how much of them.

Slots are leased, not calls. A limit of N calls in any window is N slots, and a slot is taken from the moment a call
leaves until one window after its answer (`jobs.pacing`). Every worker has some of the N and keeps to them by itself, so
no call asks anybody. About once a second it writes what it has and what it could use, reads what the others wrote, and
takes or gives back: one transaction, one at a time for each account. What must hold then holds by addition alone:

- What the rows have is never more than N, and no worker has more slots taken than its row says.
- Who gives back keeps to less first, and writes the smaller number as its slots come free. Who takes, takes only what
  no row has, and uses it once that is written.
- A share is used only until its lease is over by the worker's own clock, which began to count before the lease was
  written. The row of a worker that is silent keeps its share for as long as one of its calls may still count.
- Who starts has nothing. What it had in an earlier life comes back like that of any dead worker.

How much each should have is the same for all who read the same rows: an equal part, and what one does not want is for
the others (water-filling). Parts that cannot be halved go round. When all are about to run out of calls, in a window of
seconds, the parts are as large as what each has left, so that they end together. Places in flight are the same without
a window.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

__all__ = [
    "ALL",
    "ARRIVE_S",
    "BEAT_S",
    "LEASE_S",
    "Grant",
    "Part",
    "Pool",
    "Row",
    "fair",
    "granted",
    "is_near_end",
    "kept_s",
    "moving_s",
    "part_by_left",
    "parts_in",
    "parts_text",
    "teller",
    "wanted",
]

# How often a worker writes its row: what becomes free is idle for about as long.
BEAT_S = 1.0
# While a share is on its way from one to another both write this share of a window apart, but not more often than that.
MOVING_SHARE = 0.25
MOVING_S_MIN = 0.2
# A share is good for so long after the beat that wrote it: four beats may get lost, and a database may restart.
LEASE_S = 5.0
# A call that left while the lease held has reached the service by then, and no clock is wrong by as much. What takes
# long is to connect, so a create is asked for its lease once more after that; a late poll may be refused, and is free.
ARRIVE_S = 5.0
# Calls that are done within so many windows are few: two or three are over until all have heard of that and slots went
# from who has little left to who has much. Only where beats are quicker than windows of seconds: in longer ones a slot
# goes over in time without that. And not of what is done before the next beat.
LAST_WINDOWS = 4.0
# Wanted by who would use whatever there is.
ALL = 1_000_000
# What cannot be shared out evenly goes round in turns of this length, and of this many windows: after its turn a slot
# takes up to one to come free, and who is next must be left with time to use it.
TURN_S = 20.0
TURN_WINDOWS = 2.0
# Who does not use all it has wants this much more than it uses, so that it can use more when it has to.
HEADROOM_SHARE = 0.25


class Pool(StrEnum):
    """What is shared. Public words: rows in the database hold them."""

    CREATES = "creates"
    POLLS = "polls"
    PLACES = "places"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one worker has of one pool, and what it says about it. Moments are by the clock of the database."""

    limit: int  # what its own settings allow the whole account
    window_s: float = 0.0  # 0: no window, but so many at once
    share: int = 0  # nobody else may use this
    want: int = 0  # it could use so much now
    left: int = 0  # so many calls have no slot and wait for nothing else
    used: int = 0
    used_share: float = 1.0  # of the limit, for what it saw of the service ...
    stood_share: float = 1.0  # ... and what of it stood, or is to come back
    cut_at_s: float = 0.0  # when its calls were refused last; 0: never
    paused_until_s: float = 0.0  # the service wants to be left alone


_PART = tuple(each.name for each in fields(Part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One worker, as its last beat left it."""

    worker: str
    parts: Mapping[Pool, Part]
    lease_until_s: float
    free_at_s: float  # from then on nothing that it had can still count


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a beat comes to: `share` goes into the row, `use` is what the worker keeps to from now on."""

    share: int
    use: int
    fair: int  # what both are to become; calls are spaced by it
    limit: int
    window_s: float
    is_last: bool = False  # `fair` is by what is left, which soon is less


def parts_text(parts: Mapping[Pool, Part]) -> str:
    """As a row in the database holds them: JSON."""
    return json.dumps({pool: asdict(part) for pool, part in parts.items()}, separators=(",", ":"))


def parts_in(text: str) -> Mapping[Pool, Part]:
    """The other way round. What another release wrote besides is left out, and what it did not write is at rest."""
    said = json.loads(text)
    return {pool: Part(**{name: said[pool][name] for name in _PART if name in said[pool]}) for pool in Pool}


def kept_s(windows_s: Iterable[float]) -> float:
    """For how long after the end of its lease the row of a silent worker keeps what it had."""
    return ARRIVE_S + max(windows_s)


def granted(pool: Pool, rows: Iterable[Row], worker: str, mine: Part, *, held: int, at_s: float) -> Grant:
    """What a worker has after a beat at `at_s`; `held`: slots or places that it has taken now.

    Who has too many slots goes on at the pace of its fair part, and gives back what came free and was not taken again:
    so the pace of all together stays what it is. Who is to have none stops.
    """
    others = [row for row in rows if row.worker != worker and row.free_at_s > at_s]
    heard = {row.worker: row.parts[pool] for row in others if row.lease_until_s > at_s} | {worker: mine}
    strictest = min(heard.values(), key=lambda part: (_pace(part), part.window_s))
    limit, window_s = strictest.limit, strictest.window_s
    level = limit
    if pool is Pool.PLACES and (told := teller(pool, others, worker, mine, at_s=at_s)) is not None:
        level = min(limit, max(1, round(told.limit * told.used_share)))
    turn = int(at_s // max(TURN_S, TURN_WINDOWS * window_s))
    shares = fair(level, {name: part.want for name, part in heard.items()}, turn=turn)
    target, left = shares[worker], {name: part.left for name, part in heard.items() if part.left}
    level_left = sum(shares[name] for name in left)
    is_last = worker in left and is_near_end(left, level_left, window_s)
    if is_last:
        target = part_by_left(worker, left, level_left)
    room = limit - sum(row.parts[pool].share for row in others)
    use = max(0, min(room, max(target, held) if target and window_s else target))
    return Grant(share=max(use, held), use=use, fair=target, limit=limit, window_s=window_s, is_last=is_last)


def moving_s(window_s: float) -> float:
    """From beat to beat of a worker that has too little or too much."""
    return min(BEAT_S, max(MOVING_S_MIN, MOVING_SHARE * window_s))


def _pace(part: Part) -> float:
    return part.limit / (part.window_s or 1.0)


def fair(level: int, wants: Mapping[str, int], *, turn: int) -> dict[str, int]:
    """An equal part for each, nobody more than it wants; what one leaves is for the others.

    What is left over when parts are whole goes to some of those who want more, to others each turn.
    """
    shares: dict[str, int] = {}
    left, ordered = level, sorted(wants, key=lambda name: (wants[name], name))
    for n, name in enumerate(ordered):
        each, over = divmod(left, len(ordered) - n)
        if wants[name] > each:
            ring = sorted(ordered[n:])
            lucky = {ring[(turn * over + k) % len(ring)] for k in range(over)}
            return shares | {one: each + (one in lucky) for one in ring}
        shares[name] = wants[name]
        left -= wants[name]
    return shares


def is_near_end(left: Mapping[str, int], level: int, window_s: float) -> bool:
    """Whether several have calls `left`, and so few that they should share their `level` of slots by that."""
    is_short = window_s > 0.0 and moving_s(window_s) < BEAT_S
    return is_short and 1 < len(left) <= level and MOVING_SHARE * level < sum(left.values()) <= LAST_WINDOWS * level


def part_by_left(worker: str, left: Mapping[str, int], level: int) -> int:
    """What is this worker's of so many slots, in proportion to the calls that each has `left`; one at least.

    By equal parts the first who is done would leave its slots idle for a window, while another has still much to do.
    """
    spare, calls = level - len(left), sum(left.values())
    before = sum(number for name, number in left.items() if name < worker)  # so all parts come to just the level
    return 1 + spare * (before + left[worker]) // calls - spare * before // calls


def wanted(*, waiting: int, held_up: bool, used: int) -> int:
    """How many slots a worker could use: any number while calls wait for nothing else.

    Calls that wait for something else as well (`held_up`) leave as fast as that lets them.
    """
    if not waiting:
        return 0
    return used + 1 + int(HEADROOM_SHARE * used) if held_up else ALL


def teller(pool: Pool, rows: Iterable[Row], worker: str, mine: Part, *, at_s: float) -> Part | None:
    """What the worker says that was refused last and still calls: it knows best what the service lets through."""
    heard = [row.parts[pool] for row in rows if row.lease_until_s > at_s and row.worker != worker]
    return max((part for part in (mine, *heard) if part.cut_at_s and part.want), key=_cut_at_s, default=None)


def _cut_at_s(part: Part) -> float:
    return part.cut_at_s
