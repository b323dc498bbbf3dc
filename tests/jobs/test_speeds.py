"""The speed of the last minute."""

from __future__ import annotations

import pytest

from jobs.speeds import Speed


def test_less_than_a_second_says_nothing() -> None:
    speed = Speed()
    assert speed.per_s is None
    speed.look(0.0, 5)
    speed.look(0.5, 50)
    assert speed.per_s is None


def test_at_the_start_it_is_the_growth_so_far() -> None:
    speed = Speed()
    for second in range(11):
        speed.look(float(second), 2 * second)

    assert speed.per_s == 2.0


def test_what_is_longer_ago_than_a_minute_does_not_count() -> None:
    speed = Speed()
    for tick in range(4 * 600):
        second = tick / 4
        speed.look(second, min(second, 300.0) * 10)
        if second == 300.0:
            assert speed.per_s == pytest.approx(10.0)

    assert speed.per_s == 0.0


def test_looks_far_apart_are_enough() -> None:
    speed = Speed()
    speed.look(0.0, 0)
    speed.look(300.0, 150)

    assert speed.per_s == 0.5
