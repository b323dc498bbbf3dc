"""What all who show a run share: a timer, the speeds of the last minute, and the lines of those who speak to people."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final

from jobs.speeds import Speed
from jobs.steps import Notice
from jobs.wording import duration
from runner.cli.figures import credits_line, figures
from runner.cli.notices import told
from runner.cli.waits import due_words
from runner.reporter import Reporter, RunStarted, RunStatistics

__all__ = ["Speaking", "Ticking"]

# Of one core; whoever has ten thousand tasks in flight is shown them less often.
SHARE_MAX: Final = 0.02


class Ticking(Reporter, ABC):
    """Shows the run's figures every so often while it lasts."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._run: RunStarted | None = None
        self._created = Speed()
        self._saved = Speed()

    def started(self, run: RunStarted) -> None:
        self._run = run
        self._look()
        self._again(self._every_s)

    def closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> RunStatistics:
        """The figures of this moment, with which the speeds move on."""
        assert self._run is not None, "a run is looked at after it began"
        now = self._run.statistics()
        self._created.look(now.elapsed_s, now.accepted)
        self._saved.look(now.elapsed_s, now.saved_bytes)
        return now

    def _again(self, after_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(after_s, self._tick)

    def _tick(self) -> None:
        began_s = time.perf_counter()
        self._show(self._look())
        self._again(max(self._every_s, (time.perf_counter() - began_s) / SHARE_MAX))

    @abstractmethod
    def _show(self, now: RunStatistics) -> None:
        """Tell where the run stands."""


class Speaking(Ticking):
    """Tells people at once, in a line each, what cannot wait."""

    def noticed(self, notice: Notice) -> None:
        line = told(notice)
        if line:
            self._line(line, about=notice.name)

    def stopping(self, why: str, wait_s: float) -> None:
        due = "" if self._run is None else due_words(self._run.statistics().due)
        waited = f"waiting for {due}, {duration(wait_s)} at most" if due else "nothing is waited for"
        again = "Ctrl-C again" if why == "SIGINT" else "A second signal"
        self._line(f"{why}: nothing new is started; {waited}. {again} ends at once; nothing is lost", about="stopping")

    def cut_short(self) -> None:
        self._line("ended at once: what was sent is in the ledger, and the next run asks for it", about="stopping")

    def broken(self, last: RunStatistics) -> None:
        seen = figures(last)
        line = f"stopped by an error with {seen.finished:,} of {seen.items:,} done; {credits_line(last)}"
        self._line(line, about="broken")

    @abstractmethod
    def _line(self, text: str, *, about: str) -> None:
        """Tell this now; `about` names a notice or what else it comes from."""
