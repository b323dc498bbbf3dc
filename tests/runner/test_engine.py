"""The engine over the simulated service: what is bought, how fast, and within which bounds."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from jobs.lifecycle import EventType
from jobs.rates import Rate
from jobs.record import Money
from runner.engine import Lanes
from runner.sim.profile import Window
from tests.runner.world import SCOPE, World
from tests.runner.world_items import item, items, picture

SECOND_50 = Rate(count=50, window_s=1.0)
MINUTE_60 = Rate(count=60, window_s=60.0)
CREATE, UPLOAD = "POST /api/v1/generations", "POST /api/v1/files"


def jitter(seed: int, most_s: float) -> Any:
    dice = random.Random(seed)
    return lambda _: dice.uniform(0.0, most_s)


# Once and only once


def test_every_item_is_created_once_and_every_result_is_saved() -> None:
    world = World(items(30))

    life = world.live(cap=30)

    assert (life.exit_code, life.creates, life.downloads) == (0, 30, {"verified": 30})
    assert world.stats.requests["create"] == 30
    assert len(world.files) == 30
    world.check_all_bought_once()


def test_a_second_life_of_a_finished_run_sends_nothing_and_ends_well() -> None:
    world = World([item(n, "nano-banana", references=[picture("shoe")]) for n in range(8)])
    world.live()

    again = world.live()

    assert (again.exit_code, again.requests, again.creates) == (0, 0, 0)
    world.check_all_bought_once()


def test_references_are_uploaded_once_per_content_however_many_items_share_them() -> None:
    shoe, again, sole = picture("shoe"), picture("shoe"), picture("sole")
    world = World([item(n, "nano-banana", references=[shoe, sole] if n % 2 else [again]) for n in range(20)])

    life = world.live()

    assert (life.exit_code, world.stats.uploads, sorted(life.spy.uploads)) == (0, 2, ["shoe", "sole"])
    assert life.statistics is not None
    assert (life.statistics.uploads_done, life.statistics.uploads_needed) == (2, 2)
    world.check_all_bought_once()


def test_another_run_on_the_same_ledger_uses_the_uploads_there_are() -> None:
    shoe = picture("shoe")
    world = World([item(n, "nano-banana", references=[shoe]) for n in range(4)])
    world.live()
    world.items += [item(n, "nano-banana", references=[shoe]) for n in range(4, 9)]

    life = world.live()

    assert (life.exit_code, life.creates, world.stats.uploads) == (0, 5, 1)
    world.check_all_bought_once()


def test_items_without_references_do_not_wait_for_the_uploads_of_others() -> None:
    wanted = [item(n, "nano-banana", references=[picture(f"slow {n}")]) for n in range(3)]
    world = World([*wanted, *(item(n) for n in range(3, 23))])

    life = world.live(delay_s=lambda name: 20.0 if name == UPLOAD else 0.01)

    created = [sent.at_s - world.stats.sends[0].at_s for sent in world.stats.sends]
    assert sum(at_s < 20.0 for at_s in created) == 20
    assert sum(at_s >= 20.0 for at_s in created) == 3
    assert life.took_s < 60.0, "uploads run beside each other too"
    world.check_all_bought_once()


def test_a_result_with_two_files_is_saved_as_two_files() -> None:
    world = World([item(0, "seedance-2", params={"return_last_frame": "true"})])

    assert world.live().exit_code == 0
    assert sorted(world.files) == ["job/0.mp4", "job/0~2.png"]
    world.check_all_bought_once()


def test_nobody_who_wants_no_files_gets_any() -> None:
    world = World(items(3))

    life = world.live(fetch=False)

    assert (life.exit_code, world.files, world.stats.requests.get("result")) == (0, {}, None)
    assert world.live().exit_code == 0
    assert len(world.files) == 3, "a later life may still want them"


# Pace


@pytest.mark.parametrize(
    ("rate", "count", "in_flight"),
    [
        pytest.param(SECOND_50, 1000, 1000, id="1,000 items at 50 a second"),
        pytest.param(MINUTE_60, 150, 1000, id="150 items at 60 a minute"),
    ],
)
def test_the_full_rate_is_used_and_the_service_never_has_to_refuse(rate: Rate, count: int, in_flight: int) -> None:
    window = Window(of="creates", limit=rate.count, window_s=rate.window_s)
    world = World(items(count), windows=(window, Window(of="polls", limit=200, window_s=1.0)), duration_sigma=0.1)

    life = world.live(creates=rate, polls=Rate(count=200, window_s=1.0), in_flight=in_flight, delay_s=jitter(5, 0.025))

    assert (life.exit_code, world.stats.refused_429) == (0, {})
    last_task_s = 8.0
    assert life.took_s <= 1.05 * count / rate.per_second + last_task_s
    world.check_all_bought_once()


def test_polls_keep_to_their_own_window() -> None:
    world = World(items(120), windows=(Window(of="polls", limit=5, window_s=1.0),))

    life = world.live(polls=Rate(count=5, window_s=1.0), delay_s=jitter(6, 0.2))

    assert (life.exit_code, world.stats.refused_429) == (0, {})
    world.check_all_bought_once()


def test_uploads_and_downloads_keep_to_their_limits() -> None:
    world = World(
        [item(n, "nano-banana", references=[picture(f"r{n}")]) for n in range(10)],
        windows=(Window(of="uploads", limit=1, window_s=2.0),),
    )
    fetched: list[float] = []

    def hook(_: int, when: str, name: str) -> None:
        if (when, name) == ("before", "GET result"):
            fetched.append(world.now_s())

    lanes = Lanes(uploads=Rate(count=1, window_s=2.0), downloads=Rate(count=1, window_s=3.0))
    life = world.live(lanes=lanes, hook=hook)

    assert (life.exit_code, world.stats.refused_429) == (0, {})
    assert min(after - before for before, after in pairwise(fetched)) > 2.99
    world.check_all_bought_once()


@pytest.mark.parametrize("places", [1, 3, 7])
def test_no_more_tasks_are_at_work_than_there_are_places(places: int) -> None:
    world = World(items(25))

    life = world.live(in_flight=places, delay_s=jitter(7, 0.3))

    assert (life.exit_code, life.open_max) == (0, places)
    world.check_all_bought_once()


def test_the_first_of_each_price_class_goes_alone_until_its_price_is_seen() -> None:
    world = World([item(n, ("z-image", "nano-banana", "grok-imagine")[n % 3]) for n in range(30)], create_takes_s=1.0)

    life = world.live()

    at_s = [sent.at_s for sent in world.stats.sends]
    assert sum(moment < at_s[0] + 1.0 for moment in at_s) == 3
    assert life.exit_code == 0
    world.check_all_bought_once()


# Budget


@pytest.mark.parametrize("cap", [1, 20, 49, 50])
@pytest.mark.parametrize("on_exhausted", ["stop", "skip"])
def test_the_cap_is_met_exactly_with_fifty_in_flight(cap: int, on_exhausted: str) -> None:
    world = World(items(60))

    life = world.live(cap=cap, in_flight=50, on_exhausted=on_exhausted)

    assert life.exit_code == 5
    assert world.states == {"succeeded": cap, "skipped": 60 - cap}
    assert world.store.books[SCOPE] == Money(settled=cap)
    assert world.stats.charged_total == cap
    world.check(cap=cap)


def test_after_the_cap_only_a_higher_cap_buys_more() -> None:
    world = World(items(12))
    world.live(cap=5)

    same = world.live(cap=5)
    assert (same.exit_code, same.requests) == (5, 0)

    assert world.live(cap=12).exit_code == 0
    world.check_all_bought_once()


def test_stop_ends_at_the_first_item_that_does_not_fit_and_skip_goes_on_with_cheaper_ones() -> None:
    wanted = [item(0), item(1, "seedance-1-5-pro"), item(2), item(3)]

    stopped, skipped = World(wanted), World(wanted)

    assert stopped.live(cap=10).exit_code == 5
    assert stopped.states == {"succeeded": 1, "skipped": 3}
    assert skipped.live(cap=10, on_exhausted="skip").exit_code == 5
    assert skipped.states == {"succeeded": 3, "skipped": 1}
    assert skipped.record(1).error_code == "budget_exhausted"


def test_an_item_above_the_limit_for_one_item_is_refused_and_the_others_are_made() -> None:
    world = World([item(0), item(1, "seedance-1-5-pro"), item(2)])

    assert world.live(per_item=10).exit_code == 3
    assert world.states == {"succeeded": 2, "skipped": 1}
    assert world.record(1).error_code == "over_per_item"

    assert world.live(per_item=28).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("in_flight", [1, 50])
def test_a_price_above_the_catalogue_costs_at_most_one_surprise(in_flight: int) -> None:
    world = World(items(40, "nano-banana"), surprise_share=1.0, surprise_factor=4.0)

    life = world.live(cap=10, in_flight=in_flight)

    assert life.exit_code == 5
    assert world.stats.tasks == 1, "the first one of a class goes alone"
    assert world.store.books[SCOPE] == Money(settled=12)
    assert [notice.name for notice in life.spy.notices].count("price") == 1


def test_a_higher_price_is_what_later_items_of_the_class_are_measured_by() -> None:
    world = World(items(40, "nano-banana"), surprise_share=1.0, surprise_factor=4.0)

    life = world.live(cap=100)

    assert (life.exit_code, world.stats.tasks, world.stats.charged_total) == (5, 8, 96)
    world.check(cap=100)


def test_an_empty_balance_pauses_and_after_a_top_up_the_same_command_finishes() -> None:
    world = World(items(20), initial_credits=7)

    life = world.live(cap=20, in_flight=1)
    assert (life.exit_code, set(life.pauses)) == (5, {"credits"})
    assert world.states["succeeded"] == 7

    world.top_up(100)
    assert world.live(cap=20).exit_code == 0
    world.check_all_bought_once()


def test_an_empty_balance_met_by_many_at_once_loses_nothing() -> None:
    world = World(items(40), initial_credits=7, create_takes_s=2.0)

    assert world.live(cap=40, in_flight=40).exit_code == 5
    world.check(cap=40)
    world.top_up(100)

    assert world.live(cap=40).exit_code == 0
    world.check_all_bought_once()


# What is told


def test_statistics_and_reports_agree_with_the_ledger() -> None:
    faults = [
        {"match": {"endpoint": "create", "prompt_contains": "picture 3"}, "do": {"fail": "content_policy"}},
        {"match": {"endpoint": "create", "nth": 5}, "do": {"status": 502}},
    ]
    world = World(items(10), faults=faults)

    life = world.live(cap=50)

    seen = life.statistics
    assert seen is not None
    assert dict(seen.counts) == dict(world.states) == {"succeeded": 9, "failed": 1}
    assert (seen.items, seen.results, seen.saved) == (10, {"verified": 9}, 9)
    assert seen.saved_bytes == sum(len(content) for content in world.files.values())
    assert (seen.credits, seen.cap_credits) == (world.store.books[SCOPE], 50)
    assert seen.elapsed_s == pytest.approx(life.took_s)
    told = [change.event for change in life.spy.changes]
    assert told == [event for event in world.store.events if event.type is not EventType.PLANNED]
    assert life.creates == len(world.stats.sends) == 11


def test_enough_failures_halt_the_buying_but_not_what_is_under_way() -> None:
    world = World(items(30), faults=[{"match": {"endpoint": "create"}, "do": {"fail": "generation_failed"}}])

    life = world.live(in_flight=5, more={"halt_after": 4})

    assert (life.exit_code, set(life.pauses)) == (3, {"halt"})
    assert world.states["failed"] <= 4 + 5
    assert world.states["planned"] > 0
    world.check()
