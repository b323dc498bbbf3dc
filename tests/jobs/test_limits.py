"""Which limit a refusal is blamed on, what each of them does then, and what is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.answers import ErrorSeen, Phase, Quota, SendEnd
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.steps import Notice
from jobs.waiting import On, Queued, queued
from tests.jobs.workbench import at, made_core, made_item, must_send, refused, seen

TAKEN = SendEnd(phase=Phase.ANSWERED, status=200, task=seen("task", "queued").task)
LIMITED = SendEnd(
    phase=Phase.ANSWERED,
    status=429,
    error=ErrorSeen(code="rate_limited", message="Too many requests."),
    reason="HTTP 429",
)
SECONDS = Rate(count=50, window_s=1.0), Rate(count=50, window_s=1.0)
MINUTES = Rate(count=600, window_s=60.0), Rate(count=600, window_s=60.0)


class _Calls:
    """Calls that leave when they may and are answered at once."""

    def __init__(self, rates: tuple[Rate, Rate] = SECONDS) -> None:
        self.creates, self.polls = Pacer("creates", rates[0]), Pacer("polls", rates[1])
        self.limits = Limits(self.creates, self.polls)
        self.now_s = 100.0

    def went(self, pacer: Pacer, times: int = 1, *, running: int = 0) -> None:
        for _ in range(times):
            self._call(pacer, TAKEN, running)

    def was_refused(self, pacer: Pacer, end: SendEnd = LIMITED, *, running: int = 0) -> dict[str, Notice]:
        return {str(notice.data.get("limit", notice.name)): notice for notice in self._call(pacer, end, running)}

    def _call(self, pacer: Pacer, end: SendEnd, running: int) -> tuple[Notice, ...]:
        self.now_s = max(self.now_s, pacer.due_s(self.now_s))
        token = pacer.leave(self.now_s)
        self.now_s += 0.001
        return self.limits.ended(pacer, token, end, self.now_s, running=running, spread=lambda: 0.5)


@pytest.fixture
def calls() -> _Calls:
    return _Calls()


def test_a_first_refused_create_is_about_places_and_costs_no_speed(calls: _Calls) -> None:
    calls.went(calls.creates, 8)
    told = calls.was_refused(calls.creates, running=8)

    assert told == {"places": Notice(name="places", data={"before": None, "after": 8, "why": "HTTP 429"})}
    assert calls.limits.places.found == 8
    assert calls.creates.per_s == 50.0


def test_the_count_that_is_as_it_was_before_is_blamed(calls: _Calls) -> None:
    calls.went(calls.creates, 20)
    calls.was_refused(calls.creates, running=20)
    calls.now_s += 10.0
    calls.went(calls.creates, 20, running=60)
    told = calls.was_refused(calls.creates, running=60)

    assert told.keys() == {"creates", "places"}
    assert calls.limits.places.found is None
    assert calls.creates.per_s == 25.0


def test_a_second_that_lets_through_what_it_did_before_is_blamed_though_users_count_minutes() -> None:
    calls = _Calls(MINUTES)
    calls.went(calls.creates, 7)
    calls.now_s += 20.0  # of these a minute's count knows nothing
    calls.went(calls.creates, 7)
    assert calls.was_refused(calls.creates, running=7).keys() == {"places"}
    calls.now_s += 0.05

    told = calls.was_refused(calls.creates, running=6)  # a task had ended: its place was free

    assert told.keys() == {"creates", "places"}
    assert calls.limits.places.found is None
    calls.now_s += 5.0
    calls.went(calls.creates, 100)
    assert calls.creates.per_s == 7.0


def test_a_full_second_after_one_that_was_not_is_what_the_next_ones_are_compared_with() -> None:
    calls, seconds = _Calls(MINUTES), 3.0
    for _ in range(8):
        calls.went(calls.creates, 5)
        calls.now_s += seconds
    assert calls.was_refused(calls.creates, running=7).keys() == {"places"}  # an empty second
    blamed = set[str]()
    for running in (7, 6):
        calls.now_s += seconds
        calls.went(calls.creates, 5)
        blamed |= calls.was_refused(calls.creates, running=running).keys()

    assert "creates" in blamed


@pytest.mark.parametrize(
    ("earlier", "lately", "running"),
    [
        pytest.param(0, 10, 8, id="as many as its pace allows"),
        pytest.param(9, 5, 8, id="less than another second did"),
        pytest.param(0, 5, 9, id="full, but so are the places"),
    ],
)
def test_a_second_that_explains_no_more_than_places_do_is_not_blamed(earlier: int, lately: int, running: int) -> None:
    calls = _Calls(MINUTES)
    calls.went(calls.creates, earlier)
    calls.now_s += 5.0
    calls.went(calls.creates, lately, running=7)
    assert calls.was_refused(calls.creates, running=9).keys() == {"places"}
    calls.now_s += 0.05
    told = calls.was_refused(calls.creates, running=running)

    assert "creates" not in told
    assert calls.limits.places.found == running


def test_with_nothing_running_no_place_was_missing(calls: _Calls) -> None:
    assert calls.was_refused(calls.creates, running=0).keys() == {"creates"}


def test_who_once_said_that_it_is_about_places_means_something_else_when_it_does_not(calls: _Calls) -> None:
    said = replace(LIMITED, error=ErrorSeen(code="too_many_concurrent_tasks", message=""))

    assert calls.was_refused(calls.creates, said, running=9).keys() == {"places"}
    calls.now_s += 5.0
    assert "creates" in calls.was_refused(calls.creates, running=9)


def test_a_poll_takes_no_place(calls: _Calls) -> None:
    calls.went(calls.polls, 30)

    assert calls.was_refused(calls.polls, running=9).keys() == {"polls"}
    assert calls.polls.per_s == 25.0


def test_a_poll_refused_amid_many_creates_is_about_all_calls(calls: _Calls) -> None:
    calls.went(calls.polls, 10)
    calls.went(calls.creates, 20)
    told = calls.was_refused(calls.polls)["calls"]

    assert (told.data["before"], told.data["after"], told.data["full"]) == (100.0, 30.0, 100.0)
    assert calls.polls.per_s == 50.0


def test_both_kinds_refused_at_once_share_a_window_and_what_was_blamed_before_is_forgiven(calls: _Calls) -> None:
    calls.went(calls.polls, 3)
    calls.went(calls.creates, 30)
    calls.was_refused(calls.creates, running=25)
    told = calls.was_refused(calls.polls)

    assert told.keys() == {"calls", "places"}
    assert calls.limits.places.found is None
    assert calls.limits.calls is not None
    assert calls.limits.calls.per_s == 33.0
    assert [pacer.name for pacer in calls.limits.statistics()] == ["creates", "polls", "calls"]


def test_creates_have_three_quarters_of_a_shared_window_and_all_of_it_when_nobody_polls(calls: _Calls) -> None:
    calls.went(calls.polls, 10)
    calls.went(calls.creates, 30)
    calls.was_refused(calls.polls)
    began_s = calls.now_s = calls.now_s + 1.0
    left = {"creates": 0, "polls": 0}
    while calls.now_s < began_s + 2.0:
        pacer = min((calls.creates, calls.polls), key=lambda one: one.due_s(calls.now_s))
        calls.went(pacer)
        left[pacer.name] += 1
    assert left["creates"] == pytest.approx(60, abs=8)
    assert left["polls"] == pytest.approx(20, abs=5)

    began_s, alone = calls.now_s, 0
    while calls.now_s < began_s + 2.0:
        calls.went(calls.creates)
        alone += 1
    assert alone == pytest.approx(80, abs=12)


def test_what_let_through_more_before_is_no_limit_now(calls: _Calls) -> None:
    calls.went(calls.creates, 40)
    calls.now_s += 5.0
    calls.went(calls.polls, 3)
    calls.went(calls.creates, 5)
    calls.was_refused(calls.creates, running=5)

    assert "calls" not in calls.was_refused(calls.polls)
    assert calls.limits.calls is None


def test_a_503_is_about_no_limit_and_slows_its_own_kind(calls: _Calls) -> None:
    calls.went(calls.creates, 8)
    down = SendEnd(phase=Phase.ANSWERED, status=503, reason="HTTP 503")

    assert calls.was_refused(calls.creates, down, running=8).keys() == {"creates"}
    assert calls.limits.places.found is None


# What the service tells of its quota


def test_requests_that_are_left_are_spread_over_the_time_they_have_to_last_for(calls: _Calls) -> None:
    told = calls.was_refused(calls.creates, replace(TAKEN, quota=Quota(remaining=4, reset_s=2.0)))

    assert calls.creates.due_s(calls.now_s) - calls.now_s == pytest.approx(0.5)
    assert told["creates"].data["why"] == "its quota has 4 left for 2 s"
    assert told["creates"].data["after"] == 2.0


def test_with_none_left_it_is_waited_and_told_once(calls: _Calls) -> None:
    spent = replace(TAKEN, quota=Quota(remaining=0, reset_s=30.0))
    under_way = calls.creates.leave(calls.now_s)

    assert calls.was_refused(calls.creates, spent).keys() == {"creates"}
    assert calls.creates.due_s(calls.now_s) - calls.now_s == pytest.approx(30.0)
    assert not calls.limits.ended(calls.creates, under_way, spent, calls.now_s, running=0, spread=lambda: 0.5)


def test_more_than_enough_changes_nothing(calls: _Calls) -> None:
    plenty = replace(TAKEN, quota=Quota(remaining=500, reset_s=1.0))

    assert calls.was_refused(calls.creates, plenty) == {}
    assert calls.creates.due_s(calls.now_s) - calls.now_s <= 0.02


# In the core


def test_the_rest_waits_for_a_place_at_the_service_and_leaves_with_the_next_end() -> None:
    core = made_core(*map(made_item, range(5)), prices={"m": 10})
    for n in range(2):
        core.create_ended(must_send(core, n), seen(f"task-{n}", "queued"), at(n + 0.5))
    core.create_ended(must_send(core, 2), replace(refused(429, "rate_limited"), status=429), at(2.5))
    late = at(2.6)

    assert core.state.places == 2
    assert queued(core, late)[0].on is On.PLACE
    assert queued(core, late)[0] == Queued(
        items=2, on=On.PLACE, for_s=queued(core, late)[0].for_s, why="the service runs 2 at once"
    )


def test_a_cut_that_a_shared_window_explains_is_taken_back(calls: _Calls) -> None:
    calls.went(calls.polls, 3)
    calls.went(calls.creates, 30)

    assert calls.was_refused(calls.creates, running=0).keys() == {"creates"}
    assert calls.creates.per_s == 25.0
    assert calls.was_refused(calls.polls).keys() == {"creates", "calls"}
    assert calls.creates.per_s == 50.0


def test_a_refusal_that_comes_after_its_window_was_given_up_is_looked_at_anew(calls: _Calls) -> None:
    late = calls.creates.leave(calls.now_s)
    for _ in range(10):
        calls.went(calls.creates)
        calls.went(calls.polls)
    calls.was_refused(calls.polls)
    calls.was_refused(calls.creates)
    assert len(calls.limits.statistics()) == 3
    for pacer in (calls.creates, calls.polls):
        pacer.set_rate(Rate(count=5, window_s=1.0), calls.now_s)
    calls.now_s += 60.0
    calls.went(calls.polls)
    assert len(calls.limits.statistics()) == 2, "users' limits allow no more anyway"

    calls.now_s += 60.0
    told = calls.limits.ended(calls.creates, late, LIMITED, calls.now_s, running=5, spread=lambda: 0.5)

    assert len(calls.limits.statistics()) == 2
    assert [notice.data["limit"] for notice in told] == ["creates"]


def test_while_creates_are_slowed_down_a_number_of_tasks_is_a_coincidence(calls: _Calls) -> None:
    calls.went(calls.creates, 60)
    calls.creates.refused(calls.creates.leave(200.0), 200.0, wait_s=1.0, reason="HTTP 429")
    calls.now_s = 201.0

    told = calls.was_refused(calls.creates, running=7)

    assert "places" not in told
    assert calls.limits.places.found is None


def test_with_much_fewer_tasks_than_ran_a_moment_ago_no_place_was_missing(calls: _Calls) -> None:
    for running in range(60):
        calls.went(calls.creates, running=running)
    calls.now_s += 90.0  # most of them have ended

    told = calls.was_refused(calls.creates, running=4)

    assert "places" not in told
    assert calls.limits.places.found is None


def test_that_fewer_tasks_run_for_a_while_is_believed(calls: _Calls) -> None:
    for running in range(60):
        calls.went(calls.creates, running=running)
    calls.went(calls.creates, 20, running=3)

    told = calls.was_refused(calls.creates, running=4)

    assert told["places"].data["after"] == 4
