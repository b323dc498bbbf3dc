"""When the next look at a task is, after one that showed that it runs or that told nothing."""

from __future__ import annotations

import pytest

from jobs.steps import Wait
from tests.jobs.core_steps import bought, waits_s
from tests.jobs.workbench import at, made_core, made_item, must_poll, refused, seen


@pytest.mark.parametrize(("items", "gap_s"), [(1, 6.0), (2, 15.0)], ids=["the last one", "one more to buy"])
def test_a_task_that_takes_longer_than_any_did_is_looked_at_by_what_waits_for_its_end(items: int, gap_s: float) -> None:
    core = made_core(*(made_item(n) for n in range(items)), prices={"m": 10}, settings={"in_flight_max": 1})
    core.state.polling.recall("m", [(0.97 * one, one) for one in map(float, range(44, 77))])
    bought(core)
    core.poll_ended(must_poll(core, 300), seen("task_0", "processing"), at(300))

    answer = core.next_poll(at(300))

    assert isinstance(answer, Wait)
    assert waits_s(answer) == pytest.approx(300.0 + gap_s, rel=0.01)


@pytest.mark.parametrize(("status", "gap_s"), [(429, 1.0), (503, 6.0)], ids=["refused for its rate", "out of order"])
def test_a_look_that_was_refused_for_its_rate_was_none_and_is_made_up_for_at_once(status: int, gap_s: float) -> None:
    core = made_core(made_item(), prices={"m": 10})
    core.state.polling.recall("m", [(0.97 * one, one) for one in map(float, range(44, 77))])
    bought(core)
    core.poll_ended(must_poll(core, 300), refused(status, retry_after_s=0.0), at(300))

    answer = core.next_poll(at(300))

    assert isinstance(answer, Wait)
    assert waits_s(answer) == pytest.approx(300.0 + gap_s, rel=0.01)
