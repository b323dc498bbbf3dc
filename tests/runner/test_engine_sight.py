"""The engine while statuses are not answered, or late: what stalls, what is bought meanwhile, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.lifecycle import EventType
from jobs.rates import Rate
from tests.runner.fault_rules import CREATE, POLL, rule
from tests.runner.world import START_S, Life, World
from tests.runner.world_items import items

EVERY_20_S = Rate(count=1, window_s=20.0)


def moments_s(life: Life, event: EventType, number: int = 0) -> list[float]:
    """When this happened to an item, in seconds of the life."""
    return [
        change.event.at_s - START_S
        for change in life.spy.changes
        if change.event.type is event and change.event.identity == items(9)[number].identity
    ]


def slow_statuses(seconds: float) -> Any:
    return lambda call: seconds if call.startswith("GET /api/v1/generations/") else 0.0


def test_a_task_stalls_at_its_moment_though_no_look_at_it_comes_back() -> None:
    world = World(items(2))

    life = world.live(delay_s=slow_statuses(2000.0), more={"item_timeout_s": 300.0})

    assert moments_s(life, EventType.STALLED) == [pytest.approx(300.0, abs=5.0)]
    assert moments_s(life, EventType.SUCCEEDED) == [pytest.approx(4002.0, abs=10.0)], "it had ended long ago"
    assert (life.exit_code, world.states) == (0, {"succeeded": 2})
    world.check_all_bought_once()


def test_a_late_look_that_tells_nothing_new_lets_the_next_item_go() -> None:
    world = World(items(2), faults=[rule({**CREATE, "prompt_contains": "picture 0"}, stuck=True)])

    life = world.live(in_flight=1, delay_s=slow_statuses(20.0), more={"item_timeout_s": 300.0}, drain_at_s=5000.0)

    (stalled_s,) = moments_s(life, EventType.STALLED)
    (bought_s,) = moments_s(life, EventType.INTENT, 1)
    assert stalled_s == pytest.approx(300.0, abs=1.0)
    assert stalled_s < bought_s < 345.0
    assert (life.exit_code, world.states) == (7, {"stalled": 1, "succeeded": 1})


@pytest.mark.parametrize("do", [{"status": 500}, {"code": "rate_limited"}, {"drop": "before_effect"}], ids=str)
def test_a_run_that_sees_nothing_stops_buying_and_goes_on_by_itself(do: dict[str, Any]) -> None:
    world = World(items(90), faults=[rule({**POLL, "from_s": 200.0, "until_s": 3000.0}, **do)])

    life = world.live(creates=EVERY_20_S)

    told = [notice for notice in life.spy.notices if notice.name in ("paused", "resumed")]
    assert [(notice.name, notice.data["why"]) for notice in told] == [("paused", "polls"), ("resumed", "polls")]
    bought_s = [change.event.at_s - START_S for change in life.spy.changes if change.event.type is EventType.INTENT]
    assert not [at_s for at_s in bought_s if 1000.0 < at_s < 3000.0]
    assert [at_s for at_s in bought_s if 3000.0 < at_s < 3100.0]
    assert (life.exit_code, life.pauses, world.states) == (0, {}, {"succeeded": 90})
    world.check_all_bought_once()


def test_a_status_that_only_says_that_a_task_runs_is_enough_to_go_on() -> None:
    faults = [rule({**POLL, "from_s": 200.0, "until_s": 3000.0}, code="rate_limited")]
    world = World(items(50), faults=faults, durations=(("*", 3200.0),))

    life = world.live(creates=EVERY_20_S, more={"item_timeout_s": 20_000.0})

    bought_s = [change.event.at_s - START_S for change in life.spy.changes if change.event.type is EventType.INTENT]
    assert not [at_s for at_s in bought_s if 1000.0 < at_s < 3000.0]
    assert [at_s for at_s in bought_s if 3000.0 < at_s < 3100.0]
    assert (life.exit_code, world.states) == (0, {"succeeded": 50})
