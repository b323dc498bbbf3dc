"""Files of picks, for `--select @FILE`: one item key a line. The report page writes them, and so may a person.

A line is a whole key; if no item has it, a pattern of keys, as the page writes a key that is hard to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from runner.errors import UsageError

__all__ = ["read_picks"]

FILE_BYTES_MAX: Final = 64 * 1024 * 1024  # a million keys; more is another file by mistake


def read_picks(names: Sequence[str]) -> dict[str, str]:
    """The keys that these files list, each with its place, `picks.txt:3`. Raises UsageError."""
    picks: dict[str, str] = {}
    for name in names:
        for number, line in enumerate(_text(name).splitlines(), start=1):
            key = line.strip()
            if key and not key.startswith("#"):
                picks.setdefault(key, f"{name}:{number}")
    if names and not picks:
        raise _unreadable(f"{', '.join(names)} names no item")
    return picks


def _text(name: str) -> str:
    file = Path(name).expanduser()
    try:
        if not file.is_file():
            raise _unreadable(f"there is no file `{name}`" if not file.exists() else f"{name} is no file")
        data = file.read_bytes() if file.stat().st_size <= FILE_BYTES_MAX else None
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise _unreadable(f"{name} cannot be read: {why}") from problem
    if data is None:
        raise _unreadable(f"{name} is larger than {FILE_BYTES_MAX:,} bytes, so it is another file by mistake")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise _unreadable(f"{name}:{line}: this is not UTF-8 text") from problem


def _unreadable(what: str) -> UsageError:
    return UsageError(
        f"--select: {what}. Nothing was sent.",
        code="picks-unreadable",
        next_step="write one item key a line; the report page exports such a file",
    )
