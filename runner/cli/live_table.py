"""The table below the bars: the slowest items and what each waits for, then what keeps the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from jobs.escape import for_terminal
from jobs.wording import count, duration
from runner.cli.pieces import Glyphs, Note, Piece, cells, cut, fitting
from runner.cli.waits import queued_notes, waiting_notes
from runner.reporter import RunStatistics

__all__ = ["short_key", "table"]

Line = Sequence[Piece]

# More rows are a list, and nobody watches a list.
ROWS_MAX: Final = 6
# Of a line; what an item waits for is the other part.
ITEM_SHARE: Final = 0.42
ITEM_WIDTHS: Final = (12, 64)
AGE_WIDTH: Final = 7  # `59m 59s`
# Narrower than this, the column of ages goes; narrower than that, the whole table.
AGELESS_WIDTH: Final = 56
TABLELESS_WIDTH: Final = 40

# `job/axis=value,axis=value`: the names of the axes are the same in every row.
_AXIS: Final = re.compile(r"(?<=[/,])[A-Za-z_][\w.\-]*=")


def table(now: RunStatistics, *, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """At most `height` lines, or none when there is no room or nothing to tell. A heading only where it heads rows."""
    if width < TABLELESS_WIDTH or height < 1:
        return []
    queue = now.queued[: height - 2 if now.slowest and height > 2 else height]
    rows = now.slowest[: max(0, min(ROWS_MAX, height - 1 - len(queue)))]
    heading = "slowest" if now.drain_left_s is None else "still due"
    keys = [short_key(row.item) for row in rows]
    numbers = [count(one.items, "item") + " to buy" for one in queue]
    longest = max(cells(text) for text in (*keys, *numbers, heading))
    item_width = min(longest, max(ITEM_WIDTHS[0], min(ITEM_WIDTHS[1], int(width * ITEM_SHARE))))
    lay = _Layout(width, item_width, glyphs)
    lines = [lay.line(heading, "for", [Note("waits for", 0, "faint")], style="faint")] if rows else []
    lines += [lay.line(key, duration(row.age_s), waiting_notes(row)) for key, row in zip(keys, rows, strict=True)]
    lines += [
        lay.line(number, "", queued_notes(one), style="faint") for number, one in zip(numbers, queue, strict=True)
    ]
    return lines


def short_key(key: str) -> str:
    """The key without the names of its axes: `motion/wet asphalt,8` for `motion/vars.surface=wet asphalt,...`."""
    return _AXIS.sub("", for_terminal(key))


class _Layout:
    """Where the columns stand."""

    def __init__(self, width: int, item_width: int, glyphs: Glyphs) -> None:
        self._width = width
        self._item_width = item_width
        self._age_width = AGE_WIDTH if width >= AGELESS_WIDTH else 0
        self._glyphs = glyphs

    def line(self, item: str, age: str, notes: Sequence[Note], *, style: str = "") -> Line:
        shown = cut(item, self._item_width, self._glyphs)
        line = [Piece(" " + shown + " " * (self._item_width - cells(shown)), style)]
        if self._age_width:
            line.append(Piece(f"  {age:>{self._age_width}}", "faint" if style else ""))
        room = self._width - sum(cells(piece.text) for piece in line) - 3
        return [*line, Piece("  "), *fitting(notes, room, self._glyphs)]
