"""What the core and the runner say to each other: requests to make, changes to commit, how long to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jobs.record import Change

__all__ = ["NOTHING", "Download", "Notice", "Now", "Poll", "Send", "Step", "Wait", "earliest", "join", "tell", "until"]


class Now(NamedTuple):
    """The moment of a call: `mono_s` for durations and due times, `wall_s` for stamps in the ledger."""

    mono_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person may want to see; never needed to go on."""

    name: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a decision leads to: changes to make durable, in order, and notices to tell."""

    changes: tuple[Change, ...] = ()
    notices: tuple[Notice, ...] = ()


NOTHING = Step()


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this attempt at `leave_s` (monotonic), not before.

    `step` must be durable first; it is empty for a resend. Give `token` back with the end.
    """

    identity: str
    key: str
    token: int
    step: Step
    leave_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Ask for this task's status."""

    identity: str
    task_id: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Save result `n` of this item."""

    identity: str
    n: int
    url: str
    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing may leave before `until_s` (monotonic); None: not before something else ended."""

    until_s: float | None


_FOR_AN_END = Wait(until_s=None)


def until(moment_s: float | None) -> Wait:
    """Wait for a moment; None and infinity are no moments, but wait until something else ends."""
    return _FOR_AN_END if moment_s is None or moment_s == math.inf else Wait(until_s=moment_s)


def earliest(*moments: float | None) -> float | None:
    """The first of the known moments; None when none is known."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None


def tell(notices: tuple[Notice, ...]) -> Step:
    """Only these notices: mostly there are none."""
    return Step(notices=notices) if notices else NOTHING


def join(*steps: Step) -> Step:
    """One step of several, in order."""
    full = [step for step in steps if step is not NOTHING]
    if len(full) < 2:
        return full[0] if full else NOTHING
    changes = tuple(change for step in full for change in step.changes)
    return Step(changes=changes, notices=tuple(notice for step in full for notice in step.notices))
