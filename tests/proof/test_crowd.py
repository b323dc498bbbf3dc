"""Many tasks at once, and a life after another: nobody waits for the crowd, and nothing of a life is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from tests.proof.crowd import crowd, day, held

TASKS = 1000


def test_status_requests_leave_when_they_are_due_however_many_tasks_wait() -> None:
    counts = crowd(TASKS)

    assert counts["tasks at work at once, at most"] == TASKS
    assert counts["status requests"] > 2 * TASKS
    assert counts["lateness p99, ms"] < 100


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_crowd_of_tasks_costs_little_and_does_not_hold_up_the_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Bounds that a loaded machine keeps; the campaign has the figures of a quiet one."""
    told = held(TASKS, real_s=0.5, new_loop=new_loop)

    assert told.polls > 100
    assert told.cpu_us_a_poll < 1000
    assert told.memory_mb < 20


def test_a_death_every_hour_leaves_nothing_of_a_life_behind() -> None:
    counts = day(200, 1800.0, hour_s=360.0, seed=0)

    assert counts["lives"] >= 5
    assert counts["creates"] >= 200
