"""Expanding what is too much to keep: the items are made as they are walked over, again and again the same."""

from __future__ import annotations

from dataclasses import fields

import pytest

from jobs import expand
from jobs.expand import Expansion
from jobs.item import Item
from jobs.made_anew import MadeAnew
from tests.jobs.expanding import expanded, only, told

LARGE = """
jobs:
  - id: still
    model: z-image
    prompt: "boat %d of {{ vars.n }} in {{ vars.colour }}"
    matrix: {grid: {vars.n: {from: 1, to: 60}, vars.colour: [red, blue]}}
"""


@pytest.fixture(autouse=True)
def few_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "KEPT_MAX", 10)


@pytest.fixture
def large() -> Expansion:
    return expanded(LARGE)


def test_a_large_expansion_is_made_again_for_each_who_walks_over_it(large: Expansion) -> None:
    assert isinstance(large.items, MadeAnew)
    assert len(large.items) == 120
    assert list(large.items) == list(large.items)
    assert large.findings == ()


def test_any_of_its_items_can_be_asked_for(large: Expansion) -> None:
    assert large.items[3].key == "still/vars.n=2,vars.colour=blue"
    assert large.items[-1].prompt == "boat %d of 60 in blue"
    assert [item.index for item in large.items[118:]] == [118, 119]
    assert large.items[5:2] == ()
    with pytest.raises(IndexError):
        large.items[120]


def test_two_equal_items_are_found_however_far_they_are_from_each_other() -> None:
    text = LARGE.rstrip().removesuffix("}") + ", include: [{vars.n: 2, vars.colour: blue}]}"
    finding = only(expanded(text))

    assert finding.code == "item-twice"
    assert "the same item as `still/vars.n=2,vars.colour=blue`" in finding.message
    assert "(item `still/vars.n=2,vars.colour=blue`)" in finding.message


def test_two_equal_names_are_found_too_and_told_behind_what_one_item_shows() -> None:
    text = LARGE.replace("matrix:", 'output: "{{ vars.n }}/{{ vars.colour }}"\n    matrix:').replace("blue", "RED")

    assert told(expanded(text)) == ["output-collision"]


def test_what_is_wrong_is_told_check_by_check_not_item_by_item() -> None:
    text = """
jobs:
  - {id: a, model: z-image, prompt: x, output: "a//b"}
  - {id: b, model: z-image}
"""
    assert told(expanded(text)) == ["missing-prompt", "output-name"]


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ vars.a }} in {{ axis['params.aspect_ratio'] }}",
        "100% {{ axis.vars.a }} %s {{ run.id }} of {{ run.date }}",
        "{{ row.c }}, {{ vars.fixed }} {{ vars.a }}",
        "no value at all",
        "{# nothing to see #}{{ vars.a }}",
    ],
)
@pytest.mark.parametrize("value", ["red", "true", "8.0", "'{{ vars.fixed }}'", "'%d'", "''", "'é靴'", "null", "[x]"])
def test_a_plain_template_gives_what_the_template_language_gives(prompt: str, value: str) -> None:
    """`upper | lower` of nothing is no plain template any more, and comes to the same text."""
    text = """
vars: {fixed: "10%%"}
jobs:
  - id: j
    model: z-image
    prompt: "%s"
    data: {file: rows.csv}
    matrix: {grid: {vars.a: [%s, blue], params.aspect_ratio: ["4:3", "1:1"]}}
"""
    texts = {"rows.csv": "c\nx\n7%\n"}
    plain, slow = (expanded(text % (prompt + more, value), texts=texts) for more in ("", "{{ '' | lower }}"))

    assert [_without_place(item) for item in plain.items] == [_without_place(item) for item in slow.items]
    assert [(one.code, one.message) for one in plain.findings] == [(one.code, one.message) for one in slow.findings]


def _without_place(item: Item) -> list[object]:
    return [getattr(item, field.name) for field in fields(item) if field.name != "place"]
