"""The books: settled + reserved never goes above the cap by buying."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.budget import Books, Fit, delta
from jobs.lifecycle import EventType
from jobs.record import Money, fold
from tests.jobs.workbench import INTENT, event, folded

AMOUNTS = st.integers(0, 1000)
CAPS = st.none() | AMOUNTS


@pytest.mark.parametrize(
    ("books", "bound", "fit"),
    [
        (Books(cap=100), 100, Fit.YES),
        (Books(cap=100), 101, Fit.NEVER),
        (Books(cap=100, reserved=60), 40, Fit.YES),
        (Books(cap=100, reserved=60), 41, Fit.WAIT),
        (Books(cap=100, settled=60), 41, Fit.NEVER),
        (Books(cap=100, settled=50, reserved=40), 51, Fit.NEVER),
        (Books(cap=100, settled=50, reserved=40), 50, Fit.WAIT),
        (Books(cap=0), 0, Fit.YES),
        (Books(cap=0), 1, Fit.NEVER),
        (Books(cap=100, settled=120), 1, Fit.NEVER),
        (Books(cap=100, settled=90, reserved=30), 1, Fit.WAIT),
        (Books(cap=100, per_item=10), 10, Fit.YES),
        (Books(cap=100, per_item=10), 11, Fit.TOO_DEAR),
        (Books(cap=5, per_item=10), 11, Fit.TOO_DEAR),
        (Books(cap=None, per_item=10), 11, Fit.TOO_DEAR),
        (Books(cap=None, settled=10**9), 10**9, Fit.YES),
    ],
)
def test_a_bound_fits_now_later_or_never(books: Books, bound: int, fit: Fit) -> None:
    assert books.fit(bound) is fit


@given(AMOUNTS, AMOUNTS, CAPS, AMOUNTS)
def test_what_fits_keeps_the_books_within_the_cap(reserved: int, settled: int, cap: int | None, bound: int) -> None:
    books = Books(cap=cap, reserved=reserved, settled=settled)
    if books.fit(bound) is Fit.YES:
        after = books.moved(Money(reserved=bound))
        assert cap is None or after.reserved + after.settled <= cap
        assert after.overshoot == 0


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_what_has_to_wait_fits_once_enough_came_back(reserved: int, settled: int, cap: int, bound: int) -> None:
    books = Books(cap=cap, reserved=reserved, settled=settled)
    emptied = books.moved(Money(reserved=-reserved))
    if books.fit(bound) is Fit.WAIT:
        assert emptied.fit(bound) is Fit.YES
    if books.fit(bound) is Fit.NEVER:
        assert reserved == 0 or emptied.fit(bound) is Fit.NEVER


@given(AMOUNTS, AMOUNTS, CAPS)
def test_left_and_overshoot_are_two_sides_of_the_cap(reserved: int, settled: int, cap: int | None) -> None:
    books = Books(cap=cap, reserved=reserved, settled=settled)

    assert books.money == Money(reserved=reserved, settled=settled)
    if cap is None:
        assert (books.left, books.overshoot) == (None, 0)
    else:
        assert books.left == cap - reserved - settled
        assert books.overshoot == max(0, reserved + settled - cap)


def test_books_never_go_below_zero() -> None:
    with pytest.raises(AssertionError):
        Books(cap=10, reserved=1).moved(Money(reserved=-2))
    with pytest.raises(AssertionError):
        Books(cap=10).moved(Money(settled=-1))


def test_a_second_attempt_leaves_what_the_first_one_settled() -> None:
    failed = folded(
        "i1-0", (EventType.INTENT, INTENT), (EventType.ACCEPTED, {"task_id": "t"}), (EventType.FAILED, {"charge": 3})
    )
    intent = event(EventType.INTENT, {**INTENT, "key": "key-1", "ordinal": 1})

    assert delta(failed, intent, fold(failed, intent)) == Money(reserved=10)


def test_an_end_turns_what_was_held_into_what_was_charged() -> None:
    accepted = folded("i1-0", (EventType.INTENT, INTENT), (EventType.ACCEPTED, {"task_id": "t"}))
    end = event(EventType.SUCCEEDED, {"charge": 7, "urls": []})

    assert delta(accepted, end, fold(accepted, end)) == Money(reserved=-10, settled=7)
