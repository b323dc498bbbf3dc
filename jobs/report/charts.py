"""The figures of the charts: credits and cap over time, times by model, money by model and job, failures by code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jobs.lifecycle import ItemState
from jobs.polling import Noticed
from jobs.report.clockface import Clockface
from jobs.report.facts import NoteLine, ReportItem
from jobs.report.replay import Course, Point

__all__ = ["caps_over_time", "credits_over_time", "failures", "money", "thinned", "times_by_model"]

POINTS_MAX: Final = 400  # more than a wide screen has places for
BINS: Final = 24
# Fewer make a crowd of dots, not a distribution.
TIMES_MIN: Final = 2
# The rest of a code's items is a `results` away.
LISTED_MAX: Final = 200

_FAILED: Final = frozenset(
    (ItemState.FAILED, ItemState.REJECTED, ItemState.UNCERTAIN, ItemState.VANISHED, ItemState.STALLED)
)

JsonObject = dict[str, object]


def caps_over_time(notes: Sequence[NoteLine], clock: Clockface, *, now: int | None) -> list[tuple[float, int | None]]:
    """Since when which cap holds, in seconds of work; a person at the controls may have changed it on the way."""
    turned = [(note.at_s, note.budget) for note in notes if note.budget is not None]
    caps = [(0.0, turned[0][1][0] if turned else now)]
    caps += [(round(clock.at(at_s), 3), after) for at_s, (_, after) in turned]
    if caps[-1][1] != now:  # a later life was given another one
        begun_s = max((start_s for start_s, _ in clock.breaks_s), default=0.0)
        caps.append((max(begun_s, caps[-1][0]), now))
    return caps


def credits_over_time(points: Sequence[Point], clock: Clockface) -> list[tuple[float, int, int]]:
    """Seconds of work, settled, held; the last one is as the books are."""
    told = [(round(clock.at(point.at_s), 3), point.settled, point.reserved) for point in points]
    return thinned(told, POINTS_MAX)


def thinned(points: Sequence[tuple[float, int, int]], most: int) -> list[tuple[float, int, int]]:
    """At most so many of them, the first, the last and every peak of a stretch among them."""
    if len(points) <= most:
        return list(points)
    step = len(points) / (most // 2)
    kept: dict[int, tuple[float, int, int]] = {0: points[0]}
    for number in range(most // 2):
        start, end = int(number * step), max(int(number * step) + 1, int((number + 1) * step))
        peak = max(range(start, end), key=lambda place: points[place][1] + points[place][2])
        kept[peak] = points[peak]
        kept[end - 1] = points[end - 1]
    return [kept[place] for place in sorted(kept)]


def times_by_model(items: Sequence[ReportItem], courses: Mapping[str, Course]) -> list[JsonObject]:
    """For each model how long its tasks took and had waited, and how soon their ends were noticed.

    Those across a break are only counted.
    """
    made: dict[str, list[float]] = {}
    waited: dict[str, list[float]] = {}
    across: dict[str, int] = {}
    noticed: dict[str, Noticed] = {}
    for item in items:
        course = courses.get(item.record.identity)
        if course is None or course.made_s is None or item.record.state is not ItemState.SUCCEEDED:
            continue
        if not course.is_timed:
            across[item.model] = across.get(item.model, 0) + 1
            continue
        made.setdefault(item.model, []).append(course.made_s)
        if course.unseen_s is not None:
            noticed[item.model] = noticed.get(item.model, Noticed()).and_one(course.polls, course.unseen_s)
        if course.waited_s is not None:
            waited.setdefault(item.model, []).append(course.waited_s)
    return [
        {
            "model": model,
            "making": _spread(made.get(model, ())),
            "waiting": _spread(waited.get(model, ())),
            "noticed": _noticed(noticed.get(model)),
            "across": across.get(model, 0),
        }
        for model in dict.fromkeys(item.model for item in items)
        if model in made or model in across
    ]


def _noticed(noticed: Noticed | None) -> JsonObject | None:
    """How many polls an end took, and how many seconds after it it was noticed."""
    if noticed is None:
        return None
    return {"ends": noticed.ends, "polls": round(noticed.polls_each, 2), "delay": round(noticed.delay_s, 3)}


def _spread(seconds: Sequence[float]) -> JsonObject | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    low, high = ordered[0], ordered[-1]
    width = (high - low) / BINS
    bins = [0] * BINS if len(ordered) >= TIMES_MIN and width > 0 else [len(ordered)]
    if len(bins) > 1:
        for second in ordered:
            bins[min(BINS - 1, int((second - low) / width))] += 1
    return {
        "count": len(ordered),
        "low": round(low, 3),
        "high": round(high, 3),
        "median": round(_quantile(ordered, 0.5), 3),
        "p95": round(_quantile(ordered, 0.95), 3),
        "bins": bins,
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def money(
    items: Sequence[ReportItem], courses: Mapping[str, Course], *, settled: int, reserved: int
) -> dict[str, list[JsonObject]]:
    """Credits of this run by model and by job, each with what was bought for items it no longer wants."""
    return {
        "models": _sums(items, courses, [item.model for item in items], settled, reserved),
        "jobs": _sums(items, courses, [item.job for item in items], settled, reserved),
    }


def _sums(
    items: Sequence[ReportItem], courses: Mapping[str, Course], names: Iterable[str], settled: int, reserved: int
) -> list[JsonObject]:
    rows: dict[str, dict[str, int]] = {}
    for item, name in zip(items, names, strict=True):
        row = rows.setdefault(name, {"items": 0, "done": 0, "failed": 0, "settled": 0, "held": 0, "lost": 0})
        course = courses.get(item.record.identity, Course())
        row["items"] += 1
        row["done"] += item.record.state is ItemState.SUCCEEDED
        row["failed"] += item.record.state in _FAILED
        row["settled"] += course.settled
        row["held"] += course.reserved
        row["lost"] += course.settled if item.record.state is ItemState.FAILED else 0
    told: list[JsonObject] = [{"name": name, **row} for name, row in rows.items()]
    other = settled - sum(row["settled"] for row in rows.values()), reserved - sum(row["held"] for row in rows.values())
    if any(other):
        told.append({"name": None, "settled": other[0], "held": other[1]})
    return told


def failures(items: Sequence[ReportItem]) -> list[JsonObject]:
    """What failed and why, by code, the most frequent first; places are those of `items`."""
    groups: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        record = item.record
        if record.error_code is not None and record.state is not ItemState.SUCCEEDED:
            groups.setdefault(record.error_code, []).append(place)
    told = []
    for code, places in sorted(groups.items(), key=lambda group: -len(group[1])):
        messages: dict[str, int] = {}
        for place in places:
            text = items[place].record.error_message or ""
            messages[text] = messages.get(text, 0) + 1
        told.append(
            {
                "code": code,
                "count": len(places),
                "items": places[:LISTED_MAX],
                "messages": sorted(messages.items(), key=lambda pair: -pair[1])[:5],
            }
        )
    return told
