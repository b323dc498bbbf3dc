"""The process dies, anywhere: the next life over the same ledger finishes, nothing is lost and nothing bought twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from jobs.lifecycle import EventType
from jobs.polling import PollFloors
from jobs.rates import Rate
from runner.engine import Engine
from runner.ledger.memory import Faults, Moment
from tests.runner.world import Crash, Hook, World
from tests.runner.world_items import item, picture

CAP = 5 * 1 + 7 * 3
# Fewer polls, fewer places to die at that are all alike.
SLOW_POLLS = {"floors": PollFloors(first_poll_s=4.5, poll_gap_s=3.0)}
# More places or deaths than this and something loops.
DEATHS_MAX = 400


def small_world(**switches: Any) -> World:
    shoe, sole = picture("shoe"), picture("sole")
    plain = [item(n) for n in range(5)]
    dressed = [item(n, "nano-banana", references=[shoe, sole] if n % 2 else [shoe]) for n in range(5, 12)]
    return World([*plain, *dressed], **{"durations": (("*", 3.0),), "queue_s": 0.5, **switches})


def at_write(number: int, moment: Moment) -> Faults:
    def faults(now: int, when: Moment) -> None:
        if (now, when) == (number, moment):
            raise Crash

    return faults


def at_request(number: int, moment: Moment) -> Hook:
    def hook(now: int, when: Moment, _: str) -> None:
        if (now, when) == (number, moment):
            raise Crash

    return hook


def deaths(how: Literal["write", "request"], moment: Moment) -> Iterator[World]:
    """A world after each possible death: at the first write or request, at the second, and so on to the last."""
    for number in range(1, DEATHS_MAX):
        world = small_world()
        told: dict[str, Any] = (
            {"faults": at_write(number, moment)} if how == "write" else {"hook": at_request(number, moment)}
        )
        if world.live(cap=CAP, more=SLOW_POLLS, **told).exit_code is not None:
            assert number > 40, "every write and every request was met"
            return
        yield world
    raise AssertionError("no life came through untouched")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("how", ["write", "request"])
def test_a_death_at_any_point_loses_nothing_and_pays_nothing_twice(
    how: Literal["write", "request"], moment: Moment
) -> None:
    for world in deaths(how, moment):
        world.check(cap=CAP)

        assert world.live(cap=CAP).exit_code == 0
        world.check_all_bought_once()


@pytest.mark.parametrize("seed", range(12))
def test_a_process_that_dies_again_and_again_gets_there_in_the_end(seed: int) -> None:
    dice = random.Random(seed)
    world = small_world(create_takes_s=2.0)
    lives = 0
    while True:
        lives += 1
        moment: Moment = dice.choice(("before", "after"))
        life = world.live(cap=CAP, faults=at_write(dice.randint(2, 12), moment), creates=Rate(count=5, window_s=1.0))
        world.check(cap=CAP)
        if life.exit_code is not None:
            break

    assert life.exit_code == 0
    assert lives > 4
    world.check_all_bought_once()


def test_a_life_that_begins_when_the_key_may_be_forgotten_does_not_guess() -> None:
    world = small_world()
    world.live(cap=CAP, hook=at_request(4, "after"))
    opened = world.states["submitting"]
    world.wall_s += 3601.0

    life = world.live(cap=CAP)

    assert opened > 0
    assert (life.exit_code, world.states) == (7, {"uncertain": opened, "succeeded": 12 - opened})
    world.check(cap=CAP)


# Signals


def test_the_first_signal_sends_no_new_key_and_stores_what_was_sent() -> None:
    world = small_world(create_takes_s=5.0)

    life = world.live(cap=CAP, creates=Rate(count=2, window_s=1.0), drain_at_s=7.2)

    assert life.spy.stops == [("SIGINT", 30.0)]
    assert max(sent.at_s for sent in world.stats.sends) - world.stats.sends[0].at_s <= 7.2
    assert world.states["submitting"] == 0, "every create that was under way has come back"
    assert world.states["accepted"] > 0
    assert world.states["planned"] > 0
    assert 7.2 < life.took_s < 13.0
    assert world.live(cap=CAP).exit_code == 0
    world.check_all_bought_once()


def test_a_signal_that_comes_while_intents_are_written_keeps_their_keys_at_home() -> None:
    world = small_world()
    engines: list[Engine] = []
    intents = 0

    def told(number: int, moment: Moment) -> None:
        nonlocal intents
        opened = sum(event.type is EventType.INTENT for event in world.store.events)
        if moment == "after" and opened > intents == 1:
            engines[0].drain("SIGINT")
        intents = opened

    world.live(cap=CAP, faults=told, watch=engines.append)

    assert len(world.stats.sends) == 1, "the first shows the price before others are bought"
    assert intents > 1
    assert world.states["submitting"] == 0, "what never left this machine is no purchase"
    assert world.live(cap=CAP).exit_code == 0
    world.check_all_bought_once()


def test_the_first_signal_waits_no_longer_than_it_says() -> None:
    world = small_world(create_takes_s=100.0)

    life = world.live(cap=CAP, drain_at_s=10.0)

    assert life.took_s == pytest.approx(40.0)
    assert world.states["submitting"] > 0
    assert world.live(cap=CAP).exit_code == 0
    world.check_all_bought_once()


def test_the_second_signal_ends_at_once() -> None:
    world = small_world(create_takes_s=100.0)

    life = world.live(cap=CAP, drain_at_s=10.0, cut_at_s=11.0)

    assert life.took_s == pytest.approx(11.0)
    assert world.states["submitting"] > 0
    assert world.live(cap=CAP).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("seed", range(25))
def test_a_signal_at_any_moment_leaves_a_run_that_can_be_gone_on_with(seed: int) -> None:
    dice = random.Random(seed)
    world = small_world(create_takes_s=dice.uniform(0.0, 3.0))
    at_s = dice.uniform(0.0, 25.0)

    world.live(
        cap=CAP,
        creates=Rate(count=2, window_s=1.0),
        delay_s=lambda _: dice.uniform(0.0, 0.5),
        drain_at_s=at_s,
        cut_at_s=at_s + dice.choice((0.0, 0.3, 5.0, 100.0)),
    )

    world.check(cap=CAP)
    assert world.live(cap=CAP).exit_code == 0
    world.check_all_bought_once()
