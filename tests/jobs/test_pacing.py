"""The pacer against a model of the service that counts exactly, over a way that takes its time."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.paces import RateChange
from jobs.pacing import Pacer
from jobs.rates import Rate
from tests.jobs.pacing_way import Way, most_in_a_window

RATES = st.sampled_from(
    [
        Rate(count=1, window_s=1.0),
        Rate(count=5, window_s=1.0),
        Rate(count=50, window_s=1.0),
        Rate(count=30, window_s=60.0),
        Rate(count=7, window_s=60.0),
    ]
)
DELAYS = st.sampled_from([0.0, 0.01, 0.3, 2.0, 20.0])
SECOND = Rate(count=20, window_s=1.0)


@given(RATES, DELAYS, st.integers(0, 10**6))
def test_no_window_of_the_service_ever_holds_more_than_the_limit(rate: Rate, delay_s: float, seed: int) -> None:
    way = Way(rate, seed=seed, delay_s=delay_s)
    way.run(8 * rate.window_s)

    assert most_in_a_window(way.counted_s, rate.window_s) <= rate.count


@given(RATES, DELAYS, st.integers(0, 10**6))
def test_callers_that_come_and_go_never_overfill_a_window_either(rate: Rate, delay_s: float, seed: int) -> None:
    way = Way(rate, seed=seed, delay_s=delay_s)
    for _ in range(8):
        way.run(way.now_s + rate.window_s * way.dice.choice((0.1, 0.5, 1.5)))
        way.now_s += rate.window_s * way.dice.choice((0.1, 0.3, 2.0))

    assert most_in_a_window(way.counted_s, rate.window_s) <= rate.count


@given(RATES, DELAYS, st.integers(0, 10**6))
def test_a_refusal_never_lets_more_through(rate: Rate, delay_s: float, seed: int) -> None:
    way = Way(rate, seed=seed, delay_s=delay_s)
    way.says = lambda _: way.dice.choice((0.5, 3.0)) if way.dice.random() < 0.2 else None
    way.run(6 * rate.window_s)

    assert most_in_a_window(way.counted_s, rate.window_s) <= rate.count


@pytest.mark.parametrize(
    ("rate", "way_s"),
    [
        (Rate(count=50, window_s=1.0), 0.05),
        (Rate(count=50, window_s=1.0), 0.5),
        (Rate(count=60, window_s=60.0), 0.2),
        (Rate(count=60, window_s=60.0), 5.0),
        (Rate(count=200, window_s=1.0), 3.0),
    ],
)
def test_a_saturated_pacer_loses_the_way_and_nothing_else(rate: Rate, way_s: float) -> None:
    way = Way(rate, delay_s=way_s, steady=True)
    windows = 40
    way.run(windows * (rate.window_s + 2 * way_s))

    best = rate.count * windows
    assert 0.98 * best <= len(way.left_s) <= 1.02 * best + 1


def test_a_start_is_no_burst() -> None:
    way = Way(Rate(count=60, window_s=60.0), delay_s=0.1)
    way.run(10.0)

    gaps_s = [later - earlier for earlier, later in pairwise(way.left_s)]
    assert min(gaps_s) == pytest.approx(1.0)


def test_a_pause_of_the_caller_is_made_up_for_by_a_quarter_window_at_most() -> None:
    way = Way(Rate(count=60, window_s=60.0), delay_s=0.1)
    way.run(20.0)
    way.now_s = 500.0
    before = len(way.left_s)
    way.run(500.5)

    assert len(way.left_s) - before == 1
    way.now_s += 10.0
    way.run(way.now_s + 0.5)
    assert len(way.left_s) - before <= 1 + 15


def test_a_pause_under_a_limit_by_the_hour_is_not_made_up_for_in_a_burst() -> None:
    way = Way(Rate(count=3600, window_s=3600.0), delay_s=0.1)
    way.run(20.0)
    for idle_s in (14.0, 800.0):
        way.now_s += idle_s
        before = len(way.left_s)
        way.run(way.now_s + 0.5)
        assert len(way.left_s) - before <= 15


def test_with_no_answer_nothing_leaves_beyond_the_limit() -> None:
    pacer = Pacer("creates", Rate(count=2, window_s=1.0))
    pacer.leave(0.0)
    pacer.leave(0.5)

    assert pacer.due_s(100.0) == float("inf")
    pacer.answered(1, 100.0)
    assert pacer.due_s(100.0) == 101.0
    assert pacer.statistics().unanswered == 1


def test_leaving_before_the_slot_is_a_fault() -> None:
    pacer = Pacer("creates", Rate(count=2, window_s=1.0))
    pacer.leave(0.0)

    with pytest.raises(AssertionError, match="before its slot"):
        pacer.leave(0.1)


def test_a_token_comes_back_once() -> None:
    pacer = Pacer("creates", SECOND)
    token = pacer.leave(0.0)
    pacer.answered(token, 0.1)

    with pytest.raises(KeyError):
        pacer.answered(token, 0.2)


def test_refusals_of_one_episode_cut_once() -> None:
    pacer = Pacer("creates", SECOND)
    tokens = [pacer.leave(n * 0.05) for n in range(10)]
    changes = [pacer.refused(token, 0.6 + n * 0.01, wait_s=1.0, reason="HTTP 429") for n, token in enumerate(tokens)]

    assert changes == [
        RateChange(name="creates", before_per_s=20.0, after_per_s=10.0, reason="HTTP 429"),
        *[None] * 9,
    ]
    assert pacer.refusals == 1
    assert pacer.due_s(0.7) >= 1.69


def test_a_refusal_after_the_cut_is_another_episode() -> None:
    pacer = Pacer("creates", SECOND)
    pacer.refused(pacer.leave(0.0), 0.1, wait_s=1.0, reason="HTTP 429")
    pacer.refused(pacer.leave(1.2), 1.3, wait_s=1.0, reason="HTTP 429")

    assert pacer.per_s == 5.0
    assert pacer.refusals == 2


def test_nothing_leaves_before_the_service_wants_it() -> None:
    way = Way(SECOND, delay_s=0.05)
    way.says = lambda now_s: 30.0 if now_s < 1.0 else None
    way.run(40.0)

    assert not [left_s for left_s in way.left_s if 1.1 < left_s < 30.0]
    assert len([left_s for left_s in way.left_s if left_s >= 30.0]) > 50


def test_the_end_of_a_pause_is_no_burst() -> None:
    way = Way(SECOND, delay_s=0.05)
    way.says = lambda now_s: 10.0 if now_s < 1.0 else None
    way.run(13.0)

    after_s = [left_s for left_s in way.left_s if 5.0 < left_s < 12.0]  # later a slot that came late is caught up
    assert min(later - earlier for earlier, later in pairwise(after_s)) >= 0.05


def test_full_speed_is_back_four_windows_after_one_episode() -> None:
    way = Way(SECOND, delay_s=0.02)
    way.says = lambda now_s: 1.0 if now_s < 0.3 else None
    way.run(8.0)

    assert way.pacer.per_s == 20.0
    assert way.pacer.refusals == 0
    cut_s = way.changes[0][0]
    assert way.changes[-1][0] - (cut_s + 1.0) < 5.0
    assert [change.reason for _, change in way.changes[1:]] == ["a clean, full window"] * 4


def test_a_storm_leaves_a_trickle_that_recovers_by_itself() -> None:
    way = Way(SECOND, delay_s=0.02)
    way.says = lambda now_s: 1.0 if now_s < 3600.0 else None
    way.run(3600.0)
    storm = len(way.left_s)
    assert 1000 < storm < 4000  # of 72,000: it notices the end soon and costs little till then
    assert way.pacer.per_s == pytest.approx(20 / 64)

    way.run(3600.0 + 20.0)
    assert way.pacer.per_s == 20.0


def test_a_limit_that_is_not_used_proves_nothing() -> None:
    way = Way(SECOND, delay_s=0.02)
    way.says = lambda now_s: 1.0 if now_s < 0.3 else None
    way.run(1.0)
    way.run(60.0, every_s=0.5)

    assert way.pacer.per_s == 10.0


def test_a_service_with_a_lower_limit_is_found_and_kept() -> None:
    """The service allows 12/s where the user allows 20/s: few refusals, most of what is allowed."""
    way = Way(SECOND, delay_s=0.02)
    way.says = lambda there_s: 1.0 if len([m for m in way.counted_s[-30:] if m > there_s - 1.0]) > 12 else None
    way.run(300.0)

    assert len(way.left_s) > 0.55 * 12 * 300
    refusals = [change for _, change in way.changes if change.reason == "HTTP 429"]
    assert len(refusals) < 0.05 * len(way.left_s)


def test_the_speed_that_stood_before_a_storm_is_back_within_a_window_of_its_end() -> None:
    way = Way(Rate(count=20, window_s=60.0), delay_s=0.2)
    way.run(200.0)
    way.says = lambda there_s: 5.0 if there_s < 500.0 else None
    way.run(500.0)
    in_the_storm = sum(300.0 < left_s <= 500.0 for left_s in way.left_s)
    way.run(620.0)

    assert in_the_storm <= 200.0 / 30.0 + 1
    assert way.pacer.per_s == way.pacer.rate.per_second
    assert max(at_s for at_s, _ in way.changes) < 560.0


def test_one_answer_of_luck_in_a_storm_does_not_teach_that_less_is_allowed() -> None:
    way = Way(Rate(count=20, window_s=60.0), delay_s=0.2)
    way.run(200.0)
    way.says = lambda there_s: 5.0 if there_s < 500.0 and len(way.left_s) % 9 else None
    way.run(620.0)

    assert way.pacer.per_s == way.pacer.rate.per_second


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_that_lets_half_through_says_nothing_about_what_stands_after_it(seed: int) -> None:
    dice = Random(seed)
    way = Way(Rate(count=60, window_s=60.0), delay_s=0.2, seed=seed)
    way.run(200.0)
    way.says = lambda there_s: 5.0 if there_s < 560.0 and dice.random() < 0.5 else None
    way.run(680.0)

    assert way.pacer.per_s == way.pacer.rate.per_second


def test_a_limit_far_below_the_ceiling_is_found_too_and_refuses_seldom() -> None:
    """At first it looks like a storm, for it refuses at so many speeds; but below itself it refuses nothing."""
    way = Way(Rate(count=64, window_s=60.0), delay_s=0.2)
    way.says = lambda there_s: 1.0 if len([m for m in way.counted_s[-10:] if m > there_s - 60.0]) > 5 else None
    way.run(1800.0)
    learning = len(way.left_s)
    refused = [at_s for at_s, change in way.changes if change.reason == "HTTP 429"]
    way.run(7200.0)
    later = [at_s for at_s, change in way.changes if change.reason == "HTTP 429"][len(refused) :]

    assert len(later) < 0.15 * (len(way.left_s) - learning)
    assert len(way.left_s) - learning > 0.55 * 5 * 90


def test_an_answer_that_says_nothing_about_rates_brings_no_speed_back() -> None:
    pacer = Pacer("creates", SECOND)
    tokens = [pacer.leave(now_s) for now_s in (0.0, 0.1)]
    pacer.refused(tokens[0], 0.2, wait_s=0.0, reason="429")
    pacer.refused(tokens[1], 0.2, wait_s=0.0, reason="429")
    token = pacer.leave(1.0)
    pacer.refused(token, 1.0, wait_s=0.0, reason="429")
    token = pacer.leave(2.0)

    assert pacer.answered(token, 2.0, clean=False) is None


def test_statistics_say_what_a_pacer_does_now() -> None:
    pacer = Pacer("creates", SECOND)
    pacer.refused(pacer.leave(0.0), 0.1, wait_s=2.0, reason="HTTP 429")
    pacer.leave(2.1)
    statistics = pacer.statistics()

    assert (statistics.name, statistics.ceiling_per_s, statistics.per_s) == ("creates", 20.0, 10.0)
    assert (statistics.unanswered, statistics.paused_until_s) == (1, 2.1)


# A person sets another rate

MINUTE_RATES = [Rate(count=count, window_s=60.0) for count in (1, 7, 30, 60)]


@given(st.lists(st.tuples(st.sampled_from(MINUTE_RATES), st.floats(1.0, 150.0)), min_size=2, max_size=6))
def test_no_window_that_ends_after_a_cut_holds_more_than_the_lower_rate(turns: list[tuple[Rate, float]]) -> None:
    way = Way(turns[0][0])
    for rate, for_s in turns:
        way.pacer.set_rate(rate, way.now_s)
        before = len(way.counted_s)
        way.run(way.now_s + for_s)
        for n in range(before, len(way.counted_s)):
            began_s = way.counted_s[n] - rate.window_s + 1e-9
            assert sum(moment_s >= began_s for moment_s in way.counted_s[: n + 1]) <= rate.count


@given(
    st.lists(st.tuples(RATES, st.floats(0.1, 100.0), st.integers(0, 2)), min_size=2, max_size=6),
    DELAYS,
    st.integers(0, 10**6),
)
def test_after_any_change_no_window_of_the_service_holds_more_than_the_new_limit_and_what_was_under_way(
    turns: list[tuple[Rate, float, int]], delay_s: float, seed: int
) -> None:
    way = Way(turns[0][0], seed=seed, delay_s=delay_s)
    for rate, for_s, refuse in turns:
        way.pacer.set_rate(rate, way.now_s)
        changed_s, under_way = way.now_s, way.pacer.statistics().unanswered
        share = 0.2 * refuse
        way.says = lambda _, share=share: 0.5 if way.dice.random() < share else None  # type: ignore[misc]
        way.run(way.now_s + for_s)
        counted_s = [moment_s for moment_s in way.counted_s if changed_s <= moment_s <= way.now_s]
        assert most_in_a_window(counted_s, rate.window_s) <= max(rate.count, under_way)
        assert 0.0 < way.pacer.per_s <= rate.per_second


def test_a_higher_rate_is_the_speed_at_once_where_nothing_was_refused() -> None:
    way = Way(Rate(count=30, window_s=60.0))
    way.run(120.0)
    way.pacer.set_rate(Rate(count=120, window_s=60.0), way.now_s)
    before = len(way.left_s)
    way.run(180.0)

    assert way.pacer.per_s == 2.0
    assert len(way.left_s) - before >= 119 - 30  # the half minute before counts in the first window


def test_a_higher_rate_has_nothing_to_catch_up_of_the_slower_time() -> None:
    way = Way(Rate(count=6, window_s=60.0))
    way.run(29.0)
    way.pacer.set_rate(Rate(count=60, window_s=60.0), way.now_s)
    way.run(60.0)

    assert [later - earlier for earlier, later in pairwise(way.left_s[3:])] == pytest.approx([1.0] * 31, abs=1e-6)


def test_a_cut_waits_until_the_last_window_fits_it_and_then_keeps_even_spacing() -> None:
    way = Way(Rate(count=60, window_s=60.0))
    way.run(120.0)
    way.pacer.set_rate(Rate(count=30, window_s=60.0), way.now_s)
    before = len(way.left_s)
    way.run(300.0)
    after_s = way.left_s[before:]

    assert after_s[0] == pytest.approx(150.0, abs=1.5)
    assert min(later - earlier for earlier, later in pairwise(after_s)) >= 2.0 - 1e-6
    assert len(after_s) == pytest.approx(75, abs=1)


def test_another_ceiling_forgets_nothing_that_refusals_taught() -> None:
    """A limit is about requests per second, whatever ceiling a person sets above it."""
    pacer = Pacer("creates", Rate(count=60, window_s=60.0))
    pacer.refused(pacer.leave(0.0), 0.1, wait_s=0.0, reason="HTTP 429")
    pacer.refused(pacer.leave(10.0), 10.1, wait_s=0.0, reason="HTTP 429")
    assert pacer.per_s == pytest.approx(0.25)

    pacer.set_rate(Rate(count=240, window_s=60.0), 20.0)
    assert pacer.per_s == pytest.approx(0.25)
    pacer.set_rate(Rate(count=30, window_s=60.0), 20.0)
    assert pacer.per_s == pytest.approx(0.25)
    pacer.set_rate(Rate(count=6, window_s=60.0), 20.0)
    assert pacer.per_s == pytest.approx(0.1)


def test_the_next_slot_follows_the_new_spacing_from_the_last_departure() -> None:
    pacer = Pacer("creates", Rate(count=1, window_s=60.0))
    pacer.answered(pacer.leave(100.0), 100.0)
    assert pacer.due_s(101.0) == 160.0
    pacer.set_rate(Rate(count=60, window_s=60.0), 101.0)
    assert pacer.due_s(101.0) == 101.0
    pacer.set_rate(Rate(count=2, window_s=60.0), 101.0)
    assert pacer.due_s(101.0) == 130.0
    assert pacer.held(101.0) == 1


def test_a_longer_window_of_the_same_speed_has_nothing_to_catch_up_of_the_time_nothing_was_wanted() -> None:
    pacer = Pacer("creates", Rate(count=1, window_s=1.0))
    pacer.answered(pacer.leave(0.0), 0.1)
    pacer.set_rate(Rate(count=3600, window_s=3600.0), 600.0)

    left = 0
    while pacer.due_s(600.0) <= 600.0:
        pacer.answered(pacer.leave(600.0), 600.0)
        left += 1
    assert left == 1


def test_a_service_out_of_order_teaches_nothing_of_what_it_lets_through() -> None:
    pacer, now_s = Pacer("creates", SECOND), 0.0
    for _ in range(40):
        now_s = max(now_s, pacer.due_s(now_s))
        pacer.answered(pacer.leave(now_s), now_s + 0.01)
    for _ in range(4):
        for is_refused in (False, False, False, False, True):
            now_s = max(now_s, pacer.due_s(now_s)) + 0.01
            token = pacer.leave(now_s)
            if is_refused:
                pacer.refused(token, now_s, wait_s=0.1, reason="HTTP 503", is_limit=False)
            else:
                pacer.answered(token, now_s)
    for _ in range(12):
        now_s = max(now_s, pacer.due_s(now_s)) + 0.01
        pacer.answered(pacer.leave(now_s), now_s)

    assert pacer.per_s == 20.0


def test_who_takes_a_slot_ahead_of_its_time_lets_nobody_else_leave_before_that_slot() -> None:
    pacer = Pacer("calls", Rate(count=40, window_s=1.0))
    tokens = [pacer.leave(n * 0.0250001) for n in range(40)]
    for n, token in enumerate(tokens):
        pacer.answered(token, 0.225 + n * 0.001 if n < 10 else 0.99)
    pacer.leave(1.23)  # decided on at 1.18

    assert pacer.due_s(1.18) >= 1.23
