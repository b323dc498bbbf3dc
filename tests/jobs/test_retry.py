"""How long a refused request waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.retry import RETRY_AFTER_CAP_S, RetryBudget, backoff_s, wait_s

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
        (3600.0, 2700.0, 2705.0),
        (86400.0, 2700.0, 2705.0),
        (1e18, 2700.0, 2705.0),
    ],
)
def test_the_service_s_wish_is_obeyed_up_to_three_quarters_of_an_hour(
    retry_after_s: float | None, shortest_s: float, longest_s: float
) -> None:
    assert wait_s(3, retry_after_s, 0.0) == pytest.approx(shortest_s)
    assert wait_s(3, retry_after_s, 1.0) == pytest.approx(longest_s)


@given(TRIES, st.none() | st.floats(0.0, 1e12), SPREADS)
def test_a_wait_is_never_nothing_and_never_without_end(tries: int, retry_after_s: float | None, spread: float) -> None:
    waited_s = wait_s(tries, retry_after_s, spread)

    assert 0.5 <= waited_s <= 2705.0
    assert waited_s >= min(retry_after_s or 0.0, RETRY_AFTER_CAP_S) - 1e-9


# What all resends of a run have in common


def leave(budget: RetryBudget, times: int, *, from_s: float) -> float:
    """The moment at which the last of so many resends leaves, each as soon as it may."""
    now_s = from_s
    for _ in range(times):
        now_s = max(now_s, budget.due_s(now_s))
        budget.resent(now_s)
    return now_s


def test_twenty_resends_may_leave_at_once_and_then_one_every_ten_seconds() -> None:
    budget = RetryBudget()

    assert leave(budget, 20, from_s=50.0) == 50.0
    assert leave(budget, 12, from_s=50.0) == pytest.approx(50.0 + 120.0)


def test_a_resend_that_went_well_costs_nothing_and_five_good_purchases_pay_for_one() -> None:
    budget = RetryBudget()
    leave(budget, 20, from_s=0.0)
    budget.went_well(resend=True)
    assert leave(budget, 1, from_s=0.0) == 0.0
    for _ in range(4):
        budget.went_well(resend=False)
    assert budget.due_s(0.0) == pytest.approx(2.0)
    budget.went_well(resend=False)
    assert budget.due_s(0.0) == 0.0


def test_good_times_save_up_for_no_more_than_twenty() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.went_well(resend=False)

    assert leave(budget, 21, from_s=0.0) == pytest.approx(10.0)
