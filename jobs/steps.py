"""What the core and the runner say to each other: requests to make, changes to commit, how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jobs.record import Change

__all__ = ["Download", "Notice", "Now", "Poll", "Send", "Step", "Wait", "earliest", "join"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this attempt. `step` must be durable first; it is empty for a resend. Give `token` back with the end."""

    identity: str
    key: str
    token: int
    step: Step


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


def earliest(*moments: float | None) -> float | None:
    """The first of the known moments; None when none is known."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None


def join(*steps: Step) -> Step:
    """One step of several, in order."""
    changes: list[Change] = []
    notices: list[Notice] = []
    for step in steps:
        changes += step.changes
        notices += step.notices
    return Step(changes=tuple(changes), notices=tuple(notices))
