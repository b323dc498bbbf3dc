"""The clock: timers are set in whole ticks, so that nobody is woken before it is time."""

from __future__ import annotations

import pytest

from runner.clock import TICK_S, Clock


@pytest.mark.parametrize(
    ("moment_s", "ticks"),
    [(9.0, 0), (10.0, 0), (10.0001, 1), (10.0009, 1), (10.0011, 2), (10.5, 500)],
)
def test_a_timer_for_a_moment_is_set_in_whole_ticks_and_never_ends_before_it(moment_s: float, ticks: int) -> None:
    left_s = Clock(mono_s=lambda: 10.0).left_s(moment_s)

    assert left_s == pytest.approx(ticks * TICK_S)
    assert 10.0 + left_s >= moment_s
