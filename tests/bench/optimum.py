"""The least mean detection delay that a number of polls per task allows, when the distribution of latencies is known.

Polls of a task may be placed freely. With a price on each poll, the best next gap from every age is a small dynamic
programme over a grid of ages; the price is then moved until the polls per task are those that were used. Kinds that
share one budget share one price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

from tests.bench.workloads import Kind

__all__ = ["least_delay_s"]

AGES = 300  # points of the grid
TAIL = 1e-4  # of the tasks end later than the grid goes
STEPS = 30  # of the search for the price
_NORMAL = NormalDist()


def least_delay_s(kinds: Sequence[Kind], polls_per_task: float) -> float:
    """Mean seconds from the end of a task to the poll that sees it; every kind has as many tasks as every other."""
    cheap, dear = math.log(1e-7), math.log(10.0)
    for _ in range(STEPS):
        price = math.exp((cheap + dear) / 2)
        polls = sum(_best(kind.sigma, price / kind.median_s)[0] for kind in kinds) / len(kinds)
        cheap, dear = ((cheap + dear) / 2, dear) if polls > polls_per_task else (cheap, (cheap + dear) / 2)
    price = math.exp(dear)
    return sum(kind.median_s * _best(kind.sigma, price / kind.median_s)[1] for kind in kinds) / len(kinds)


@cache
def _best(sigma: float, price: float) -> tuple[float, float]:
    """Polls and delay of one task with a median of 1, at a price per poll in units of delay."""
    ages, ended, early = _grid(sigma)
    # From the last age back: cost, polls and delay of all that is still to come, weighed by who is still there.
    cost, polls, delay = [0.0] * AGES, [0.0] * AGES, [0.0] * AGES
    for now in range(AGES - 2, -1, -1):
        ended_now, early_now, best, then = ended[now], early[now], math.inf, now + 1
        for later in range(now + 1, AGES):
            waited = ages[later] * (ended[later] - ended_now) - (early[later] - early_now)
            if waited >= best:
                break  # it only grows
            if waited + cost[later] < best:
                best, then = waited + cost[later], later
        there = 1.0 - ended_now
        cost[now] = best + price * there
        polls[now] = there + polls[then]
        delay[now] = ages[then] * (ended[then] - ended_now) - (early[then] - early_now) + delay[then]
    return polls[0], delay[0]


@cache
def _grid(sigma: float) -> tuple[list[float], list[float], list[float]]:
    """Ages, the share of tasks that have ended by then, and the sum of their latencies."""
    last = math.exp(sigma * _NORMAL.inv_cdf(1.0 - TAIL))
    ages = [last * number / (AGES - 1) for number in range(AGES)]
    places = [math.log(age) / sigma if age else -math.inf for age in ages]
    ended = [_NORMAL.cdf(place) if place > -math.inf else 0.0 for place in places]
    weight = math.exp(sigma * sigma / 2)
    early = [weight * _NORMAL.cdf(place - sigma) if place > -math.inf else 0.0 for place in places]
    return ages, ended, early
