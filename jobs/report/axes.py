"""The axes of a job's matrix, as a page offers them: what varies, its values in order, and what to show first.

Axes that always move together (a zip, or a prompt that follows a variable) are one axis to look at: a page that set one
of them and not the other would be empty. Rows of a data file and prompts of a list vary too, though no axis names them;
what stands for them in the items' keys does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.identity import canonical
from jobs.keys import item_key
from jobs.report.facts import ReportItem
from jobs.wording import plain_text

__all__ = ["JobAxes", "job_axes"]

LABEL_CHARS: Final = 48  # a column's head; what is longer is cut, and told in full where there is room
_PROMPT: Final = re.compile(r"prompt=\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAxes:
    """A job's axes, and where each of its items lies on each of them (None: it has no value there)."""

    axes: tuple[Mapping[str, object], ...]  # name, values [{label, text}]
    places: Mapping[str, tuple[int | None, ...]]  # identity -> a place per axis
    layout: Mapping[str, object]  # x, y, pages, compare: places of axes


@dataclass(slots=True)
class _Axis:
    names: list[str]
    values: dict[bytes, list[str]]  # the value's bytes -> its texts, one for each name
    of: dict[str, bytes]  # identity -> value


def job_axes(items: Sequence[ReportItem], block: Mapping[str, object]) -> JobAxes:
    """The axes of one job's items; `block` is the job's `report`."""
    axes = _tied([axis for axis in _written(items) if len(axis.values) > 1])
    order = [{value: place for place, value in enumerate(axis.values)} for axis in axes]
    places = {
        item.record.identity: tuple(
            places.get(axis.of.get(item.record.identity, b"")) for axis, places in zip(axes, order, strict=True)
        )
        for item in items
    }
    told = tuple(
        {"name": " + ".join(axis.names), "values": [_value(texts) for texts in axis.values.values()]} for axis in axes
    )
    return JobAxes(axes=told, places=places, layout=_layout(axes, block))


def _written(items: Sequence[ReportItem]) -> list[_Axis]:
    """One axis for each name, and one for rows and prompts, in the order they turn up."""
    found: dict[str, _Axis] = {}
    for item in items:
        lead = _lead(item)
        values = ({("prompt" if _PROMPT.fullmatch(lead) else "row"): lead} if lead else {}) | dict(item.axes)
        for name, value in values.items():
            axis = found.setdefault(name, _Axis([name], {}, {}))
            key = canonical(value)
            axis.values.setdefault(key, [_text(value)])
            axis.of[item.record.identity] = key
    return list(found.values())


def _lead(item: ReportItem) -> str:
    """What the key says of the item's row and prompt, before its axes."""
    rest = item.key.removesuffix(f"#{item.repeat}").removeprefix(f"{item.job}/")
    tail = item_key(item.job, None, None, item.axes, 1).removeprefix(item.job).removeprefix("/")
    lead = rest.removesuffix(tail).removesuffix(",")
    return "" if lead == item.job else lead


def _tied(axes: Sequence[_Axis]) -> list[_Axis]:
    """Axes that always move together are one; the first of them names its place."""
    made: list[_Axis] = []
    for axis in axes:
        for other in made:
            pairs = {(other.of.get(item), axis.of.get(item)) for item in other.of.keys() | axis.of.keys()}
            if len(pairs) == len(other.values) == len(axis.values):
                other.names += axis.names
                for mine, its in pairs:
                    assert mine is not None, "as many pairs as values leave none without one"
                    assert its is not None, "as many pairs as values leave none without one"
                    other.values[mine] = other.values[mine] + axis.values[its]
                break
        else:
            made.append(axis)
    return made


def _value(texts: Sequence[str]) -> dict[str, str]:
    """The label is short: of texts that belong together, those that fit."""
    label = texts[0]
    for text in texts[1:]:
        if len(label) + len(text) + 3 <= LABEL_CHARS:
            label = f"{label} · {text}"
    return {
        "label": label if len(label) <= LABEL_CHARS else f"{label[: LABEL_CHARS - 1]}…",
        "text": " · ".join(texts),
    }


def _layout(axes: Sequence[_Axis], block: Mapping[str, object]) -> dict[str, object]:
    """What the manifest asks for; else the axis with most values across and the next one down."""
    place = {name: number for number, axis in enumerate(axes) for name in axis.names}

    def asked(name: str) -> int | None:
        return place.get(str(block.get(name)))

    pages = block.get("pages")
    wanted = [place[name] for name in pages if name in place] if isinstance(pages, list | tuple) else []
    compare = asked("compare")
    taken = {number for number in (asked("x"), asked("y"), compare, *wanted) if number is not None}
    free = sorted(set(range(len(axes))) - taken, key=lambda number: -len(axes[number].values))
    across = asked("x")
    if across is None and free:
        across = free.pop(0)
    down = asked("y")
    if (down is None or down == across) and free:
        down = free.pop(0)
    if down == across:
        down = None
    return {"x": across, "y": down, "compare": None if compare in (across, down) else compare, "pages": wanted}


def _text(value: object) -> str:
    text = plain_text(value)
    return canonical(value).decode() if text is None else text
