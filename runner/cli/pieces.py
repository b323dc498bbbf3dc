"""Lines made of styled pieces that fit a width: what matters least is left out first, and nothing ever wraps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style

__all__ = [
    "ASCII",
    "UNICODE",
    "Glyphs",
    "Note",
    "Piece",
    "cells",
    "cropped",
    "cut",
    "fitting",
    "glyphs_for",
    "painted",
    "sayable",
]

# The terminal's own colours, so that every theme stays readable; `dim` rather than a grey, which some themes hide.
_STYLES: Final[Mapping[str, Style]] = MappingProxyType(
    {
        "": Style(),
        "title": Style(bold=True),
        "faint": Style(dim=True),
        "good": Style(color="green"),
        "flow": Style(color="cyan"),
        "held": Style(color="yellow"),
        "bad": Style(color="red"),
        "alarm": Style(color="yellow", bold=True),
    }
)


class Piece(NamedTuple):
    """Text in one style, a name of the table above."""

    text: str
    style: str = ""


class Note(NamedTuple):
    """One of several facts beside each other; that with the highest `rank` is left out first."""

    text: str
    rank: int
    style: str = ""


class Glyphs(NamedTuple):
    """What bars and cut words are drawn with."""

    done: str
    half: str  # of a cell that is done
    held: str
    failed: str
    rest: str
    cut: str


UNICODE: Final = Glyphs(done="━", half="╸", held="╍", failed="━", rest="─", cut="…")
ASCII: Final = Glyphs(done="=", half="", held="-", failed="x", rest=".", cut="..")


def glyphs_for(encoding: str, *, colors: bool) -> Glyphs:
    """Lines where the encoding has them. Without colours a failure needs a sign of its own."""
    try:
        "".join(UNICODE).encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE if colors else UNICODE._replace(failed="x")


def sayable(text: str, glyphs: Glyphs) -> str:
    """The text in letters that the terminal's encoding has, others as their codes: before anything is measured."""
    return text.encode("ascii", "backslashreplace").decode() if glyphs is ASCII else text


def painted(pieces: Sequence[Piece], *, colors: bool) -> str:
    """The pieces as a terminal takes them."""
    if not colors:
        return "".join(piece.text for piece in pieces)
    return "".join(
        _STYLES[piece.style].render(piece.text, color_system=ColorSystem.STANDARD) if piece.style else piece.text
        for piece in pieces
    )


def cells(text: str) -> int:
    """Columns that a terminal gives the text."""
    return cell_len(text)


def cut(text: str, width: int, glyphs: Glyphs) -> str:
    """The text in at most `width` columns; of a longer one both ends, which tell it from others."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(glyphs.cut)
    if room <= 0:
        return set_cell_size(text, max(0, width))
    back = room // 2
    tail = ""
    for char in reversed(text):
        if cell_len(char + tail) > back:
            break
        tail = char + tail
    front = set_cell_size(text, room - cell_len(tail))
    return f"{front}{glyphs.cut}{tail}"


def cropped(line: Sequence[Piece], width: int) -> Sequence[Piece]:
    """The line as far as it fits: in a terminal so narrow that even the figures do not."""
    if sum(cell_len(piece.text) for piece in line) <= width:
        return line
    kept, left = [], width
    for piece in line:
        kept.append(Piece(set_cell_size(piece.text, min(left, cell_len(piece.text))), piece.style))
        left -= cell_len(kept[-1].text)
    return kept


def fitting(notes: Sequence[Note], width: int, glyphs: Glyphs) -> list[Piece]:
    """As many of the facts as there is room for, `, ` between them; the last one left is cut."""
    kept = [note for note in notes if note.text]
    while len(kept) > 1 and sum(cell_len(note.text) + 2 for note in kept) - 2 > width:
        kept.remove(max(kept, key=lambda note: note.rank))
    pieces: list[Piece] = []
    for note in kept:
        pieces += [Piece(", ")] if pieces else []
        pieces.append(Piece(cut(note.text, width, glyphs), note.style))
    return pieces
