"""Text in columns: as wide as its cells, never cut, the same on a terminal and in a file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

__all__ = ["columns", "pieces_of_columns", "shortened"]

# What of an endless table is laid out at once: more than anybody looks at in one glance.
PIECE_LINES: Final = 5_000


def columns(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), indent: int = 0) -> str:
    """Lines of aligned cells below a header, each with its newline; columns named in `right` end flush."""
    lines = [header, *rows]
    flush = [name in right for name in header]
    widths = _widths(lines, [0] * len(header))
    return "".join(_line(line, widths, flush, indent) for line in lines)


def pieces_of_columns(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str]) -> Iterator[str]:
    """The same of any number of rows, few of which are in memory at once: a column may become wider on its way."""
    flush = [name in right for name in header]
    lines, widths = chain([header], rows), [0] * len(header)
    while piece := list(islice(lines, PIECE_LINES)):
        widths = _widths(piece, widths)
        yield "".join(_line(line, widths, flush, 0) for line in piece)


def _widths(lines: Sequence[Sequence[str]], at_least: Sequence[int]) -> list[int]:
    return [max(least, *(_width(line[n]) for line in lines)) for n, least in enumerate(at_least)]


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], indent: int) -> str:
    padded = []
    for cell, width, flush in zip(cells, widths, right, strict=True):
        gap = " " * (width - _width(cell))
        padded.append(gap + cell if flush else cell + gap)
    return (" " * indent + "  ".join(padded)).rstrip() + "\n"


def _width(text: str) -> int:
    """Columns a terminal gives the text: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def shortened(text: str, limit: int) -> str:
    """The text, cut in the middle with an ellipsis when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    front = (limit - 1) // 2
    return f"{text[:front]}…{text[len(text) - (limit - 1 - front) :]}"
