"""The pacer where the service is far, or counts by the second while users count minutes."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.leasing import LeasedPacer
from jobs.rates import Rate
from tests.jobs.pacing_way import Way, most_in_a_window

SECOND = Rate(count=20, window_s=1.0)


@pytest.mark.parametrize("delay_s", [0.05, 0.25, 0.5])
@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (Rate(count=50, window_s=1.0), Rate(count=20, window_s=1.0)),
        (Rate(count=600, window_s=60.0), Rate(count=5, window_s=1.0)),
    ],
)
def test_a_limit_that_is_gone_is_outgrown_however_far_the_service_is(rate: Rate, shown: Rate, delay_s: float) -> None:
    way = Way(rate, delay_s=delay_s, steady=True)
    way.run(3.0)
    way.now_s = way.pacer.due_s(way.now_s)
    way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=shown)
    way.run(20 * rate.window_s)

    assert way.pacer.per_s == rate.per_second


@pytest.mark.parametrize("hangs_s", [10.0, 30.0, 60.0])
def test_what_hangs_and_breaks_is_no_use_of_a_window_that_more_may_be_tried_after(hangs_s: float) -> None:
    way = Way(Rate(count=50, window_s=1.0))
    found_per_s = _found(way)
    began_s = way.now_s
    flying = deque[tuple[float, int]]()
    while way.now_s < began_s + 600.0:
        answer_s = flying[0][0] if flying else float("inf")
        way.now_s = max(way.now_s, min(answer_s, way.pacer.due_s(way.now_s)))
        if answer_s <= way.now_s:
            way.pacer.answered(flying.popleft()[1], way.now_s, clean=False)
        elif way.pacer.due_s(way.now_s) <= way.now_s:
            flying.append((way.now_s + hangs_s, way.pacer.leave(way.now_s)))

    assert way.pacer.per_s <= found_per_s < 30.0


def _found(way: Way) -> float:
    """Twenty a second of fifty were shown; gives the speed that is kept to."""
    way.run(0.5)
    way.now_s = way.pacer.due_s(way.now_s)
    way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=SECOND)
    way.run(way.now_s + 1.5)
    return way.pacer.per_s


def test_one_answer_that_hung_does_not_make_a_trickle_look_like_a_full_window() -> None:
    way = Way(Rate(count=50, window_s=1.0))
    found_per_s = _found(way)
    way.now_s = max(way.now_s, way.pacer.due_s(way.now_s))
    token = way.pacer.leave(way.now_s)
    way.now_s += 120.0
    way.pacer.answered(token, way.now_s)
    way.run(way.now_s + 60.0, every_s=1 / 3)

    assert way.pacer.per_s == found_per_s


def test_slots_on_their_way_to_another_worker_do_not_make_a_trickle_look_like_a_full_window() -> None:
    way, minute = Way(SECOND), 60.0
    way.pacer = pacer = LeasedPacer("creates", Rate(count=60, window_s=minute))
    pacer.lease(Rate(count=40, window_s=minute), 0.0, fair_per_s=40 / minute, until_s=1e9)
    pacer.follow(0.5, 0.5, 0.0)
    found_per_s = pacer.per_s
    pacer.lease(Rate(count=5, window_s=minute), 0.0, fair_per_s=40 / minute, until_s=1e9)
    way.run(4 * minute, every_s=15.0)

    assert len(way.left_s) > 5, "all that the slots allow"
    assert pacer.per_s == found_per_s


def test_a_second_that_was_shown_is_kept_to_after_refusals_that_were_about_another_limit() -> None:
    way = Way(Rate(count=600, window_s=60.0))
    for went in (Rate(count=5, window_s=1.0), None):
        way.run(way.now_s + 3.0)
        way.now_s = max(way.now_s, way.pacer.due_s(way.now_s))
        way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=went)
        way.run(way.now_s + 90.0) if went else way.pacer.forgive()
    way.now_s += 10.0
    way.left_s.clear()
    way.run(way.now_s + 5.0)

    assert way.pacer.per_s < 10.0
    assert most_in_a_window(way.left_s, 1.0) <= 8


def test_a_second_that_was_outgrown_holds_nothing_back_when_the_service_refuses_again() -> None:
    way = Way(Rate(count=600, window_s=60.0), delay_s=0.5, steady=True)

    def refuse(went: Rate | None) -> None:
        way.now_s = max(way.now_s, way.pacer.due_s(way.now_s))
        way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=went)

    way.run(3.0)
    refuse(Rate(count=5, window_s=1.0))
    way.run(1200.0)
    assert way.pacer.per_s == 10.0
    for _ in range(2):
        refuse(None)
        way.run(way.now_s + 30.0)
    assert way.pacer.is_found
    way.left_s.clear()
    way.run(way.now_s + 20.0)

    assert len(way.left_s) > 80


def test_a_window_that_nobody_showed_holds_nothing_back() -> None:
    way = Way(SECOND, delay_s=0.5, steady=True)
    way.pacer.set_rate(Rate(count=600, window_s=60.0), 0.0)
    way.run(30.0)
    way.now_s = way.pacer.due_s(way.now_s)
    went = Rate(count=300, window_s=60.0)
    way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=went)
    way.run(100.0)

    assert len([left_s for left_s in way.left_s if 70.0 < left_s <= 100.0]) == 150


@given(st.sampled_from([0.0, 0.01, 0.3, 2.0, 20.0]), st.floats(0.0, 60.0), st.integers(0, 10**6))
def test_a_second_that_the_service_showed_is_kept_to_where_users_count_minutes(
    delay_s: float, late_s: float, seed: int
) -> None:
    way = Way(Rate(count=600, window_s=60.0), seed=seed, delay_s=delay_s)
    for shown in (Rate(count=5, window_s=1.0), Rate(count=300, window_s=60.0)):  # a minute's count takes nothing back
        way.now_s = max(0.0, way.pacer.due_s(0.0))
        way.pacer.refused(way.pacer.leave(way.now_s), way.now_s, wait_s=1.0, reason="HTTP 429", went=shown)
    way.run(20.0)
    way.now_s += late_s
    way.run(way.now_s + 20.0)

    assert most_in_a_window(way.counted_s, 1.0) <= 5
