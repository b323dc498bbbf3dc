"""Findings as people read them: message, place, the line itself with a caret, and one next step.

    error[unknown-key]: unknown key `promt`
     --> sweep.yaml:5:5
      |
    5 |     promt: hi
      |     ^^^^^
      = help: did you mean `prompt`?

Everything printed here may come from a stranger's file: what steers a terminal is escaped, what looks like a key is
masked. This is the one door for both.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jobs.escape import for_terminal
from jobs.findings import Finding, Place
from jobs.leaks import masked

__all__ = ["findings_json", "findings_text", "in_order", "summary"]

MAX_SHOWN: Final = 50  # nobody mends more than this in one go; `--json` has them all
MAX_SNIPPET_CELLS: Final = 110  # with the line number about a terminal's width
LEAD_CELLS: Final = 30  # how much of a long line stands before the caret
TAB: Final = "    "
CUT: Final = "…"


def findings_text(findings: Iterable[Finding], texts: Mapping[str, str]) -> str:
    """Return all findings in order of place, each with its line from `texts` (by file), and a summary line."""
    ordered = in_order(findings)
    lines = {file: text.splitlines() for file, text in texts.items()}
    blocks = [_block(finding, lines) for finding in ordered[:MAX_SHOWN]]
    if len(ordered) > MAX_SHOWN:
        blocks.append(f"... and {len(ordered) - MAX_SHOWN:,} more")
    return "\n\n".join([*blocks, summary(ordered)]) + "\n" if ordered else ""


def findings_json(findings: Iterable[Finding]) -> dict[str, object]:
    """Return what `check --json` prints; places that a finding does not have are null."""
    return {"findings": [_as_json(finding) for finding in in_order(findings)]}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by file, line and column; what has no place comes first, the same thing twice comes once."""
    return sorted(dict.fromkeys(findings), key=_sort_key)


def summary(findings: Sequence[Finding]) -> str:
    """Return the last line: `3 errors, 1 warning in sweep.yaml`."""
    counts = Counter(finding.severity for finding in findings)
    parts = [_counted(counts["error"], "error")] if counts["error"] else []
    parts += [_counted(counts["warning"], "warning")] if counts["warning"] else []
    files = list(dict.fromkeys(finding.place.file for finding in findings if finding.place is not None))
    where = _safe(files[0]) if len(files) == 1 else _counted(len(files), "file")
    return (", ".join(parts) or "no errors") + (f" in {where}" if files else "")


def _block(finding: Finding, lines: Mapping[str, Sequence[str]]) -> str:
    head = f"{finding.severity}[{finding.code}]: {_safe(finding.message)}"
    help_line = [f"= help: {_safe(finding.help)}"] if finding.help else []
    place = finding.place
    if place is None:
        return "\n".join([head, *(f"  {line}" for line in help_line)])
    margin = " " * len(str(place.line))
    body = [head, f"{margin}--> {_safe(place.file)}:{place.line}:{place.column}"]
    source = lines.get(place.file, ())
    if place.line <= len(source):
        shown, carets = _snippet(source[place.line - 1], place)
        body += [f"{margin} |", f"{place.line} | {shown}".rstrip(), f"{margin} | {carets}"]
    return "\n".join([*body, *(f"{margin} {line}" for line in help_line)])


def _snippet(line: str, place: Place) -> tuple[str, str]:
    """Return the line as it can be shown, and the carets below it; long lines are cut around the carets."""
    cells = [_cell(char) for char in masked(line)]
    start, end = min(place.column - 1, len(cells)), min(place.end_column - 1, len(cells))
    first = _first_shown(cells, start)
    last, used = first, 0
    while last < len(cells) and used + _width(cells[last]) <= MAX_SNIPPET_CELLS:
        used += _width(cells[last])
        last += 1
    before, after = (CUT if first else ""), (CUT if last < len(cells) else "")
    blank = sum(map(_width, cells[first:start])) + len(before)
    carets = sum(map(_width, cells[start : min(end, last)]))
    return f"{before}{''.join(cells[first:last])}{after}", " " * blank + "^" * max(carets, 1)


def _first_shown(cells: Sequence[str], start: int) -> int:
    """Return the first character to show: the line's own, unless the carets would then stand too far right."""
    if sum(map(_width, cells)) <= MAX_SNIPPET_CELLS or sum(map(_width, cells[:start])) <= LEAD_CELLS * 2:
        return 0
    first, lead = start, 0
    while first > 0 and lead + _width(cells[first - 1]) <= LEAD_CELLS:
        first -= 1
        lead += _width(cells[first])
    return first


def _cell(char: str) -> str:
    return TAB if char == "\t" else for_terminal(char)


def _width(cell: str) -> int:
    """Return how many columns a terminal gives to one shown character or escape."""
    if len(cell) != 1:
        return len(cell)
    if unicodedata.combining(cell) or unicodedata.category(cell) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(cell) in ("W", "F") else 1


def _as_json(finding: Finding) -> dict[str, object]:
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": masked(finding.message),
        "file": place.file if place is not None else None,
        "line": place.line if place is not None else None,
        "column": place.column if place is not None else None,
        "end_column": place.end_column if place is not None else None,
        "path": masked(place.path) if place is not None else None,
        "help": masked(finding.help),
    }


def _sort_key(finding: Finding) -> tuple[str, int, int, str]:
    place = finding.place
    return ("", 0, 0, finding.code) if place is None else (place.file, place.line, place.column, finding.code)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _safe(text: str) -> str:
    return for_terminal(masked(text))
