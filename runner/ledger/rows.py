"""Rows to values and back. No SQL and no database in here.

`records` and `attempts_of_item` are read by position, because they may be a hundred thousand; the order of their
columns is the order of the names below.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from jobs.answers import Uploaded
from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.record import Artifact, Attempt, Event, Record
from runner.ledger import KnownUpload, Note, PastItem

__all__ = [
    "STATES",
    "Params",
    "Row",
    "artifact_of",
    "artifact_params",
    "attempt_of",
    "attempt_params",
    "body_in",
    "event_params",
    "json_of",
    "note_of",
    "past_item_of",
    "plan_params",
    "record_of",
    "record_params",
    "text_of",
    "upload_of",
    "upload_params",
    "want_params",
]

Params = dict[str, object]


class Row(Protocol):
    """A row of an answer: by column name, or in the order of columns."""

    def __getitem__(self, column: str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


def text_of(value: str | None) -> str | None:
    """Text as SQLite can hold it: half a surrogate pair, which JSON and file names may carry, becomes `?`."""
    return value if value is None or value.isascii() else value.encode(errors="replace").decode()


def json_of(value: object) -> str:
    """JSON text as it is stored."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:  # half a surrogate pair, a number beyond 64 bits
        text = _ENCODER.encode(value)
        return text.encode(errors="replace").decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def attempt_of(columns: tuple[Any, ...]) -> Attempt:
    """An attempt from its columns, `key` first."""
    (key, epoch, ordinal, scope, price_class, bound, opened_at_s, server_at_s, reserved, settled) = columns[:10]
    (ambiguous, sends, task_id, reserved_credits, final_credits, accepted_at_s, finished_at_s) = columns[10:]
    return Attempt(
        epoch=epoch,
        ordinal=ordinal,
        key=key,
        scope=scope,
        price_class=price_class,
        bound=bound,
        opened_at_s=opened_at_s,
        server_at_s=server_at_s,
        reserved=reserved,
        settled=settled,
        ambiguous=bool(ambiguous),
        sends=sends,
        task_id=task_id,
        reserved_credits=reserved_credits,
        final_credits=final_credits,
        accepted_at_s=accepted_at_s,
        finished_at_s=finished_at_s,
    )


def record_of(columns: tuple[Any, ...], artifacts: tuple[Artifact, ...]) -> Record:
    """A record from the columns of its item and, after them, of its latest attempt."""
    (identity, state, version, first_at_s, attempts, sends, failures, code, message, request_id) = columns[:10]
    return Record(
        identity=identity,
        state=STATES[state],
        version=version,
        first_at_s=first_at_s,
        attempts=attempts,
        sends=sends,
        failures=failures,
        attempt=None if columns[10] is None else attempt_of(columns[10:]),
        artifacts=artifacts,
        error_code=code,
        error_message=message,
        request_id=request_id,
    )


STATES: Final[Mapping[str, ItemState]] = {state.value: state for state in ItemState}  # looked up, not made


def body_in(rows: Sequence[Row], key: str) -> bytes:
    """The body of this attempt, if the answer has it. Raises KeyError."""
    if not rows:
        raise KeyError(key)
    body = bytes(rows[0]["body"])
    assert hashlib.sha256(body).hexdigest() == rows[0]["body_sha256"], f"the body of {key} is not what was written"
    return body


def artifact_of(row: Row) -> Artifact:
    return Artifact(
        n=row["n"],
        url=row["url"],
        state=row["state"],
        file=row["file"],
        sha256=row["sha256"],
        bytes=row["bytes"],
        type=row["type"],
    )


def note_of(row: Row) -> Note:
    return Note(
        note_id=row["note_id"],
        life_id=row["life_id"],
        at_s=row["at_s"],
        name=row["name"],
        data=json.loads(row["data"]),
    )


def past_item_of(row: Row) -> PastItem:
    return PastItem(
        identity=row["identity"],
        key=row["item_key"],
        job=row["job"],
        model=row["model"],
        prompt=row["prompt"],
        params=json.loads(row["params"]),
        reference_digests=tuple(json.loads(row["reference_digests"])),
        repeat=row["repeat"],
        edition=row["edition"],
        axes=json.loads(row["axes"]),
        tags=tuple(json.loads(row["tags"])),
        output_stem=row["output_stem"],
        index=row["item_index"],
        wanted=bool(row["wanted"]),
    )


def upload_of(row: Row) -> KnownUpload:
    uploaded = Uploaded(
        file_id=row["file_id"],
        url=row["url"],
        kind=row["kind"],
        name=row["name"],
        mime_type=row["mime_type"],
        duration_token=row["duration_token"],
        duration_s=row["duration_s"],
        expires_at=row["expires_at"],
    )
    return KnownUpload(sha256=row["sha256"], uploaded=uploaded, at_s=row["at_s"])


def upload_params(upload: KnownUpload) -> Params:
    uploaded = upload.uploaded
    return {
        "sha256": upload.sha256,
        "file_id": uploaded.file_id,
        "url": uploaded.url,
        "kind": uploaded.kind,
        "name": text_of(uploaded.name),
        "mime_type": uploaded.mime_type,
        "duration_token": uploaded.duration_token,
        "duration_s": uploaded.duration_s,
        "expires_at": uploaded.expires_at,
        "at_s": upload.at_s,
    }


def plan_params(item: Item, *, at_s: float) -> Params:
    return {
        "identity": item.identity,
        "model": item.model,
        "prompt": text_of(item.prompt),
        "params": json_of(item.params),
        "reference_digests": json_of([reference.sha256 for reference in item.references]),
        "repeat": item.repeat,
        "edition": text_of(item.edition),
        "price_class": item.price_class,
        "at_s": at_s,
    }


def want_params(item: Item, *, run_id: str) -> Params:
    return {
        "run_id": run_id,
        "identity": item.identity,
        "item_index": item.index,
        "item_key": text_of(item.key),
        "job": item.job,
        "axes": json_of(item.axes),
        "tags": json_of(item.tags),
        "output_stem": text_of(item.output_stem),
    }


def event_params(event: Event, *, life_id: int | None, attempt_key: str | None) -> Params:
    return {
        "at_s": event.at_s,
        "life_id": life_id,
        "identity": event.identity,
        "attempt_key": attempt_key,
        "type": event.type.value,
        "data": json_of(event.data),
    }


def attempt_params(attempt: Attempt, *, state: ItemState) -> Params:
    return {
        "key": attempt.key,
        "epoch": attempt.epoch,
        "ordinal": attempt.ordinal,
        "scope": attempt.scope,
        "price_class": attempt.price_class,
        "state": state.value,
        "bound": attempt.bound,
        "reserved": attempt.reserved,
        "settled": attempt.settled,
        "ambiguous": int(attempt.ambiguous),
        "sends": attempt.sends,
        "task_id": text_of(attempt.task_id),
        "reserved_credits": attempt.reserved_credits,
        "final_credits": attempt.final_credits,
        "server_at_s": attempt.server_at_s,
        "opened_at_s": attempt.opened_at_s,
        "accepted_at_s": attempt.accepted_at_s,
        "finished_at_s": attempt.finished_at_s,
    }


def artifact_params(artifact: Artifact, *, attempt_key: str, life_id: int | None) -> Params:
    return {
        "attempt_key": attempt_key,
        "n": artifact.n,
        "url": text_of(artifact.url),
        "state": artifact.state,
        "file": text_of(artifact.file),
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "type": artifact.type,
        "life_id": life_id,
    }


def record_params(record: Record) -> Params:
    return {
        "identity": record.identity,
        "state": record.state.value,
        "version": record.version,
        "attempts": record.attempts,
        "sends": record.sends,
        "failures": record.failures,
        "latest_attempt_key": record.attempt.key if record.attempt else None,
        "error_code": text_of(record.error_code),
        "error_message": text_of(record.error_message),
        "request_id": text_of(record.request_id),
    }
