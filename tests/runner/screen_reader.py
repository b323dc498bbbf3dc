"""A terminal small enough to read: it keeps what a person would see, and understands what the canvas says, no more."""

from __future__ import annotations

import re

__all__ = ["PaperTerminal"]

_TOKEN = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]")


class PaperTerminal:
    """Endless above, `height` lines that the cursor reaches, `width` columns; it breaks lines that are too long."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.width = width
        self.height = height
        self.colors = False
        self.is_ready = True
        self.rows: list[str] = [""]
        self.writes: list[str] = []
        self.modes: dict[str, bool] = {}
        self._row = 0
        self._column = 0

    def size(self) -> tuple[int, int]:
        return self.width, self.height

    def ready(self) -> bool:
        return self.is_ready

    def write(self, text: str) -> None:
        assert self.is_ready, "a terminal that takes nothing must not be written to"
        self.writes.append(text)
        assert not _TOKEN.sub("", text), f"what is this? {text!r}"
        for token in _TOKEN.finditer(text):
            if token[3]:
                self._obey(token[1], token[2], token[3])
            else:
                self._print(token[0])

    def type_ahead(self, text: str) -> None:
        """What a person types is echoed where the cursor is, as `^C` is."""
        for char in text:
            self._print(char)

    @property
    def shown(self) -> list[str]:
        """Every line ever written and still there, without what only fills up."""
        lines = [row.rstrip() for row in self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _obey(self, private: str, number: str, letter: str) -> None:
        if private:
            self.modes[number] = letter == "h"
        elif letter == "A":
            self._row = max(0, self._row - int(number or 1), len(self.rows) - self.height)
        elif letter == "K":
            assert self._column < self.width, "erasing at the margin takes the last letter with it"
            self.rows[self._row] = self.rows[self._row][: self._column]
        elif letter == "J":
            self.rows[self._row] = self.rows[self._row][: self._column]
            del self.rows[self._row + 1 :]
        else:
            assert letter == "m", letter

    def _print(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row, self._column = self._row + 1, 0
        else:
            if self._column == self.width:
                self._row, self._column = self._row + 1, 0
            while len(self.rows) <= self._row:
                self.rows.append("")
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
            self._column += 1
        while len(self.rows) <= self._row:
            self.rows.append("")
