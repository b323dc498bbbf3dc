"""The live screen: a few bars on stderr that redraw themselves while a run goes on."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jobs.escape import for_terminal
from runner.cli.figures import figures, size
from runner.cli.ticking import Ticking
from runner.cli.voice import Voice
from runner.reporter import RunOutcome, RunStarted, RunStatistics

__all__ = ["Screen"]

SCREEN_EVERY_S: Final = 0.25  # faster is not seen, and costs the run its core

_BARS: Final = ("uploads", "created", "finished", "saved", "credits")


class Screen(Ticking):
    """A few bars; each has beside it the one number that matters."""

    def __init__(self, voice: Voice, *, console: Console | None = None) -> None:
        super().__init__(voice, SCREEN_EVERY_S)
        color = voice.colors()
        self._console = console or Console(stderr=True, no_color=not color, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("{task.description:<9}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:>6,.0f} / {task.total:,.0f}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            auto_refresh=False,  # the run's own loop redraws: a thread would read the figures while they change
        )
        self._bars = {name: self._progress.add_task(name, visible=False, note="") for name in _BARS}

    def started(self, run: RunStarted) -> None:
        super().started(run)
        self._progress.start()
        self._show(run.statistics())

    def ended(self, outcome: RunOutcome) -> None:
        self._show(outcome.statistics)

    def closed(self) -> None:
        """The cursor and stderr are the terminal's again, also when an error is about to be told on it."""
        super().closed()
        self._progress.stop()

    def _show(self, now: RunStatistics) -> None:
        seen = figures(now)
        creates = now.pacers[0] if now.pacers else None
        speed = f"up to {creates.per_s * 60:.0f}/min" if creates is not None else ""
        self._bar("uploads", now.uploads_done, now.uploads_needed, "")
        self._bar("created", seen.created, seen.items, "; ".join([*map(for_terminal, now.pauses.values())]) or speed)
        failed = f"{seen.failed} failed, " if seen.failed else ""
        self._bar("finished", seen.finished, seen.items, f"{failed}eta {self._eta(now, seen)}")
        self._bar("saved", now.saved, sum(now.results.values()), size(now.saved_bytes))
        self._bar("credits", seen.credits, seen.cap, f"{now.credits.reserved:,} held")
        self._progress.refresh()

    def _bar(self, name: str, done: int, total: int | None, note: str) -> None:
        """A bar is seen once there is something to fill it."""
        self._progress.update(self._bars[name], completed=done, total=total, note=note, visible=bool(total))

    def _line(self, text: str) -> None:
        self._console.print(text)
