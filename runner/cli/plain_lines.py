"""Without a terminal: a plain line every 30 s, so that a log stays readable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from runner.cli.figures import figures
from runner.cli.ticking import Ticking
from runner.cli.voice import Voice
from runner.reporter import RunStarted, RunStatistics

__all__ = ["PlainLines"]

LINE_EVERY_S: Final = 30.0  # a nightly run of an hour is 120 lines of log


class PlainLines(Ticking):
    """One line every 30 s."""

    def __init__(self, voice: Voice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()) -> None:
        super().__init__(voice, LINE_EVERY_S)
        self._clock = clock
        self._created_before = 0

    def started(self, run: RunStarted) -> None:
        super().started(run)
        self._created_before = figures(run.statistics()).created

    def _show(self, now: RunStatistics) -> None:
        seen = figures(now)
        per_min = (seen.created - self._created_before) * 60 / self._every_s
        self._created_before = seen.created
        cap = "" if seen.cap is None else f"/{seen.cap}"
        self._line(
            f"created {seen.created}/{seen.items} finished {seen.finished} failed {seen.failed} "
            f"credits {seen.credits}{cap} rate {per_min:.0f}/min eta {self._eta(now, seen)}"
        )

    def _line(self, text: str) -> None:
        self._voice.talk(f"{self._clock():%H:%M:%S} {text}")
