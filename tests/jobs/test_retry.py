"""How long a refused request waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.retry import backoff_s, wait_s

SPREADS = st.floats(0.0, 1.0)
TRIES = st.integers(1, 10_000)


@pytest.mark.parametrize(("tries", "ceiling_s"), [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (1000, 60.0)])
def test_a_backoff_doubles_to_a_minute_and_keeps_half_of_itself(tries: int, ceiling_s: float) -> None:
    assert (backoff_s(tries, 0.0), backoff_s(tries, 1.0)) == (ceiling_s / 2, ceiling_s)


@pytest.mark.parametrize(
    ("retry_after_s", "shortest_s", "longest_s"),
    [
        (None, 2.0, 4.0),
        (0.0, 2.0, 4.0),  # "at once" is no answer to what was just refused
        (0.5, 2.0, 4.0),
        (1.0, 1.0, 1.1),
        (7.0, 7.0, 7.7),
        (600.0, 600.0, 605.0),
        (3600.0, 3600.0, 3605.0),
        (86400.0, 3600.0, 3605.0),
        (1e18, 3600.0, 3605.0),
    ],
)
def test_the_service_s_wish_is_obeyed_up_to_an_hour(
    retry_after_s: float | None, shortest_s: float, longest_s: float
) -> None:
    assert wait_s(3, retry_after_s, 0.0) == pytest.approx(shortest_s)
    assert wait_s(3, retry_after_s, 1.0) == pytest.approx(longest_s)


@given(TRIES, st.none() | st.floats(0.0, 1e12), SPREADS)
def test_a_wait_is_never_nothing_and_never_without_end(tries: int, retry_after_s: float | None, spread: float) -> None:
    waited_s = wait_s(tries, retry_after_s, spread)

    assert 0.5 <= waited_s <= 3605.0
    assert waited_s >= min(retry_after_s or 0.0, 3600.0) - 1e-9
