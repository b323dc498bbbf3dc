"""Files of picks: `--select @picks.txt`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.entry import run_command
from runner.cli.picks import read_picks
from runner.errors import UsageError

MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat, {{ vars.colour }}"
    matrix:
      grid:
        vars.colour: [red, blue, "green*", "[grey]", "what?"]
"""
KEYS = [f"boat/vars.colour={colour}" for colour in ("red", "blue", "green*", "[grey]", "what?")]

Planned = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Planned:
    """`plan` with these words in a folder with the manifest and, as `picks.txt`, these lines: the items of the plan."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")

    def plan(lines: str, *words: str) -> tuple[int, list[str], str]:
        (tmp_path / "picks.txt").write_text(lines, encoding="utf-8")
        code = run_command(["plan", "boats.yaml", "--explain", "--json", "--sim", *words])
        streams = capfd.readouterr()
        told = json.loads(streams.out)
        return code, [item["item"] for item in told.get("reasons", ())], streams.err

    return plan


def test_a_file_lists_keys_and_comments_and_empty_lines_say_nothing(planned: Planned) -> None:
    code, items, _ = planned(f"\ufeff# two of five\n\n  {KEYS[1]}  \r\n{KEYS[0]}\n", "--select", "@picks.txt")

    assert (code, items) == (0, [KEYS[0], KEYS[1]])


def test_a_whole_key_means_itself_whatever_characters_are_in_it(planned: Planned) -> None:
    assert planned(f"{KEYS[2]}\n{KEYS[3]}\n", "--select", "@picks.txt")[1] == KEYS[2:4]


def test_a_line_that_is_no_key_may_be_a_pattern_as_the_page_writes_odd_ones(planned: Planned) -> None:
    assert planned("boat/vars.colour=[[]grey]\nboat/vars.colour=what[?]\n", "--select", "@picks.txt")[1] == KEYS[3:]


def test_files_patterns_and_exceptions_add_up(planned: Planned) -> None:
    words = ("--select", "@picks.txt", "--select", "*=blue", "--exclude", "*grey*")

    assert planned(f"{KEYS[0]}\n{KEYS[3]}\n", *words)[1] == KEYS[:2]


def test_a_pick_that_is_no_item_is_told_with_its_line_and_the_nearest(planned: Planned) -> None:
    code, _, err = planned(f"{KEYS[0]}\nboat/vars.colour=bleu\nboat/x\n", "--select", "@picks.txt")

    assert code == 2
    assert "error[pick-unknown]: picks.txt:2: no item of the manifest is called `boat/vars.colour=bleu`" in err
    assert "nor 1 more of the picks" in err
    assert "did you mean `boat/vars.colour=blue`?" in err


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.mkdir(), "is no file"),
        (os.mkfifo, "is no file"),
        (lambda path: path.write_text("# nothing\n\n"), "names no item"),
        (lambda path: path.write_bytes(b"boat/a\nboat/\xff\n"), "picks.txt:2: this is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "picks.txt")

    with pytest.raises(UsageError, match=why) as told:
        read_picks(["picks.txt"])

    assert told.value.code == "picks-unreadable"


def test_no_name_at_all_is_no_file() -> None:
    with pytest.raises(UsageError, match="is no file"):
        read_picks([""])
