"""What is learned of when tasks end, from looks that only bracket it."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ends import BINS, Ends, age_of, place_of

AGES = st.floats(0.0, 100_000.0)
LOOKS = st.lists(st.tuples(AGES, AGES, st.booleans()), max_size=60)


def looked(ends: Ends, took_s: float, *looks_s: float) -> None:
    """One task, looked at until it had ended."""
    ran_s = 0.0
    for age_s in looks_s:
        ends.look(ran_s, age_s, ended=age_s >= took_s)
        if age_s >= took_s:
            return
        ran_s = age_s


def night(median_s: float, *, sigma: float = 0.25, tasks: int = 200, gap: float = 0.2, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [median_s * math.exp(rng.gauss(0.0, sigma)) for _ in range(tasks)]


def every(ends: Ends, times_s: list[float], gap_s: float) -> None:
    for took_s in times_s:
        looked(ends, took_s, *(gap_s * n for n in range(1, 2 + int(took_s / gap_s))))


@pytest.mark.parametrize("age_s", [0.02, 0.5, 2.0, 60.0, 3600.0])
def test_a_place_tells_its_age(age_s: float) -> None:
    assert age_of(place_of(age_s)) == pytest.approx(age_s)


@pytest.mark.parametrize(("age_s", "place"), [(0.0, 0.0), (0.001, 0.0), (10.0**9, BINS - 1.0)])
def test_an_age_beyond_the_bins_is_at_their_edge(age_s: float, place: float) -> None:
    assert place_of(age_s) == place


def test_a_class_is_known_after_five_ends() -> None:
    ends, known = Ends(), []
    for _ in range(5):
        looked(ends, 10.0, 9.0, 11.0)
        known.append(ends.is_known)

    assert known == [False, False, False, False, True]


@pytest.mark.parametrize("sigma", [0.25, 0.5])
@pytest.mark.parametrize("gap_s", [1.0, 4.0])
def test_the_times_are_found_though_each_end_is_only_bracketed(sigma: float, gap_s: float) -> None:
    ends = Ends()
    every(ends, night(20.0, sigma=sigma), gap_s)

    for share in (0.1, 0.5, 0.9):
        assert ends.quantile_s(share) == pytest.approx(20.0 * math.exp(sigma * NormalDist().inv_cdf(share)), rel=0.15)


def test_the_quick_ones_of_a_young_batch_are_not_taken_for_all() -> None:
    """Of a hundred that began together ten have ended: the others count as well."""
    ends = Ends()
    for took_s in sorted(night(60.0, tasks=100)):
        looked(ends, took_s, *(age_s for age_s in range(20, 46)))

    assert ends.is_known
    assert ends.quantile_s(0.5) > 45.0


def test_what_is_remembered_is_of_one_size() -> None:
    ends = Ends()
    every(ends, night(1.0, tasks=3000), 0.5)

    assert 200 < ends.count < 260
    assert len(ends.rates) == BINS


@pytest.mark.parametrize("factor", [3.0, 1 / 3, 10.0, 0.1])
def test_a_service_that_changes_its_speed_is_followed_within_some_dozen_tasks(factor: float) -> None:
    ends = Ends()
    every(ends, night(10.0), 2.0)
    every(ends, night(10.0 * factor, tasks=60, seed=2), 2.0 * factor)

    assert ends.quantile_s(0.5) == pytest.approx(10.0 * factor, rel=0.3)


def test_an_odd_one_changes_little() -> None:
    ends = Ends()
    every(ends, night(10.0), 2.0)
    before_s = ends.quantile_s(0.5)
    looked(ends, 0.2, 0.1, 0.3)
    looked(ends, 3000.0, 9.0, 20.0, 100.0, 3100.0)

    assert ends.quantile_s(0.5) == pytest.approx(before_s, rel=0.1)


def test_ends_of_earlier_lives_teach_as_well() -> None:
    ends = Ends()
    ends.recall([(0.8 * took_s, 1.1 * took_s) for took_s in night(30.0)])

    assert ends.quantile_s(0.5) == pytest.approx(30.0, rel=0.1)


@given(LOOKS)
def test_whatever_looks_show_rates_are_rates(looks: list[tuple[float, float, bool]]) -> None:
    ends = Ends()
    for ran_s, age_s, ended in looks:
        ends.look(min(ran_s, age_s), max(ran_s, age_s), ended=ended)

    assert all(rate > 0.0 and math.isfinite(rate) for rate in ends.rates)
    assert ends.quantile_s(0.1) <= ends.quantile_s(0.9)
