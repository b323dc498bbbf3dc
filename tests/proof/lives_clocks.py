"""Time around many lives: the real one, and what one machine takes for it."""

from __future__ import annotations

from typing import Final

from runner.testing import VirtualLoop

__all__ = ["START_S", "Clocks"]

START_S: Final = 1_700_000_000.0
RESTART_S: Final = 1.0


class Clocks:
    """Real time, which the service lives by, and this machine's two clocks."""

    def __init__(self) -> None:
        self.real_s = START_S  # when the current life began, or now between lives
        self.skew_s = 0.0  # what the wall clock is ahead
        self.slept_s = 0.0  # of the current life
        self.turned = 0  # how often somebody meddled
        self.loop: VirtualLoop | None = None

    def now_s(self) -> float:
        """Real time."""
        return self.real_s + self.slept_s + (self.loop.time() if self.loop else 0.0)

    def wall_s(self) -> float:
        """What the machine takes for real time."""
        return self.now_s() + self.skew_s

    def end_life(self) -> None:
        self.real_s, self.slept_s, self.loop = self.now_s() + RESTART_S, 0.0, None

    def turn(self, seconds: float) -> None:
        self.skew_s += seconds
        self.turned += 1

    def sleep(self, seconds: float) -> None:
        """Suspended: real time and the wall clock go on, the monotonic clock and all timers stand still."""
        self.slept_s += seconds
        self.turned += 1
