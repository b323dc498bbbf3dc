"""What a person waits for before anything is sent. `make bench` prints the times; the limits are generous."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

LARGE = """\
version: 1
name: large
budget: {credits: 20000}
jobs:
  - id: still
    model: z-image
    prompt: "a paper boat number {{ vars.n }} in {{ vars.colour }}"
    matrix:
      grid:
        vars.n: {from: 1, to: 1000}
        vars.colour: [red, blue, green, black, white, grey, pink, gold, teal, plum]
"""


@pytest.mark.parametrize(
    ("args", "limit_s"),
    [(["--help"], 0.5), (["check", "large.yaml"], 10.0), (["plan", "large.yaml", "--json"], 10.0)],
    ids=["help", "check 10,000 items", "plan 10,000 items"],
)
def test_a_person_does_not_wait_long(args: list[str], limit_s: float, tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text(LARGE, encoding="utf-8")
    line = [sys.executable, "-m", "runner", *args]
    began_s = time.perf_counter()
    subprocess.run(
        line, cwd=tmp_path, capture_output=True, check=True, env={"PYTHONPATH": str(Path(__file__).parents[2])}
    )
    took_s = time.perf_counter() - began_s
    sys.stdout.write(f"\n{' '.join(args):<24} {took_s:6.2f} s\n")

    assert took_s < limit_s
