"""How many tasks the service runs at once, found by its refusals."""

from __future__ import annotations

import pytest

from jobs.places import SLOW_START, TRY_S, Places, PlacesChange

REASON = "HTTP 429"


def _found(running: int, *, now_s: float = 10.0) -> Places:
    places = Places()
    places.refused(running, left_at_s=now_s - 0.1, now_s=now_s, reason=REASON, try_s=1.25)
    return places


def test_a_run_begins_with_few_creates_unanswered_and_more_with_each_that_is_accepted() -> None:
    places = Places()

    assert places.due_s(0, SLOW_START - 1) < 0
    assert places.due_s(0, SLOW_START) == float("inf")
    for n in range(40):
        places.accepted(n + 1, left_at_s=0.0, now_s=1.0)
    assert places.due_s(40, SLOW_START + 9) < 0


def test_a_refusal_holds_the_number_that_ran_and_an_end_makes_room_at_once() -> None:
    places = Places()
    change = places.refused(8, left_at_s=9.9, now_s=10.0, reason=REASON, try_s=1.25)

    assert change == PlacesChange(before=None, after=8, reason=REASON)
    assert places.due_s(8, 0) == 11.25
    assert places.due_s(8, 1) == float("inf")
    assert places.due_s(7, 0) < 0
    assert places.due_s(7, 1) == float("inf")  # its answer comes first


def test_refusals_of_creates_that_had_left_by_then_cut_no_more() -> None:
    places = _found(8)

    assert places.refused(6, left_at_s=9.95, now_s=10.1, reason=REASON, try_s=1.25) is None
    assert places.found == 8


def test_an_answer_that_was_overtaken_by_the_refusal_counts_as_a_place_and_not_as_a_try() -> None:
    places = _found(6)

    assert places.accepted(7, left_at_s=9.9, now_s=10.1) == PlacesChange(
        before=6, after=7, reason="one more was accepted"
    )
    assert places.due_s(7, 0) == 11.25


def test_tries_come_ever_more_seldom_while_they_are_refused() -> None:
    places, now_s, waits_s = _found(8), 10.0, []
    for _ in range(6):
        due_s = places.due_s(8, 0)
        waits_s.append(due_s - now_s)
        now_s = due_s + 0.1
        places.refused(8, left_at_s=due_s, now_s=now_s, reason=REASON, try_s=1.25)

    assert waits_s == pytest.approx([1.25, TRY_S, 2 * TRY_S, 4 * TRY_S, 8 * TRY_S, 16 * TRY_S])


def test_a_limit_that_was_lifted_is_used_step_by_step_and_each_step_is_larger() -> None:
    places, now_s, running = _found(8), 20.0, 8
    steps = []
    while running < 100:
        now_s = max(now_s, places.due_s(running, 0))
        running += 1
        places.accepted(running, left_at_s=now_s, now_s=now_s + 0.1)
        steps.append(places.found)
        now_s += 0.1

    assert len(set(steps)) <= 8
    assert now_s < 60.0


def test_nothing_runs_and_one_is_refused_leaves_one_place() -> None:
    assert _found(0).found == 1


def test_what_was_about_something_else_is_forgotten() -> None:
    places = _found(8)

    assert places.forget("a window") == PlacesChange(before=8, after=None, reason="a window")
    assert places.forget("a window") is None
    assert places.due_s(100, 0) < 0
