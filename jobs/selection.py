"""Which rows of a data file a job takes, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.manifest import Data
from jobs.rows import Row
from jobs.suggest import did_you_mean
from jobs.tally import Tally
from jobs.wording import listed, plain_text
from jobs.written import Written

__all__ = ["Selected", "select"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The rows that are left after `where` and `limit`, with a name for each."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, object], ...]
    names: tuple[str, ...]


def select(job: Written, data: Data, rows: Sequence[Row], tally: Tally) -> Selected:
    """The job's rows; what is wrong with `where` and `key` goes to the tally."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row.values))
    asked = [(name, f"where.{name}") for name in data.where] + ([(data.key, "key")] if data.key is not None else [])
    for name, path in asked:
        if name not in columns:
            remedy = did_you_mean(name, columns) or f"the columns are {listed(columns)}"
            place = job.document.place(("jobs", job.index, "data", *path.split(".", 1)))
            tally.add("unknown-column", f"`{data.file}` has no column `{name}`", place, remedy)
    wanted = {name: _texts(value) for name, value in data.where.items() if name in columns}
    kept = [row for row in rows if all(_text(row.values.get(name)) in texts for name, texts in wanted.items())]
    chosen = tuple(kept[: data.limit])
    if not chosen and not tally.errors:
        place = job.document.place(("jobs", job.index, "data"))
        remedy = "loosen `where`" if rows else "fill the file, or take the job out"
        tally.add(
            "data-no-rows", f"no row of `{data.file}` is left for job `{job.job.id}`", place, remedy, severity="warning"
        )
    return Selected(
        columns=columns,
        rows=tuple(row.values for row in chosen),
        names=_names(job, data, columns, chosen, tally),
    )


def _names(job: Written, data: Data, columns: Sequence[str], rows: Sequence[Row], tally: Tally) -> tuple[str, ...]:
    """Each row's `key`, or its number."""
    if data.key is None or data.key not in columns:
        return tuple(f"row={number}" for number in range(1, len(rows) + 1))
    place = job.document.place(("jobs", job.index, "data", "key"))
    first: dict[str, Row] = {}
    for row in rows:
        name = _text(row.values.get(data.key))
        other = first.setdefault(name, row)
        remedy = f"give every row its own `{data.key}`, or choose another column"
        if not name:
            message = f"the row on line {row.line} of `{data.file}` has no `{data.key}`"
            tally.add("data-key-not-unique", message, place, remedy, cause="empty")
        elif other is not row:
            message = (
                f"the rows on lines {other.line} and {row.line} of `{data.file}` have the same `{data.key}`: {name}"
            )
            tally.add("data-key-not-unique", message, place, remedy, cause="twice")
    return tuple(_text(row.values.get(data.key)) for row in rows)


def _texts(wanted: object) -> frozenset[str]:
    """A list in `where` means any of; a CSV knows only text, so everything is compared as text."""
    return frozenset(map(_text, wanted)) if isinstance(wanted, list) else frozenset((_text(wanted),))


def _text(value: object) -> str:
    return plain_text(value) or ""
