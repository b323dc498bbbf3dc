"""The items that a run wanted, made of their rows: a hundred thousand, while somebody waits for the first send.

A frozen dataclass sets each of its fields through `object`, which takes four times as long as everything else here. So
items and fresh records are filled in as drafts, which have the same slots, and become what they are once they are full.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from operator import itemgetter
from typing import Any, cast

import orjson

from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.record import Record
from runner.ledger.rows import STATES

__all__ = ["Priced", "identity_of", "place_of", "state_of", "wanted_of"]

# The price class and the base price of a model with these params and so many references.
Priced = Callable[[str, Mapping[str, object], int], tuple[str, int | None]]

# Of a row: where its item stands, its place in the run, and its name.
state_of, place_of, identity_of = itemgetter(0), itemgetter(3), itemgetter(4)


class _ItemDraft:
    """An `Item` that is not frozen yet."""

    __slots__ = tuple(field.name for field in fields(Item))

    identity: str
    model: str
    prompt: str | None
    params: Mapping[str, object]
    references: tuple[ReferenceFile, ...]
    repeat: int
    edition: str
    index: int
    key: str
    job: str
    axes: Mapping[str, object]
    tags: tuple[str, ...]
    output_stem: str
    credits: int | None
    price_class: str
    place: None


class _RecordDraft:
    """A `Record` that is not frozen yet."""

    __slots__ = tuple(field.name for field in fields(Record))

    identity: str
    state: ItemState
    version: int
    first_at_s: float
    attempts: int
    sends: int
    failures: int
    attempt: None
    artifacts: tuple[()]
    error_code: None
    error_message: None
    request_id: None


def wanted_of(
    rows: Iterable[tuple[Any, ...]], moved: Mapping[str, Record], files: Mapping[str, ReferenceFile], priced: Priced
) -> list[tuple[Item, Record]]:
    """Each item with its record, which is fresh unless it moved. What many of them share is read once."""
    recipes: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    tags_of: dict[str, tuple[str, ...]] = {}
    found = []
    for row in rows:
        state, version, at_s, index, identity, key, job, axes, tags, stem, model, prompt = row[:12]
        params, digests, repeat, edition = row[12:]
        recipe = recipes.get((model, params, digests))
        if recipe is None:
            recipe = recipes[model, params, digests] = _recipe(model, params, digests, files, priced)
        if tags not in tags_of:
            tags_of[tags] = tuple(json.loads(tags))
        item = _ItemDraft()
        item.identity = identity
        item.model = model
        item.prompt = prompt
        item.repeat = repeat
        item.edition = edition
        item.index = index
        item.key = key
        item.job = job
        item.axes = orjson.loads(axes)
        item.tags = tags_of[tags]
        item.output_stem = stem
        item.params, item.references, item.price_class, item.credits = recipe
        item.place = None
        item.__class__ = Item  # type: ignore[assignment]  # that is the point
        found.append((item, moved.get(identity) or _fresh(identity, STATES[state], version, at_s)))
    return cast("list[tuple[Item, Record]]", found)


def _fresh(identity: str, state: ItemState, version: int, at_s: float) -> Record:
    record = _RecordDraft()
    record.identity = identity
    record.state = state
    record.version = version
    record.first_at_s = at_s
    record.attempts = record.sends = record.failures = 0
    record.attempt = record.error_code = record.error_message = record.request_id = None
    record.artifacts = ()
    record.__class__ = Record  # type: ignore[assignment]  # likewise
    return cast("Record", record)


def _recipe(
    model: str, params: str, digests: str, files: Mapping[str, ReferenceFile], priced: Priced
) -> tuple[Mapping[str, object], tuple[ReferenceFile, ...], str, int | None]:
    sent = json.loads(params)
    references = tuple(files[digest] for digest in json.loads(digests))
    return sent, references, *priced(model, sent, len(references))
