"""What bounds an exploration: the world it begins in, what may go wrong there, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from jobs.verdict import SendPolicy
from tests.proof.exhaustive_service import Vocabulary

__all__ = ["CONFLICT_S", "SCOPE", "TICK_S", "WINDOW_S", "Left", "Root"]

# One step of the clock: longer than any backoff and than the grace of a 404, so that everything that waits is due.
TICK_S = 64.0
WINDOW_S = SendPolicy().key_window_s
CONFLICT_S = SendPolicy().conflict_window_s
SCOPE = "run"


class Left(NamedTuple):
    """What may still happen: this is what makes an exploration end."""

    faults: int = 0  # of the service, the way, and the answers
    crashes: int = 0
    lives: int = 0  # that may follow this one
    ticks: int = 0  # steps of the clock
    jumps: int = 0  # of the clock over the whole key window
    patience: int = 0  # times a task may be seen running
    words: int = 0  # of a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Where an exploration begins. `bases` are the catalogue's prices of the items; all are of one price class."""

    says: str
    bases: tuple[int | None, ...] = (10,)
    cap: int | None = None
    reference: bool = False
    resubmit_failed: int = 0
    on_exhausted: str = "stop"
    in_flight_max: int = 10
    resends_max: int = 2
    item_timeout_s: float = 1200.0
    slow: bool = False  # a create may hang before its end is known
    commands: bool = False  # a person may ask to `retry`, or to buy everything `again`; that is a word, too
    doubles: bool = False  # something on the way sends a create twice
    unsent: bool = True
    lost: bool = True
    may: Vocabulary = field(default_factory=Vocabulary)
    left: Left = field(default_factory=Left)
