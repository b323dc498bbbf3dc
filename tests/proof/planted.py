"""Campaign `planted`: money bugs planted on purpose, one at a time, each of which the proofs must catch.

A proof that finds nothing proves nothing until it has found what was hidden from it. Each bug here is one change of
one file; it is made in a copy of the product, and the proofs play on that copy, in another process, until one of them
fails. A bug that escapes is a hole in a proof.

    python -m tests.proof.planted                 all of them: bug, what caught it, at which number, in which words
    python -m tests.proof.planted 3 7             some of them
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.proof.audit import ViolationError
from tests.proof.planted_bugs import BUGS, Bug

__all__ = ["HUNTERS", "Caught", "hunt", "mutated", "play"]

ROOT = Path(__file__).resolve().parents[2]
HUNT_S_MAX = 1200.0  # of one bug; the slowest takes a minute on a busy machine

# Who hunts, by number: a function that plays one scenario, and how many it may play.
HUNTERS: Mapping[str, tuple[str, int]] = {
    "sansio": ("tests.proof.sansio:play", 10_000),
    "storms": ("tests.runner.test_engine_storms:weather", 3_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """Where a bug was seen: at a number of its hunter's, or in a test."""

    where: str
    violation: str


def play(number: int) -> Mapping[str, int]:
    """Hunt one bug, by its place in the list."""
    bug = BUGS[number]
    caught = hunt(bug)
    if caught is None:
        raise ViolationError(f"nobody caught: {bug.name}")
    return {"planted": 1, f"caught by {bug.hunter}": 1}


def hunt(bug: Bug) -> Caught | None:
    """Plant a bug in a copy of the product, and let its hunter loose on that copy."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for package in ("jobs", "runner"):
            shutil.copytree(ROOT / package, Path(folder, package))
        Path(folder, bug.file).write_text(mutated(bug))
        hunted = subprocess.run(
            _command(bug, folder),
            cwd=folder,  # first on the path of the other process, and so the copy comes first
            env={
                "PYTHONPATH": os.pathsep.join([folder, str(ROOT), *sys.path]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "COLUMNS": "240",
            },
            capture_output=True,
            text=True,
            timeout=HUNT_S_MAX,
            check=False,
        )
    if bug.hunter not in HUNTERS:
        return _of_tests(hunted)
    assert hunted.returncode == 0, hunted.stderr
    found = json.loads(hunted.stdout)
    return None if found is None else Caught(where=str(found[0]), violation=found[1])


def _command(bug: Bug, folder: str) -> list[str]:
    if bug.hunter in HUNTERS:
        return [sys.executable, "-m", "tests.proof.planted", "--hunt", bug.hunter]
    told = [
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        f"--rootdir={ROOT}",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    return [sys.executable, "-m", "pytest", *told, "-o", f"pythonpath={folder}", str(ROOT / bug.hunter)]


def mutated(bug: Bug) -> str:
    """The file's text with the bug in it. The place must still be there, and be the only one."""
    text = (ROOT / bug.file).read_text()
    times = text.count(bug.old)
    assert times == 1, f"{bug.name}: its place is in {bug.file} {times} times; the file has moved on, so must the bug"
    return text.replace(bug.old, bug.new)


def _of_tests(hunted: subprocess.CompletedProcess[str]) -> Caught | None:
    failed = [line for line in hunted.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if hunted.returncode != 1 or not failed:
        assert hunted.returncode == 0, hunted.stdout + hunted.stderr
        return None
    where, _, violation = failed[0].partition(" ")[2].partition(" - ")
    return Caught(where=where.partition("::")[2], violation=violation)


# In the other process


def _first_violation(hunter: str) -> tuple[int, str] | None:
    """The first number that fails. Any exception counts: an assertion of the core's is a catch, too."""
    path, numbers = HUNTERS[hunter]
    module, _, name = path.partition(":")
    scenario: Callable[[int], object] = getattr(importlib.import_module(module), name)
    assert Path(str(sys.modules["jobs"].__file__)).parent.parent == Path.cwd(), "it is the copy that is played"
    for number in range(numbers):
        try:
            played = scenario(number)
            if isinstance(played, Iterator):
                for _ in played:
                    pass
        except Exception as violation:  # noqa: BLE001 - whatever it is, the bug did not get through
            return number, _in_one_line(violation)
    return None


def _in_one_line(violation: BaseException) -> str:
    while isinstance(violation, BaseExceptionGroup):
        violation = violation.exceptions[0]
    words = str(violation).partition("\n")[0]
    return f"{type(violation).__name__}: {words}" if words else type(violation).__name__


def _table(numbers: Sequence[int]) -> bool:
    """Print what caught what; whether all were caught."""
    escaped = 0
    for number in numbers:
        bug = BUGS[number]
        caught = hunt(bug)
        escaped += caught is None
        told = f"{bug.hunter} {caught.where}: {caught.violation}" if caught else "ESCAPED"
        sys.stdout.write(f"{number:>3}  {bug.name}  ({bug.file})\n       {told}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(numbers) - escaped} of {len(numbers)} caught\n")
    return not escaped


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hunt"]:
        sys.stdout.write(json.dumps(_first_violation(sys.argv[2])))
    else:
        sys.exit(0 if _table([int(text) for text in sys.argv[1:]] or range(len(BUGS))) else 1)
