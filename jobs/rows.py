"""Rows of a data file: CSV or JSON lines text to flat records, and everything that is wrong with it.

A row buys something, so nothing is guessed: a ragged row, a doubled column or a value inside a value is a finding with
its line. In CSV every value is text; in JSON lines values keep their types. A byte order mark at the start is taken
off, because spreadsheets write one.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NoReturn, TypeAlias

from jobs.findings import Finding, Place
from jobs.lines import Lines
from jobs.utf8 import BYTE_ORDER_MARK, CONTROL
from jobs.yaml_reader import MAX_INTEGER

__all__ = ["MAX_ROWS", "Row", "Value", "read_rows"]

MAX_ROWS: Final = 100_000  # ten times what a run takes without `--allow-large`; a `where` may thin it out
MAX_FINDINGS: Final = 50  # one wrong separator makes every row ragged
MAX_FIELD_CHARS: Final = 131_072  # the csv module's own limit, several times the longest prompt
MAX_COLUMNS: Final = 1_000

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record. `line` is where it starts in its file, counted from 1."""

    line: int
    values: Mapping[str, Value]


def read_rows(text: str, file: str, format: Literal["csv", "jsonl"]) -> tuple[list[Row], list[Finding]]:  # noqa: A002
    """Return the good rows of `text`, and what is wrong with the others."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    found = _Found(file)
    _check_controls(text, file, found)
    reader = _csv_rows if format == "csv" else _json_rows
    rows = list(islice(reader(text, found), MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        place = found.place(rows[-1].line)
        remedy = "split the file, and make one job for each part"
        found.note("too-many-rows", place, f"the file has more than {MAX_ROWS:,} rows", remedy)
        rows.pop()
    if not rows and not found.count:
        remedy = "it needs a header and at least one row" if format == "csv" else "it needs at least one `{...}` line"
        found.note("no-rows", found.place(1), "the data file has no rows", remedy)
    return rows, found.findings()


def _check_controls(text: str, file: str, found: _Found) -> None:
    controls = list(islice(CONTROL.finditer(text), MAX_FINDINGS))
    lines = Lines(text, file) if controls else None
    for control in controls:
        assert lines is not None
        place = lines.place(control.start())
        found.note("control-character", place, f"control character U+{ord(control[0]):04X} in the file", "take it out")


class _Found:
    """The findings of one file. Past a number of them the rest is only counted."""

    def __init__(self, file: str) -> None:
        self.count = 0
        self._file = file
        self._findings: list[Finding] = []

    def place(self, line: int, column: int = 1, end_column: int = 0) -> Place:
        return Place(file=self._file, line=line, column=column, end_column=max(end_column, column + 1))

    def note(self, code: str, place: Place, message: str, remedy: str) -> None:
        self.count += 1
        if self.count <= MAX_FINDINGS:
            self._findings.append(Finding(code=code, message=message, place=place, help=remedy))

    def findings(self) -> list[Finding]:
        if self.count <= MAX_FINDINGS:
            return self._findings
        last = self._findings[-1]
        rest = f"mend these first: {self.count - MAX_FINDINGS:,} more mistakes follow in this file"
        return [*self._findings[:-1], Finding(code=last.code, message=last.message, place=last.place, help=rest)]


def _csv_rows(text: str, found: _Found) -> Iterator[Row]:
    lines = list(io.StringIO(text, newline=""))  # not splitlines: U+2028 in a cell begins no row
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for record in reader:
            start, line = line, reader.line_num + 1
            if not record or record == [""]:
                continue
            if header is None:
                header = record
                if not _check_header(header, start, found):
                    return
            elif len(record) != len(header):
                values = f"{len(record)} value{'' if len(record) == 1 else 's'}"
                remedy = "quote a value that holds a comma; leave nothing between commas for an empty value"
                message = f"the row has {values}, the header {len(header)}"
                found.note("ragged-row", found.place(start, 1, len(lines[start - 1].rstrip()) + 1), message, remedy)
            else:
                yield Row(line=start, values=dict(zip(header, record, strict=True)))
    except csv.Error as error:
        message, remedy = _csv_words(str(error))
        found.note("bad-csv", found.place(min(line, max(len(lines), 1))), message, remedy)


def _csv_words(problem: str) -> tuple[str, str]:
    if "unexpected end" in problem:
        return "a quote opened here is never closed", 'close it; a `"` inside quotes is written `""`'
    if "field larger" in problem:
        return f"a value has more than {MAX_FIELD_CHARS:,} characters", "look for a quote that is not closed"
    if "expected after" in problem:
        return "text goes on after a closing quote", 'a `"` inside quotes is written `""`'
    return "this is no CSV", "save the table as CSV with commas, in UTF-8"


def _check_header(header: Sequence[str], line: int, found: _Found) -> bool:
    """Note what is wrong with the header; False when the rows below it cannot be split by it."""
    seen: dict[str, int] = {}
    other = next((mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]), None)
    if other is not None:
        message = f"the columns are separated by {'tabs' if other != ';' else 'semicolons'}"
        found.note("csv-separator", found.place(line), message, "save the table with commas between its columns")
        return False
    if len(header) > MAX_COLUMNS:
        message = f"the header has {len(header):,} columns; {MAX_COLUMNS:,} are allowed"
        found.note("too-many-columns", found.place(line), message, "keep the columns that the job uses")
    for number, name in enumerate(header, start=1):
        if not name.strip():
            remedy = "name it, or delete the column"
            found.note("empty-column", found.place(line), f"column {number} has no name", remedy)
        elif name != name.strip():
            remedy = f"write `{name.strip()}`: blanks beside a comma belong to the name"
            found.note("column-blanks", found.place(line), f"column {number} has blanks around its name", remedy)
        elif name in seen:
            remedy = f"column {seen[name]} has the same name; rename one of them"
            found.note("duplicate-column", found.place(line), f"column `{name}` is there twice", remedy)
        seen.setdefault(name, number)
    return True


class _DoubledKeyError(ValueError):
    """A JSON object says the same key twice; Python would keep the last one silently."""


def _json_rows(text: str, found: _Found) -> Iterator[Row]:
    # JSON itself may hold U+2028 and the like, so only a real line break ends a line.
    for line, source in enumerate(text.split("\n"), start=1):
        if not source.strip():
            continue
        place = found.place(line, 1, len(source.rstrip()) + 1)
        try:
            record = json.loads(source, object_pairs_hook=_pairs, parse_constant=_constant)
        except json.JSONDecodeError as error:
            remedy = "each line is one JSON object of its own, in double quotes and without a comma behind it"
            found.note("bad-json", found.place(line, error.colno), f"this is no JSON: {_json_words(error)}", remedy)
        except _DoubledKeyError as error:
            found.note("duplicate-json-key", place, f"key `{error}` is given twice", "keep one of them")
        except (ValueError, RecursionError):
            remedy = "write plain numbers; `NaN` and `Infinity` are no JSON"
            found.note(
                "bad-json", place, "this line holds what cannot be read as a number or is nested too deep", remedy
            )
        else:
            values = _flat(record, place, found)
            if values is not None:
                yield Row(line=line, values=values)


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DoubledKeyError(next(name for name in names if names.count(name) > 1))
    return record


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json_words(error: json.JSONDecodeError) -> str:
    return error.msg[:1].lower() + error.msg[1:]


def _flat(record: object, place: Place, found: _Found) -> dict[str, Value] | None:
    if not isinstance(record, dict):
        remedy = 'write `{"column": "value"}` on each line'
        found.note("json-not-object", place, "the line is not a JSON object", remedy)
        return None
    values: dict[str, Value] = {}
    for name, value in record.items():
        problem = (
            ("empty-column", "a key is empty", "name it, or take it out") if not name.strip() else _bad(name, value)
        )
        if problem is not None:
            found.note(problem[0], place, problem[1], problem[2])
            return None
        values[name] = value
    return values


def _bad(name: str, value: object) -> tuple[str, str, str] | None:
    """Return code, message and help for a value that no row may hold."""
    if isinstance(value, dict | list):
        remedy = "flatten it: a row holds texts, numbers, true, false and null"
        return "nested-value", f"`{name}` holds a list or an object", remedy
    if isinstance(value, float) and not math.isfinite(value):
        return "not-finite", f"the number in `{name}` is too large", "write a smaller number, or quote it if it is text"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        remedy = "if it is an id or a code rather than a number, quote it"
        return "integer-too-large", f"`{name}` is beyond {MAX_INTEGER:,}, where numbers stop being exact", remedy
    control = CONTROL.search(value) if isinstance(value, str) else None
    if control is not None:
        return "control-character", f"`{name}` holds the control character U+{ord(control[0]):04X}", "take it out"
    return None
