"""A few lines at the bottom of a terminal that are drawn again and again, and what is written above them.

Nothing flickers: only lines that changed are written, over what stood there, and each picture is one write that
terminals show at once (synchronized output, which others ignore). The cursor rests below the last line, so that an
echoed `^C` is gone with the next picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from runner.cli.pieces import Piece, cells, painted

__all__ = ["Canvas", "Terminal"]

_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"
_HIDE: Final = "\x1b[?25l"
_SHOW: Final = "\x1b[?25h"
_ERASE_LINE_END: Final = "\x1b[K"
_ERASE_BELOW: Final = "\x1b[J"


class Terminal(Protocol):
    """Where a canvas is drawn."""

    @property
    def colors(self) -> bool:
        """Whether it shows colours."""

    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""

    def ready(self) -> bool:
        """Whether it takes a picture without keeping the run waiting; not after a Ctrl-S."""

    def write(self, text: str) -> None:
        """Send it."""


class Canvas:
    """Draw with `show`, give the terminal back with `close`."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown: list[str] = []
        self._cells: list[int] = []
        self._width = 0
        self._is_open = False

    def show(self, lines: Sequence[Sequence[Piece]], above: Sequence[Sequence[Piece]] = ()) -> None:
        """Replace the picture by these lines, each narrower than the terminal; `above` it these stay for good."""
        colors = self._terminal.colors
        new = [painted(line, colors=colors) for line in lines]
        if new == self._shown and not above and self._is_open:
            return
        width, height = self._terminal.size()
        up = min(self._rows(width), max(0, height - 1))
        is_fresh = bool(above) or width != self._width
        out = [_BEGIN, "" if self._is_open else _HIDE, f"\x1b[{up}A" if up else "", "\r"]
        out += [painted(line, colors=colors) + _ERASE_LINE_END + "\n" for line in above]
        for n, text in enumerate(new):
            stands = not is_fresh and n < len(self._shown) and self._shown[n] == text
            out.append("\n" if stands else text + _ERASE_LINE_END + "\n")
        out += [_ERASE_BELOW, _END]
        self._terminal.write("".join(out))
        self._shown, self._width, self._is_open = new, width, True
        self._cells = [sum(cells(piece.text) for piece in line) for line in lines]

    def close(self) -> None:
        """The cursor is the terminal's again, below the last picture."""
        if self._is_open:
            self._terminal.write(_SHOW)
            self._is_open = False

    def _rows(self, width: int) -> int:
        """Lines of the terminal that the picture takes now: a narrower one has broken those that were wider."""
        return sum(max(1, -(-line // width)) for line in self._cells) if width else 0
