"""Before a real terminal: the question is asked, the screen is drawn, and Ctrl-C is heard."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat in {{ vars.colour }}"
    matrix: {grid: {vars.colour: [red, blue]}}
"""

LONGEST_S = 120.0  # a hang; a busy machine takes its time


def typed(
    folder: Path, args: list[str], *, at: str, keys: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command line before a terminal, type `keys` once `at` is seen; its exit code and what it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "runner", *args],
            {"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder), "TERM": "xterm", **(environment or {})},
        )
    shown, waiting, end_s = b"", True, time.monotonic() + LONGEST_S
    while time.monotonic() < end_s:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
        if waiting and at.encode() in shown:
            os.write(terminal, keys.encode())
            waiting = False
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode("utf-8", "replace").replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def test_a_person_says_yes_and_sees_the_run(folder: Path) -> None:
    code, shown = typed(folder, ["run", "boats.yaml", "--sim"], at="Type yes: ", keys="yes\n")

    assert code == 0
    assert "Spend up to 50 credits? Type yes: " in shown
    assert "━" in shown
    assert re.search(r"finished .* 2 / 2", re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", shown))
    assert "boats  2 of 2 done" in shown


@pytest.mark.parametrize(("keys", "code"), [("y\n", 2), ("\n", 2), ("\x04", 2), ("\x03", 130)])
def test_anything_else_buys_nothing(folder: Path, keys: str, code: int) -> None:
    assert typed(folder, ["run", "boats.yaml", "--sim"], at="Type yes: ", keys=keys)[0] == code
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("flags", "environment"), [(["--no-progress"], {}), ([], {"CI": "true"}), ([], {"TERM": "dumb"})]
)
def test_no_screen_where_none_is_wanted(folder: Path, flags: list[str], environment: Mapping[str, str]) -> None:
    code, shown = typed(
        folder, ["run", "boats.yaml", "--sim", "--yes", *flags], at="\0", keys="", environment=environment
    )

    assert code == 0
    assert "━" not in shown


@pytest.mark.parametrize(
    ("environment", "bar", "colored"),
    [({}, "━", True), ({"NO_COLOR": "1"}, "━", False), ({"PYTHONIOENCODING": "ascii"}, "====", True)],
)
def test_bars_are_drawn_with_what_the_terminal_has(
    folder: Path, environment: Mapping[str, str], bar: str, colored: bool
) -> None:
    code, shown = typed(
        folder,
        ["run", "boats.yaml", "--sim", "--yes"],
        at="\0",
        keys="",
        environment={"LANG": "C.UTF-8", **environment},
    )

    assert code == 0
    assert bar in shown
    assert ("\x1b[32m" in shown) is colored
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1


def test_ctrl_c_says_what_it_does_and_the_picture_of_the_end_stays(folder: Path) -> None:
    slow = MANIFEST.replace("creates: 50/s", "creates: 1/min")
    (folder / "boats.yaml").write_text(slow, encoding="utf-8")
    code, shown = typed(folder, ["run", "boats.yaml", "--sim", "--yes"], at="create limiter", keys="\x03")

    assert code == 130
    assert "SIGINT: nothing new is started;" in shown
    assert "Ctrl-C again ends at once" in shown
    _, found, last = shown.rpartition("\x1b[?25h")  # the cursor is back, and below the picture the end is told
    assert found
    assert "of 2 done in" in last


def test_ci_is_never_asked(folder: Path) -> None:
    code, shown = typed(folder, ["run", "boats.yaml", "--sim"], at="\0", keys="", environment={"CI": "true"})

    assert code == 2
    assert "rivya-batch run boats.yaml --sim --yes" in shown


@pytest.mark.parametrize(
    ("environment", "flags", "colored"),
    [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False), ({}, ["--color", "never"], False)],
)
def test_colours_are_left_out_on_request(
    folder: Path, environment: Mapping[str, str], flags: list[str], colored: bool
) -> None:
    code, shown = typed(folder, ["credits", *flags], at="\0", keys="", environment=environment)

    assert code == 4
    assert ("\x1b[" in shown) is colored
