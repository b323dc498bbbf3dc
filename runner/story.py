"""One item's whole story: what it is, every attempt with its sends and files, every event. Plain calls that only read.

An item is named as people have it at hand: its key in the run, the beginning of its identity, its task id, its
idempotency key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from jobs.lifecycle import EventType, ItemState
from jobs.record import RUNNER, Artifact, Attempt, Record
from jobs.resolving import Word
from jobs.suggest import did_you_mean
from jobs.wording import listed
from runner.clock import stamp
from runner.commands import item_words, quoted
from runner.errors import UsageError
from runner.ledger.reading import LedgerReader
from runner.ledger.rows import Row, artifact_of, attempt_of
from runner.ledger.store import Store
from runner.places import from_here
from runner.views import maybe_stamp, need_ledger

__all__ = ["AttemptStory", "EventLine", "SendLine", "Story", "item_story"]

# A shorter beginning of an identity is a guess, not a name.
PREFIX_CHARS_MIN = 4

# Enough to see what an ambiguous beginning may mean.
CANDIDATES_MAX = 10

# Events of an attempt that end a send, unless a person's word did.
_SEND_ENDS = frozenset({EventType.SEND_ENDED, EventType.ACCEPTED, EventType.REJECTED})

# What a person said, by what it became.
_WORDS = {
    EventType.ACCEPTED: Word.ADOPT,
    EventType.REJECTED: Word.ASSUME_NOT_CREATED,
    EventType.WRITTEN_OFF: Word.WRITE_OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLine:
    """One send of an attempt; `wait_s` is the time since the one before it, or since the intent."""

    n: int
    at: str
    wait_s: float
    outcome: str
    status: int | None
    ambiguous: bool
    request_id: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStory:
    """One purchase with all its sends and files. Files are relative to the current folder."""

    attempt: Attempt
    state: ItemState
    body_sha256: str
    opened_at: str
    accepted_at: str | None
    finished_at: str | None
    sends: tuple[SendLine, ...]
    word: str | None  # what a person said of it, who, and when
    request_ids: tuple[str, ...]
    files: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One row of the event log."""

    seq: int
    at_s: float
    life_id: int | None
    attempt_key: str | None
    type: EventType
    data: Mapping[str, object]

    @property
    def at(self) -> str:
        return stamp(self.at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything the ledger knows of one item."""

    item: str  # its key in `run`
    is_found_by_key: bool  # False: the manifest has given that key to another item since
    identity: str
    run: str
    runs: tuple[str, ...]  # every run that named it
    job: str
    model: str
    prompt: str | None
    params: Mapping[str, object]
    axes: Mapping[str, object]
    tags: tuple[str, ...]
    reference_digests: tuple[str, ...]
    repeat: int
    edition: str
    price_class: str
    output_stem: str
    record: Record
    attempts: tuple[AttemptStory, ...]
    events: tuple[EventLine, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What names this item, and no other, in a command."""
        return item_words(self.item, run=self.run, identity=self.identity, is_found_by_key=self.is_found_by_key)


def item_story(path: Store, run_id: str | None, item: str) -> Story:
    """The whole story of the item people mean; raises `UsageError` when no item, or more than one, is called so."""
    with need_ledger(path) as reader, reader.snapshot():
        identity = _find(reader, run_id, item)
        names = reader.ask("names_of_item", {"identity": identity, "run_id": run_id})
        (what,) = reader.ask("item", {"identity": identity})
        (name, *_) = names
        called_so = reader.ask("find_by_name", {"word": name["item_key"], "run_id": name["run_id"]})
        record = reader.records([identity])[identity]
        attempts = reader.ask("attempts_of_item", {"identity": identity})
        files = reader.ask("artifacts_of_item", {"identity": identity})
        events = [_event_line(row) for row in reader.ask("events_of_item", {"identity": identity})]
    return Story(
        item=name["item_key"],
        is_found_by_key=called_so[0]["identity"] == identity,
        identity=identity,
        run=name["run_id"],
        runs=tuple(row["run_id"] for row in names),
        job=name["job"],
        model=what["model"],
        prompt=what["prompt"],
        params=json.loads(what["params"]),
        axes=json.loads(name["axes"]),
        tags=tuple(json.loads(name["tags"])),
        reference_digests=tuple(json.loads(what["reference_digests"])),
        repeat=what["repeat"],
        edition=what["edition"],
        price_class=what["price_class"],
        output_stem=name["output_stem"],
        record=record,
        attempts=tuple(_attempt_story(row, files, events) for row in attempts),
        events=tuple(events),
    )


def _find(reader: LedgerReader, run_id: str | None, word: str) -> str:
    named = reader.ask("find_by_name", {"word": word, "run_id": run_id})
    if named:
        return str(named[0]["identity"])
    marked = reader.ask("find_by_mark", {"word": word})
    if len(word) >= PREFIX_CHARS_MIN and not marked:
        marked = reader.ask("find_by_prefix", {"word": word, "limit": CANDIDATES_MAX})
    found = [str(row["identity"]) for row in marked]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"`{word}` may be any of {listed(found)}", code="item-ambiguous", next_step="write more of its identity"
        )
    keys = [row["item_key"] for row in reader.ask("item_keys", {"run_id": run_id})]
    where = f"the run `{run_id}`" if run_id else "the ledger"
    raise UsageError(
        f"no item of {where} is called `{word}`",
        code="item-unknown",
        next_step=_elsewhere(reader, word)
        or did_you_mean(word, keys, "`rivya-batch results` lists the items of a run"),
    )


def _elsewhere(reader: LedgerReader, word: str) -> str | None:
    """Where an item is called so that the run that was looked in, often just the latest, does not have."""
    for found in reader.ask("find_by_name", {"word": word, "run_id": None}):
        for name in reader.ask("names_of_item", {"identity": found["identity"], "run_id": None}):
            if name["item_key"] == word:
                return f"the run {name['run_id']} has an item of this name: add --run {quoted(name['run_id'])}"
    return None


def _event_line(row: Row) -> EventLine:
    return EventLine(
        seq=row["seq"],
        at_s=row["at_s"],
        life_id=row["life_id"],
        attempt_key=row["attempt_key"],
        type=EventType(row["type"]),
        data=json.loads(row["data"]),
    )


def _attempt_story(row: Row, files: Sequence[Row], events: Sequence[EventLine]) -> AttemptStory:
    state, body_sha256, *columns = row
    attempt = attempt_of(tuple(columns))
    mine = [event for event in events if event.attempt_key == attempt.key]
    ids = (event.data.get("request_id") for event in mine)
    return AttemptStory(
        attempt=attempt,
        state=ItemState(state),
        body_sha256=body_sha256,
        opened_at=stamp(attempt.opened_at_s),
        accepted_at=maybe_stamp(attempt.accepted_at_s),
        finished_at=maybe_stamp(attempt.finished_at_s),
        sends=_sends(attempt, mine),
        word=next((_word(event) for event in mine if _said(event)), None),
        request_ids=tuple(dict.fromkeys(str(one) for one in ids if one is not None)),
        files=tuple(
            replace(artifact_of(file), file=from_here(file["file"], file["out_dir"]))
            for file in files
            if file["attempt_key"] == attempt.key
        ),
    )


def _said(event: EventLine) -> bool:
    """Whether a person's word made this event."""
    return event.data.get("by", "service") not in ("service", RUNNER)


def _word(event: EventLine) -> str:
    return f"{_WORDS[event.type].value} by {event.data['by']}, {event.at}"


def _sends(attempt: Attempt, events: Sequence[EventLine]) -> tuple[SendLine, ...]:
    ends = [event for event in events if event.type in _SEND_ENDS and not _said(event)]
    moments = [attempt.opened_at_s, *(end.at_s for end in ends)]
    waits = [later - earlier for earlier, later in pairwise(moments)]
    return tuple(
        SendLine(
            n=n,
            at=end.at,
            wait_s=wait_s,
            outcome=str(end.data.get("outcome") or end.type.value),
            status=_whole(end.data.get("status")),
            ambiguous=bool(end.data.get("ambiguous")),
            request_id=_text(end.data.get("request_id")),
            reason=_text(end.data.get("reason")) or _text(end.data.get("message")) or "",
        )
        for n, (end, wait_s) in enumerate(zip(ends, waits, strict=True), start=1)
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
