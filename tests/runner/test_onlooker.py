"""Where a run stands: the figures that are kept up are those of a recount, and the end comes about when it was told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from jobs.plan import Pace, seconds_to_finish
from jobs.rates import Rate
from jobs.record import doubted
from jobs.waiting import On
from runner.engine import Engine
from runner.reporter import RunStatistics
from tests.runner.world import SCOPE, World
from tests.runner.world_items import items

PER_MIN = Rate(count=60, window_s=60.0)
PER_S = Rate(count=100, window_s=1.0)


def watched(world: World, *, every_s: float = 5.0, **told: Any) -> tuple[list[RunStatistics], float]:
    """What one life told of itself on its way, and how long it took."""
    looks: list[RunStatistics] = []

    def look(engine: Engine) -> None:
        looks.append(engine.statistics())
        asyncio.get_running_loop().call_later(every_s, look, engine)

    return looks, world.live(watch=look, **told).took_s


def recounted(engine: Engine) -> tuple[object, ...]:
    records = engine.core.state.records.values()
    artifacts = [artifact for record in records for artifact in record.artifacts]
    return (
        Counter(record.state.value for record in records),
        Counter(artifact.state for artifact in artifacts),
        sum(artifact.bytes or 0 for artifact in artifacts),
        sum(doubted(record, SCOPE) for record in records),
    )


def test_figures_that_are_kept_up_are_those_of_a_recount() -> None:
    faults = [
        {"match": {"endpoint": "create", "share": 0.3}, "do": {"status": 503}},
        {"match": {"endpoint": "create", "prompt_contains": "7"}, "do": {"fail": "generation_failed"}},
        {"match": {"endpoint": "create", "prompt_contains": "picture 3"}, "do": {"stuck": True}},
    ]
    looks = 0

    def look(engine: Engine) -> None:
        nonlocal looks
        looks += 1
        now = engine.statistics()
        if not now.due.get("creates") and not now.due.get("polls") and not now.due.get("downloads"):
            assert (now.counts, now.results, now.saved_bytes, now.doubted_credits) == recounted(engine)
        assert now.in_flight == len(engine.core.state.slots)
        asyncio.get_running_loop().call_later(1.0, look, engine)

    world = World(items(40), faults=faults, seed=5)
    life = world.live(watch=look, creates=PER_MIN, in_flight=8, more={"item_timeout_s": 60.0})

    assert looks > 50
    assert life.statistics is not None
    assert life.statistics.counts == world.states
    assert life.statistics.counts["failed"] > 2
    assert life.statistics.counts["stalled"] > 2
    assert life.statistics.doubted_credits > 0
    assert life.statistics.results == {"verified": life.statistics.counts["succeeded"]}


@pytest.mark.parametrize(
    ("told", "guess_s"),
    [
        ({"creates": PER_MIN, "in_flight": 1000}, 10.0),  # the rate binds
        ({"creates": PER_S, "in_flight": 4}, 10.0),  # the places bind, and the guess is right
        ({"creates": PER_S, "in_flight": 4}, 60.0),  # the guess is six times too long
        ({"creates": PER_S, "in_flight": 4}, 2.0),  # and five times too short
    ],
)
def test_the_end_comes_about_when_it_was_told(told: Mapping[str, Any], guess_s: float) -> None:
    world = World(items(120), durations=(("*", 10.0),), seed=7)
    looks, took_s = watched(world, every_s=1.0, polls=PER_S, typical_s={"z-image": guess_s}, **told)

    late = [(now.eta_s or 0.0) + now.elapsed_s - took_s for now in looks if now.elapsed_s > 0.2 * took_s]
    assert all(abs(seconds) < 0.15 * took_s + 3.0 for seconds in late), (took_s, min(late), max(late))


def test_a_rate_that_somebody_lowers_is_the_speed_of_the_rest() -> None:
    looks: list[RunStatistics] = []

    def cut(engine: Engine) -> None:
        engine.core.pacers[0].set_rate(Rate(count=6, window_s=60.0), asyncio.get_running_loop().time())
        asyncio.get_running_loop().call_later(1.0, lambda: looks.append(engine.statistics()))

    def watch(engine: Engine) -> None:
        engine.statistics()  # what is bought is counted from the first look on
        asyncio.get_running_loop().call_later(20.0, cut, engine)

    told = {"creates": PER_MIN, "polls": PER_S, "typical_s": {"z-image": 2.0}}
    took_s = World(items(40), durations=(("*", 2.0),), seed=7).live(watch=watch, **told).took_s

    (now,) = looks
    assert now.eta_s == pytest.approx(took_s - now.elapsed_s, rel=0.1)


def test_nobody_knows_the_end_of_a_paused_run_with_nothing_in_flight() -> None:
    def pause(engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        engine.core.hold("wanda")
        loop.call_later(1.0, lambda: looks.append(engine.statistics()))
        loop.call_later(60.0, lambda: looks.append(engine.statistics()))
        loop.call_later(61.0, engine.drain, "SIGINT")

    looks: list[RunStatistics] = []
    World(items(40), durations=(("*", 20.0),), seed=7).live(
        watch=lambda engine: asyncio.get_running_loop().call_later(10.5, pause, engine), creates=PER_MIN
    )

    assert [look.eta_s is None for look in looks] == [False, True]


def test_a_storm_of_refusals_is_not_taken_for_the_speed_of_the_rest() -> None:
    faults = [{"match": {"endpoint": "create", "from_s": 60, "until_s": 75}, "do": {"code": "rate_limited"}}]
    world = World(items(200), durations=(("*", 10.0),), seed=7, faults=faults)
    looks, took_s = watched(world, polls=PER_S, creates=PER_MIN, typical_s={"z-image": 10.0})
    ends = [(now.eta_s or 0.0) + now.elapsed_s for now in looks if 60 < now.elapsed_s < 0.95 * took_s]

    assert max(ends) < 1.3 * took_s


def test_before_anything_is_seen_the_end_is_the_plans_guess() -> None:
    pace = Pace(creates_per_s=1.0, in_flight=1000, category_of={})
    looks, _ = watched(World(items(30)), creates=PER_MIN, typical_s={"z-image": 10.0})

    assert looks[0].eta_s == pytest.approx(seconds_to_finish(["image"] * 30, pace))


def test_the_end_moves_calmly() -> None:
    world = World(items(200), durations=(("*", 20.0),), duration_sigma=0.6)
    looks, took_s = watched(world, every_s=0.25, creates=PER_S, polls=PER_S, in_flight=10, typical_s={"z-image": 20.0})
    ends = [now.elapsed_s + (now.eta_s or 0.0) for now in looks if now.elapsed_s < 0.9 * took_s]

    assert max(abs(after - before) for before, after in pairwise(ends)) < 0.05 * took_s


def test_what_the_cap_cannot_pay_for_takes_no_time() -> None:
    all_of_it, _ = watched(World(items(100)), creates=PER_MIN, typical_s={"z-image": 10.0}, cap=100)
    some_of_it, _ = watched(World(items(100)), creates=PER_MIN, typical_s={"z-image": 10.0}, cap=20)

    assert all_of_it[2].eta_s is not None
    assert some_of_it[2].eta_s is not None
    assert some_of_it[2].eta_s < all_of_it[2].eta_s / 2


@pytest.mark.parametrize(
    ("faults", "told", "on"),
    [
        (None, {"creates": PER_MIN}, On.CREATES),
        (None, {"in_flight": 3}, On.PLACE),
        (None, {"cap": 5}, On.BUDGET),
        ([{"match": {"endpoint": "create", "from_s": 2}, "do": {"status": 500}}], {"creates": PER_MIN}, On.SERVICE),
    ],
)
def test_a_run_says_what_the_rest_waits_for(faults: object, told: Mapping[str, Any], on: On) -> None:
    looks, _ = watched(World(items(50), faults=faults), every_s=2.0, **told)

    assert on in {queued.on for now in looks[:10] for queued in now.queued}


@pytest.mark.parametrize(
    ("faults", "on"),
    [
        (None, On.GENERATION),
        ([{"match": {"endpoint": "create"}, "do": {"status": 500, "after_effect": True}}], On.RESEND),
        ([{"match": {"endpoint": "create"}, "do": {"never_answer": "after_effect"}}], On.ANSWER),
        ([{"match": {"endpoint": "poll"}, "do": {"code": "rate_limited", "retry_after": 100}}], On.POLLS),
        ([{"match": {"endpoint": "result"}, "do": {"delay_s": 60}}], On.DOWNLOAD),
    ],
)
def test_a_run_says_what_its_slowest_item_waits_for(faults: object, on: On) -> None:
    looks, _ = watched(World(items(3), faults=faults, durations=(("*", 10.0),)), every_s=1.0)
    met = {waiting.on for now in looks for waiting in now.slowest}

    assert on in met


def after(seconds: float, do: Callable[[Engine], object]) -> Callable[[Engine], None]:
    def later(engine: Engine) -> None:
        asyncio.get_running_loop().call_later(seconds, do, engine)

    return later


def test_after_the_first_signal_only_what_is_still_due_is_waited_for() -> None:
    told: list[RunStatistics] = []

    def stop(engine: Engine) -> None:
        engine.drain("SIGINT")
        told.append(engine.statistics())

    faults = [{"match": {"endpoint": "create", "nth": 3}, "do": {"delay_s": 50}}]
    World(items(10), faults=faults).live(watch=after(4.5, stop), creates=PER_MIN)

    assert [waiting.on for waiting in told[0].slowest] == [On.ANSWER]
    assert told[0].due == {"creates": 1}
    assert told[0].drain_left_s == pytest.approx(30.0)
    assert [(one.on, one.why) for one in told[0].queued] == [(On.PAUSE, "the run is stopping")]
