"""When a look at a task is worth a poll: never before it may have ended, never later than it matters."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import polling
from jobs.polling import LEVELS, PollFloors, Polling

FLOORS = PollFloors(first_poll_s=2.0, poll_gap_s=1.0)
SPREADS = st.floats(0.0, 1.0)
AGES = st.floats(0.0, 10_000.0)
LEVEL = st.integers(0, LEVELS - 1)


def learned(*seconds: float) -> Polling:
    known = Polling()
    known.recall("m", [(0.97 * one, one) for one in seconds])
    return known


KNOWN = learned(*(60.0 + n for n in range(-16, 17)))


def next_s(
    known: Polling, ran_s: float, *, level: int = 0, spread: float = 0.5, is_scout: bool = False, is_last: bool = False
) -> float:
    return known.next_s("m", ran_s, FLOORS, level=level, spread=spread, is_scout=is_scout, is_last=is_last)


def looks_s(known: Polling, until_s: float, level: int = 0) -> list[float]:
    """All looks at a task that does not end."""
    looks = [next_s(known, 0.0, level=level)]
    while looks[-1] < until_s:
        looks.append(next_s(known, looks[-1], level=level))
    return looks


def test_how_long_a_class_takes_is_told_once_five_of_it_ended() -> None:
    assert learned(9, 10, 11, 12).span_s("m") is None
    assert Polling().span_s("m") is None
    span_s = learned(9, 10, 11, 12, 13).span_s("m")

    assert span_s is not None
    assert 7.0 < span_s[0] < span_s[1] < 16.0


def test_the_first_look_at_an_unknown_class_comes_at_its_floor() -> None:
    assert [next_s(Polling(), 0.0, spread=spread) for spread in (0.0, 1.0)] == [2.0, 2.2]


def test_the_first_look_at_a_known_class_comes_when_the_first_of_it_end() -> None:
    least = KNOWN.least_level("m", FLOORS, one_of=1)

    assert 38.0 < next_s(KNOWN, 0.0, level=least) < 55.0


def test_looks_lie_where_ends_are_likely() -> None:
    looks = looks_s(KNOWN, 600.0, level=KNOWN.least_level("m", FLOORS, one_of=1))

    assert not [one for one in looks if one < 38.0]
    assert 8 <= len([one for one in looks if 40.0 < one < 80.0]) <= 30
    assert len([one for one in looks if one > 100.0]) < 40


def test_the_end_of_an_unknown_task_is_seen_within_a_tenth_of_its_time() -> None:
    looks = looks_s(Polling(), 250.0)
    gaps_s = [(after - before, before) for before, after in pairwise(looks)]

    assert all(gap_s <= max(1.1, 0.1 * before_s) for gap_s, before_s in gaps_s)


def test_a_task_that_never_ends_costs_few_polls() -> None:
    assert len(looks_s(Polling(), 20 * 60.0)) < 140
    assert len(looks_s(KNOWN, 24 * 3600.0)) < 24 * 60 + 140


def test_of_an_unknown_class_scouts_are_looked_at_most_unless_somebody_waits_for_the_others() -> None:
    fresh = Polling()

    def share(level: int) -> float:
        gaps_s = {one: next_s(fresh, 5.0, level=level, is_scout=one) - 5.0 for one in (True, False)}
        return gaps_s[False] / gaps_s[True]

    assert share(0) == share(polling.PATIENT_LEVEL - 1) == 1.0
    assert 2.0 < share(polling.PATIENT_LEVEL) < 3.0
    assert share(polling.PATIENT_LEVEL + 3) > 4.0


def test_what_earlier_runs_saw_is_tried_by_scouts_until_ends_of_this_life_fit_it() -> None:
    known = learned(*(60.0 + n for n in range(-16, 17)))
    least = known.least_level("m", FLOORS, one_of=1)

    def first_s() -> float:
        return next_s(known, 0.0, level=least, is_scout=True)

    assert first_s() == FLOORS.first_poll_s * 1.05
    assert next_s(known, 8.0, level=least, is_scout=True) == 10.0
    for _ in range(polling.PROVEN_BY):
        known.looked("m", 55.0, 60.0, ended=True)
    assert first_s() > 38.0


def test_the_first_of_a_class_are_its_scouts() -> None:
    fresh = Polling()

    assert [fresh.is_scout("m") for _ in range(polling.SCOUTS + 2)] == [True] * polling.SCOUTS + [False] * 2
    assert fresh.is_scout("another")


def test_while_nothing_waits_for_ends_fewer_looks_are_worth_a_poll() -> None:
    quick = learned(*(0.5 + 0.01 * n for n in range(-10, 11)))
    for known in (Polling(), quick):
        urgent, patient = (known.least_level("m", FLOORS, one_of=one_of) for one_of in (1, 0))
        assert urgent < patient


def test_where_a_run_waits_for_the_last_of_many_tasks_a_look_at_each_is_worth_less() -> None:
    known = learned(*(5.0 + 0.1 * n for n in range(-10, 11)))
    alone, of_ten, of_many, of_none = (known.least_level("m", FLOORS, one_of=one_of) for one_of in (1, 10, 1000, 0))

    assert polling.price_s(of_ten) == pytest.approx(10.0 * polling.price_s(alone), rel=0.3)
    assert of_ten < of_many == of_none == polling.PATIENT_LEVEL


def test_the_last_tasks_of_a_run_are_looked_at_more_often_when_they_take_longer_than_any_did() -> None:
    gaps_s = {is_last: next_s(KNOWN, 300.0, is_last=is_last) - 300.0 for is_last in (False, True)}

    assert gaps_s == {False: pytest.approx(15.0), True: pytest.approx(6.0)}


def test_classes_that_were_not_looked_at_for_long_are_forgotten() -> None:
    known = learned(9, 10, 11, 12, 13)
    for number in range(polling.CLASSES_KEPT):
        known.looked(f"class {number}", 1.0, 2.0, ended=True)

    assert known.span_s("m") is None


@given(st.booleans(), AGES, LEVEL, SPREADS, st.booleans())
def test_no_look_breaks_a_floor(is_known: bool, ran_s: float, level: int, spread: float, is_scout: bool) -> None:
    after_s = next_s(KNOWN if is_known else Polling(), ran_s, level=level, spread=spread, is_scout=is_scout)

    assert after_s >= (ran_s + FLOORS.poll_gap_s if ran_s else FLOORS.first_poll_s)


@given(st.booleans(), st.floats(0.1, 10_000.0), LEVEL, SPREADS, st.booleans())
def test_every_open_task_is_looked_at_again_within_a_bounded_time(
    is_known: bool, ran_s: float, level: int, spread: float, is_scout: bool
) -> None:
    after_s = next_s(KNOWN if is_known else Polling(), ran_s, level=level, spread=spread, is_scout=is_scout)

    assert after_s - ran_s <= max(63.0, 0.55 * ran_s)


@given(st.booleans(), AGES, st.integers(0, LEVELS - 2))
def test_a_dearer_look_comes_no_sooner(is_known: bool, ran_s: float, level: int) -> None:
    known = KNOWN if is_known else Polling()

    assert next_s(known, ran_s, level=level + 1) >= next_s(known, ran_s, level=level) - 1e-6
