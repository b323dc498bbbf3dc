"""A person's word on an attempt that the runner cannot judge: what may be said when, and the event it becomes.

The runner never guesses what became of an `uncertain` attempt. A person can know: from the account's history, from
support, from a webhook. The word is recorded with their name, and only then does the item move.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobs.answers import TaskSeen
from jobs.budget import delta
from jobs.lifecycle import EventType, ItemState
from jobs.record import NOT_CREATED_CODE, Change, Event, Record, fold

__all__ = ["Said", "Word", "refusal", "resolved"]


class Word(StrEnum):
    """What a person can say. Public words: they are the flags of `resolve`."""

    ADOPT = "adopt"  # it became this task
    ASSUME_NOT_CREATED = "assume-not-created"  # it never arrived: its credits come back, and it may be bought again
    WRITE_OFF = "write-off"  # nobody will ever know: count it as spent and wait for it no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A word with who said it, and the task as the service shows it (with `adopt` only)."""

    word: Word
    by: str
    task: TaskSeen | None = None


# A task that the service once named did exist, so of a vanished or stalled one it cannot be said that it was not made.
_MAY: dict[Word, frozenset[ItemState]] = {
    Word.ADOPT: frozenset({ItemState.UNCERTAIN}),
    Word.ASSUME_NOT_CREATED: frozenset({ItemState.UNCERTAIN}),
    Word.WRITE_OFF: frozenset({ItemState.UNCERTAIN, ItemState.VANISHED, ItemState.STALLED}),
}

_WHY_NOT: dict[ItemState, str] = {
    ItemState.PLANNED: "it was never sent, so there is nothing to say about it",
    ItemState.SKIPPED: "it was not bought, so there is nothing to say about it",
    ItemState.SUBMITTING: "its create is still open: the next `run` sends it again under its own key",
    ItemState.ACCEPTED: "the service has its task, and the next `run` asks for it",
    ItemState.VANISHED: "the service had its task once; it can only be written off",
    ItemState.STALLED: "the service has its task; it can only be written off, or waited for with `run`",
}


def refusal(record: Record, word: Word) -> str | None:
    """Why this cannot be said of the item as it stands; None when it can."""
    if record.state in _MAY[word]:
        return None
    return _WHY_NOT.get(record.state, f"it has {record.state.value}, and that is final")


def resolved(record: Record, said: Said, *, at_s: float) -> Change:
    """The change that records the word. Call only when `refusal` is None."""
    assert refusal(record, said.word) is None, f"{said.word} of an item that is {record.state}"
    assert record.attempt is not None, "an item in doubt has an attempt"
    event_type, data = _event(record, said)
    event = Event(type=event_type, at_s=at_s, identity=record.identity, data={**data, "by": said.by})
    after = fold(record, event)
    return Change(event=event, record=after, delta=delta(record, event, after), scope=record.attempt.scope)


def _event(record: Record, said: Said) -> tuple[EventType, dict[str, object]]:
    assert said.by != "service", "a person's name"
    if said.word is Word.ADOPT:
        assert said.task is not None, "a task to adopt"
        return EventType.ACCEPTED, {"task_id": said.task.id, "reserved_credits": said.task.reserved_credits}
    if said.word is Word.ASSUME_NOT_CREATED:
        return EventType.REJECTED, {"code": NOT_CREATED_CODE, "message": f"{said.by} said that it was never created"}
    assert record.attempt is not None
    held = record.attempt.reserved
    return EventType.WRITTEN_OFF, {"charge": held, "message": f"{said.by} wrote it off; what it held counts as spent"}
