"""How a run is told from outside to end: the first word drains it, the second ends it at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Interruption", "heard"]


class Interruption:
    """One for each life. Signals and cancelled tasks speak through it, also before the run listens."""

    def __init__(self) -> None:
        self.signal: int | None = None  # the first that came
        self._why = ""
        self._again = False
        self._drain: Callable[[str], None] | None = None
        self._cut: Callable[[], None] | None = None

    @property
    def is_heard(self) -> bool:
        """Whether there is a run that listens."""
        return self._drain is not None

    def attach(self, *, drain: Callable[[str], None], cut: Callable[[], None]) -> None:
        """The run listens now, and is told what was said before."""
        self._drain, self._cut = drain, cut
        if self.signal is not None:
            drain(self._why)
        if self._again:
            cut()

    def detach(self) -> None:
        """The run is over; what is said now is for whoever asks."""
        self._drain = self._cut = None

    def say(self, number: int, why: str = "") -> None:
        """First time: start nothing new, let what was sent land. Second: now.

        `number` is the signal it stands for; its name is told, or `why`.
        """
        if self.signal is None:
            self.signal, self._why = number, why or signal.Signals(number).name
            if self._drain is not None:
                self._drain(self._why)
        else:
            self._again = True
            if self._cut is not None:
                self._cut()


@contextmanager
def heard(interruption: Interruption, *, signals: bool) -> Iterator[None]:
    """A run listens while the block lasts; with `signals` also to Ctrl-C, SIGTERM and a lost terminal."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signals else ()
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, interruption.say, number)
    try:
        yield
    finally:
        interruption.detach()
        for number, handler in before.items():  # the loop itself would leave Python's own
            loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)
