"""The results of a run: one row per item, and the ways to write them down as text.

A row is what the ledger knows about one item, in the words people script against. Writing is pure: rows in, pieces of
text out, so that a hundred thousand rows are never held at once. JSON and JSON lines are lossless; CSV and the table
are for eyes and spreadsheets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from jobs.escape import for_csv, for_terminal, json_text
from jobs.lifecycle import ItemState
from jobs.record import ArtifactState

__all__ = [
    "CSV_COLUMNS",
    "TABLE_COLUMNS",
    "ErrorRow",
    "Output",
    "ResultRow",
    "as_csv",
    "as_json",
    "as_jsonl",
    "as_mapping",
    "table_cells",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One result: where it was, and where it is now. `file` is relative to the current folder, `type` a MIME type."""

    url: str
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    type: str | None = None
    state: ArtifactState = "wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """Why an item ended without a result, in the service's words where it had any."""

    code: str
    message: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One item of a run. Times are text, `2026-05-11T00:00:00.000Z`; `attempts` and `sends` are counts."""

    item: str  # the item's key, such as `reveal/params.duration=8`
    identity: str
    job: str
    run: str
    state: ItemState
    model: str
    prompt: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    axes: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    task_id: str | None = None
    idempotency_key: str | None = None
    attempts: int = 0
    sends: int = 0
    reserved_credits: int | None = None
    final_credits: int | None = None
    created_at: str | None = None
    accepted_at: str | None = None
    finished_at: str | None = None
    outputs: tuple[Output, ...] = ()
    error: ErrorRow | None = None


# An error has three columns of its own, because people filter by its code. `file` is the first output's.
CSV_COLUMNS: Final = (
    "item",
    "identity",
    "job",
    "run",
    "state",
    "model",
    "prompt",
    "params",
    "axes",
    "tags",
    "task_id",
    "idempotency_key",
    "attempts",
    "sends",
    "reserved_credits",
    "final_credits",
    "created_at",
    "accepted_at",
    "finished_at",
    "file",
    "outputs",
    "error_code",
    "error_message",
    "error_request_id",
)
TABLE_COLUMNS: Final = ("item", "state", "model", "credits", "file")


def as_mapping(row: ResultRow) -> dict[str, object]:
    """The row as JSON writes it, keys in the documented order."""
    # Not `asdict`, which copies every value deeply: this is done for every row.
    mapping = {name: getattr(row, name) for name in _ROW_FIELDS}
    return mapping | {
        "params": dict(row.params),
        "axes": dict(row.axes),
        "outputs": [{name: getattr(output, name) for name in _OUTPUT_FIELDS} for output in row.outputs],
        "error": {name: getattr(row.error, name) for name in _ERROR_FIELDS} if row.error else None,
    }


_ROW_FIELDS: Final = tuple(one.name for one in fields(ResultRow))
_OUTPUT_FIELDS: Final = tuple(one.name for one in fields(Output))
_ERROR_FIELDS: Final = tuple(one.name for one in fields(ErrorRow))


def as_json(rows: Iterable[ResultRow]) -> Iterator[str]:
    """One JSON list in pieces, a final newline included."""
    before = "["
    for row in rows:
        alone = json_text([as_mapping(row)], indent=2)  # a list of one, so that it is indented as in a longer one
        yield before + alone.removeprefix("[").removesuffix("\n]")
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def as_jsonl(rows: Iterable[ResultRow]) -> Iterator[str]:
    """One JSON object per line, each with its newline."""
    for row in rows:
        yield json_text(as_mapping(row)) + "\n"


def as_csv(rows: Iterable[ResultRow]) -> Iterator[str]:
    """The lines of a CSV text (RFC 4180), a header first.

    Text cells are quoted and harmless, numbers bare, structured cells JSON.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(CSV_COLUMNS)
    yield out.getvalue()
    for row in rows:
        cells = _csv_cells(row)
        out.seek(0)
        out.truncate()
        writer.writerow([_csv_cell(cells[column]) for column in CSV_COLUMNS])
        yield out.getvalue()


def _csv_cells(row: ResultRow) -> dict[str, object]:
    cells = as_mapping(row)
    cells["file"] = next((output.file for output in row.outputs if output.file is not None), None)
    cells["error_code"] = row.error.code if row.error else None
    cells["error_message"] = row.error.message if row.error else None
    cells["error_request_id"] = row.error.request_id if row.error else None
    return cells


def _csv_cell(value: object) -> str | int:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return for_csv(value)
    return for_csv(json_text(value)) if value else ""


def table_cells(rows: Iterable[ResultRow]) -> Iterator[Sequence[str]]:
    """The cells of a table for people, below `TABLE_COLUMNS`; safe to print."""
    for row in rows:
        yield tuple(map(for_terminal, (row.item, row.state, row.model, _credits(row), _last_word(row))))


def _credits(row: ResultRow) -> str:
    """What it cost; while that is not settled, what is held for it, in brackets."""
    if row.final_credits is not None:
        return str(row.final_credits)
    return "" if row.reserved_credits is None else f"({row.reserved_credits})"


def _last_word(row: ResultRow) -> str:
    """The file, or why there is none; of many files the first, and how many more."""
    if row.error is not None:
        return f"{row.error.code}: {row.error.message}" if row.error.message else row.error.code
    if not row.outputs:
        return ""
    first = row.outputs[0]
    word = first.file if first.file is not None else f"({first.state})"
    return word if len(row.outputs) == 1 else f"{word} and {len(row.outputs) - 1} more"
