"""THE state machine of an item. Nothing else decides what may follow what.

Rules of this file: it holds states, events and the one table; no time, no money, no reasons. A missing entry *is* an
illegal move: `after` raises and changes nothing. The event log in the ledger is the truth; the item table is its fold
(`jobs.record.fold`), and a test recomputes one from the other.

An item is bought by attempts, at most one open at a time. The states say how the item's latest attempt stands:

    planned     wanted, nothing sent            submitting  intent committed; the create may or may not have arrived
    accepted    the service has a task for it   succeeded / failed / rejected / skipped   ended, definitely
    uncertain   may have been bought; only a task id or a person settles it
    vanished    accepted, then unknown to the service        stalled   accepted, no end within its timeout
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

__all__ = ["HELD", "IN_DOUBT", "OPEN", "TABLE", "EventType", "IllegalMove", "ItemState", "after"]


class ItemState(StrEnum):
    """Public words: they appear in `results`, `status` and the ledger."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    UNCERTAIN = "uncertain"
    VANISHED = "vanished"
    STALLED = "stalled"


class EventType(StrEnum):
    """What can happen to an item. Each is one row of the event log."""

    PLANNED = "planned"  # a run wants it
    INTENT = "intent"  # an attempt (key, body, bound) is committed; only now may a create leave
    SEND_ENDED = "send_ended"  # a send ended without settling the attempt: not sent, limited or ambiguous
    ACCEPTED = "accepted"  # a 2xx with a task id, or a person's word (adopt)
    REJECTED = "rejected"  # definitely not created
    UNCERTAIN = "uncertain"  # no honest way to learn what happened
    SEEN = "seen"  # the service knows the task; no end yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    VANISHED = "vanished"
    STALLED = "stalled"
    WRITTEN_OFF = "written_off"  # a person's word: count it as spent and wait for it no more
    SKIPPED = "skipped"  # not bought in this life: the budget, `per_item`, or a reference that cannot be had
    REFUNDED = "refunded"  # credits came back after the end, on evidence only
    SAVED = "saved"  # a result's download moved to another state


_S, _E = ItemState, EventType

# state -> event -> next state. `None` is an item the ledger has never seen.
TABLE: MappingProxyType[ItemState | None, MappingProxyType[EventType, ItemState]] = MappingProxyType(
    {
        None: MappingProxyType({_E.PLANNED: _S.PLANNED}),
        _S.PLANNED: MappingProxyType({_E.PLANNED: _S.PLANNED, _E.INTENT: _S.SUBMITTING, _E.SKIPPED: _S.SKIPPED}),
        _S.SUBMITTING: MappingProxyType(
            {
                _E.SEND_ENDED: _S.SUBMITTING,
                _E.ACCEPTED: _S.ACCEPTED,
                _E.REJECTED: _S.REJECTED,
                _E.UNCERTAIN: _S.UNCERTAIN,
            }
        ),
        _S.ACCEPTED: MappingProxyType(
            {
                _E.SEEN: _S.ACCEPTED,
                _E.SUCCEEDED: _S.SUCCEEDED,
                _E.FAILED: _S.FAILED,
                _E.VANISHED: _S.VANISHED,
                _E.STALLED: _S.STALLED,
            }
        ),
        _S.VANISHED: MappingProxyType(
            {
                _E.SEEN: _S.ACCEPTED,
                _E.SUCCEEDED: _S.SUCCEEDED,
                _E.FAILED: _S.FAILED,
                _E.STALLED: _S.STALLED,
                _E.WRITTEN_OFF: _S.FAILED,
            }
        ),
        _S.STALLED: MappingProxyType(
            {
                _E.SEEN: _S.STALLED,
                _E.SUCCEEDED: _S.SUCCEEDED,
                _E.FAILED: _S.FAILED,
                _E.VANISHED: _S.VANISHED,
                _E.WRITTEN_OFF: _S.FAILED,
            }
        ),
        _S.UNCERTAIN: MappingProxyType({_E.ACCEPTED: _S.ACCEPTED, _E.REJECTED: _S.REJECTED, _E.WRITTEN_OFF: _S.FAILED}),
        # Ended. A new attempt needs a definite rejection, a settled failure, a skip, or a person's `--again`.
        _S.REJECTED: MappingProxyType({_E.INTENT: _S.SUBMITTING, _E.SKIPPED: _S.SKIPPED}),
        _S.SKIPPED: MappingProxyType({_E.PLANNED: _S.PLANNED, _E.INTENT: _S.SUBMITTING, _E.SKIPPED: _S.SKIPPED}),
        _S.FAILED: MappingProxyType({_E.INTENT: _S.SUBMITTING, _E.REFUNDED: _S.FAILED}),
        _S.SUCCEEDED: MappingProxyType({_E.INTENT: _S.SUBMITTING, _E.SAVED: _S.SUCCEEDED, _E.REFUNDED: _S.SUCCEEDED}),
    }
)

# States whose attempt is still moving by itself: the runner sends, polls or waits for it.
OPEN = frozenset({_S.SUBMITTING, _S.ACCEPTED})

# States that only a person, or the service itself, can end: what they cost is unknown.
IN_DOUBT = frozenset({_S.UNCERTAIN, _S.VANISHED, _S.STALLED})

# States whose credits stay reserved: nobody knows yet what they cost.
HELD = OPEN | IN_DOUBT


class IllegalMove(AssertionError):  # noqa: N818 - named for what happened
    """An event that cannot follow the item's state: a fault of ours, never of the service or the user."""


def after(state: ItemState | None, event: EventType) -> ItemState:
    """The state that follows, or IllegalMove."""
    try:
        return TABLE[state][event]
    except KeyError:
        raise IllegalMove(f"{event.value} cannot follow {state.value if state else 'nothing'}") from None
