"""What screen and plain lines share: they tell the figures every so often, and at once what cannot wait."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from jobs.steps import Notice
from runner.cli.figures import Figures, credits_line, duration, figures
from runner.cli.notices import told
from runner.cli.voice import Voice
from runner.reporter import Reporter, RunStarted, RunStatistics

__all__ = ["Ticking"]


class Ticking(Reporter, ABC):
    """Shows the run's figures every so often while it lasts, and at once what cannot wait."""

    def __init__(self, voice: Voice, every_s: float) -> None:
        self._voice = voice
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._run: RunStarted | None = None
        self._finished_before = 0

    def started(self, run: RunStarted) -> None:
        self._run = run
        self._finished_before = figures(run.statistics()).finished
        self._again()

    def noticed(self, notice: Notice) -> None:
        line = told(notice)
        if line:
            self._line(line)

    def stopping(self, why: str, wait_s: float) -> None:
        self._line(f"{why}: nothing new is started; waiting at most {duration(wait_s)} for answers still due")

    def broken(self, last: RunStatistics) -> None:
        seen = figures(last)
        self._line(f"stopped by an error with {seen.finished:,} of {seen.items:,} done; {credits_line(last)}")

    def closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def _tick(self) -> None:
        assert self._run is not None, "a run ticks after it began"
        self._show(self._run.statistics())
        self._again()

    @abstractmethod
    def _show(self, now: RunStatistics) -> None:
        """Tell where the run stands."""

    def _line(self, text: str) -> None:
        self._voice.talk(text)

    def _eta(self, now: RunStatistics, seen: Figures) -> str:
        """How long the rest takes at the speed so far; unknown until something finished."""
        done = seen.finished - self._finished_before
        return duration(now.elapsed_s / done * seen.open) if done > 0 else "?"
