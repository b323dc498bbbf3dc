"""A run whose results go to a bucket: refused before it buys, killed in the middle, gone on with, looked at."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from runner import on_demand
from runner.cli.entry import run_command
from tests.runner.s3_server import SECRET, S3Server, s3_server

MANIFEST = """\
version: 1
name: boats
budget: {{credits: 500}}
limits: {{creates: 100/s, polls: 100/s, in_flight: 16, first_poll: 10ms, poll_gap: 10ms}}
output: {{dir: "{place}"}}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat, number {{{{ vars.n }}}}"
    matrix: {{grid: {{vars.n: {{from: 1, to: {count}}}}}}}
"""

# Enough for a process to begin, buy and save; a life that gets through all the same is a life that was not killed.
KILL_S = (0.9, 2.5)
KILLS = 2


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server("acme") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: S3Server) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def write(folder: Path, *, place: str = "s3://acme/night", count: int = 3) -> None:
    (folder / "boats.yaml").write_text(MANIFEST.format(place=place, count=count), encoding="utf-8")


def rows() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(Path("rows.json").read_text(encoding="utf-8"))
    return found


def test_a_run_saves_into_a_bucket_and_says_where(
    folder: Path, server: S3Server, capfd: pytest.CaptureFixture[str]
) -> None:
    write(folder)

    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["dir"] == "s3://acme/night"
    assert run_command(["results", "--sim", "--json", "-o", "rows.json"]) == 0
    files = sorted(str(output["file"]) for row in rows() for output in row["outputs"])  # type: ignore[attr-defined]
    objects = server.below("acme", "night")
    assert [file.removeprefix("s3://acme/night/") for file in files] == [
        name for name in objects if not name.endswith(".json")
    ]
    assert {f"{file}.json" for file in files} <= {f"s3://acme/night/{name}" for name in objects}
    assert not (folder / "out").exists()
    assert not (folder / "s3:").exists()

    capfd.readouterr()
    assert run_command(["ls", "--sim"]) == run_command(["status", "--sim"]) == 0
    assert capfd.readouterr().out.count("s3://acme/night") == 2
    puts = len(server.requests)
    assert run_command(["run", "boats.yaml", "--sim", "--yes"]) == 0
    assert len(server.requests) == puts + 1, "only the mark is asked for again"


@pytest.mark.parametrize(
    ("place", "code"), [("s3://nowhere/night", "bucket-missing"), ("s3://acme/forbidden", "bucket-refused")]
)
def test_a_bucket_that_cannot_take_results_is_told_before_anything_is_bought(
    folder: Path, server: S3Server, capfd: pytest.CaptureFixture[str], place: str, code: str
) -> None:
    write(folder, place=place)
    server.fault = lambda method, key: 403 if key.startswith("forbidden") else None

    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--no-progress"]) == 9
    told = capfd.readouterr().err
    assert f"error[{code}]" in told
    assert "next: " in told
    assert not (folder / ".rivya/sim.db").exists(), "nothing was begun"


def test_a_run_that_saves_nothing_asks_no_bucket(folder: Path, server: S3Server) -> None:
    write(folder)

    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--no-download"]) == 0
    assert server.requests == []


def test_without_the_extra_nothing_is_bought(
    folder: Path, server: S3Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder)
    monkeypatch.setattr(on_demand, "find_spec", lambda name: None if name == "obstore" else find_spec(name))

    assert run_command(["run", "boats.yaml", "--sim", "--yes"]) == 2
    assert "next: pip install 'rivya-batch[s3]'" in capfd.readouterr().err
    assert server.requests == []


def test_a_bucket_that_breaks_in_the_middle_is_gone_on_with(
    folder: Path, server: S3Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.blobs_s3.RETRIES", 0)
    write(folder)
    server.fault = lambda method, key: 403 if key.endswith(".png") else None

    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--no-progress"]) == 9
    assert "AccessDenied" in capfd.readouterr().err
    server.fault = lambda method, key: None
    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--no-progress"]) == 0
    assert len(server.below("acme", "night")) == 6
    everything = b"".join(file.read_bytes() for file in (folder / ".rivya").iterdir())
    assert SECRET.encode() not in everything


def test_a_run_that_is_killed_loses_and_overwrites_nothing(folder: Path, server: S3Server) -> None:
    write(folder, count=50)
    kill_and_go_on(server, random.Random(7), kills=KILLS)
    judge(server, 50)


def kill_and_go_on(server: S3Server, dice: random.Random, *, kills: int) -> int:
    """Lives of one run, killed until the last; gives how many really died."""
    command = [sys.executable, "-m", "runner", "run", "boats.yaml", "--sim", "--yes", "--no-progress", "-q"]
    died = 0
    for _ in range(kills):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as life:
            deadline = time.monotonic() + dice.uniform(*KILL_S)
            while life.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            life.send_signal(signal.SIGKILL)
        died += life.returncode == -signal.SIGKILL
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    return died


def judge(server: S3Server, count: int) -> None:
    """Every item once, as the ledger has it; nothing else, nothing replaced, nothing left over."""
    assert run_command(["results", "--sim", "--json", "-o", "rows.json"]) == 0
    objects = server.below("acme", "night")
    saved = {str(output["file"]): output for row in rows() for output in row["outputs"]}  # type: ignore[attr-defined]
    assert len(saved) == count
    assert {output["state"] for output in saved.values()} == {"verified"}
    for file, output in saved.items():
        name = file.removeprefix("s3://acme/night/")
        assert hashlib.sha256(objects[name]).hexdigest() == output["sha256"]
        assert json.loads(objects[f"{name}.json"])["sha256"] == output["sha256"]
    assert len(objects) == 2 * count, sorted(objects)
    assert [name for name in server.overwritten if not name.endswith(".json")] == []
