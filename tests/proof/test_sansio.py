"""Whole runs of the core on a service that misbehaves: no number loses, doubles, overspends or hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.proof.sansio import MUST_MEET, play

PARTS = 6
NUMBERS_A_PART = 2_400
TRACED = 150
# Processes that must tell the same: whatever order sets have there, and whoever makes the values.
PROCESSES = (("0", "sansio"), ("1", "sansio"), ("77", "sansio"), ("77", "sansio_quick"))
PROGRAM = """
from tests.proof import {module}
from tests.proof.sansio import trace_digest
print(trace_digest(0, {traced}))
"""
FROZEN = """
from jobs.record import Artifact
from tests.proof.sansio_quick import KINDS
import jobs.record
assert jobs.record.Artifact is not Artifact
made = jobs.record.Artifact(n=1, url="u")
assert made == Artifact(n=1, url="u", state="wanted", file=None) and type(made) is Artifact and made.bytes is None
assert repr(made).startswith("Artifact(n=1, url='u', state='wanted', file=None"), made
spoiling = (
    lambda: setattr(made, "n", 2),
    lambda: setattr(made, "other", 2),
    lambda: jobs.record.Artifact(n=1),
    lambda: jobs.record.Artifact(n=1, url="u", other=1),
    lambda: jobs.record.Artifact(1, "u"),
)
for spoil in spoiling:
    try:
        spoil()
    except (AttributeError, TypeError):
        continue
    raise SystemExit("it can be spoiled")
print(len(KINDS))
"""


@pytest.fixture(scope="module")
def met() -> set[str]:
    return set()


@pytest.mark.parametrize("part", range(PARTS))
def test_no_number_loses_or_doubles_or_overspends_or_hangs(part: int, met: set[str]) -> None:
    """Here with the constructors that are shipped; the campaign takes quick ones."""
    for number in range(part * NUMBERS_A_PART, (part + 1) * NUMBERS_A_PART):
        try:
            met.update(play(number))
        except Exception as problem:
            problem.add_note(f"replay: python -m tests.proof.soak sansio --first {number} --count 1")
            raise


def test_nearly_every_fault_met_every_state(met: set[str]) -> None:
    unmet = [what for what in MUST_MEET if what not in met]

    assert len(unmet) <= len(MUST_MEET) // 50, f"the scenarios are too tame: {unmet}"


def test_a_number_plays_the_same_in_every_process() -> None:
    playing = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(module=module, traced=TRACED)],
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, module in PROCESSES
    ]
    told = [play.communicate()[0].strip() for play in playing]

    assert [play.returncode for play in playing] == [0] * len(PROCESSES)
    assert len(told[0]) == 64, "a whole digest"
    assert len(set(told)) == 1


def test_a_quick_value_is_as_frozen_and_strict_as_any() -> None:
    """In a process of its own: no other test is to meet quick values."""
    told = subprocess.run(
        [sys.executable, "-c", FROZEN],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert int(told.stdout) > 10
