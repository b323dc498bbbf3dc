"""Which task is asked for next: where a poll saves most, each in its turn, and none for ever later."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jobs.poll_queue import REPLAN_S, PollQueue
from jobs.polling import LEVELS


class Desk:
    """A queue of tasks whose looks are worth level n after `step_s` times n + 1 seconds."""

    def __init__(self, **step_s: float) -> None:
        self.queue = PollQueue()
        self.step_s = step_s
        self.since_s: dict[str, float] = {}

    def worth_at(self, identity: str, level: int) -> float:
        return self.since_s[identity] + self.step_s[identity] * (level + 1)

    def add(self, identity: str, now_s: float, least: int = 0) -> None:
        self.since_s[identity] = now_s
        self.queue.add(identity, self.worth_at, now_s, least=least)

    def first(self, now_s: float) -> str | None:
        self.queue.advance(self.worth_at, now_s)
        return self.queue.first

    def take(self, now_s: float) -> str | None:
        first = self.first(now_s)
        if first is not None:
            self.queue.pop()
        return first


def test_nobody_is_ready_before_a_look_is_worth_its_level() -> None:
    desk = Desk(a=1.0)
    desk.add("a", 0.0, least=2)

    assert [desk.first(now_s) for now_s in (1.0, 2.9, 3.0)] == [None, None, "a"]


def test_the_look_that_is_worth_most_goes_first_however_late_it_came() -> None:
    desk = Desk(slow=2.0, quick=0.5)
    desk.add("slow", 0.0)
    desk.add("quick", 1.0)

    assert [desk.take(4.0), desk.take(4.0), desk.take(4.0)] == ["quick", "slow", None]


def test_polls_that_stay_scarce_leave_no_heap_behind() -> None:
    names = [f"task-{number}" for number in range(40)]
    desk = Desk(**dict.fromkeys(names, 1.0))
    for name in names:
        desk.add(name, 0.0)
    for second in range(1, 2000):  # one look a second: each task climbs for forty
        taken = desk.take(float(second))
        assert taken is not None
        desk.add(taken, float(second))

    assert len(desk.queue._ready) <= 500


def test_of_equal_worth_the_one_that_came_first_goes_first() -> None:
    desk = Desk(a=1.0, b=1.0)
    desk.add("b", 0.0)
    desk.add("a", 0.5)

    assert [desk.take(1.9), desk.take(1.9)] == ["b", "a"]


def test_what_ended_some_other_way_is_not_asked_for() -> None:
    desk = Desk(a=1.0, b=1.0)
    desk.add("a", 0.0)
    desk.add("b", 0.0)
    assert desk.first(9.0) == "a"
    desk.queue.drop("a")

    assert desk.first(9.0) == "b"


def test_a_look_that_is_far_off_is_planned_again_when_more_is_known() -> None:
    desk = Desk(a=100.0)
    desk.add("a", 0.0)
    desk.step_s["a"] = 60.0

    assert desk.queue.due_s() == 100.0  # nobody wakes up for what an answer may teach
    assert desk.first(30.0) is None
    assert desk.queue.due_s() == 60.0
    assert desk.first(59.9) is None
    assert desk.first(60.0) == "a"


def test_a_task_that_is_ready_stays_so_when_more_is_known() -> None:
    desk = Desk(a=1.0)
    desk.add("a", 0.0)
    assert desk.first(1.5) == "a"
    desk.step_s["a"] = 50.0

    assert desk.first(2.5) == "a"


def test_when_the_chosen_are_due_or_were_is_told() -> None:
    desk = Desk(a=1.0, b=30.0, c=1.0)
    for identity in desk.step_s:
        desk.add(identity, 0.0)
    desk.first(2.5)

    assert desk.queue.moments(desk.worth_at, {"a", "b"}) == {"a": 2.0, "b": 30.0}
    assert desk.queue.due_s() == 2.0


@given(st.integers(0, LEVELS + 5), st.integers(0, LEVELS - 1))
def test_a_look_is_worth_the_highest_level_that_it_reached(waited: int, least: int) -> None:
    desk = Desk(a=1.0)
    desk.add("a", 0.0, least=least)
    reached = min(waited, LEVELS)

    assert desk.first(float(waited)) == ("a" if reached > least else None)
    due_s = desk.queue.moments(desk.worth_at, {"a"})["a"]
    assert due_s == max(reached, least + 1)
    assert desk.queue.due_s() == due_s


def test_while_polls_are_scarce_tasks_are_taken_up_at_what_polls_are_worth() -> None:
    """And at less again when they are plenty."""
    steps = {f"t{n}": 1.0 for n in range(200)}
    desk = Desk(new=1.0, **steps)
    for identity in steps:
        desk.add(identity, 0.0)
    for _ in range(150):
        desk.take(10.0)
    desk.add("new", 10.0)
    assert desk.queue.moments(desk.worth_at, {"new"})["new"] > 11.0

    while desk.take(100.0) is not None:
        pass
    for n in range(100):
        desk.add("t0", 100.0 + 10 * n)
        desk.take(109.0 + 10 * n)
    desk.add("new", 2000.0)
    assert desk.queue.moments(desk.worth_at, {"new"})["new"] == 2001.0


@given(st.lists(st.floats(0.05, 20.0), min_size=1, max_size=12), st.floats(0.05, 2.0))
def test_nobody_is_passed_over_for_ever(steps: list[float], poll_s: float) -> None:
    """However scarce polls are: who is not looked at climbs to the top, and there each has its turn."""
    desk = Desk(**{f"t{n}": step_s for n, step_s in enumerate(steps)})
    for identity in desk.step_s:
        desk.add(identity, 0.0)
    now_s, seen = 0.0, Counter[str]()
    end_s = 2 * (LEVELS + 1) * max(steps) + 4 * poll_s * len(steps) + 2 * REPLAN_S
    while now_s < end_s:
        now_s += poll_s
        taken = desk.take(now_s)
        if taken is not None:
            seen[taken] += 1
            desk.add(taken, now_s)
    assert set(seen) == set(desk.step_s)
