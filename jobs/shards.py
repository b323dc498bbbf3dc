"""Shards: pieces of a run that are worked on by one worker each, and their text.

A shard's text holds everything of its items, so that a worker needs neither the manifest nor its files. References come
from the ledger: who cut the run has brought them to the service before.
"""

from __future__ import annotations

import itertools
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from jobs.item import Item, ReferenceFile

__all__ = ["ITEMS_MAX", "ITEMS_MIN", "Handed", "cut", "handed_in", "identities_in", "text_of"]

# Fewer, and handing out costs more than it gives; more, and too much waits for one worker, or for its successor.
ITEMS_MIN: Final = 20
ITEMS_MAX: Final = 200
# So many shards for each worker even out that some are slower than others.
SHARDS_A_WORKER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """An item as it was handed out."""

    item: Item
    version: int  # of its record then: what a person asked to buy again is bought once
    wanted: bool = True  # else it was paid for, and is only seen through


def cut(items: Sequence[Item], *, workers: int) -> list[tuple[Item, ...]]:
    """The items in shards of much the same size, for that many workers; those of one reference together.

    Each has `ITEMS_MIN` to `ITEMS_MAX` items, but for a run that has fewer.
    """
    first: dict[str, int] = {}  # reference -> where the first of its items stands
    for item in items:
        for file in item.references[:1]:
            first.setdefault(file.sha256, item.index)

    def place(item: Item) -> int:
        return first[item.references[0].sha256] if item.references else item.index

    ordered = sorted(items, key=lambda item: (place(item), item.index))
    starts = [n for n, item in enumerate(ordered) if not n or _reference(item) != _reference(ordered[n - 1])]
    return [tuple(ordered[a:b]) for a, b in _bounds(len(ordered), starts, workers=workers)]


def _reference(item: Item) -> str | int:
    return item.references[0].sha256 if item.references else item.index


def _bounds(number: int, starts: Sequence[int], *, workers: int) -> Iterable[tuple[int, int]]:
    """Evenly, but where a reference's items begin nearby, there."""
    if not number:
        return []
    wanted = max(1, workers) * SHARDS_A_WORKER
    shards = max(1, -(-number // ITEMS_MAX), min(wanted, number // ITEMS_MIN))
    low, high = number // shards, -(-number // shards)
    slack = max(0, min(low - ITEMS_MIN, ITEMS_MAX - high) // 2)
    even = [n * number // shards for n in range(shards + 1)]
    bounds = [0, *(_nearest(starts, bound, slack) for bound in even[1:-1]), number]
    return itertools.pairwise(bounds)


def _nearest(starts: Sequence[int], bound: int, slack: int) -> int:
    after = bisect_left(starts, bound)
    near = [start for start in starts[max(0, after - 1) : after + 1] if abs(start - bound) <= slack]
    return min(near, key=lambda start: abs(start - bound), default=bound)


def text_of(handed: Iterable[Handed]) -> str:
    """The items as JSON text, in ASCII: it holds whatever a prompt may, also half a surrogate pair. Their places in the
    manifest are left out: they are for who reads it.
    """
    files: dict[ReferenceFile, int] = {}
    written = []
    for one in handed:
        numbers = [files.setdefault(file, len(files)) for file in one.item.references]
        plain = {name: getattr(one.item, name) for name in _PLAIN} | {"references": numbers}
        written.append({"item": plain, "version": one.version, "wanted": one.wanted})
    return _JSON.encode({"files": [asdict(file) for file in files], "items": written})


def handed_in(text: str) -> list[Handed]:
    """The items of a shard's text, exactly as they were. Raises `ValueError` for what another release wrote."""
    try:
        told: dict[str, Any] = json.loads(text)
        files = [ReferenceFile(**file) for file in told["files"]]
        return [
            Handed(item=_item(one["item"], files), version=one["version"], wanted=one["wanted"])
            for one in told["items"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not as this release writes it: {error}") from None


def identities_in(text: str) -> list[str]:
    """Which items these are, whatever release wrote the text."""
    return [one["item"]["identity"] for one in json.loads(text)["items"]]


def _item(told: dict[str, Any], files: Sequence[ReferenceFile]) -> Item:
    references = tuple(files[number] for number in told["references"])
    return Item(**(told | {"references": references, "tags": tuple(told["tags"])}))


_PLAIN: Final = (
    "identity",
    "model",
    "prompt",
    "params",
    "repeat",
    "edition",
    "index",
    "key",
    "job",
    "axes",
    "tags",
    "output_stem",
    "credits",
    "price_class",
)


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_JSON: Final = json.JSONEncoder(separators=(",", ":"), default=_as_dict, allow_nan=False)
