"""What the work of one core could use now of the limits that it shares with others (`jobs.sharing`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobs.core import Core
from jobs.sharing import wanted

__all__ = ["Needs", "needs_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """So much of each pool, and how many tasks run."""

    creates: int = 0
    polls: int = 0
    places: int = 0
    running: int = 0


def needs_of(core: Core, now_s: float, *, places: int) -> Needs:
    """`places`: how many tasks the account may run."""
    state, buying = core.state, core.buying
    creates, polls = core.pacers
    running = len(state.slots)
    sends = 0 if buying.silenced else running - buying.running
    waiting = sends + (0 if state.pauses or state.stopping else len(state.ready))
    held_up = running >= state.settings.in_flight_max or buying.place_s() > now_s
    # One of a task's looks may be due as often as that, and somebody may look who has no task: a link that died.
    least_s = polls.rate.window_s / polls.rate.count
    looks = math.ceil(polls.rate.window_s / max(least_s, state.settings.floors.poll_gap_s))
    return Needs(
        creates=wanted(waiting=waiting, held_up=held_up, used=creates.held(now_s)),
        polls=looks * (1 + running + len(state.owed)),
        places=min(places, running + waiting),
        running=running,
    )
