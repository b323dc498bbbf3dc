"""The ledger's own story, read from its file: rows are the fold of events, books are sums, result files are whole."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from jobs.lifecycle import EventType
from jobs.record import Event, Record, fold
from runner.ledger.reading import LedgerReads
from tests.proof.audit import Auditor, ViolationError

__all__ = ["judge_files", "judge_story", "retold"]


def judge_story(reads: LedgerReads, identities: Sequence[str], scope: str) -> Auditor:
    """The item table is the fold of the log, the books are the sum of what its attempts hold; the log, audited."""
    folded: dict[str, Record | None] = {}
    for _, event in _events(reads, identities):
        folded[event.identity] = fold(folded.get(event.identity), event)
    if folded != reads.records(identities):
        raise ViolationError("the item table is not the fold of the log")
    sums: Counter[str] = Counter()
    for identity in identities:
        for row in reads.ask("attempts_of_item", {"identity": identity}):
            sums["reserved"] += row["reserved"] * (row["scope"] == scope)
            sums["settled"] += row["settled"] * (row["scope"] == scope)
    books = reads.books(scope)
    if (books.reserved, books.settled) != (sums["reserved"], sums["settled"]):
        raise ViolationError(f"the books say {books}, and the attempts {dict(sums)}")
    return retold(reads, identities)


def retold(reads: LedgerReads, identities: Sequence[str], where: Callable[[], str] = lambda: "") -> Auditor:
    """An auditor that knows what the log tells, and nothing else."""
    auditor = Auditor(caps={}, where=where)
    for key, event in _events(reads, identities):
        body = reads.body(key) if key and event.type is EventType.INTENT else None
        auditor.committed(event.identity, event.type.value, event.data, key=key, body=body)
    return auditor


def _events(reads: LedgerReads, identities: Sequence[str]) -> Iterator[tuple[str | None, Event]]:
    """The log in order: each event with the key of its attempt."""
    found = [
        (row["seq"], row["attempt_key"], identity, row)
        for identity in identities
        for row in reads.ask("events_of_item", {"identity": identity})
    ]
    for _, key, identity, row in sorted(found, key=lambda one: one[0]):
        data = json.loads(row["data"])
        yield key, Event(type=EventType(row["type"]), at_s=row["at_s"], identity=identity, data=data)


def judge_files(records: Mapping[str, Record], files: Mapping[str, bytes]) -> None:
    """What the ledger says of a file is true of it."""
    for record in records.values():
        for artifact in record.artifacts:
            if artifact.file is None:
                continue
            content = files.get(artifact.file)
            if content is None:
                raise ViolationError(f"{artifact.file} of {record.identity} is not there")
            if (len(content), hashlib.sha256(content).hexdigest()) != (artifact.bytes, artifact.sha256):
                raise ViolationError(f"{artifact.file} of {record.identity} is not what was saved")
