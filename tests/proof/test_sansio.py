"""Whole runs of the core on a service that misbehaves: no number loses, doubles, overspends or hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.proof.sansio import MUST_MEET
from tests.proof.soak import play_range

PARTS = 6
NUMBERS_A_PART = 2_000
TRACED = 150
HASH_SEEDS = ("0", "1", "77")


@pytest.fixture(scope="module")
def met() -> set[str]:
    return set()


@pytest.mark.parametrize("part", range(PARTS))
def test_no_number_loses_or_doubles_or_overspends_or_hangs(part: int, met: set[str]) -> None:
    met.update(play_range("sansio", part * NUMBERS_A_PART, NUMBERS_A_PART))


def test_nearly_every_fault_met_every_state(met: set[str]) -> None:
    unmet = [what for what in MUST_MEET if what not in met]

    assert len(unmet) <= len(MUST_MEET) // 50, f"the scenarios are too tame: {unmet}"


def test_a_number_plays_the_same_in_every_process() -> None:
    """Whatever order sets have there."""
    program = f"from tests.proof.sansio import trace_digest; print(trace_digest(0, {TRACED}))"
    playing = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in HASH_SEEDS
    ]
    told = [play.communicate()[0].strip() for play in playing]

    assert [play.returncode for play in playing] == [0] * len(HASH_SEEDS)
    assert len(told[0]) == 64, "a whole digest"
    assert len(set(told)) == 1
