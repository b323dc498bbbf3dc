"""Workers that share an account's limit, by number: they die, stop and go on later, come, leave, idle; beats get lost.

What must hold: no window of the service, wherever it begins, holds more calls than the limit, neither of those that
left nor of those that arrived; and what workers keep to is at no moment more than there is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from random import Random

from jobs.rates import Rate
from jobs.sharing import ARRIVE_S
from tests.jobs.sharing_world import Account, Chances, World, most_in_a_window

__all__ = ["MUST_MEET", "play"]

RATES = (
    Rate(count=60, window_s=60.0),
    Rate(count=20, window_s=1.0),
    Rate(count=2, window_s=60.0),
    Rate(count=3, window_s=1.0),
    Rate(count=30, window_s=5.0),
    Rate(count=7, window_s=20.0),
)
TURNS = 12
DEEDS = ("die", "stop", "go_on", "go_on", "cut_off", "join", "leave", "idle", "work", "held_up", "nothing")
MUST_MEET = ("die", "stop", "go_on", "cut_off", "join", "leave", "woke_late", "full", "lost", "unheard", "far")


def play(number: int) -> Mapping[str, int]:
    """One account, up to six workers at first, a dozen deeds."""
    dice, met = Random(number), Counter[str]()
    chances = Chances(
        step_s=dice.choice((0.002, 0.05, 0.3)),
        way_s=dice.choice((0.01, 0.3, 2.0, 0.98 * ARRIVE_S)),
        near=dice.choice((0, 0.5, 0.9)),
        fails=dice.choice((0, 0.1, 0.5)),
        unheard=dice.choice((0, 0.1, 0.3)),
        slow=dice.choice((0, 0.05, 0.2)),
        slow_s=dice.choice((2.0, 8.0)),
    )
    met.update(lost=chances.fails > 0, unheard=chances.unheard > 0, far=chances.way_s > 1.0)
    world, account = World(number, chances), Account("account", dice.choice(RATES))
    for n in range(dice.randint(1, 6)):
        world.join(account, f"w{n}")
    for _ in range(TURNS):
        world.run(dice.uniform(0.0, max(3.0, 0.7 * account.rate.window_s)))
        deed = dice.choice(DEEDS)
        met[deed] += 1
        _do(deed, world, account, dice, met)
    world.run(3.0 * account.rate.window_s)
    for what, moments_s in (("left", account.left_s), ("arrived", account.arrived_s)):
        most = most_in_a_window(moments_s, account.rate.window_s)
        assert most <= account.rate.count, f"{most} {what} within {account.rate.window_s:g} s of {account.rate}"
        met["full"] += most == account.rate.count
    return met


def _do(deed: str, world: World, account: Account, dice: Random, met: Counter[str]) -> None:
    alive = list(world.alive(account))
    if deed == "join" or not alive:
        world.join(account, f"w{len(account.members)}")
        return
    one = dice.choice(alive)
    match deed:
        case "die":
            one.die()
        case "stop":
            one.stop()
        case "go_on":
            for each in alive:
                row = account.rows.get(each.name)
                met["woke_late"] += each.is_stopped and (row is None or row.free_at_s <= world.now_s)
                each.is_cut_off = False
                each.go_on()
        case "cut_off":
            one.is_cut_off = True
        case "leave":
            one.is_leaving = True
        case "idle":
            one.backlog = 0
        case "work":
            one.backlog = math.inf
            one.pump()
        case "held_up":
            one.held_up = not one.held_up
            one.pump()
