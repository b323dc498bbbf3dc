"""What the work of one core could use now of the limits that it shares with others (`jobs.sharing`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobs.core import Core

__all__ = ["Needs", "needs_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one core has to do."""

    waiting: int = 0  # creates, among them those on their way
    is_held_up: bool = False  # by a person, or by what the service is known to let run
    polls: int = 0  # slots
    places: int = 0
    running: int = 0  # tasks


def needs_of(core: Core, now_s: float, *, places: int) -> Needs:
    """`places`: how many tasks the account may run."""
    state, buying = core.state, core.buying
    polls = core.pacers[1]
    running = len(state.slots)
    sends = 0 if buying.silenced else running - buying.running
    unbought = 0 if state.pauses or state.stopping else len(state.ready)
    # What nobody knows a limit of waits for an answer at most: that comes, or shows in that no call leaves for long.
    is_free = state.limits.places.found is None and not state.pauses
    # One of a task's looks may be due as often as that, and somebody may look who has no task: a link that died.
    least_s = polls.rate.window_s / polls.rate.count
    looks = math.ceil(polls.rate.window_s / max(least_s, state.settings.floors.poll_gap_s))
    return Needs(
        waiting=sends + unbought,
        is_held_up=not is_free and buying.place_s() > now_s,
        polls=looks * (1 + running + len(state.owed)),
        places=min(places, running + unbought),
        running=running,
    )
