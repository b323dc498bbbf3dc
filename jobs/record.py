"""An item's record: the fold of its events. Amounts are whole credits; times are wall-clock seconds since 1970 (UTC).

    record = fold(record_or_none, event)

Money moves only here, per attempt: an intent reserves its bound; an acceptance raises it to the service's figure if
that is higher; an end replaces it by the charge; a definite rejection gives it back. What is uncertain stays reserved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jobs.lifecycle import HELD, IN_DOUBT, EventType, ItemState, after

__all__ = [
    "NO_MONEY",
    "Artifact",
    "ArtifactState",
    "Attempt",
    "Change",
    "Event",
    "Money",
    "Record",
    "doubted",
    "fold",
    "money_of",
    "rebuys",
]

# No fault of the item: the account was empty. Bought again by the same command once it is not.
NO_CREDITS_CODE = "insufficient_credits"
WRITTEN_OFF_CODE = "written_off"
# A person's word that an uncertain create never arrived (`resolve --assume-not-created`): the item is wanted again.
NOT_CREATED_CODE = "not_created"
# The life ended before one byte of the create had left.
NOT_SENT_CODE = "not_sent"
# Whose word an event is: the service's by default, a person's name, or what the runner itself knows for certain.
RUNNER = "runner"

ArtifactState = Literal["wanted", "partial", "verified", "unverified", "quarantined", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the event log. `data` is JSON-able and holds what the fold needs, by event type:

    intent       epoch, ordinal, key, bound, price_class, scope, server_at_s
    send_ended   ambiguous (bool), outcome, status, request_id, reason
    accepted     task_id, reserved_credits, request_id, by (`service` or a person's name)
    rejected     code, message, request_id, by
    seen         status, reserved_credits (when the service named a figure that was not known)
    uncertain    reason
    succeeded    final_credits, urls, charge (credits settled), assumed (True when the service gave no sane figure)
    failed       code, message, request_id, final_credits, charge, assumed
    written_off  message, charge, by
    refunded     credits
    saved        n, url, state, file, sha256, bytes, type
    """

    type: EventType
    at_s: float
    identity: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One result file of an item; `n` counts from 1."""

    n: int
    url: str
    state: ArtifactState = "wanted"
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    type: str | None = None

    @property
    def is_unsaved(self) -> bool:
        """Whether it is still to be saved: no file of it is whole, and it may still be had."""
        return self.state in ("wanted", "partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One purchase: one key, one frozen body (kept in the ledger), many sends."""

    epoch: int
    ordinal: int
    key: str
    scope: str  # the run (name, edition) whose budget carries it
    price_class: str
    bound: int
    opened_at_s: float
    server_at_s: float  # the service's clock when the intent was written; ours while it had not told
    reserved: int
    settled: int = 0
    ambiguous: bool = False  # sticky: a send may have arrived
    sends: int = 0
    task_id: str | None = None
    reserved_credits: int | None = None  # the service's own figures
    final_credits: int | None = None
    accepted_at_s: float | None = None
    finished_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Where an item stands. `version` counts its events, so that a write can tell it saw the latest."""

    identity: str
    state: ItemState
    version: int
    first_at_s: float
    attempts: int = 0
    sends: int = 0
    failures: int = 0  # settled failures since a person last asked for the item (epoch); `resubmit_failed` counts them
    attempt: Attempt | None = None  # the latest
    artifacts: tuple[Artifact, ...] = ()
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None

    @property
    def is_unsaved(self) -> bool:
        """Whether a result of it is still to be saved."""
        return any(artifact.is_unsaved for artifact in self.artifacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Credits of one attempt or one scope."""

    reserved: int = 0
    settled: int = 0

    @property
    def counted(self) -> int:
        """What a cap has to cover: whatever is held may still be charged."""
        return self.reserved + self.settled

    def left_of(self, cap: int) -> int:
        """What a cap leaves to buy with."""
        return max(0, cap - self.counted)


NO_MONEY = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event with what it leads to: what the ledger writes, all or nothing.

    `record.version - 1` is what the writer saw: a write over a newer row is refused. `delta` is what the event adds to
    its scope's books; `body` is the frozen create body, with an intent only; `cap_credits` is the scope's budget at an
    intent, checked again inside the transaction (None: no budget).
    """

    event: Event
    record: Record
    delta: Money
    scope: str
    body: bytes | None = None
    cap_credits: int | None = None


def rebuys(record: Record, *, resubmit_failed: int) -> bool:
    """Whether a run buys this item without being asked to: it was never bought, or that came to nothing, definitely.

    What a person wrote off may still be running at the service, so it is never bought again by itself.
    """
    match record.state:
        case ItemState.PLANNED | ItemState.SKIPPED:
            return True
        case ItemState.REJECTED:
            return record.error_code in (NO_CREDITS_CODE, NOT_CREATED_CODE, NOT_SENT_CODE)
        case ItemState.FAILED if record.error_code == NO_CREDITS_CODE:
            return money_of(record) == NO_MONEY
        case ItemState.FAILED:
            return record.error_code != WRITTEN_OFF_CODE and record.failures <= resubmit_failed
        case _:
            return False


def money_of(record: Record | None) -> Money:
    """What the item's latest attempt holds now."""
    if record is None or record.attempt is None:
        return NO_MONEY
    return Money(reserved=record.attempt.reserved, settled=record.attempt.settled)


def doubted(record: Record, scope: str) -> int:
    """Credits that a run holds for an item whose outcome is unknown."""
    if record.state not in IN_DOUBT or record.attempt is None or record.attempt.scope != scope:
        return 0
    return record.attempt.reserved


def fold(record: Record | None, event: Event) -> Record:
    """The record after one more event. Raises `IllegalMove` and changes nothing when the event cannot follow."""
    state = after(record.state if record else None, event.type)
    if record is None:
        return Record(identity=event.identity, state=state, version=1, first_at_s=event.at_s)
    assert record.identity == event.identity, "an event of another item"
    folded = replace(record, state=state, version=record.version + 1, **_FOLDS[event.type](record, event))
    if folded.attempt is not None:
        assert (folded.attempt.reserved > 0) <= (state in HELD), f"{state.value} must not hold a reservation"
    return folded


# What an event changes in the record, besides its state: one function an event type.
_Changes = dict[str, Any]


def _intent(record: Record, event: Event) -> _Changes:
    data = event.data
    attempt = Attempt(
        epoch=_int(data["epoch"]),
        ordinal=_int(data["ordinal"]),
        key=str(data["key"]),
        scope=str(data["scope"]),
        price_class=str(data["price_class"]),
        bound=_int(data["bound"]),
        opened_at_s=event.at_s,
        server_at_s=float(data["server_at_s"]),  # type: ignore[arg-type]
        reserved=_int(data["bound"]),
    )
    return {
        "attempt": attempt,
        "attempts": record.attempts + 1,
        "failures": record.failures if record.attempt and record.attempt.epoch == attempt.epoch else 0,
        "artifacts": (),
        "error_code": None,
        "error_message": None,
        "request_id": None,
    }


def _send_ended(record: Record, event: Event) -> _Changes:
    attempt = _attempt(record)
    sent = 0 if event.data.get("outcome") == "not_sent" else 1
    ambiguous = attempt.ambiguous or bool(event.data.get("ambiguous"))
    return {
        "sends": record.sends + sent,
        "attempt": replace(attempt, sends=attempt.sends + sent, ambiguous=ambiguous),
        "request_id": _text(event.data.get("request_id")) or record.request_id,
    }


def _accepted(record: Record, event: Event) -> _Changes:
    attempt = _attempt(record)
    figure = _maybe_int(event.data.get("reserved_credits"))
    sent = 1 if event.data.get("by", "service") == "service" else 0
    accepted = replace(
        attempt,
        sends=attempt.sends + sent,
        task_id=str(event.data["task_id"]),
        reserved=max(attempt.bound, figure or 0),
        reserved_credits=figure,
        accepted_at_s=event.at_s,
    )
    return {
        "sends": record.sends + sent,
        "attempt": accepted,
        "request_id": _text(event.data.get("request_id")) or record.request_id,
        "error_code": None,
        "error_message": None,
    }


def _rejected(record: Record, event: Event) -> _Changes:
    attempt = _attempt(record)
    sent = 1 if event.data.get("by", "service") == "service" else 0
    return {
        "sends": record.sends + sent,
        "attempt": replace(attempt, sends=attempt.sends + sent, reserved=0, finished_at_s=event.at_s),
        "error_code": _text(event.data.get("code")),
        "error_message": _text(event.data.get("message")),
        "request_id": _text(event.data.get("request_id")),
    }


def _uncertain(record: Record, event: Event) -> _Changes:
    return {
        "error_code": "uncertain",
        "error_message": _text(event.data.get("reason")),
        "request_id": _text(event.data.get("request_id")) or record.request_id,
    }


def _trouble(_: Record, event: Event) -> _Changes:
    return {"error_code": event.type.value, "error_message": _text(event.data.get("reason"))}


def _seen(record: Record, event: Event) -> _Changes:
    attempt, figure = _attempt(record), _maybe_int(event.data.get("reserved_credits"))
    if figure is not None:
        attempt = replace(attempt, reserved_credits=figure, reserved=max(attempt.reserved, figure))
    cleared = _cleared(record, event) if record.state is ItemState.VANISHED else {}
    return {"attempt": attempt, **cleared}


def _ended(record: Record, event: Event) -> _Changes:
    settled = replace(
        _attempt(record),
        reserved=0,
        settled=_int(event.data["charge"]),
        final_credits=_maybe_int(event.data.get("final_credits")),
        finished_at_s=event.at_s,
    )
    urls = event.data.get("urls") or ()
    assert isinstance(urls, list | tuple)
    return {
        "attempt": settled,
        "failures": record.failures + (event.type is EventType.FAILED),
        "artifacts": tuple(Artifact(n=n, url=str(url)) for n, url in enumerate(urls, start=1)),
        "error_code": _text(event.data.get("code")),
        "error_message": _text(event.data.get("message")),
        "request_id": _text(event.data.get("request_id")) or record.request_id,
    }


def _written_off(record: Record, event: Event) -> _Changes:
    return {**_ended(record, event), "error_code": WRITTEN_OFF_CODE}


def _refunded(record: Record, event: Event) -> _Changes:
    attempt = _attempt(record)
    back = _int(event.data["credits"])
    assert back > 0, "a refund gives something back"
    assert back <= attempt.settled, "a refund cannot exceed what was charged"
    return {"attempt": replace(attempt, settled=attempt.settled - back)}


def _saved(record: Record, event: Event) -> _Changes:
    data = event.data
    n = _int(data["n"])
    moved = Artifact(
        n=n,
        url=str(data["url"]),
        state=data["state"],  # type: ignore[arg-type]
        file=_text(data.get("file")),
        sha256=_text(data.get("sha256")),
        bytes=_maybe_int(data.get("bytes")),
        type=_text(data.get("type")),
    )
    others = tuple(artifact for artifact in record.artifacts if artifact.n != n)
    return {"artifacts": tuple(sorted((*others, moved), key=lambda artifact: artifact.n))}


def _skipped(_: Record, event: Event) -> _Changes:
    return {"error_code": _text(event.data.get("code")), "error_message": _text(event.data.get("message"))}


def _cleared(_: Record, __: Event) -> _Changes:
    return {"error_code": None, "error_message": None}


def _attempt(record: Record) -> Attempt:
    assert record.attempt is not None, "an event of an attempt that was never opened"
    return record.attempt


def _int(value: object) -> int:
    assert type(value) is int, f"credits and counts are whole numbers, not {value!r}"
    return value


def _maybe_int(value: object) -> int | None:
    return None if value is None else _int(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_FOLDS = {
    EventType.PLANNED: _cleared,
    EventType.INTENT: _intent,
    EventType.SEND_ENDED: _send_ended,
    EventType.ACCEPTED: _accepted,
    EventType.REJECTED: _rejected,
    EventType.UNCERTAIN: _uncertain,
    EventType.SEEN: _seen,
    EventType.SUCCEEDED: _ended,
    EventType.FAILED: _ended,
    EventType.WRITTEN_OFF: _written_off,
    EventType.VANISHED: _trouble,
    EventType.STALLED: _trouble,
    EventType.SKIPPED: _skipped,
    EventType.REFUNDED: _refunded,
    EventType.SAVED: _saved,
}
