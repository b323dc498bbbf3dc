"""Campaign `storms`: hours of bad weather at the service, in virtual time, through the real engine.

A number is a kind of storm and a seed. Storms come and go while items wait to be bought; afterwards everything is
bought, once, and nothing is in doubt. What is measured: repetitions outside the storms, creates within them, and how
long after a storm the full speed is back.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.retry import RETRY_AFTER_CAP_S
from jobs.verdict import SendPolicy
from runner.sim.exchange import http_date
from runner.sim.world import SendSeen
from tests.proof.audit import ViolationError
from tests.proof.storms_house import START_S, House, Life
from tests.runner.world_items import items

__all__ = ["FORMS", "KINDS", "LONG", "SHORT", "Length", "Storm", "Weather", "play", "weather"]

WINDOW_S: Final = 60.0
LIVES_MAX: Final = 60
BETWEEN_LIVES_S: Final = 120.0  # a person, or a timer, gives the command again

# Targets
RETRIES_SHARE_MAX: Final = 0.10  # of the creates outside the storms
FULL_AGAIN_WINDOWS_MAX: Final = 2.0
FULL_SHARE: Final = 0.9  # of a window's creates: that is full speed
TRICKLE_SHARE_MAX: Final = 0.25  # of the full speed, in the later halves of storms that refuse nearly all
TRICKLING: Final = frozenset({"limited", "unavailable", "outage"})

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How much weather: storms begin every `period_s` and take `storm_s`."""

    storms: int
    storm_s: float
    period_s: float
    per_window: int  # creates


LONG: Final = Length(storms=12, storm_s=360.0, period_s=1800.0, per_window=60)
SHORT: Final = Length(storms=5, storm_s=100.0, period_s=330.0, per_window=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """One of them. `asks_s`: how long the service asks to be left alone, each time it refuses."""

    begins_s: float
    ends_s: float
    rules: tuple[Rule, ...]
    asks_s: float = 0.0


Sky = Callable[[int, float, float, random.Random], Storm]


def _storm(begins_s: float, ends_s: float, *do: tuple[float, Mapping[str, Any]], asks_s: float = 0.0) -> Storm:
    """Each of `do` with the share of requests that it befalls."""
    rules = tuple(
        {"match": {"share": share, "from_s": begins_s, "until_s": ends_s}, "do": dict(what)} for share, what in do
    )
    return Storm(begins_s=begins_s, ends_s=ends_s, rules=rules, asks_s=asks_s)


# Every form of Retry-After: some are no wish at all, one asks for years. The last only once, for it is obeyed: an hour.
FORMS: Final = ("7", "date", "", "soon", "-5", "0", "1.5", "45", "999999999")


def _limited(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    """429 with every form of Retry-After; one request in twenty gets through."""
    form = FORMS[nth % len(FORMS)]
    asked = http_date(int(START_S + ends_s)) if form == "date" else form
    asks_s = min(float(form), RETRY_AFTER_CAP_S) if form.isdecimal() else 0.0
    what: dict[str, Any] = {"code": "rate_limited"}
    if form:
        what["retry_after"] = asked
    return _storm(begins_s, ends_s, (0.95, what), asks_s=asks_s)


def _waves(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    """A gateway that fails: first always, before or after the effect; then every other time."""
    status, after = (500, 502, 503, 504)[nth % 4], nth % 2 == 0
    worst_s = begins_s + 80.0
    always = _storm(begins_s, min(worst_s, ends_s), (1.0, {"status": status, "after_effect": after})).rules
    often = _storm(worst_s, ends_s, (0.5, {"status": status})).rules
    return Storm(begins_s=begins_s, ends_s=ends_s, rules=(*always, *often))


def _unavailable(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    """503 with a Retry-After; one request in ten gets through."""
    asks_s = (5.0, 20.0, 60.0)[nth % 3]
    return _storm(begins_s, ends_s, (0.9, {"status": 503, "retry_after": int(asks_s)}), asks_s=asks_s)


def _flapping(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    """Connections that break before the service heard, or after; some hang."""
    drops = [(0.3, {"drop": moment}) for moment in ("before_effect", "after_effect")]
    return _storm(begins_s, ends_s, *drops, (0.05, {"never_answer": "after_effect"}), (0.1, {"cut_after_bytes": 9}))


def _mixed(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    one, other = dice.sample((_limited, _waves, _unavailable, _flapping), 2)
    half_s = (begins_s + ends_s) / 2.0
    first, second = one(nth % 8, begins_s, half_s, dice), other(nth % 8, half_s, ends_s, dice)
    return Storm(
        begins_s=begins_s,
        ends_s=ends_s,
        rules=(*first.rules, *second.rules),
        asks_s=max(first.asks_s, second.asks_s),
    )


def _outage(nth: int, begins_s: float, ends_s: float, dice: random.Random) -> Storm:
    """Nothing answers for longer than a life waits."""
    what = ({"status": 502}, {"drop": "before_effect"}, {"drop": "after_effect"})[nth % 3]
    return _storm(begins_s, begins_s + 420.0, (1.0, what))


KINDS: Final[Mapping[str, Sky]] = {
    "limited": _limited,
    "waves": _waves,
    "unavailable": _unavailable,
    "flapping": _flapping,
    "mixed": _mixed,
    "outage": _outage,
}


class Weather:
    """One run through it, and its figures."""

    def __init__(self, kind: str, length: Length, seed: int) -> None:
        self.kind = kind
        dice = random.Random(f"{kind} {seed}")
        self.length = length
        self.storms = [
            KINDS[kind](nth + seed, begins_s, begins_s + length.storm_s, dice)
            for nth in range(length.storms)
            for begins_s in [length.period_s * (nth + 1) - length.storm_s]
        ]
        buying_s = length.storms * length.period_s + 4 * WINDOW_S
        self.house = House(
            items(round(length.per_window * buying_s / WINDOW_S)),
            seed=seed,
            creates=Rate(count=length.per_window, window_s=WINDOW_S),
            polls=Rate(count=20 * length.per_window, window_s=WINDOW_S),
            profile={"durations": (("*", 8.0),)},
            faults=[rule for storm in self.storms for rule in storm.rules],
            floors=PollFloors(first_poll_s=5.0, poll_gap_s=5.0),
            send_policy=SendPolicy(),
        )
        self.lives: list[Life] = []

    def pass_by(self) -> None:
        """All lives that it takes."""
        while len(self.lives) < LIVES_MAX:
            self.lives.append(self.house.live())
            if not self.house.states.keys() & {"planned", "submitting", "accepted"}:
                break
            self.house.began_s += BETWEEN_LIVES_S
        self.house.judge()

    # Figures

    @property
    def sends(self) -> Sequence[SendSeen]:
        return self.house.service.sends

    def blown_over_s(self, storm: Storm) -> float:
        """When a storm is over, and so is what the service asked for at its last refusal."""
        if not storm.asks_s:
            return storm.ends_s
        times = (send.at_s - START_S for send in self.sends)
        refused_s = max((at_s for at_s in times if storm.begins_s <= at_s < storm.ends_s), default=storm.begins_s)
        return max(storm.ends_s, refused_s + storm.asks_s + min(0.1 * storm.asks_s, 5.0))

    def calm_from_s(self, storm: Storm) -> float:
        """When creates may flow again after a storm: what the service asked for may last into the next ones."""
        from_s = storm.ends_s
        for other in self.storms:
            if other.begins_s <= from_s:
                from_s = max(from_s, self.blown_over_s(other))
        return from_s

    def windows_to_full(self, storm: Storm) -> float:
        """From the end of a storm to full speed, in windows of the limit.

        A life that gave the service up within the storm (exit code 8) buys no more: then it counts from when somebody
        gave the command again.
        """
        from_s = self.calm_from_s(storm)
        times = [send.at_s - START_S for send in self.sends if send.at_s - START_S >= from_s]
        if times:
            from_s = max(from_s, *(life.began_s for life in self.lives if life.began_s <= times[0]))
        needed = max(1, round(FULL_SHARE * self.length.per_window))
        for first, last in zip(times, times[needed - 1 :], strict=False):
            if last - first <= WINDOW_S:
                return (first - from_s) / WINDOW_S
        return float("inf")

    def repeated_outside(self) -> tuple[int, int]:
        """Creates that left outside the storms under a key that had left before, and all that left there."""
        seen: set[str] = set()
        repeated = all_ = 0
        spans = [(storm.begins_s, self.calm_from_s(storm)) for storm in self.storms]
        for send in self.sends:
            at_s = send.at_s - START_S
            if not any(begins_s <= at_s < ends_s for begins_s, ends_s in spans):
                all_ += 1
                repeated += send.key in seen
            seen.add(send.key)
        return repeated, all_

    def trickle_share(self, storm: Storm) -> float:
        """The pace of creates in the later half of a storm, as a share of the full one."""
        half_s = (storm.begins_s + storm.ends_s) / 2.0
        left = sum(half_s <= send.at_s - START_S < storm.ends_s for send in self.sends)
        return left / ((storm.ends_s - half_s) / WINDOW_S * self.length.per_window)

    def judge(self) -> Counter[str]:
        """The figures; raises where a target is missed."""
        states = self.house.states
        if set(states) != {"succeeded"}:
            raise ViolationError(
                f"not everything was bought: {dict(states)}, exit codes {[life.exit_code for life in self.lives]}"
            )
        repeated, outside = self.repeated_outside()
        if repeated > RETRIES_SHARE_MAX * outside:
            raise ViolationError(f"{repeated} of {outside} creates outside the storms were repetitions")
        counts: Counter[str] = Counter()
        for storm in self.storms:
            windows = self.windows_to_full(storm)
            if windows > FULL_AGAIN_WINDOWS_MAX:
                raise ViolationError(f"full speed {windows:.2f} windows after the storm that ended at {storm.ends_s:g}")
            counts[f"storms, full speed within {next(limit for limit in (0.5, 1.0, 2.0) if windows <= limit)}"] += 1
        pace = sum(self.trickle_share(storm) for storm in self.storms) / len(self.storms)
        if self.kind in TRICKLING and pace > TRICKLE_SHARE_MAX:
            raise ViolationError(f"creates went on at {pace:.0%} of the full speed while nearly all were refused")
        counts[f"{self.kind}: creates"] = len(self.sends)
        counts[f"{self.kind}: outside the storms"] = outside
        counts[f"{self.kind}: repeated outside the storms"] = repeated
        counts[f"{self.kind}: percent of full speed within storms"] = round(100 * pace)
        counts["lives"] = len(self.lives)
        return counts


def weather(kind: str, length: Length, seed: int) -> Counter[str]:
    """One kind of storm from the first item to the last; raises when anything but time was lost."""
    passed = Weather(kind, length, seed)
    passed.pass_by()
    return passed.judge()


def play(number: int) -> Mapping[str, int]:
    """Six hours of one kind."""
    return weather(tuple(KINDS)[number % len(KINDS)], LONG, number // len(KINDS))
