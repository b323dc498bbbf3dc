"""A live run, and somebody in a second shell who pauses it, turns it down, lets it go on, and ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli.entry import run_command

MANIFEST = """\
version: 1
name: boats
budget: {credits: 900}
limits: {creates: 20/s, polls: 100/s, in_flight: 50, first_poll: 100ms, poll_gap: 100ms}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat, number {{ vars.n }}"
    matrix: {grid: {vars.n: {from: 1, to: 600, step: 1}}}
"""

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    returncode: int
    stdout: str
    stderr: str


Shell = Callable[..., Said]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "runner", *words]


class Service:
    """The simulator on a port, and what it wrote down."""

    def __init__(self, folder: Path) -> None:
        self._journal = folder / "sim.jsonl"
        words = ("sim", "--speed", "20", "--fast-media", "--state", str(self._journal))
        profile = ("--profile", "windows=creates:1000/1")
        self.process = subprocess.Popen(command(*words, *profile), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def created_s(self) -> list[float]:
        """When each task was made."""
        facts = [json.loads(line) for line in self._journal.read_text(encoding="utf-8").splitlines()]
        return sorted(fact["created_s"] for fact in facts if fact["fact"] == "task")

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    """The second shell: one command line, to its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")

    def run(*words: str) -> Said:
        code = run_command(words)
        streams = capfd.readouterr()
        return Said(returncode=code, stdout=streams.out, stderr=streams.err)

    return run


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    served = Service(tmp_path)
    monkeypatch.setenv("RIVYA_BASE_URL", served.address)
    monkeypatch.setenv("RIVYA_API_KEY", "rvya_sk_sim_demo")
    yield served
    served.close()


@pytest.fixture
def run(shell: Shell, service: Service) -> Iterator[subprocess.Popen[str]]:
    """The first shell: a run under way."""
    words = command("run", "boats.yaml", "--yes", "--json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    until(lambda: len(service.created_s()) > 20)
    yield process
    process.kill()
    process.communicate()


def until(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends_s, "it never came to be"
        time.sleep(0.05)


def fullest_second(moments_s: list[float]) -> int:
    """The most that any window of a second holds."""
    return max((n - bisect_left(moments_s, end_s - 1.0) + 1 for n, end_s in enumerate(moments_s)), default=0)


def test_a_live_run_is_paused_turned_down_resumed_and_stopped(
    shell: Shell, run: subprocess.Popen[str], service: Service
) -> None:
    assert fullest_second(service.created_s()) > 10, "it goes at 20/s"

    paused = shell("pause")
    assert paused.stdout.startswith("boats: paused: nothing new is bought")
    assert "next: rivya-batch resume boats" in paused.stderr
    made = len(service.created_s())

    tuned = shell("tune", "boats", "--creates", "4/s", "--in-flight", "30", "--budget", "800")
    assert tuned.stdout.splitlines() == [
        "boats: creates 20/s -> 4/s",
        "boats: in flight 50 -> 30",
        "boats: budget 900 -> 800 credits",
    ]
    status = json.loads(shell("status", "--json").stdout)
    assert status["live"]["pauses"].keys() == {"person"}
    assert status["live"]["limits"] == {"creates": "4/s", "polls": "100/s", "in_flight": 30, "budget": 800}
    assert status["credits"]["cap"] == 800
    assert [one["name"] for one in status["steering"]] == ["paused", "tuned", "tuned", "tuned"]
    assert len(service.created_s()) == made, "nothing was made while it was paused"

    assert shell("resume").stdout == "boats: resumed\n"
    until(lambda: len(service.created_s()) >= made + 10)
    slow_s = service.created_s()[made:]
    assert fullest_second(slow_s) <= 4
    assert len(slow_s) / (slow_s[-1] - slow_s[0]) > 3.0

    assert "nothing new is started" in shell("stop").stdout
    told = [json.loads(line) for line in run.communicate(timeout=PATIENCE_S)[0].splitlines()]
    assert run.returncode == 143
    notices = [line["name"] for line in told if line["event"] == "notice"]
    assert notices == ["paused", "tuned", "tuned", "tuned", "resumed", "stopped"]
    assert told[-1]["exit_code"] == 143

    late = shell("pause")
    assert (late.returncode, late.stdout) == (2, "")
    assert "error[run-not-alive]: boats is not running: it ended" in late.stderr
    assert "with exit code 143: told to stop, and saved: run again. Nothing was changed." in late.stderr
    assert "next: rivya-batch run" in late.stderr
    followed = shell("status", "--follow")
    assert followed.returncode == 143
    assert "creates 20/s -> 4/s" in followed.stdout
    assert not (Path.cwd() / ".rivya" / "ledger.db.ctl").exists()


def test_a_run_that_was_killed_is_told_as_such_and_its_socket_is_no_trap(
    shell: Shell, run: subprocess.Popen[str], service: Service
) -> None:
    socket = Path.cwd() / ".rivya" / "ledger.db.ctl"
    assert oct(socket.stat().st_mode & 0o777) == oct(0o600)
    follower = subprocess.Popen(command("status", "--follow"), stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert "done" in follower.stdout.readline()

    second = shell("run", "boats.yaml", "--yes")
    assert second.returncode == 9
    assert f"in use by another run: pid {run.pid}" in second.stderr
    assert "spend" not in second.stderr, "before anything is shown or asked"

    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert socket.exists(), "what a dead run leaves"
    gone = shell("tune", "--creates", "5/s")
    assert gone.returncode == 2
    assert "stopped without a word: killed, crashed, or the machine went down" in gone.stderr
    assert follower.wait(timeout=PATIENCE_S) == 130
    assert "stopped without a word" in follower.stdout.read()
    follower.stdout.close()

    made = len(service.created_s())
    again = subprocess.Popen(command("run", "boats.yaml", "--yes", "-q"), stderr=subprocess.DEVNULL)
    until(lambda: len(service.created_s()) > made)
    assert "ends now" in shell("stop", "--now").stdout
    assert again.wait(timeout=PATIENCE_S) == 143


def test_what_the_settings_hold_is_not_exceeded(
    shell: Shell, service: Service, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "rivya-batch.toml").write_text('creates = "40/s"\nbudget = 1000\n', encoding="utf-8")
    run: subprocess.Popen[str] = request.getfixturevalue("run")
    answer: dict[str, Any] = json.loads(shell("tune", "--creates", "90/s", "--budget", "5000", "--json").stdout)

    held = str(tmp_path / "rivya-batch.toml")
    assert answer["changes"] == [
        {"dial": "creates", "before": "20/s", "asked": "90/s", "after": "40/s", "held_by": held},
        {"dial": "budget", "before": 900, "asked": 5000, "after": 1000, "held_by": held},
    ]
    assert answer["said"][0] == f"creates 20/s -> 40/s, not 90/s: {held} allows no more"
    shell("stop", "--now")
    assert run.wait(timeout=PATIENCE_S) == 143


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tune",), "`tune` was not told what to change"),
        (("tune", "--creates", "fast"), "--creates fast is not a rate such as `30/min`"),
        (("tune", "--in-flight", "0"), "--in-flight 0 is not a whole number of tasks"),
        (("pause",), "there is no ledger"),
        (("stop", "nobody"), "there is no ledger"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(shell: Shell, words: tuple[str, ...], told: str) -> None:
    answer = shell(*words)

    assert answer.returncode == 2
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
