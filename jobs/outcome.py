"""How a run ended, as one number that scripts can act on."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping

from jobs.lifecycle import IN_DOUBT, ItemState
from jobs.record import Record
from jobs.verdict import Pause

__all__ = ["exit_code", "interrupted_code"]

# First match wins. 1 (a fault of ours) is an exception, not an outcome of items.
_BUDGET_CODES = frozenset({"budget_exhausted", "insufficient_credits"})
_OUT_OF_REACH = frozenset({Pause.NETWORK, Pause.CREATES, Pause.POLLS, Pause.VANISHED, Pause.CONFIG})
_NOT_GOT = frozenset({ItemState.FAILED, ItemState.REJECTED, ItemState.SKIPPED})


def interrupted_code(number: int) -> int:
    """What a shell expects of an interrupted process: 130 after Ctrl-C, 143 after SIGTERM or a lost terminal."""
    return 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


def exit_code(records: Iterable[Record], *, pauses: Mapping[Pause, str], left: int = 0, keep: bool = True) -> int:
    """The exit code of a life that ended by itself.

    `records` are those of the items that were asked for or seen through; `left` counts results that could not be
    fetched for now; `keep` is False when nobody wanted the files (`--no-download`).
    """
    states, unpaid, missing = set(), False, False
    for record in records:
        states.add(record.state)
        unpaid = unpaid or (record.state in _NOT_GOT and record.error_code in _BUDGET_CODES)
        if record.state is ItemState.SUCCEEDED and keep:
            kept = record.artifacts and all(a.state not in ("gone", "quarantined") for a in record.artifacts)
            missing = missing or not kept
    if Pause.DISK in pauses:
        return 9
    if Pause.AUTH in pauses:
        return 4
    if states & IN_DOUBT:
        return 7
    if unpaid or Pause.BUDGET in pauses or Pause.CREDITS in pauses:
        return 5
    if pauses.keys() & _OUT_OF_REACH or left:
        return 8
    if states & _NOT_GOT or missing or Pause.HALT in pauses:
        return 3
    return 0
