"""The disk fails: call by call under the real SQLite, and once under the whole command."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.ledger.ballast import BALLAST_BYTES
from tests.proof.io import KINDS, ROOT, sound, under
from tests.proof.soak import play_range
from tests.runner.ledger_files import made

PLAYED = 10 * len(KINDS)


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    return play_range("io", 0, PLAYED)


@pytest.mark.parametrize(
    "met",
    [
        "broken once: never came",
        "no room: goes on",
        "full: goes on",
        "full for good: DiskFull",
        "half written: goes on",
        "broken once: LedgerUnusable",
        "broken for good: LedgerUnusable",
        "quota: LedgerUnusable",
        "on the reserve",
        "exactly what was acknowledged",
    ],
)
def test_every_way_to_fail_was_met(counts: Counter[str], met: str) -> None:
    assert counts[met]


# The whole command

MANIFEST = """\
version: 1
name: boats
limits: {creates: 50/s, polls: 50/s, in_flight: 4, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - {id: boat, model: z-image, prompt: "boat {{ vars.n }}", matrix: {grid: {vars.n: [1, 2, 3, 4, 5, 6, 7, 8]}}}
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what its last line said."""

    code: int
    last: dict[str, Any]
    text: str


def run(folder: Path, environment: Mapping[str, str]) -> Ended:
    words = [sys.executable, "-m", "runner", "run", "boats.yaml", "--sim", "--yes", "--budget", "9", "--json"]
    ended = subprocess.run(
        words, cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return Ended(ended.returncode, json.loads(ended.stdout.splitlines()[-1]), ended.stdout + ended.stderr)


@pytest.mark.parametrize("kind", ["full", "broken once"])
def test_a_run_whose_disk_fails_ends_with_9_and_the_same_command_finishes_it(tmp_path: Path, kind: str) -> None:
    tmp_path.joinpath("boats.yaml").write_text(MANIFEST)
    path = tmp_path / ".rivya" / "sim.db"

    # The call is one of the first intents': some items are bought by then, and others are not.
    first, second = run(tmp_path, under(path, 210, kind)), run(tmp_path, sound())

    assert first.code == 9, first.text
    assert str(path) in first.text
    assert "Traceback" not in first.text
    if kind == "full":
        counts = first.last["counts"]
        assert counts.get("succeeded", 0) == first.last["creates"], "what was decided on by then is given up"
        assert counts.keys() <= {"planned", "rejected", "succeeded"}
        assert f"{BALLAST_BYTES:,} bytes" in first.last["pauses"]["disk"]
    else:
        assert "SQLITE_IOERR" in first.last["error"]["message"]
    assert second.code == 0, second.text
    assert second.last["counts"] == {"succeeded": 8}
    assert second.last["credits"]["settled"] == 8, "each was paid once"


# Opening where there is no room, or no leave to write

OPENING = """
import sys
from pathlib import Path
from runner.errors import RunnerError
from tests.runner.ledger_files import opened
try:
    opened(Path(sys.argv[1]))
except RunnerError as error:
    print(error.exit_code, error.code, error.message, error.next_step, sep="\\n")
"""


def opening(path: Path, environment: Mapping[str, str]) -> list[str]:
    """What another process is told that wants to own the ledger: exit code, code, message, way out."""
    told = subprocess.run(
        [sys.executable, "-c", OPENING, path], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return told.stdout.splitlines()


@pytest.mark.parametrize("kind", ["full", "quota"])
def test_without_room_for_the_reserve_nothing_begins(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ledger.db"
    asyncio.run(made(path))
    ballast, before = tmp_path / "ledger.db.ballast", path.read_bytes()
    ballast.unlink()

    exit_code, code, message, way_out = opening(path, under(ballast, 3, kind))

    assert (exit_code, code) == ("9", "disk-full")
    assert str(path) in message
    assert f"{BALLAST_BYTES:,} bytes" in message
    assert str(tmp_path) in way_out
    assert path.read_bytes() == before
    assert not ballast.exists(), "half a ballast only makes the disk fuller"


def test_a_folder_that_may_not_be_written_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    exit_code, _, message, way_out = opening(path, under(path, 1, "read only"))

    assert exit_code == "9"
    assert "Read-only file system" in message
    assert "--store" in way_out
    assert list(tmp_path.iterdir()) == []
