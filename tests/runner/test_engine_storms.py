"""Many small worlds in which several things go wrong at once. Which ones is drawn from the world's number.

Each world differs from the next in kind, not only in luck: a fault is on or off, its rate is drawn, and so are the
service's open questions, the limits, the budget and the ends of earlier lives. To look at one again:

    list(weather(217))
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.rates import Rate
from jobs.verdict import SendPolicy
from runner.sim.profile import Window
from tests.proof.lives_weather import FAULTS
from tests.runner.world import SCOPE, Crash, Life, World
from tests.runner.world_items import item, picture

WORLDS = 150
PER_TEST = 75
EXIT_CODES = frozenset({0, 3, 4, 5, 7, 8, 9})
LIVES_MAX = 2

CREATES = tuple(fault for fault in FAULTS if fault[0] == "create")
OTHERS = tuple(fault for fault in FAULTS if fault[0] != "create")
HOUR_S = 3600.0

PROFILES: tuple[dict[str, Any], ...] = (
    {},
    {"create_takes_s": 2.0},
    {"create_takes_s": 40.0, "in_flight": "conflict"},
    {"gates_first": ()},
    {"gates_first": ("auth", "limits", "validation", "credits")},
    {"remembers": ("4xx", "5xx")},
    {"replay_body": "current", "create_status": 202},
    {"tasks_at_once": 2},
    {"lag_s": 20.0},
    {"goes_back": "final"},
    {"refund": "late"},
    {"windows": (Window(of="creates", limit=3, window_s=5.0), Window(of="polls", limit=4, window_s=2.0))},
    {"initial_credits": 9},
    {"insufficient_as": "born_failed", "initial_credits": 9},
    {"price_rule": "scaled"},
    {"fail_share": 0.2},
    {"stuck_share": 0.1},
    {"fresh_urls": False, "result_lifetime_s": 30.0},
)


class Storm:
    """One world, its faults and its lives, all drawn from its number."""

    def __init__(self, number: int) -> None:
        self.dice = random.Random(number)
        dice = self.dice
        shoe = picture("shoe")
        wanted = [
            item(n, "nano-banana", references=[shoe, picture(f"sole {n % 2}")]) if dice.random() < 0.3 else item(n)
            for n in range(dice.randint(2, 5))
        ]
        faults = [
            {"match": {"endpoint": where, "share": dice.choice((0.1, 0.3, 0.7))}, "do": do}
            for where, do in (*dice.sample(CREATES, dice.randint(0, 4)), *dice.sample(OTHERS, dice.randint(0, 2)))
        ]
        profile = {key: value for one in dice.sample(PROFILES, 2) for key, value in one.items()}
        profile = {"durations": (("*", dice.choice((2.0, 8.0, 90.0))),), **profile}
        self.poisons = "5xx" in profile.get("remembers", ())  # a key may meet the same error again and again
        self.world = World(wanted, faults=faults, seed=number, **profile)
        self.cap = dice.choice((None, 1000, 6))

    def told(self, **more: Any) -> dict[str, Any]:
        dice = self.dice
        return {
            "cap": self.cap,
            "on_exhausted": dice.choice(("stop", "skip")),
            "in_flight": dice.choice((1, 2, 50)),
            "creates": dice.choice((Rate(count=50, window_s=1.0), Rate(count=3, window_s=5.0))),
            "polls": dice.choice((Rate(count=50, window_s=1.0), Rate(count=2, window_s=1.0))),
            "more": {
                "item_timeout_s": 300.0,
                "resubmit_failed": dice.choice((0, 2)),
                "send_policy": SendPolicy(resends_max=dice.choice((0, 2, 8))),
            },
            "delay_s": lambda _: dice.uniform(0.0, dice.choice((0.0, 0.05, 2.0))),
            **more,
        }

    def accident(self) -> dict[str, Any]:
        """How one of the first lives may end before its time."""
        dice = self.dice
        number, moment = dice.randint(2, 20), dice.choice(("before", "after"))

        def die(now: int, when: str, *_: object) -> None:
            if (now, when) == (number, moment):
                raise Crash

        return dice.choice(
            (
                {},
                {"faults": die},
                {"hook": die},
                {"drain_at_s": dice.uniform(0.0, 20.0)},
                {"cut_at_s": dice.uniform(0.0, 20.0)},
            )
        )

    def live(self, **more: Any) -> Life:
        told = self.told(**more)
        life = self.world.live(**told)
        self.world.check(cap=told["cap"])
        assert life.exit_code is None or life.exit_code in EXIT_CODES
        return life

    def calm(self) -> Life:
        """The weather is fine again, and there is money."""
        self.world.heal()
        self.world.top_up(1000)
        return self.live(cap=None)


def weather(number: int) -> Iterator[Life]:
    """All lives of one world; the last one is that of a finished run."""
    storm = Storm(number)
    world = storm.world
    for _ in range(storm.dice.randint(1, LIVES_MAX)):
        yield storm.live(**storm.accident())
    yield storm.calm()
    last = storm.calm()
    yield last
    if storm.poisons and world.states["submitting"]:  # no key is trusted for longer than an hour, nor tried
        world.wall_s += HOUR_S
        last = storm.calm()
        yield last

    states = world.states
    assert not states.keys() & {"planned", "submitting", "accepted", "skipped"}, "nothing is left half done"
    doubtful = states.keys() & {"uncertain", "vanished", "stalled"}
    assert last.exit_code in ({7} if doubtful else {0, 3})
    if last.exit_code == 0:
        assert states == {"succeeded": len(world.items)}
    if not doubtful:
        assert world.store.books[SCOPE].reserved == 0


@pytest.mark.parametrize("first", range(0, WORLDS, PER_TEST))
def test_every_storm_ends_with_an_exit_code_and_every_item_accounted_for(first: int) -> None:
    ends: set[int | None] = set()
    for number in range(first, first + PER_TEST):
        try:
            ends |= {life.exit_code for life in weather(number)}
        except Exception as problem:
            problem.add_note(f"in storm {number}: list(weather({number}))")
            raise
    assert ends >= {None, 0, 3, 4, 5, 7, 8}, "the weather was bad enough"
