"""A saved plan is only trusted as far as its own flags go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import StalePlan, UsageError
from runner.saved_plan import read_saved
from runner.selection import Choices

SAVED = {
    "plan_version": 1,
    "choices": {"select": ["a*"], "exclude": [], "limit": 3},
    "flags": {"budget": "9"},
    "manifest": "/somewhere/sweep.yaml",
}


def test_a_saved_plan_gives_back_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(SAVED))

    saved = read_saved(tmp_path / "plan.json")

    assert saved.choices == Choices(select=("a*",), limit=3)
    assert (saved.flags, saved.manifest) == ({"budget": "9"}, Path("/somewhere/sweep.yaml"))


@pytest.mark.parametrize(
    "changed",
    [
        {"flags": {"base_url": "https://elsewhere.test"}},
        {"flags": {"api_key_file": "/home/other/key"}},
        {"flags": {"account": "other"}},
        {"flags": {"beside": "/tmp"}},
        {"flags": None},
        {"plan_version": 2},
        {"choices": {"select": [], "exclude": [], "unknown": 1}},
        {"choices": {}},
        {"manifest": None},
    ],
    ids=str,
)
def test_a_file_that_says_more_or_less_than_a_plan_is_none(tmp_path: Path, changed: dict[str, object]) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(SAVED | changed))

    with pytest.raises(StalePlan, match="is no plan of this release"):
        read_saved(tmp_path / "plan.json")


@pytest.mark.parametrize("text", ["", "[]", "7", "{"])
def test_what_is_no_json_object_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)

    with pytest.raises(StalePlan):
        read_saved(tmp_path / "plan.json")


def test_a_plan_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_saved(tmp_path / "plan.json")
