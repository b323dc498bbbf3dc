"""Notices of a run in words: one safe line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from jobs.escape import for_terminal
from jobs.rates import per_minute
from jobs.steering import steering_words
from jobs.steps import Notice
from runner.cli.figures import duration

__all__ = ["told"]

# A shorter pause is over before anybody has read of it.
PAUSE_WORTH_TELLING_S: Final = 30.0

# name -> the line, with what the notice says in its places
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "paused": "no new creates: {reason}",
        "resumed": "creates go on: {reason}",
        "left": "a result of {item} is left for the next run: {why}",
        "shut": "{times} items with {what} were refused alike, the rest is not bought: {why}",
        "refund": "{credits} credits came back for {item}",
        "drift": "{price_class} cost {before} credits and costs {now} now ({item})",
        "price": "{item} cost {charged} credits, {expected} were expected",
        "ledger": "warning: {why}",
        "kept": "{item}: {why}",
    }
)


def told(notice: Notice) -> str:
    """A notice as one safe line; empty for one that is only for programs."""
    steered = steering_words(notice.name, notice.data)
    if steered is not None:  # that the run is stopping is told by itself, with how long it takes
        return "" if notice.name == "stopped" else for_terminal(steered)
    data = {name: for_terminal(str(value)) for name, value in notice.data.items()}
    match notice.name:
        case "rate":
            return _speed_words(notice, data)
        case "places":
            return _places_words(notice, data)
        case name if name in _WORDS:
            return _WORDS[name].format_map(data)
        case _:
            return f"{notice.name}: " + ", ".join(f"{name} {value}" for name, value in data.items())


def _speed_words(notice: Notice, data: Mapping[str, str]) -> str:
    before, after, full = (float(str(notice.data[name])) for name in ("before", "after", "full"))
    if before < after < full:
        return ""  # each step of a recovery is for programs; people want to know when it is over
    wait_s = float(str(notice.data.get("wait_s", 0.0)))
    pause = f" after {duration(wait_s)}" if wait_s >= PAUSE_WORTH_TELLING_S else ""
    return f"{data['limit']} {'slowed' if after < before else 'back'} to {per_minute(after)}/min{pause}: {data['why']}"


def _places_words(notice: Notice, data: Mapping[str, str]) -> str:
    before, after = notice.data["before"], notice.data["after"]
    if after is None:
        return f"no limit of tasks at once: {data['why']}"
    if before is not None and int(data["before"]) < int(data["after"]):
        return ""  # as each step of a recovery
    return f"{data['after']} tasks run at once, the rest waits for a place: {data['why']}"
