"""The live screen: a picture of the run on stderr that redraws itself, and what cannot wait as lines above it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from runner.cli.canvas import Canvas, Terminal
from runner.cli.live_frame import Line, Look, frame
from runner.cli.pieces import Glyphs, Piece, sayable
from runner.cli.ticking import Speaking
from runner.onward import Onward
from runner.reporter import RunOutcome, RunStarted, RunStatistics

__all__ = ["Screen"]

SCREEN_EVERY_S: Final = 0.25  # faster is not seen, and costs the run its core

# What a line above the picture is about: what slows or stops the run is seen at a glance.
_STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broken": "bad",
        "paused": "alarm",
        "places": "held",
        "price": "held",
        "rate": "held",
        "shut": "held",
        "stopping": "alarm",
    }
)


class Screen(Speaking):
    """`onward` is what to type after a pause."""

    def __init__(
        self,
        *,
        terminal: Terminal,
        glyphs: Glyphs,
        onward: Onward | None = None,
        is_rehearsal: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
    ) -> None:
        super().__init__(SCREEN_EVERY_S)
        self._terminal = terminal
        self._glyphs = glyphs
        self._onward = onward
        self._is_rehearsal = is_rehearsal
        self._clock = clock
        self._canvas = Canvas(terminal)
        self._above: list[Line] = []  # lines that wait for the next picture
        self._is_first_line = True
        self._last: Look | None = None

    def started(self, run: RunStarted) -> None:
        super().started(run)
        self._show(self._look())

    def ended(self, outcome: RunOutcome) -> None:
        self._draw(outcome.statistics, is_over=True)

    def closed(self) -> None:
        """The cursor and stderr are the terminal's again, also when an error is about to be told on it."""
        super().closed()
        if self._above and self._last is not None:
            self._draw(self._last.now, is_over=self._last.is_over)
        self._canvas.close()

    def _show(self, now: RunStatistics) -> None:
        if self._terminal.ready():
            self._draw(now)

    def _line(self, text: str, *, about: str) -> None:
        style = _STYLES.get(about, "")
        width, _ = self._terminal.size()
        told_at = f"{self._clock():%H:%M:%S} "
        lines = textwrap.wrap(sayable(text, self._glyphs), max(20, width - 2 - len(told_at)), break_on_hyphens=False)
        margins = [told_at, *(" " * len(told_at) for _ in lines[1:])]
        if self._is_first_line:
            self._above.append([])  # apart from what was told before the run
            self._is_first_line = False
        self._above += [
            [Piece(" " + gap, "faint"), Piece(line, style)] for gap, line in zip(margins, lines, strict=False)
        ]
        if self._run is not None and self._terminal.ready():
            self._draw(self._look())

    def _draw(self, now: RunStatistics, *, is_over: bool = False) -> None:
        assert self._run is not None, "a run is drawn after it began"
        width, height = self._terminal.size()
        self._last = Look(
            run_id=self._run.run_id,
            now=now,
            clock=self._clock(),
            width=max(1, width - 1),
            height=max(1, height - 1),
            glyphs=self._glyphs,
            created_per_s=self._created.per_s,
            saved_bytes_per_s=self._saved.per_s,
            is_rehearsal=self._is_rehearsal,
            is_over=is_over,
            onward=self._onward,
        )
        above, self._above = self._above, []
        self._canvas.show(frame(self._last), above)
