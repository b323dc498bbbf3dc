"""S-16, S-17, S-19, S-20: a manifest cannot cost more than it is worth reading, nor mean what it does not say."""

from __future__ import annotations

import json
import resource
import sys
import time

import pytest

from tests.security.payloads_yaml import NOT_TEXT, TRAPS, UNBOUNDED
from tests.security.stage import Desk, Told, manifest

# A person waits that long for `check` without wondering; the largest manifest takes most of it.
SECONDS_MAX = 1.0
# Busy neighbours on a core make everything dearer for a while, a bomb is dear every time: one of so many is in time.
TRIES = 3
GROWTH_BYTES_MAX = 100 * 1024 * 1024
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def _timed(desk: Desk) -> tuple[Told, float]:
    began_s = time.process_time()
    told = desk.run("check", "m.yaml", "--json")
    return told, time.process_time() - began_s


def checked(desk: Desk) -> Told:
    """`check` of the manifest that is on the desk: refused, in time and in little room, with a place."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told, took_s = _timed(desk)
    for _ in range(TRIES - 1):
        if took_s >= SECONDS_MAX:
            told, took_s = _timed(desk)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * _RSS_UNIT_BYTES

    assert told.code == 2, told.text[:500]
    findings = json.loads(told.out)["findings"]
    assert findings
    assert all(finding["code"] and finding["message"] and finding["help"] is not None for finding in findings)
    assert any(finding["severity"] == "error" and finding["line"] >= 1 for finding in findings)
    assert all(finding["file"] == "m.yaml" for finding in findings)
    assert all(len(finding["message"]) < 2_000 for finding in findings), "a message repeats the payload"
    assert len(told.out) < 4_000_000, "at most ten thousand mistakes, each told once"
    assert took_s < SECONDS_MAX, f"{took_s:.2f} s"
    assert grown < GROWTH_BYTES_MAX, f"{grown:,} bytes"
    assert desk.files() == [desk.folder / "m.yaml"]
    assert desk.stage.requests == []
    return told


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_in_a_second_with_its_place(trap: str, desk: Desk) -> None:
    desk.write("m.yaml", TRAPS[trap])

    checked(desk)


@pytest.mark.parametrize("line", NOT_TEXT)
def test_a_value_of_another_type_is_an_error_not_a_guess(line: str, desk: Desk) -> None:
    job = {"id": "    id: j", "model": "    model: z-image", "prompt": "    prompt: a boat"}
    job[line.partition(":")[0]] = NOT_TEXT[line]
    desk.write("m.yaml", "version: 1\nname: m\njobs:\n  -\n" + "\n".join(job.values()) + "\n")

    checked(desk)


@pytest.mark.parametrize("wide", UNBOUNDED)
def test_what_is_larger_than_a_run_is_refused_before_it_is_expanded(wide: str, desk: Desk) -> None:
    given = UNBOUNDED[wide]
    keys = {"id": "j", "model": "z-image", "prompt": "a {{ vars.a | default('') }}"}
    lines = [f"{key}: {json.dumps(value)}" for key, value in keys.items() if not given.startswith(f"{key}:")]
    desk.write("m.yaml", manifest("\n".join([*lines, *given.split(", repeat", 1)[:1]]) + _repeat(given)))

    checked(desk)


def _repeat(given: str) -> str:
    return "\nrepeat" + given.split(", repeat", 1)[1] if ", repeat" in given else ""
