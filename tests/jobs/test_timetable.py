"""The best ages to look at: as good as theory allows, and within the floors."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ends import BINS, STEP, age_of
from jobs.timetable import Law, law_of, timetable

RATES = st.lists(st.floats(1e-6, 2.0), min_size=BINS, max_size=BINS)


def lognormal(median_s: float, sigma: float) -> list[float]:
    """Rates per bin."""
    left = [
        0.5 * math.erfc(math.log(age_of(float(place)) / median_s) / sigma / math.sqrt(2.0)) for place in range(BINS + 1)
    ]
    return [math.log(max(left[n], 1e-300) / max(left[n + 1], 1e-300)) + 1e-9 for n in range(BINS)]


def law(median_s: float = 10.0, sigma: float = 0.25) -> Law:
    return law_of(lognormal(median_s, sigma), from_s=0.1, last=BINS)


def played(law: Law, price_s: float, gap_s: float = 0.0) -> tuple[float, float]:
    """Mean looks, and mean delay in seconds."""
    table = timetable(law, price_s=price_s, gap_s=gap_s)
    looks = delay_s = ran_s = 0.0
    left, gone, waited_s = 1.0, 0.0, 0.0
    while ran_s < table.end_s:
        age_s = table.after(ran_s)
        n = min(range(len(law.ages_s)), key=lambda n: abs(law.ages_s[n] - age_s))
        delay_s += law.ended_s[n] - waited_s - gone * (age_s - max(ran_s, law.ages_s[0]))
        looks += left
        ran_s, left, gone, waited_s = age_s, law.left[n], 1.0 - law.left[n], law.ended_s[n]
    return looks, delay_s


@pytest.mark.parametrize(("sigma", "constant"), [(0.1, 0.098), (0.25, 0.227), (0.5, 0.415), (1.0, 0.783)])
def test_the_constant_of_a_law_is_that_of_theory(sigma: float, constant: float) -> None:
    assert law(10.0, sigma).constant_s == pytest.approx(10.0 * constant, rel=0.12)


@pytest.mark.parametrize("sigma", [0.25, 0.5])
@pytest.mark.parametrize("price_s", [1.0, 0.3, 0.1, 0.03])
def test_a_timetable_comes_close_to_the_least_delay(sigma: float, price_s: float) -> None:
    known = law(10.0, sigma)
    looks, delay_s = played(known, price_s)

    assert looks > 1.8
    assert delay_s * looks <= 1.25 * known.constant_s


def test_a_dearer_look_means_fewer() -> None:
    looks = [played(law(), price_s)[0] for price_s in (0.01, 0.1, 1.0, 10.0)]

    assert looks == sorted(looks, reverse=True)
    assert looks[-1] < 1.5


def test_nobody_looks_before_the_first_can_have_ended() -> None:
    table = timetable(law(), price_s=0.1, gap_s=0.0)

    assert 5.0 < table.after(0.0) < 9.0


def test_two_humps_are_looked_at_apart() -> None:
    humps = ((92, 0.2), (160, 2.0))  # some 2 s and 60 s
    rates = [1e-6 + sum(rate * math.exp(-((place - hump) ** 2) / 8) for hump, rate in humps) for place in range(BINS)]
    table = timetable(law_of(rates, from_s=0.1, last=170), price_s=0.2, gap_s=0.0)
    looks_s = [table.after(0.0)]
    while looks_s[-1] < table.end_s:
        looks_s.append(table.after(looks_s[-1]))

    assert not [age_s for age_s in looks_s if 4.0 < age_s < 40.0]


def test_looks_keep_the_distance_they_are_told() -> None:
    table = timetable(law(), price_s=1e-4, gap_s=2.0)
    looks_s = [table.after(0.0)]
    while looks_s[-1] < table.end_s:
        looks_s.append(table.after(looks_s[-1]))

    assert all(after_s - before_s >= 1.9 for before_s, after_s in pairwise(looks_s[:-1]))


@given(RATES, st.floats(1e-4, 1e3), st.floats(0.0, 5.0), st.floats(0.05, 60.0))
def test_looks_go_on_and_keep_their_distance(rates: list[float], price_s: float, gap_s: float, from_s: float) -> None:
    known = law_of(rates, from_s=from_s, last=BINS)
    table = timetable(known, price_s=price_s, gap_s=gap_s)
    ran_s = table.ages_s[0]
    for _ in range(len(table.ages_s)):
        age_s = table.after(ran_s)
        assert age_s > ran_s
        assert age_s - ran_s >= min(gap_s, table.end_s - ran_s) - 1e-9 or age_s >= table.end_s
        ran_s = age_s
        if ran_s >= table.end_s:
            break
    assert ran_s >= table.end_s
    assert known.ages_s[0] > from_s * math.exp(-2 * STEP)
