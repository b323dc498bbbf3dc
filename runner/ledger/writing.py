"""The writes of a ledger in a database, each within a transaction that its caller begins and commits.

Rules of the ledger are checked here or by the schema; what breaks one raises and the caller undoes the whole call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.record import NO_MONEY, Artifact, Attempt, Change, Event, Money
from jobs.steps import Notice
from runner.errors import LeaseLost, LedgerConflict
from runner.failpoints import failpoint
from runner.gathering import batched
from runner.ledger import OVER_CAP, KnownUpload, Life, RunInfo
from runner.ledger.rows import (
    Params,
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
from runner.ledger.statements import Statements

__all__ = ["Fences", "Recording", "add_notes", "add_together", "begin_life", "end_life", "put_upload"]

# Events that say something about the item and nothing about its latest attempt.
_NOT_OF_THE_ATTEMPT = frozenset({EventType.PLANNED, EventType.SKIPPED})

# Shards, each with its fence: how often it had been claimed when its worker had it.
Fences = tuple[tuple[int, int], ...]

# Events that bring an attempt's result files.
_ENDS = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.WRITTEN_OFF})

_FAILPOINTS = {
    EventType.INTENT: "intent.in_commit",
    EventType.ACCEPTED: "accept.in_commit",
    EventType.SUCCEEDED: "terminal.in_commit",
    EventType.SAVED: "artifact.in_commit",
}


def begin_life(db: Statements, run: RunInfo, items: Sequence[Item], *, at_s: float, pid: int, host: str) -> Life:
    """Write the run, its life and its items: the ones never seen as `planned`, the others left where they stand."""
    told = db.rows("fingerprint", {"run_id": run.run_id})
    wanted = db.rows("wanted_count", {"run_id": run.run_id})[0]["items"]
    is_told = bool(run.fingerprint) and [row["manifest_sha256"] for row in told] == [run.fingerprint]
    is_known = is_told and wanted == len(items)
    db.run(
        "put_run",
        {
            "run_id": run.run_id,
            "name": run.name,
            "edition": text_of(run.edition),
            "manifest_path": text_of(run.manifest_path),
            "manifest_sha256": run.fingerprint or run.manifest_sha256,
            "cap_credits": run.cap_credits,
            "out_dir": text_of(run.out_dir),
        },
    )
    db.run("put_layout", {"run_id": run.run_id, "layout": json_of(run.layout)})
    db.run("open_books", {"scope": run.run_id})
    life = {"run_id": run.run_id, "started_at_s": at_s, "pid": pid, "host": host, "out_dir": text_of(run.out_dir)}
    life_id = int(db.rows("begin_life", life)[0]["life_id"])
    if not is_known:
        db.run("unwant_all", {"run_id": run.run_id})
        for batch in batched(items):
            _want(db, run.run_id, batch, life_id=life_id, at_s=at_s)
    failpoint("plan.in_commit")
    return Life(life_id=life_id, run_id=run.run_id, started_at_s=at_s, pid=pid, host=host)


def _want(db: Statements, run_id: str, items: Sequence[Item], *, life_id: int, at_s: float) -> None:
    asked = {"identities": json_of([item.identity for item in items])}
    known = {row["identity"] for row in db.rows("known_identities", asked)}
    new = [item for item in items if item.identity not in known]
    db.run_many("plan_item", (plan_params(item, at_s=at_s) for item in new))
    planned = (Event(type=EventType.PLANNED, at_s=at_s, identity=item.identity) for item in new)
    db.run_many("add_event", (event_params(event, life_id=life_id, attempt_key=None) for event in planned))
    db.run_many("want_item", (want_params(item, run_id=run_id) for item in items))


def end_life(db: Statements, life: Life, *, at_s: float, exit_code: int) -> None:
    db.run("end_life", {"life_id": life.life_id, "ended_at_s": at_s, "exit_code": exit_code})


def add_notes(
    db: Statements, notices: Sequence[Notice], *, life_id: int, at_s: float, cap_credits: int | None = None
) -> None:
    """Append what happened to the run as a whole; with `cap_credits` its budget is another one with that."""
    rows = ({"life_id": life_id, "at_s": at_s, "name": one.name, "data": json_of(one.data)} for one in notices)
    db.run_many("add_note", rows)
    if cap_credits is not None:
        db.run("set_cap", {"cap_credits": cap_credits, "life_id": life_id})


def put_upload(db: Statements, upload: KnownUpload) -> None:
    db.run("put_upload", upload_params(upload))


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A call that appends events: the one kind of call that shares its statements with its neighbours."""

    db: Statements
    changes: Sequence[Change]
    life_id: int | None
    fences: Fences = ()  # of the shards that the changes belong to, as this writer knows them; none: it is alone

    def __call__(self) -> None:
        """One by one, so that a refusal names its item."""
        _stay_within([self])
        for change in self.changes:
            _add(self, [change])


def add_together(recordings: Sequence[Recording]) -> None:
    """Do some calls with as few statements as they allow. Raises when one of them is refused, and says not which."""
    _stay_within(recordings)
    _fit_in_turn(recordings)
    for recording, changes in _portions(recordings):
        _add(recording, changes)


def _stay_within(recordings: Sequence[Recording]) -> None:
    """Nothing is written of a shard that somebody else has claimed since, and nobody claims it until the commit."""
    fences = dict(pair for recording in recordings for pair in recording.fences)
    if not fences:
        return
    rows = recordings[0].db.rows("fences", {"shards": json_of([str(shard_id) for shard_id in fences])})
    found = {row["shard_id"]: row["fence"] for row in rows}
    for shard_id, fence in fences.items():
        if found.get(shard_id) != fence:
            raise LeaseLost(f"shard {shard_id} went to another worker")


def _fit_in_turn(recordings: Sequence[Recording]) -> None:
    """Each intent must fit its cap when its turn comes: what is given back after it does not make room for it."""
    held: dict[str, int] = {}
    for recording in recordings:
        for change in recording.changes:
            scope, cap = change.scope, change.cap_credits
            if scope not in held:
                held[scope] = sum(sum(row) for row in recording.db.rows("books", {"scope": scope}))
            held[scope] += change.delta.reserved + change.delta.settled
            if cap is not None and held[scope] > cap:
                raise LedgerConflict(f"what is held exceeds the cap of {cap}", code=OVER_CAP)


def _portions(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, list[Change]]]:
    """Changes in order, cut before an item's second: within a portion no change depends on another."""
    portion: dict[str, Change] = {}
    for recording in recordings:
        for change in recording.changes:
            if change.record.identity in portion:
                yield recording, list(portion.values())
                portion = {}
            portion[change.record.identity] = change
    if portion:
        yield recordings[-1], list(portion.values())


def _add(to: Recording, changes: Sequence[Change]) -> None:
    """Append the events of different items and move what they move."""
    db, life_id = to.db, to.life_id
    opened: list[Params] = []
    moved: list[Params] = []
    files: list[Params] = []
    events: list[Params] = []
    for change in changes:
        event, record = change.event, change.record
        attempt = None if event.type in _NOT_OF_THE_ATTEMPT else record.attempt
        if attempt is None:
            assert change.delta == NO_MONEY, "credits move with an attempt only"
            events.append(event_params(event, life_id=life_id, attempt_key=None))
            continue
        assert attempt.scope == change.scope, "an attempt stays in the books that carry it"
        if event.type is EventType.INTENT:
            opened.append(_frozen(change, attempt))
        else:
            assert change.body is None, "a body is frozen by the intent"
            moved.append(attempt_params(attempt, state=record.state))
        files += [artifact_params(file, attempt_key=attempt.key, life_id=life_id) for file in _moved_artifacts(change)]
        events.append(event_params(event, life_id=life_id, attempt_key=attempt.key))
    # What an ended attempt gives back comes first: an intent beside it may need the room.
    _move_books(db, [change for change in changes if change.event.type is not EventType.INTENT])
    intents = [change for change in changes if change.event.type is EventType.INTENT]
    _reserve(db, intents, "reserve_beside" if to.fences else "reserve")
    if moved and db.run_many("move_attempt", moved) != len(moved):
        raise LedgerConflict(f"attempt {moved[0]['key']} was never opened", code="ledger-no-attempt")
    if opened:
        db.run_many("add_attempt", opened)
    if files:
        db.run_many("put_artifact", files)
    rows = [record_params(change.record) for change in changes]
    if db.run_many("move_item", rows) != len(rows):
        record = changes[0].record
        raise LedgerConflict(
            f"item {record.identity} is not at version {record.version - 1}: somebody moved it since it was read",
            code="ledger-item-moved",
        )
    db.run_many("add_event", events)
    for kind in dict.fromkeys(change.event.type for change in changes):
        if kind in _FAILPOINTS:
            failpoint(_FAILPOINTS[kind])


def _reserve(db: Statements, intents: Sequence[Change], statement: str) -> None:
    """Reserve each intent's bound, if all of them fit the cap that each of them was decided under."""
    for scope, caps in _by_scope(intents):
        bound = sum(change.delta.reserved for change in caps)
        cap = min((change.cap_credits for change in caps if change.cap_credits is not None), default=None)
        reserve = partial(db.run, statement, {"scope": scope, "bound": bound, "cap": cap})
        if reserve() == 1:
            continue
        db.run("open_books", {"scope": scope})  # the first intent of a scope finds none
        if reserve() != 1:
            identity = caps[0].record.identity
            raise LedgerConflict(f"{bound} credits for {identity} do not fit the cap of {cap}", code=OVER_CAP)


def _move_books(db: Statements, changes: Sequence[Change]) -> None:
    for scope, moves in _by_scope(change for change in changes if change.delta != NO_MONEY):
        delta = {
            "scope": scope,
            "reserved": sum(change.delta.reserved for change in moves),
            "settled": sum(change.delta.settled for change in moves),
        }
        assert db.run("move_books", delta) == 1, "an intent opened these books"


def _by_scope(changes: Iterable[Change]) -> Iterable[tuple[str, Sequence[Change]]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.scope, []).append(change)
    return found.items()


def _frozen(change: Change, attempt: Attempt) -> Params:
    assert change.body is not None, "an intent freezes its body"
    assert change.delta == Money(reserved=attempt.bound), "an intent reserves its bound and nothing else"
    return attempt_params(attempt, state=change.record.state) | {
        "identity": change.record.identity,
        "body": change.body,
        "body_sha256": hashlib.sha256(change.body).hexdigest(),
    }


def _moved_artifacts(change: Change) -> Sequence[Artifact]:
    if change.event.type in _ENDS:
        return change.record.artifacts
    if change.event.type is EventType.SAVED:
        return [artifact for artifact in change.record.artifacts if artifact.n == change.event.data["n"]]
    return ()
