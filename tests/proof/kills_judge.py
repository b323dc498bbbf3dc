"""What is left after the last life, judged from three sides: the ledger, the service's journal, the files.

The event log of the ledger and the requests in the journal are put in the order of time and fed to the auditor; both
clocks are this machine's. Then the tables are recomputed from the events, and the files from the tables.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jobs.lifecycle import EventType
from jobs.record import Event, Record, fold
from runner.ledger.sqlite import open_reader
from tests.proof.audit import Auditor

__all__ = ["Judged", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found to be in order, to be counted. `resent`: creates that arrived more than once under their key."""

    states: Counter[str]
    events: Counter[str]
    tasks: int
    sends: int
    resent: int
    files: int


def judge(folder: Path, *, journal: Path, caps: Mapping[str, int], where: str, whole: bool) -> Judged:
    """Raise ViolationError for whatever must never be. `whole`: the run came to its end, so nothing may be missing."""
    facts = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    sends = [fact for fact in facts if fact["fact"] == "send"]
    tasks = [fact for fact in facts if fact["fact"] == "task"]
    auditor = Auditor(caps=caps, where=lambda: where)
    ledger = folder / ".rivya" / "ledger.db"
    if not ledger.exists():
        if sends or whole:
            raise auditor.fail(f"there is no ledger, and {len(sends)} creates were sent")
        return Judged(states=Counter(), events=Counter(), tasks=0, sends=0, resent=0, files=0)
    with closing(sqlite3.connect(ledger)) as db:
        db.row_factory = sqlite3.Row
        _check_whole(db, auditor)
        events = [dict(row) for row in db.execute("SELECT * FROM events ORDER BY seq")]
        bodies = {row["key"]: row["body"] for row in db.execute('SELECT "key", body FROM attempts')}
        lives = [row["started_at_s"] for row in db.execute("SELECT started_at_s FROM lives")]
        artifacts = [dict(row) for row in db.execute("SELECT * FROM artifacts")]
    _audit(auditor, events, bodies, lives, sends)
    _check_tasks(auditor, tasks, events)
    records = _check_folds(auditor, ledger, events)
    files = _check_files(auditor, folder, artifacts, whole=whole)
    if whole and (missing := [one for one in records.values() if one.state not in ("succeeded", "failed")]):
        raise auditor.fail(f"at the end {len(missing)} items are not: {[one.state.value for one in missing]}")
    return Judged(
        states=Counter(record.state.value for record in records.values()),
        events=Counter(event["type"] for event in events),
        tasks=len(tasks),
        sends=len(sends),
        resent=sum(times - 1 for times in Counter(send["key"] for send in sends).values()),
        files=files,
    )


def _check_whole(db: sqlite3.Connection, auditor: Auditor) -> None:
    (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
    foreign = db.execute("PRAGMA foreign_key_check").fetchall()
    if verdict != "ok" or foreign:
        raise auditor.fail(f"the ledger is damaged: {verdict}, {len(foreign)} broken references")
    wrong = db.execute(
        "SELECT scope FROM (SELECT scope, reserved, settled FROM books"
        " UNION ALL SELECT scope, -reserved, -settled FROM attempts)"
        " GROUP BY scope HAVING sum(reserved) <> 0 OR sum(settled) <> 0"
    ).fetchall()
    if wrong:
        raise auditor.fail(f"the books of {wrong[0]['scope']} are not the sum of its attempts")


def _audit(
    auditor: Auditor,
    events: list[dict[str, Any]],
    bodies: Mapping[str, bytes],
    lives: list[float],
    sends: list[dict[str, Any]],
) -> None:
    """Everything in the order in which it happened; of one moment, what was written comes before what left."""
    digests = {key: hashlib.sha256(body).hexdigest() for key, body in bodies.items()}

    def committed(event: dict[str, Any]) -> None:
        key = event["attempt_key"]
        body = bodies[key] if event["type"] == "intent" else None
        auditor.committed(event["identity"], event["type"], json.loads(event["data"]), key=key, body=body)

    def arrived(send: dict[str, Any]) -> None:
        key = send["key"]
        purchase = auditor.purchases.get(key)
        if purchase is None:
            raise auditor.fail(f"{key} arrived without a durable intent")
        if send["body_sha256"] != digests[key]:
            raise auditor.fail(f"{key} arrived with another body than its intent holds")
        if send["born"]:
            auditor.made(key, send["task_id"])

    story: list[tuple[float, int, int, Callable[[], None]]] = []
    story += [(at_s, 0, n, auditor.restarted) for n, at_s in enumerate(lives)]
    story += [(event["at_s"], 1, event["seq"], partial(committed, event)) for event in events]
    story += [(send["at_s"], 2, n, partial(arrived, send)) for n, send in enumerate(sends)]
    for *_, happen in sorted(story, key=lambda told: told[:3]):
        happen()
    auditor.finished()


def _check_tasks(auditor: Auditor, tasks: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """Nothing was paid twice: one task a key, and one an item, unless the one before it had failed."""
    keys = Counter(task["key"] for task in tasks)
    if double := [key for key, count in keys.items() if count > 1]:
        raise auditor.fail(f"{double[0]} has {keys[double[0]]} tasks")
    owners = {event["attempt_key"]: event["identity"] for event in events if event["attempt_key"]}
    bought = Counter(owners[task["key"]] for task in tasks if task["error_code"] is None)
    if double := [identity for identity, count in bought.items() if count > 1]:
        raise auditor.fail(f"{double[0]} has {bought[double[0]]} tasks")


def _check_folds(auditor: Auditor, ledger: Path, events: list[dict[str, Any]]) -> Mapping[str, Record]:
    folded: dict[str, Record] = {}
    for row in events:
        event = Event(
            type=EventType(row["type"]), at_s=row["at_s"], identity=row["identity"], data=json.loads(row["data"])
        )
        folded[event.identity] = fold(folded.get(event.identity), event)
    reader = open_reader(ledger)
    assert reader is not None
    with reader:
        kept = reader.records([*folded])
    for identity, record in folded.items():
        if kept.get(identity) != record:
            raise auditor.fail(f"{identity} is not the fold of its events: {kept.get(identity)} and {record}")
    return kept


def _check_files(auditor: Auditor, folder: Path, artifacts: list[dict[str, Any]], *, whole: bool) -> int:
    """What the ledger says is there is, byte for byte; and under final names nothing stands that it does not know."""
    out = folder / "out" / "trial"
    saved = {file["file"]: file for file in artifacts if file["file"]}
    for name, file in saved.items():
        there = out / name
        if not there.is_file() or hashlib.sha256(there.read_bytes()).hexdigest() != file["sha256"]:
            raise auditor.fail(f"{name} is not the file that the ledger knows")
        json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    below = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    hidden = {name for name in below if Path(name).name.startswith(".")}
    for name in below - hidden - {*saved, *(f"{name}.json" for name in saved)}:
        # Published, and the process died before it could say so: whole all the same.
        if not _is_whole(out / name):
            raise auditor.fail(f"{name} has its name, and is not whole")
        if whole:
            raise auditor.fail(f"{name} is a file that the ledger does not know")
    if whole and hidden:
        raise auditor.fail(f"{sorted(hidden)} were left behind")
    if whole and (open_ := [file["n"] for file in artifacts if file["state"] != "verified"]):
        raise auditor.fail(f"{len(open_)} results were not saved")
    return len(saved)


def _is_whole(file: Path) -> bool:
    content = file.read_bytes()
    if file.suffix == ".json":
        return content.endswith(b"}\n")
    return content.endswith(b"IEND\xaeB`\x82") or (content[4:8] == b"ftyp" and len(content) > 1000)
