"""Where in a text: from a count of characters to a line and a column."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from jobs.findings import Place

__all__ = ["Lines"]


class Lines:
    """The lines of one text of one file."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._text = text
        lengths = [len(line) for line in text.splitlines(keepends=True)]
        # The last line is always there, if only as the empty one behind the last line break.
        self._starts = [0, *accumulate(lengths if text[-1:].splitlines() == [""] else lengths[:-1])]

    def place(self, start: int, end: int = 0, path: str = "") -> Place:
        """Return the place of the characters from `start` up to `end`, one of them at least.

        What goes on over several lines is marked on its first one, without the blanks and the comment at its end.
        """
        line = bisect_right(self._starts, start)
        line_start = self._starts[line - 1]
        line_end = self._starts[line] if line < len(self._starts) else len(self._text)
        if end >= line_end:
            end = start + len(self._text[start:line_end].split(" #")[0].rstrip())
        column = start - line_start + 1
        return Place(file=self._file, line=line, column=column, end_column=column + max(end - start, 1), path=path)
