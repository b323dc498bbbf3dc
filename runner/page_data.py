"""What the page needs of a ledger, of the results' folder, and of the manifest, read at one moment.

Only reads: it works beside a running run. A result that the ledger names and the folder has not is `missing`. The
manifest may have moved or changed since; then the page says what it cannot offer, and offers the rest.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.lifecycle import EventType
from jobs.manifest import parse
from jobs.record import Artifact
from jobs.report.facts import Happening, LifeSpan, NoteLine, ReportFile, ReportItem, ReportRun, Source
from jobs.sources import needs
from jobs.steering import Dial, steering_words
from jobs.steps import Notice
from jobs.yaml12 import load
from runner.ledger import Note
from runner.ledger.rows import Row
from runner.ledger.store import Store
from runner.places import from_here, is_bucket
from runner.sources import read_manifest, read_sources
from runner.views import RunSummary, need_ledger, run_summary

__all__ = ["PageData", "ResultFile", "folder_of", "page_data", "position", "source_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """A result as the ledger names it, and where it is; None for what was not saved, or lies outside its folder."""

    identity: str
    n: int
    artifact: Artifact
    path: Path | None
    is_there: bool
    bucket: str | None = None  # its address, when it was saved in one


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """Everything of one moment. `files` still have to be given the addresses that a page loads them from."""

    run: ReportRun
    items: Sequence[ReportItem]
    event_rows: Sequence[Row]
    files: Sequence[ResultFile]
    summary: RunSummary

    @property
    def events(self) -> Iterator[Happening]:
        """What happened, in order; one at a time, since of a large run they are most of what is read."""
        return map(_happening, self.event_rows)

    def with_files(self, told: Callable[[ResultFile], ReportFile]) -> list[ReportItem]:
        """The items with their results as the page shall find them."""
        by_item: dict[str, list[ReportFile]] = {}
        for file in self.files:
            by_item.setdefault(file.identity, []).append(told(file))
        return [replace(item, files=tuple(by_item.get(item.record.identity, ()))) for item in self.items]


def position(store: Store, run_id: str) -> tuple[int, int, str]:
    """What changes whenever the page does."""
    with need_ledger(store) as reader:
        notes = reader.ask("notes", {"run_id": run_id, "after": 0})
        at = reader.position(), len(notes)
    return (*at, run_summary(store, run_id).state)


def page_data(store: Store, run_id: str, *, now_s: float, tell: Callable[[Notice], str]) -> PageData:
    """Read a run for its page; `tell` puts a notice in words."""
    summary = run_summary(store, run_id)
    with need_ledger(store) as reader, reader.snapshot():
        rows = reader.ask("page_items", {"run_id": run_id})
        records = reader.records([row["identity"] for row in rows])
        folders = {(row["identity"], row["n"]): row["out_dir"] for row in reader.ask("run_folders", {"run_id": run_id})}
        event_rows = reader.ask("page_events", {"run_id": run_id})
        lives = [
            LifeSpan(life_id=row["life_id"], started_s=row["started_at_s"], ended_s=row["ended_at_s"])
            for row in reader.ask("lives_of_run", {"run_id": run_id})
        ]
        notes = reader.notes(run_id)
        layout = reader.layout(run_id)
    run = ReportRun(
        run_id=run_id,
        name=summary.name,
        edition=summary.edition,
        state=summary.state,
        exit_code=summary.exit_code,
        lives=tuple(lives),
        counts=summary.counts,
        settled=summary.settled,
        reserved=summary.reserved,
        uncertain=summary.uncertain,
        cap_credits=summary.cap_credits,
        made_at_s=now_s,
        layout=layout,
        notes=tuple(line for note in notes if (line := _line(note, tell)) is not None),
    )
    items = [
        ReportItem(
            key=row["item_key"],
            job=row["job"],
            model=row["model"],
            prompt=row["prompt"],
            params=json.loads(row["params"]),
            axes=json.loads(row["axes"]),
            tags=tuple(json.loads(row["tags"])),
            repeat=row["repeat"],
            reference_digests=tuple(json.loads(row["reference_digests"])),
            record=records[row["identity"]],
        )
        for row in rows
    ]
    files = [
        _result(record.identity, artifact, folders.get((record.identity, artifact.n)))
        for record in records.values()
        for artifact in record.artifacts
    ]
    return PageData(run=run, items=items, event_rows=event_rows, files=files, summary=summary)


def folder_of(out_dir: str) -> Path | None:
    """Where a run's results are, as a person in the current folder would name it; None when that is no folder here."""
    folder = None if is_bucket(out_dir) else Path(os.path.relpath(out_dir))
    return folder if folder is not None and folder.is_dir() else None


def source_of(summary: RunSummary) -> Source:
    """The references of the run's manifest, by content; what is lacking is told."""
    path = Path(summary.manifest_path)
    text, _ = read_manifest(path)
    document = load(text, str(path))[0] if text is not None else None
    manifest = parse(document)[0] if document is not None else None
    if document is None or manifest is None:
        return Source(lacking="the manifest of this run cannot be read any more")
    if not manifest.references:
        return Source()
    files = read_sources(path, needs(document, manifest)).references
    return Source(
        references={
            file.sha256: (_numbered(name, number, len(several)), str(Path(file.location).absolute()))
            for name, several in files.items()
            for number, file in enumerate(several, start=1)
        }
    )


def _numbered(name: str, number: int, of: int) -> str:
    """The name of one file; a glob's files get numbers."""
    return name if of == 1 else f"{name}-{number}"


def _line(note: Note, tell: Callable[[Notice], str]) -> NoteLine | None:
    """A note for people, None for one that is only for programs; `tell` leaves a person's stop to the screen."""
    steered = steering_words(note.name, note.data)
    text = steered or tell(Notice(name=note.name, data=note.data))
    if not text:
        return None
    return NoteLine(at_s=note.at_s, name=note.name, text=text, is_steering=steered is not None, budget=_budget(note))


def _budget(note: Note) -> tuple[int | None, int] | None:
    before, after = note.data.get("before"), note.data.get("after")
    if note.data.get("dial") != Dial.BUDGET or not isinstance(after, int):
        return None
    return (before if isinstance(before, int) else None), after


def _happening(row: Row) -> Happening:
    return Happening(
        at_s=row["at_s"],
        life_id=row["life_id"],
        identity=row["identity"],
        type=EventType(row["type"]),
        data=json.loads(row["data"]),
    )


def _result(identity: str, artifact: Artifact, folder: str | None) -> ResultFile:
    if folder is not None and artifact.file is not None and is_bucket(folder):
        where = from_here(artifact.file, folder)
        return ResultFile(identity=identity, n=artifact.n, artifact=artifact, path=None, is_there=False, bucket=where)
    path = _inside(folder, artifact.file)
    return ResultFile(
        identity=identity, n=artifact.n, artifact=artifact, path=path, is_there=path is not None and _is_file(path)
    )


def _inside(folder: str | None, name: str | None) -> Path | None:
    """The file of a result, if its name stays below its folder; a link that leads out of it does not."""
    if folder is None or name is None:
        return None
    root, path = os.path.realpath(folder), os.path.realpath(Path(folder, name))
    return Path(path) if path.startswith(f"{root}{os.sep}") else None


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
