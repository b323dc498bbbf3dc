"""The terminal that stderr is: how large it is now, what it shows, and whether it takes a picture at once."""

from __future__ import annotations

import select
import sys

from rich.console import Console

from runner.cli.voice import Voice

__all__ = ["StderrTerminal"]


class StderrTerminal:
    """Writes through the voice, which masks the key."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._console = Console(stderr=True)  # knows COLUMNS, LINES and the three ways to ask a terminal

    @property
    def colors(self) -> bool:
        """Whether it shows colours."""
        return self._voice.colors()

    @property
    def encoding(self) -> str:
        """What its text is encoded as."""
        return self._console.encoding

    @property
    def can_redraw(self) -> bool:
        """Whether its cursor moves."""
        return not self._console.is_dumb_terminal

    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""
        return self._console.size

    def ready(self) -> bool:
        """Whether a picture can be written at once: a terminal that was stopped by Ctrl-S must not stop the run."""
        try:
            return bool(select.select([], [sys.stderr], [], 0)[1])
        except (OSError, ValueError):  # no file behind it
            return True

    def write(self, text: str) -> None:
        """Send it."""
        self._voice.draw(text)
