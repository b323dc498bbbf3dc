"""What a worker should have of a shared limit, from rows alone."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sharing import (
    ALL,
    ARRIVE_S,
    LEASE_S,
    Grant,
    Part,
    Pool,
    Row,
    fair,
    granted,
    is_near_end,
    kept_s,
    part_by_left,
    parts_in,
    parts_text,
    teller,
    wanted,
)

WANTS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(0, 30), min_size=1, max_size=9)
AT_S = 1000.0


def row(worker: str, *, share: int = 0, want: int = 0, age_s: float = 0.0, limit: int = 60, **said: float) -> Row:
    part = Part(limit=limit, window_s=60.0, share=share, want=want, cut_at_s=said.get("cut_at_s", 0.0))
    until_s = AT_S - age_s + LEASE_S
    return Row(
        worker=worker, parts=dict.fromkeys(Pool, part), lease_until_s=until_s, free_at_s=until_s + kept_s([60.0])
    )


def grant(*rows: Row, want: int = 60, held: int = 0, limit: int = 60) -> Grant:
    mine = Part(limit=limit, window_s=60.0, want=want)
    return granted(Pool.CREATES, rows, "me", mine, held=held, at_s=AT_S)


@pytest.mark.parametrize(
    ("wants", "shares"),
    [
        ({"a": 60}, {"a": 60}),
        ({"a": 99, "b": 99}, {"a": 30, "b": 30}),
        ({"a": 5, "b": 99}, {"a": 5, "b": 55}),
        ({"a": 0, "b": 99, "c": 99}, {"a": 0, "b": 30, "c": 30}),
        ({"a": 5, "b": 20, "c": 99}, {"a": 5, "b": 20, "c": 35}),
        ({"a": 3, "b": 4}, {"a": 3, "b": 4}),
    ],
)
def test_each_has_an_equal_part_and_what_one_does_not_want_is_for_the_others(
    wants: dict[str, int], shares: dict[str, int]
) -> None:
    assert fair(60, wants, turn=0) == shares


@given(st.integers(0, 60), WANTS, st.integers(0, 99))
def test_nothing_is_given_twice_nothing_wanted_is_left_and_nobody_has_two_more_than_another_who_wants_more(
    level: int, wants: dict[str, int], turn: int
) -> None:
    shares = fair(level, wants, turn=turn)

    assert shares.keys() == wants.keys()
    assert sum(shares.values()) == min(level, sum(wants.values()))
    assert all(0 <= shares[name] <= want for name, want in wants.items())
    least = min((shares[name] for name, want in wants.items() if shares[name] < want), default=None)
    assert least is None or max(shares.values()) <= least + 1


@given(st.integers(1, 12), st.integers(1, 9))
def test_with_fewer_slots_than_workers_they_go_round_and_nobody_waits_for_ever(workers: int, slots: int) -> None:
    wants = {f"w{n}": 100 for n in range(workers)}
    had = Counter[str]()
    for turn in range(workers):
        had.update(fair(slots, wants, turn=turn))

    assert set(had.values()) == {slots}  # after as many turns as there are workers, all had the same


def test_a_lone_worker_has_all_of_it_at_once() -> None:
    assert grant() == Grant(share=60, use=60, fair=60, limit=60, window_s=60.0)


def test_who_takes_takes_only_what_no_row_has() -> None:
    assert grant(row("other", share=60, want=60)).share == 0
    assert grant(row("other", share=42, want=60)).share == 18
    assert grant(row("other", share=30, want=60)).share == 30


def test_who_gives_back_gives_what_came_free_and_was_not_taken_again() -> None:
    other = row("other", want=60)

    assert grant(other, held=60) == Grant(share=60, use=60, fair=30, limit=60, window_s=60.0)
    assert grant(other, held=41) == Grant(share=41, use=41, fair=30, limit=60, window_s=60.0)
    assert grant(other, held=12) == Grant(share=30, use=30, fair=30, limit=60, window_s=60.0)


def test_who_is_to_have_none_stops_at_once_and_gives_back_what_comes_free() -> None:
    assert grant(row("other", want=60), want=0, held=9) == Grant(share=9, use=0, fair=0, limit=60, window_s=60.0)


def test_a_silent_worker_keeps_its_share_until_none_of_its_calls_can_count_and_has_no_part_of_what_is_shared_out() -> (
    None
):
    silent_s = LEASE_S + ARRIVE_S + 60.0

    assert grant(row("other", share=20, want=60, age_s=LEASE_S - 0.1)).share == 30
    assert grant(row("other", share=20, want=60, age_s=LEASE_S)).share == 40
    assert grant(row("other", share=20, want=60, age_s=silent_s - 0.1)).share == 40
    assert grant(row("other", share=20, want=60, age_s=silent_s)).share == 60


def test_who_comes_back_after_its_share_went_to_others_has_none_of_it_whatever_it_still_holds() -> None:
    assert grant(row("other", share=60, want=60), row("me", share=20, age_s=99.0), held=3) == Grant(
        share=3, use=0, fair=30, limit=60, window_s=60.0
    )


def test_the_strictest_settings_hold_for_all() -> None:
    assert grant(row("other", want=60, limit=40)).limit == 40
    assert grant(row("other", share=20, want=60, limit=40)).use == 20
    assert grant(row("other", want=60, limit=40, age_s=LEASE_S)).limit == 60


def test_a_window_of_another_length_is_stricter_when_it_lets_fewer_through_in_a_second() -> None:
    mine = Part(limit=2, window_s=1.0, want=2)

    assert granted(Pool.CREATES, [row("other")], "me", mine, held=0, at_s=AT_S).window_s == 60.0


def test_places_that_the_service_does_not_give_are_not_shared_out() -> None:
    mine = Part(limit=60, want=60)
    found = Part(limit=60, want=60, used_share=0.2, cut_at_s=AT_S - 9)
    other = Row(worker="o", parts={Pool.PLACES: found}, lease_until_s=AT_S + 1, free_at_s=AT_S + 9)

    assert granted(Pool.PLACES, [other], "me", mine, held=0, at_s=AT_S).use == 6


def test_who_was_refused_last_and_still_calls_knows_best() -> None:
    rows = [row("a", want=1, cut_at_s=5.0), row("b", want=1, cut_at_s=7.0), row("idle", cut_at_s=9.0), row("c", want=1)]
    quiet = Part(limit=60, window_s=60.0, want=1)

    told = teller(Pool.CREATES, rows, "me", quiet, at_s=AT_S)

    assert told is not None
    assert told.cut_at_s == 7.0
    assert teller(Pool.CREATES, rows[2:], "me", quiet, at_s=AT_S) is None


@pytest.mark.parametrize(
    ("waiting", "held_up", "used", "want"), [(0, False, 9, 0), (1, False, 0, ALL), (9, True, 0, 1), (9, True, 20, 26)]
)
def test_who_waits_for_something_else_wants_a_little_more_than_it_uses(
    waiting: int, held_up: bool, used: int, want: int
) -> None:
    assert wanted(waiting=waiting, held_up=held_up, used=used) == want


def test_a_row_is_read_back_as_it_was_written_and_another_release_may_say_more_or_less() -> None:
    parts = {pool: Part(limit=7, window_s=60.0, share=3, want=ALL, used=2, cut_at_s=5.5) for pool in Pool}
    other = {pool: {"limit": 7, "mood": "fine"} for pool in Pool}

    assert parts_in(parts_text(parts)) == parts
    assert parts_in(json.dumps(other))[Pool.POLLS] == Part(limit=7)


@pytest.mark.parametrize(
    ("left", "parts"),
    [
        ({"a": 100, "b": 50, "c": 50}, {"a": 39, "b": 20, "c": 21}),
        ({"a": 300, "b": 10, "c": 10}, {"a": 73, "b": 3, "c": 4}),
        ({"a": 318, "b": 1, "c": 1}, {"a": 77, "b": 1, "c": 2}),
        ({"a": 60, "b": 60}, {"a": 40, "b": 40}),
    ],
)
def test_near_the_end_parts_are_as_large_as_what_is_left(left: dict[str, int], parts: dict[str, int]) -> None:
    assert is_near_end(left, 80, 1.0)
    assert {name: part_by_left(name, left, 80) for name in left} == parts


@pytest.mark.parametrize(
    ("left", "window_s"),
    [
        ({"a": 200, "b": 121}, 1.0),  # more than four windows of theirs
        ({"a": 10, "b": 3}, 1.0),  # done before the next beat
        ({"a": 100}, 1.0),  # alone
        ({}, 1.0),
        ({"a": 100, "b": 50}, 60.0),  # in a minute a slot goes over in time without that
        ({"a": 100, "b": 50}, 0.0),  # places have no window
    ],
)
def test_else_they_are_equal(left: dict[str, int], window_s: float) -> None:
    assert not is_near_end(left, 80, window_s)


def test_fewer_slots_than_workers_go_round_to_the_end() -> None:
    assert not is_near_end({"a": 3, "b": 3, "c": 2}, 2, 1.0)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1), st.integers(6, 100))
def test_by_what_is_left_nothing_is_lost_and_nobody_is_forgotten(left: dict[str, int], level: int) -> None:
    parts = {name: part_by_left(name, left, level) for name in left}

    assert sum(parts.values()) == level
    assert min(parts.values()) >= 1
    assert all(parts[a] <= parts[b] + 1 for a in left for b in left if left[a] <= left[b])


def near_end(*, left: int, others: int) -> Grant:
    part = Part(limit=60, window_s=1.0, share=30, want=ALL, left=others)
    row = Row(worker="b", parts=dict.fromkeys(Pool, part), lease_until_s=AT_S + 1, free_at_s=AT_S + 99)
    mine = Part(limit=60, window_s=1.0, want=ALL, left=left)
    return granted(Pool.CREATES, [row], "me", mine, held=30, at_s=AT_S)


def test_a_worker_near_the_end_shares_by_what_all_say_and_one_that_has_nothing_left_has_no_part_in_that() -> None:
    assert near_end(left=40, others=20) == Grant(share=30, use=30, fair=40, limit=60, window_s=1.0, is_last=True)
    assert near_end(left=0, others=20) == Grant(share=30, use=30, fair=30, limit=60, window_s=1.0)


class Workers:
    """What some workers keep to, have taken, and have written."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows: dict[str, Row] = {}
        self.use: Counter[str] = Counter()
        self.held: Counter[str] = Counter()

    def beat(self, worker: str, *, want: int, is_written: bool, is_heard: bool) -> None:
        mine, held = Part(limit=self.limit, window_s=60.0, want=want), self.held[worker]
        grant = granted(Pool.CREATES, self.rows.values(), worker, mine, held=held, at_s=AT_S)
        self.use[worker] = min(self.use[worker], grant.use)
        if is_written:
            self.rows[worker] = row(worker, share=grant.share, want=want, limit=self.limit)
        if is_written and is_heard:
            self.use[worker] = grant.use

    def check(self) -> None:
        shares = {worker: row.parts[Pool.CREATES].share for worker, row in self.rows.items()}
        assert sum(shares.values()) <= self.limit
        for worker, share in shares.items():
            assert max(self.use[worker], self.held[worker]) <= share


STEPS = st.tuples(st.sampled_from("abcd"), st.integers(0, 12), st.integers(0, 12), st.booleans(), st.booleans())


@given(st.integers(1, 9), st.lists(STEPS, max_size=40))
def test_whatever_is_taken_freed_written_and_heard_of_in_whatever_order_the_rows_cover_it_and_add_up(
    limit: int, steps: list[tuple[str, int, int, bool, bool]]
) -> None:
    workers = Workers(limit)
    for worker, takes, want, is_written, is_heard in steps:
        workers.held[worker] = min(takes, max(workers.held[worker], workers.use[worker]))
        workers.check()
        workers.beat(worker, want=want, is_written=is_written, is_heard=is_heard)
        workers.check()
