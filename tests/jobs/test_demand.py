"""What a poll is worth by the ends of late: as much as the last look that the polls there are can pay for."""

from __future__ import annotations

import pytest

from jobs.demand import ENDS_NEEDED, MEMORY, Demand


def ends(
    demand: Demand, count: int, *, every_s: float, constant_s: float, from_s: float = 0.0, tasks: int = 100
) -> float:
    """So many ends, one after the other; the moment of the last."""
    for n in range(count):
        demand.ended(constant_s, from_s + n * every_s, tasks)
    return from_s + (count - 1) * every_s


def test_a_price_spends_just_the_polls_there_are() -> None:
    """At price p a task has the root of C/p looks: ten ends a second with C = 0.25 take 50 polls a second at 0.01."""
    demand = Demand()
    ends(demand, 500, every_s=0.1, constant_s=0.25, tasks=10**9)

    assert demand.price_s(50.0) == pytest.approx(0.01, rel=1e-3)


def test_classes_share_the_polls_by_the_roots_of_what_looks_save() -> None:
    one, two = Demand(), Demand()
    for n in range(1000):
        one.ended((0.04, 0.36)[n % 2], 0.1 * n, 60)
        two.ended(0.16, 0.1 * n, 60)

    assert one.price_s(20.0) == pytest.approx(two.price_s(20.0), rel=0.02)


def test_twice_the_polls_make_each_worth_a_quarter() -> None:
    demand = Demand()
    ends(demand, 100, every_s=0.5, constant_s=1.0)

    assert demand.price_s(20.0) == pytest.approx(4.0 * demand.price_s(40.0))


def test_of_few_tasks_some_polls_are_kept_for_when_all_want_one_at_once() -> None:
    prices = []
    for tasks in (1, 8, 100, 10_000):
        demand = Demand()
        ends(demand, 100, every_s=0.5, constant_s=1.0, tasks=tasks)
        prices.append(demand.price_s(20.0))

    assert prices == sorted(prices, reverse=True)
    assert prices[0] > 2.0 * prices[-1]


def test_the_last_tasks_share_what_all_had() -> None:
    demand = Demand()
    ends(demand, 100, every_s=0.5, constant_s=1.0, tasks=40)

    usual_s = demand.price_s(20.0)
    assert demand.price_s(20.0, 80) == usual_s, "no more than usual, however many they are"
    assert demand.price_s(20.0, 40) == pytest.approx(usual_s)
    assert demand.price_s(20.0, 10) == pytest.approx(usual_s / 16.0)
    assert demand.price_s(20.0, 0) == 0.0


def test_nothing_is_said_before_the_pace_of_ends_is_known() -> None:
    demand = Demand()
    assert demand.price_s(20.0) == 0.0
    last_s = ends(demand, int(ENDS_NEEDED), every_s=0.5, constant_s=1.0)
    assert demand.price_s(20.0) == 0.0

    ends(demand, 2, every_s=0.5, constant_s=1.0, from_s=last_s + 0.5)
    assert demand.price_s(20.0) > 0.0


def test_ends_at_one_moment_tell_no_pace() -> None:
    demand = Demand()
    ends(demand, 100, every_s=0.0, constant_s=1.0)

    assert demand.price_s(20.0) == 0.0


def test_a_pace_that_changes_is_followed() -> None:
    demand = Demand()
    last_s = ends(demand, 500, every_s=0.1, constant_s=1.0)
    before = demand.price_s(20.0)
    ends(demand, 5 * int(MEMORY), every_s=1.0, constant_s=1.0, from_s=last_s + 1.0)

    assert demand.price_s(20.0) == pytest.approx(before / 100.0, rel=0.15)
