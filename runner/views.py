"""What the command shows of a ledger: its runs, how they stand, and their results. Plain calls that only read.

They open the ledger without its lock, so they work beside a running run, and close it before they return. One item's
whole history is in `runner.story`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobs.lifecycle import ItemState
from jobs.polling import Noticed
from jobs.record import Artifact, Attempt, Record
from jobs.results import ErrorRow, Output, ResultRow
from jobs.suggest import did_you_mean
from jobs.wording import listed
from runner.clock import stamp
from runner.errors import UsageError
from runner.ledger import Life, Note
from runner.ledger.opening import holder, open_reader
from runner.ledger.reading import LedgerReader
from runner.ledger.rows import Row
from runner.ledger.store import Store
from runner.places import from_here
from runner.settings import SIM_STORE

__all__ = [
    "InFlight",
    "Liveness",
    "RunSummary",
    "item_keys",
    "layout",
    "list_runs",
    "maybe_stamp",
    "need_ledger",
    "notes",
    "resolve_run",
    "result_rows",
    "run_noticed",
    "run_summary",
    "slowest",
]

Liveness = Literal["alive", "ended", "died"]

# Rows that are in memory at once: enough to be quick, few enough that a run of any size is a few megabytes.
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run at a glance. `counts` are of the items it wants now; `uncertain` is the part of `reserved` in doubt."""

    run_id: str
    name: str
    edition: str
    manifest_path: str
    out_dir: str
    state: Liveness  # `died`: it did not say that it ended, and nobody holds the ledger
    life: Life  # the latest
    lives: int
    counts: Mapping[ItemState, int]
    reserved: int
    settled: int
    uncertain: int
    cap_credits: int | None

    @property
    def items(self) -> int:
        return sum(self.counts.values())

    @property
    def exit_code(self) -> int | None:
        return self.life.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """An item that is being sent or made, and since when (seconds since 1970)."""

    item: str
    identity: str
    state: ItemState
    since_s: float
    accepted_at_s: float | None
    task_id: str | None
    sends: int


def list_runs(path: Store) -> list[RunSummary]:
    """All runs, the latest first; none when there is no ledger yet."""
    reader = open_reader(path)
    if reader is None:
        return []
    with reader:
        return _summaries(reader, None)


def run_summary(path: Store, run_id: str) -> RunSummary:
    """One run. `run_id` is exact: see `resolve_run`."""
    with need_ledger(path) as reader:
        return _summary(reader, run_id)


def resolve_run(path: Store, name: str | None) -> str:
    """The run people mean: the latest by default, else by its id, or the latest edition of a manifest's name."""
    with need_ledger(path) as reader:
        runs = reader.ask("runs", {"run_id": None})
    if name is None and runs:
        return str(runs[0]["run_id"])
    for column in ("run_id", "name"):
        for row in runs:
            if row[column] == name:
                return str(row["run_id"])
    if name is None:
        raise UsageError(f"the ledger {path} has no run yet", code="run-unknown", next_step=_FIRST_RUN)
    raise _unknown_run(name, [row["run_id"] for row in runs])


def run_noticed(path: Store, run_id: str) -> Noticed:
    """How the ends of a run's tasks were noticed, over all its lives."""
    with need_ledger(path) as reader:
        rows = list(reader.ask("run_looks", {"run_id": run_id}))
    polls, noticed_s = sum(row["polls"] for row in rows), sum(row["noticed_s"] for row in rows)
    return Noticed(ends=len(rows), polls=polls, unseen_s=2.0 * noticed_s)


def result_rows(path: Store, run_id: str, *, wanted_only: bool = True) -> Iterator[ResultRow]:
    """One row per item of a run, in order; with `wanted_only=False` also what its manifest no longer has.

    Each row is of one moment, and so are its neighbours; of a run that goes on, the last row may know more than the
    first. Holding one moment for as long as all rows take would hold up the run.
    """
    run_summary(path, run_id)
    return _each_result(path, run_id, wanted_only=wanted_only)


def _each_result(path: Store, run_id: str, *, wanted_only: bool) -> Iterator[ResultRow]:
    with need_ledger(path) as reader:
        order = [row["identity"] for row in reader.ask("run_order", {"run_id": run_id, "wanted": int(wanted_only)})]
        for first in range(0, len(order), ROWS_AT_ONCE):
            yield from _results(reader, run_id, order[first : first + ROWS_AT_ONCE])


def _results(reader: LedgerReader, run_id: str, identities: Sequence[str]) -> Iterator[ResultRow]:
    asked = {"run_id": run_id, "identities": json.dumps(identities)}
    with reader.snapshot():
        items = reader.ask("run_items", asked)
        records = reader.records(identities)
        folders = {(row["identity"], row["n"]): row["out_dir"] for row in reader.ask("item_folders", asked)}
    for row in items:
        yield _result(run_id, row, records[row["identity"]], folders)


def notes(path: Store, run_id: str, *, after: int = 0) -> list[Note]:
    """What happened to a run as a whole, in order; with `after` only what came after that note."""
    with need_ledger(path) as reader:
        return reader.notes(run_id, after=after)


def item_keys(path: Store, run_id: str, *, beginning: str, limit: int) -> Iterator[str]:
    """The keys of the items a run wants, of those that begin so, in order."""
    with need_ledger(path) as reader:
        rows = reader.ask("keys_beginning", {"run_id": run_id, "beginning": beginning, "limit": limit})
    return (row["item_key"] for row in rows)


def layout(path: Store, run_id: str) -> Mapping[str, Mapping[str, object]]:
    """Job -> its `report` block, as the run's latest life was told."""
    with need_ledger(path) as reader:
        return reader.layout(run_id)


def slowest(path: Store, run_id: str, limit: int = 5) -> list[InFlight]:
    """The items of a run that are in flight the longest, the oldest first."""
    with need_ledger(path) as reader:
        rows = reader.ask("slowest", {"run_id": run_id, "limit": limit})
    return [
        InFlight(
            item=row["item_key"],
            identity=row["identity"],
            state=ItemState(row["state"]),
            since_s=row["opened_at_s"],
            accepted_at_s=row["accepted_at_s"],
            task_id=row["task_id"],
            sends=row["sends"],
        )
        for row in rows
    ]


_FIRST_RUN = "begin one with `rivya-batch run FILE`, or name another ledger with --store"


def need_ledger(path: Store) -> LedgerReader:
    reader = open_reader(path)
    if reader is None:
        rehearsed = isinstance(path, Path) and path.with_name(SIM_STORE).exists()
        raise UsageError(
            f"there is no ledger at {path} yet",
            code="ledger-missing",
            next_step="add --sim to see what was rehearsed here" if rehearsed else _FIRST_RUN,
        )
    return reader


def _unknown_run(name: str, run_ids: Sequence[str]) -> UsageError:
    otherwise = f"there are {listed(run_ids)}" if run_ids else _FIRST_RUN
    return UsageError(
        f"the ledger has no run `{name}`", code="run-unknown", next_step=did_you_mean(name, run_ids, otherwise)
    )


def _summary(reader: LedgerReader, run_id: str) -> RunSummary:
    found = _summaries(reader, run_id)
    if not found:
        raise _unknown_run(run_id, [row["run_id"] for row in reader.ask("runs", {"run_id": None})])
    return found[0]


def _summaries(reader: LedgerReader, run_id: str | None) -> list[RunSummary]:
    owner = holder(reader.store)
    # A file is used on one machine; on several, many a process has the same number.
    named = "pid {life.pid} on " if isinstance(reader.store, Path) else "pid {life.pid} on {life.host} "
    counts: dict[str, dict[ItemState, int]] = defaultdict(dict)
    with reader.snapshot():
        runs = reader.ask("runs", {"run_id": run_id})
        for row in reader.ask("run_states", {"run_id": run_id}):
            counts[row["run_id"]][ItemState(row["state"])] = row["items"]
        uncertain = {row["scope"]: row["credits"] for row in reader.ask("uncertain_credits", {})}
    return [_summary_of(row, counts[row["run_id"]], uncertain.get(row["run_id"], 0), owner, named) for row in runs]


def _summary_of(row: Row, counts: Mapping[ItemState, int], uncertain: int, owner: str | None, named: str) -> RunSummary:
    life = Life(
        life_id=row["life_id"],
        run_id=row["run_id"],
        started_at_s=row["started_at_s"],
        pid=row["pid"],
        host=row["host"],
        ended_at_s=row["ended_at_s"],
        exit_code=row["exit_code"],
    )
    is_owner = owner is not None and owner.startswith(named.format(life=life))
    unended: Liveness = "alive" if is_owner else "died"
    return RunSummary(
        run_id=row["run_id"],
        name=row["name"],
        edition=row["edition"],
        manifest_path=row["manifest_path"],
        out_dir=row["out_dir"],
        state=unended if life.ended_at_s is None else "ended",
        life=life,
        lives=row["lives"],
        counts=counts,
        reserved=row["reserved"],
        settled=row["settled"],
        uncertain=uncertain,
        cap_credits=row["cap_credits"],
    )


def _result(run_id: str, row: Row, record: Record, folders: Mapping[tuple[str, int], str]) -> ResultRow:
    attempt = record.attempt
    error = None
    if record.error_code is not None:
        error = ErrorRow(code=record.error_code, message=record.error_message or "", request_id=record.request_id)
    return ResultRow(
        item=row["item_key"],
        identity=record.identity,
        job=row["job"],
        run=run_id,
        state=record.state,
        model=row["model"],
        prompt=row["prompt"],
        params=json.loads(row["params"]),
        axes=json.loads(row["axes"]),
        tags=tuple(json.loads(row["tags"])),
        task_id=attempt.task_id if attempt else None,
        idempotency_key=attempt.key if attempt else None,
        attempts=record.attempts,
        sends=record.sends,
        reserved_credits=_reserved(attempt),
        final_credits=_final(attempt, record.state),
        created_at=maybe_stamp(attempt.opened_at_s if attempt else None),
        accepted_at=maybe_stamp(attempt.accepted_at_s if attempt else None),
        finished_at=maybe_stamp(attempt.finished_at_s if attempt else None),
        outputs=tuple(_output(file, folders.get((record.identity, file.n))) for file in record.artifacts),
        error=error,
    )


def _reserved(attempt: Attempt | None) -> int | None:
    """The service's figure, else what we hold; None when neither holds anything."""
    if attempt is None or attempt.reserved_credits is not None:
        return attempt.reserved_credits if attempt else None
    return attempt.reserved or None


def _final(attempt: Attempt | None, state: ItemState) -> int | None:
    """The service's figure, else what we count; less what came back. None until it is known."""
    if attempt is None or state not in (ItemState.SUCCEEDED, ItemState.FAILED):
        return None
    return attempt.settled if attempt.final_credits is None else min(attempt.final_credits, attempt.settled)


def _output(file: Artifact, folder: str | None) -> Output:
    return Output(
        url=file.url,
        file=from_here(file.file, folder),
        sha256=file.sha256,
        bytes=file.bytes,
        type=file.type,
        state=file.state,
    )


def maybe_stamp(at_s: float | None) -> str | None:
    return None if at_s is None else stamp(at_s)
