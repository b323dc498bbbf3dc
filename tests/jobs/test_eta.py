"""How long the rest takes: laws that hold for any load, and what corrects the plan's guess."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.eta import Durations, Load, Steady, seconds_left
from jobs.plan import Pace, seconds_to_finish

CLASSES = st.sampled_from(["a", "b", "c"])
SECONDS = st.floats(0, 10_000)


@st.composite
def durations(draw: st.DrawFn) -> Durations:
    made = Durations({"a": draw(st.floats(0.1, 1000)), "b": 30.0})
    for price_class, seconds in draw(st.lists(st.tuples(CLASSES, SECONDS), max_size=80)):
        made.learn(price_class, seconds)
    return made


@st.composite
def loads(draw: st.DrawFn) -> Load:
    return Load(
        unbought=draw(st.dictionaries(CLASSES, st.integers(0, 1000))),
        running=draw(st.lists(st.tuples(CLASSES, SECONDS), max_size=20)),
        creates_per_s=draw(st.floats(0.001, 100)),
        held_s=draw(st.floats(0, 100)),
        places=draw(st.integers(1, 1000)),
        timeout_s=draw(st.floats(1, 10_000)),
        unsaved=draw(st.integers(0, 100)),
        saves_per_s=draw(st.none() | st.just(0.0) | st.floats(0.001, 10)),  # a save a quarter of an hour, and faster
    )


@given(loads(), durations())
def test_the_rest_never_takes_less_than_nothing(load: Load, seen: Durations) -> None:
    assert 0 <= seconds_left(load, seen) < float("inf")


@given(loads(), durations(), CLASSES)
def test_one_item_more_never_takes_less_time(load: Load, seen: Durations, price_class: str) -> None:
    more = {**load.unbought, price_class: load.unbought.get(price_class, 0) + 1}

    assert seconds_left(replace(load, unbought=more), seen) >= seconds_left(load, seen) * (1 - 1e-9)


@given(loads(), durations())
def test_a_higher_rate_and_more_places_never_take_longer(load: Load, seen: Durations) -> None:
    faster = replace(load, creates_per_s=2 * load.creates_per_s)
    wider = replace(load, places=2 * load.places)

    assert seconds_left(faster, seen) <= seconds_left(load, seen)
    assert seconds_left(wider, seen) <= seconds_left(load, seen) * (1 + 1e-9)


@given(durations(), st.integers(1, 500), st.integers(1, 50))
def test_without_anything_seen_it_is_about_the_plans_own_figure(seen: Durations, items: int, places: int) -> None:
    guess = Durations({"a": 10.0})
    plan_s = seconds_to_finish(["image"] * items, Pace(creates_per_s=1.0, in_flight=places, category_of={}))
    live_s = seconds_left(Load(unbought={"a": items}, running=(), creates_per_s=1.0, places=places), guess)

    assert plan_s <= live_s <= plan_s + 5.0


def test_nothing_left_takes_no_time() -> None:
    assert seconds_left(Load(unbought={"a": 0}, running=(), creates_per_s=1.0, places=1), Durations({})) == 0


def test_the_last_task_takes_what_is_left_of_it_and_one_that_is_late_a_little_more() -> None:
    seen = Durations({"a": 60.0})

    def left_s(age_s: float, timeout_s: float = 1200.0) -> float:
        return seconds_left(
            Load(unbought={}, running=[("a", age_s)], creates_per_s=1.0, places=1, timeout_s=timeout_s), seen
        )

    assert left_s(0.0) == 60.0
    assert left_s(50.0) == pytest.approx(10.0)
    assert left_s(600.0) == pytest.approx(120.0)
    assert left_s(600.0, timeout_s=610.0) == pytest.approx(10.0)
    assert left_s(600.0, timeout_s=500.0) == 0.0


def test_tasks_that_run_for_longer_than_was_guessed_make_the_others_expected_to_as_well() -> None:
    seen = Durations({"a": 10.0})
    load = Load(unbought={"a": 10}, running=[("a", 300.0)], creates_per_s=1000.0, places=1)

    assert seconds_left(load, seen) > 3000
    seen.learn("a", 10.0)
    assert seconds_left(load, seen) < 200


def test_what_was_seen_of_a_class_outweighs_the_guess() -> None:
    seen = Durations({"a": 100.0})
    told = []
    for _ in range(64):
        seen.learn("a", 10.0)
        told.append(seen.expected_s("a"))

    assert told == sorted(told, reverse=True)
    assert told[0] > 50
    assert told[-1] < 11


def test_guesses_of_other_classes_are_corrected_by_how_wrong_guesses_were() -> None:
    seen = Durations({"a": 100.0, "b": 10.0})
    for _ in range(50):
        seen.learn("a", 200.0)

    assert seen.expected_s("b") == pytest.approx(20.0, rel=0.05)


def test_a_service_that_slows_down_is_followed() -> None:
    seen = Durations({"a": 10.0})
    for seconds in [10.0] * 500 + [40.0] * 64:
        seen.learn("a", seconds)

    assert seen.expected_s("a") == pytest.approx(40.0, rel=0.05)


def test_results_that_wait_to_be_saved_can_be_the_longest() -> None:
    load = Load(unbought={}, running=(), creates_per_s=1.0, places=1, unsaved=100, saves_per_s=0.5)

    assert seconds_left(load, Durations({})) == 200.0
    assert seconds_left(replace(load, saves_per_s=None), Durations({})) == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), SECONDS), min_size=1, max_size=30))
def test_what_is_told_is_never_negative_and_between_what_was_computed(looks: list[tuple[float, float]]) -> None:
    steady, at_s = Steady(), 0.0
    ends = []
    for gap_s, computed_s in looks:
        at_s += gap_s
        ends.append(at_s + computed_s)
        told_s = steady.left_s(at_s, computed_s)
        assert told_s >= 0
        assert told_s == 0 or min(ends) - 1e-6 <= at_s + told_s <= max(ends) + 1e-6


def test_what_is_told_follows_calmly_and_jumps_when_something_happened() -> None:
    steady = Steady()
    assert steady.left_s(0.0, 100.0) == 100.0
    assert 100.0 < steady.left_s(1.0, 110.0) < 103.0
    told = [steady.left_s(float(second), 110.0) for second in range(2, 40)]
    assert told[-1] == pytest.approx(110.0, abs=4.0)
    assert steady.left_s(40.0, 1000.0) == 1000.0
    assert steady.left_s(41.0, 0.0) == 0.0
