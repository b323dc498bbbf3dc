"""Lives of the real engine on a real ledger: a bounded part of campaign `lives`, and every place to die in one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from jobs.lifecycle import ItemState
from jobs.rates import Rate
from tests.proof.lives_house import House
from tests.proof.lives_told import SCOPE, Told
from tests.proof.lives_weather import FAULTS, name_of
from tests.proof.soak import play_range
from tests.runner.world_items import item, picture

SCENARIOS = 150
# More places to die at than this and something loops.
POINTS_MAX = 400
CAP = 1 + 3
HASH_SEEDS = ("0", "1", "77")
DIGESTS = """
import sys
from tests.proof.lives import Scenario
for number in map(int, sys.argv[1:]):
    scenario = Scenario(number)
    scenario.play()
    print(number, scenario.digest)
"""


@pytest.mark.timeout(300)  # some seconds on a machine that has nothing else to do
def test_whatever_befalls_a_life_nothing_is_lost_or_paid_twice() -> None:
    met = play_range("lives", 0, SCENARIOS)

    assert met["life died"] > SCENARIOS / 2, "they died often enough"
    for code in (0, 3, 4, 5, 7, 8, 130):
        assert met[f"exit code {code}"], f"some life ended with {code}"
    met_at_all = {what.partition(" x ")[0] for what in met}
    assert len({name_of(at, do) for at, do in FAULTS} & met_at_all) > len(FAULTS) * 0.8, "most faults struck"
    for what in ("ledger lost", "ledger restored", "budget changed", "wallet agreed", "create under way alone"):
        assert met[what], what


# One small run, and a death at each point that it passes


def small_house() -> House:
    shoe = picture("shoe")
    wanted = [item(0), item(1, "nano-banana", references=[shoe])]
    return House(wanted, seed=1, profile={"durations": (("*", 1.0),), "queue_s": 0.5})


def deaths() -> Iterator[tuple[int, House]]:
    for number in range(1, POINTS_MAX):
        with small_house() as house:
            if house.live(Told(cap=CAP, die_at=number)).exit_code is not None:
                return
            yield number, house
    raise AssertionError("no life came through untouched")


def test_a_death_at_any_point_loses_nothing_and_pays_nothing_twice() -> None:
    died: Counter[str] = Counter()
    for number, house in deaths():
        ended = house.live(Told(cap=CAP, judged=True))

        stats = house.service.stats()
        assert ended.exit_code == 0, number
        assert {record.state for record in house.records.values()} == {ItemState.SUCCEEDED}
        assert (stats.tasks, stats.charged_total, stats.held_total) == (2, CAP, 0)
        assert house.auditor.settled[SCOPE] == CAP
        assert sorted(house.blobs.files) == ["job/0.png", "job/1.png"]
        died += house.counts
    for kind in ("upload", "create", "poll", "result"):
        assert died[f"died at {kind}.leaves"], f"before each {kind}"
        assert died[f"died at {kind}.answered"], f"after each {kind}"
    for what in ("plan", "intent", "accept", "terminal", "artifact"):
        assert died[f"died at {what}.in_commit"], f"in the middle of what a commit of {what} writes"
    for moment in ("begin", "before", "after"):
        assert died[f"died at commit.{moment}"] >= 9, "around each commit"


@pytest.mark.parametrize("seed", range(4))
def test_a_process_that_dies_again_and_again_gets_there_in_the_end(seed: int) -> None:
    lives = 0
    with small_house() as house:
        while house.live(Told(cap=CAP, die_at=12 + 3 * seed + lives)).exit_code is None:
            lives += 1

        assert lives > 2
        assert house.live(Told(cap=CAP, judged=True)).exit_code == 0
        assert (house.service.stats().tasks, house.auditor.settled[SCOPE]) == (2, CAP)


# Clocks


def test_an_intent_is_no_younger_than_it_is_because_the_clock_was_set_before_it() -> None:
    slowly = Rate(count=3, window_s=5.0)
    with House([item(0), item(1)], seed=1) as house:
        house.live(Told(creates=slowly, turn_clock=(0.5, 4000.0), die_at_point=("create.leaves", 2)))
        house.pass_time(5000.0)

        assert house.live(Told()).exit_code == 7

        assert {record.state for record in house.records.values()} == {ItemState.SUCCEEDED, ItemState.UNCERTAIN}
        assert house.service.stats().tasks == 1


def test_a_clock_that_was_set_back_does_not_make_young_what_was_bought_before_the_service_told_the_time() -> None:
    with House([item(0)], seed=1) as house:
        house.live(Told(die_at_point=("create.answered", 1)))
        house.clocks.turn(-4000.0)
        house.pass_time(4100.0)

        assert house.live(Told()).exit_code == 7

        assert {record.state for record in house.records.values()} == {ItemState.UNCERTAIN}


@pytest.mark.parametrize("slept_at_s", [0.25 * n for n in range(1, 8)])
def test_the_time_that_the_service_told_is_old_when_the_machine_slept_over_its_answer(slept_at_s: float) -> None:
    with House([item(0)], seed=1, lag_s=2.0) as house:
        house.live(Told(die_at_point=("create.answered", 1)))
        ended = house.live(Told(sleep=(slept_at_s, 72 * 3600.0)))

        assert ended.exit_code == 7
        assert {record.state for record in house.records.values()} == {ItemState.UNCERTAIN}
        assert house.service.stats().tasks == 1


def test_a_number_tells_the_same_story_whatever_the_hash_seed() -> None:
    numbers = [str(number) for number in range(40, 46)]
    stories = [
        subprocess.Popen(
            [sys.executable, "-c", DIGESTS, *numbers],
            env={"PYTHONHASHSEED": seed, "PATH": os.defpath},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in HASH_SEEDS
    ]
    told = [story.communicate()[0] for story in stories]

    assert all(story.returncode == 0 for story in stories)
    assert len(told[0].splitlines()) == len(numbers)
    assert told[0] == told[1] == told[2]
