"""Cutting a run into shards, and their text."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings import Place
from jobs.identity import body_bytes, canonical
from jobs.item import Item, ReferenceFile
from jobs.shards import ITEMS_MAX, ITEMS_MIN, Handed, cut, handed_in, text_of
from tests.jobs.workbench import made_item

# Whatever a text may hold: half a surrogate pair, a zero, everything that JSON spells in its own way.
TEXTS = st.text(st.characters(codec=None), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FILES = st.builds(
    ReferenceFile,
    name=TEXTS,
    path=TEXTS,
    location=TEXTS,
    sha256=TEXTS,
    bytes=st.integers(0, 2**70),
    mime=st.just("image/png"),
    kind=st.sampled_from(["image", "video", "audio"]),
)
ITEMS = st.builds(
    Item,
    identity=TEXTS,
    model=TEXTS,
    prompt=st.none() | TEXTS,
    params=st.dictionaries(TEXTS, VALUES, max_size=3),
    references=st.lists(FILES, max_size=3).map(tuple),
    repeat=st.integers(1, 10**6),
    edition=TEXTS,
    index=st.integers(0, 10**7),
    key=TEXTS,
    job=TEXTS,
    axes=st.dictionaries(TEXTS, VALUES, max_size=3),
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    output_stem=TEXTS,
    credits=st.none() | st.integers(0, 10**6),
    price_class=TEXTS,
)


def _alone(item: Item) -> str:
    return text_of([Handed(item=item, version=1)])


@given(st.lists(st.builds(Handed, item=ITEMS, version=st.integers(1, 99), wanted=st.booleans()), max_size=4))
def test_items_come_out_of_their_text_as_they_went_in(handed: list[Handed]) -> None:
    text = text_of(handed)

    assert handed_in(text) == handed
    assert text.isascii()
    assert "\0" not in text  # no database has to know how to hold it


@given(ITEMS)
def test_what_is_sent_for_an_item_is_the_same_after_its_text_to_the_byte(item: Item) -> None:
    (after,) = handed_in(_alone(item))

    assert _sent(after.item) == _sent(item)


def _sent(item: Item) -> bytes | type[Exception]:
    """Half a surrogate pair cannot be sent at all; the manifest's check says so."""
    try:
        return body_bytes(
            model=item.model, prompt=item.prompt, params=item.params, reference_items=[], client_request_id="k"
        )
    except UnicodeEncodeError:
        return UnicodeEncodeError


def test_every_field_of_an_item_is_in_its_text_but_its_place() -> None:
    place = Place(file="m.yaml", line=1, column=1, end_column=2)
    (after,) = handed_in(_alone(replace(made_item(3, references=2), place=place)))

    assert after.item == made_item(3, references=2)


def test_a_file_that_many_items_share_is_written_once() -> None:
    text = text_of(Handed(item=made_item(n, references=1), version=1) for n in range(50))

    assert text.count("sha256") == 1


def _run(groups: list[tuple[int, bool]]) -> list[Item]:
    """So many items of one reference, or of none, one group after the other."""
    items: list[Item] = []
    for number, (size, has_reference) in enumerate(groups):
        for _ in range(size):
            item = made_item(len(items))
            if has_reference:
                file = replace(made_item(references=1).references[0], sha256=f"digest-{number}")
                item = replace(item, references=(file,))
            items.append(item)
    return items


GROUPS = st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=12)


@given(GROUPS, st.integers(1, 40), st.randoms(use_true_random=False))
def test_every_item_is_in_one_shard_and_no_shard_is_too_small_or_too_large(
    groups: list[tuple[int, bool]], workers: int, random: Random
) -> None:
    items = _run(groups)
    random.shuffle(items)
    shards = cut(items, workers=workers)

    assert sorted(item.index for shard in shards for item in shard) == list(range(len(items)))
    assert all(len(shard) <= ITEMS_MAX for shard in shards)
    assert all(len(shard) >= ITEMS_MIN for shard in shards) or len(shards) == 1
    assert cut(items, workers=workers) == shards


@given(GROUPS, st.integers(1, 40))
def test_the_items_of_one_reference_stand_together(groups: list[tuple[int, bool]], workers: int) -> None:
    order = [item for shard in cut(_run(groups), workers=workers) for item in shard]
    seen = [item.references[0].sha256 for item in order if item.references]
    runs = [one for n, one in enumerate(seen) if not n or one != seen[n - 1]]

    assert len(runs) == len(set(runs))


@pytest.mark.parametrize(
    ("items", "workers", "shards"),
    [(0, 3, 0), (1, 3, 1), (19, 3, 1), (45, 3, 2), (2000, 3, 24), (100_000, 3, 500), (2000, 1, 10), (2000, 100, 100)],
)
def test_there_are_as_many_shards_as_suit_the_workers(items: int, workers: int, shards: int) -> None:
    assert len(cut(_run([(1, False)] * items), workers=workers)) == shards


def test_a_shard_begins_where_a_reference_begins_if_that_is_near() -> None:
    shards = cut(_run([(45, True), (55, True), (50, True), (50, True)]), workers=1)

    assert [len({item.references[0].sha256 for item in shard}) for shard in shards].count(1) >= len(shards) - 2


def test_numbers_and_texts_keep_their_kind() -> None:
    item = replace(made_item(), params={"a": 1, "b": 1.0, "c": "1", "d": True, "e": [1, {"f": None}]})
    (after,) = handed_in(_alone(item))

    assert canonical(after.item.params) == canonical(item.params)
