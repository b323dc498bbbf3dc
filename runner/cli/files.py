"""Writing a text a person asked for with `-o`: whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runner.whole_files import whole_file

__all__ = ["write_whole"]


def write_whole(file: Path, text: str | Iterable[str]) -> None:
    """Put `text`, or the pieces of one, where `file` is. Raises OutputUnusable, DiskFull."""
    with whole_file(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines([text] if isinstance(text, str) else text)
