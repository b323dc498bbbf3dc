"""Without a terminal: a plain line every 30 s, so that a log stays readable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from jobs.escape import for_terminal
from jobs.wording import duration, size
from runner.cli.figures import figures
from runner.cli.ticking import Speaking
from runner.cli.voice import Voice
from runner.cli.waits import waiting_words
from runner.reporter import RunStatistics

__all__ = ["PlainLines"]

LINE_EVERY_S: Final = 30.0  # a nightly run of an hour is 120 lines of log
# An item that is under way for less than this holds nobody up.
SLOW_S: Final = 60.0


class PlainLines(Speaking):
    """One line every 30 s."""

    def __init__(self, voice: Voice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()) -> None:
        super().__init__(LINE_EVERY_S)
        self._voice = voice
        self._clock = clock

    def _show(self, now: RunStatistics) -> None:
        seen = figures(now)
        cap = "" if seen.cap is None else f"/{seen.cap}"
        eta = "?" if now.eta_s is None else duration(now.eta_s)
        line = (
            f"created {seen.created}/{seen.items} finished {seen.finished} failed {seen.failed} "
            f"credits {seen.credits}{cap} rate {60 * (self._created.per_s or 0):.0f}/min eta {eta} "
            f"in flight {now.in_flight}/{now.in_flight_max} saved {now.saved} ({size(now.saved_bytes)})"
        )
        for slow in now.slowest[:1]:
            if slow.age_s >= SLOW_S:
                line += f"; slowest {for_terminal(slow.item)} for {duration(slow.age_s)}: {waiting_words(slow)}"
        self._line(line, about="figures")

    def _line(self, text: str, *, about: str) -> None:
        self._voice.talk(f"{self._clock():%H:%M:%S} {text}")
