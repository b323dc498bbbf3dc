"""When a task is asked for: never before it may have ended, never later than it matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.polling import PollFloors, PollHeap, Timings, first_wait_s, next_wait_s

FLOORS = PollFloors(first_poll_s=2.0, poll_gap_s=1.0)
SPREADS = st.floats(0.0, 1.0)
SECONDS = st.floats(0.0, 10_000.0)
SPANS = st.none() | st.tuples(SECONDS, SECONDS).map(lambda pair: (min(pair), max(pair)))


def _learned(*seconds: float) -> Timings:
    timings = Timings()
    for one in seconds:
        timings.learn("m", one)
    return timings


def test_a_class_is_unknown_until_five_of_it_ended() -> None:
    assert _learned(1, 2, 3, 4).span_s("m") is None
    assert _learned(1, 2, 3, 4, 5).span_s("m") == (1, 5)
    assert _learned(1, 2, 3, 4, 5).span_s("other") is None


def test_one_odd_end_among_many_does_not_stretch_the_span() -> None:
    span = _learned(*[10.0] * 20, 3000.0, 0.1).span_s("m")

    assert span == (10.0, 10.0)


def test_learning_follows_a_service_that_slows_down() -> None:
    assert _learned(*[10.0] * 256, *[60.0] * 256).span_s("m") == (60.0, 60.0)


def test_more_is_learned_after_a_question() -> None:
    timings = _learned(1, 1, 1, 1, 1)
    assert timings.span_s("m") == (1, 1)
    timings.learn("m", 9)

    assert timings.span_s("m") == (1, 9)


def test_the_first_poll_of_an_unknown_class_comes_at_its_floor() -> None:
    assert first_wait_s(FLOORS, None, 0.0) == 2.0
    assert 2.0 < first_wait_s(FLOORS, None, 1.0) <= 2.2


def test_the_first_poll_of_a_known_class_comes_when_the_first_of_it_end() -> None:
    assert first_wait_s(FLOORS, (60.0, 90.0), 0.0) == 60.0
    assert first_wait_s(FLOORS, (60.0, 90.0), 1.0) == 54.0


@given(SPANS, SPREADS)
def test_the_first_poll_is_never_before_its_floor(span: tuple[float, float] | None, spread: float) -> None:
    assert first_wait_s(FLOORS, span, spread) >= FLOORS.first_poll_s


@given(SECONDS, SPANS, SPREADS)
def test_gaps_keep_to_the_floor_and_stay_under_a_minute_or_so(
    age_s: float, span: tuple[float, float] | None, spread: float
) -> None:
    assert FLOORS.poll_gap_s <= next_wait_s(age_s, FLOORS, span, spread) <= 66.0


def test_an_unknown_task_is_asked_for_less_often_as_it_grows_old() -> None:
    assert [next_wait_s(age_s, FLOORS, None, 0.0) for age_s in (1, 10, 50, 100, 150, 9000)] == [1, 1, 5, 10, 15, 15]


def test_a_known_task_is_asked_for_where_ends_are_likely() -> None:
    assert next_wait_s(62.0, FLOORS, (60.0, 92.0), 0.0) == 4.0
    assert next_wait_s(62.0, FLOORS, (60.0, 60.0), 0.0) == 1.0


def test_an_overdue_task_is_asked_for_slowly() -> None:
    assert next_wait_s(2000.0, FLOORS, (60.0, 92.0), 0.0) == 60.0


def test_a_short_task_is_noticed_within_a_fifth_of_its_time() -> None:
    """Whenever a task of an unknown class ends after the first seconds, its end is seen soon."""
    asked_s, moment_s = [], first_wait_s(FLOORS, None, 1.0)
    while moment_s < 600:
        asked_s.append(moment_s)
        moment_s += next_wait_s(moment_s, FLOORS, None, 1.0)
    for ends_s in range(10, 500):
        noticed_s = min(moment for moment in asked_s if moment >= ends_s)
        assert noticed_s - ends_s <= max(1.1, 0.2 * ends_s)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 9)), max_size=40))
def test_the_heap_gives_the_earliest_first_and_ties_in_order(pushed: list[tuple[float, int]]) -> None:
    heap = PollHeap()
    for due_s, number in pushed:
        heap.push(str(number), due_s)

    popped = []
    while (first_s := heap.due_s()) is not None:
        popped.append((first_s, int(heap.pop())))
    assert popped == sorted(pushed, key=lambda entry: entry[0])
