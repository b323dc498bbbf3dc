"""The writes of the SQLite ledger, each within a transaction that its caller begins and commits.

Rules of the ledger are checked here or by the schema; what breaks one raises and the caller undoes the whole call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.record import Attempt, Change, Event, Money
from jobs.steps import Notice
from runner.errors import LedgerConflict
from runner.failpoints import failpoint
from runner.ledger import KnownUpload, Life, RunInfo
from runner.ledger.rows import (
    Row,
    artifact_params,
    attempt_params,
    event_params,
    json_of,
    plan_params,
    record_params,
    text_of,
    upload_params,
    want_params,
)
from runner.ledger.statements import QUERIES

__all__ = ["Connection", "add_changes", "add_notes", "begin_life", "end_life", "put_upload"]

# Events that say something about the item and nothing about its latest attempt.
_NOT_OF_THE_ATTEMPT = frozenset({EventType.PLANNED, EventType.SKIPPED})

# Events that bring an attempt's result files.
_ENDS = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.WRITTEN_OFF})

_FAILPOINTS = {
    EventType.INTENT: "intent.in_commit",
    EventType.ACCEPTED: "accept.in_commit",
    EventType.SUCCEEDED: "terminal.in_commit",
    EventType.SAVED: "artifact.in_commit",
}


class Cursor(Protocol):
    """What a statement did."""

    @property
    def rowcount(self) -> int: ...

    @property
    def lastrowid(self) -> int | None: ...

    def fetchall(self) -> list[Row]: ...


class Connection(Protocol):
    """What is asked of a database connection."""

    def execute(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Cursor: ...

    def executemany(self, sql: str, parameters: Iterable[Mapping[str, Any]], /) -> Cursor: ...


def begin_life(db: Connection, run: RunInfo, items: Sequence[Item], *, at_s: float, pid: int, host: str) -> Life:
    """Write the run, its life and its items: the ones never seen as `planned`, the others left where they stand."""
    db.execute(
        QUERIES["put_run"],
        {
            "run_id": run.run_id,
            "name": run.name,
            "edition": text_of(run.edition),
            "manifest_path": text_of(run.manifest_path),
            "manifest_sha256": run.manifest_sha256,
            "cap_credits": run.cap_credits,
            "out_dir": text_of(run.out_dir),
        },
    )
    db.execute(QUERIES["put_layout"], {"run_id": run.run_id, "layout": json_of(run.layout)})
    db.execute(QUERIES["open_books"], {"scope": run.run_id})
    life = {"run_id": run.run_id, "started_at_s": at_s, "pid": pid, "host": host, "out_dir": text_of(run.out_dir)}
    life_id = db.execute(QUERIES["begin_life"], life).lastrowid
    assert life_id is not None, "an insert has a row"
    asked = {"identities": json_of([item.identity for item in items])}
    known = {row["identity"] for row in db.execute(QUERIES["known_identities"], asked).fetchall()}
    new = [item for item in items if item.identity not in known]
    db.executemany(QUERIES["plan_item"], (plan_params(item, at_s=at_s) for item in new))
    planned = (Event(type=EventType.PLANNED, at_s=at_s, identity=item.identity) for item in new)
    db.executemany(QUERIES["add_event"], (event_params(event, life_id=life_id, attempt_key=None) for event in planned))
    db.execute(QUERIES["unwant_all"], {"run_id": run.run_id})
    db.executemany(QUERIES["want_item"], (want_params(item, run_id=run.run_id) for item in items))
    failpoint("plan.in_commit")
    return Life(life_id=life_id, run_id=run.run_id, started_at_s=at_s, pid=pid, host=host)


def end_life(db: Connection, life: Life, *, at_s: float, exit_code: int) -> None:
    db.execute(QUERIES["end_life"], {"life_id": life.life_id, "ended_at_s": at_s, "exit_code": exit_code})


def add_notes(
    db: Connection, notices: Sequence[Notice], *, life_id: int, at_s: float, cap_credits: int | None = None
) -> None:
    """Append what happened to the run as a whole; with `cap_credits` its budget is another one with that."""
    rows = ({"life_id": life_id, "at_s": at_s, "name": one.name, "data": json_of(one.data)} for one in notices)
    db.executemany(QUERIES["add_note"], rows)
    if cap_credits is not None:
        db.execute(QUERIES["set_cap"], {"cap_credits": cap_credits, "life_id": life_id})


def put_upload(db: Connection, upload: KnownUpload) -> None:
    db.execute(QUERIES["put_upload"], upload_params(upload))


def add_changes(db: Connection, changes: Sequence[Change], *, life_id: int | None) -> None:
    """Append the events and move what they move."""
    for change in changes:
        _add_change(db, change, life_id=life_id)


def _add_change(db: Connection, change: Change, *, life_id: int | None) -> None:
    event, record = change.event, change.record
    attempt = None if event.type in _NOT_OF_THE_ATTEMPT else record.attempt
    if attempt is None:
        assert change.delta == Money(), "credits move with an attempt only"
    else:
        assert attempt.scope == change.scope, "an attempt stays in the books that carry it"
        if event.type is EventType.INTENT:
            _open(db, change, attempt)
        else:
            _move(db, change, attempt)
        _put_artifacts(db, change, attempt, life_id=life_id)
    key = attempt.key if attempt else None
    if db.execute(QUERIES["move_item"], record_params(record)).rowcount != 1:
        raise LedgerConflict(
            f"item {record.identity} is not at version {record.version - 1}: somebody moved it since it was read",
            code="ledger-item-moved",
        )
    db.execute(QUERIES["add_event"], event_params(event, life_id=life_id, attempt_key=key))
    if event.type in _FAILPOINTS:
        failpoint(_FAILPOINTS[event.type])


def _open(db: Connection, change: Change, attempt: Attempt) -> None:
    assert change.body is not None, "an intent freezes its body"
    assert change.delta == Money(reserved=attempt.bound), "an intent reserves its bound and nothing else"
    db.execute(QUERIES["open_books"], {"scope": change.scope})
    room = {"scope": change.scope, "bound": attempt.bound, "cap": change.cap_credits}
    if db.execute(QUERIES["reserve"], room).rowcount != 1:
        raise LedgerConflict(
            f"{attempt.bound} credits for {change.record.identity} do not fit the cap of {change.cap_credits}",
            code="ledger-over-cap",
        )
    frozen = {
        "identity": change.record.identity,
        "body": change.body,
        "body_sha256": hashlib.sha256(change.body).hexdigest(),
    }
    db.execute(QUERIES["add_attempt"], attempt_params(attempt, state=change.record.state) | frozen)


def _move(db: Connection, change: Change, attempt: Attempt) -> None:
    assert change.body is None, "a body is frozen by the intent"
    if db.execute(QUERIES["move_attempt"], attempt_params(attempt, state=change.record.state)).rowcount != 1:
        raise LedgerConflict(f"attempt {attempt.key} was never opened", code="ledger-no-attempt")
    if change.delta != Money():
        delta = {"scope": change.scope, "reserved": change.delta.reserved, "settled": change.delta.settled}
        assert db.execute(QUERIES["move_books"], delta).rowcount == 1, "an intent opened these books"


def _put_artifacts(db: Connection, change: Change, attempt: Attempt, *, life_id: int | None) -> None:
    if change.event.type in _ENDS:
        moved = change.record.artifacts
    elif change.event.type is EventType.SAVED:
        moved = tuple(artifact for artifact in change.record.artifacts if artifact.n == change.event.data["n"])
    else:
        return
    rows = (artifact_params(artifact, attempt_key=attempt.key, life_id=life_id) for artifact in moved)
    db.executemany(QUERIES["put_artifact"], rows)
