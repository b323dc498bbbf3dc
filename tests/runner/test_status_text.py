"""How a run stands, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.lifecycle import ItemState
from runner.cli.status_text import Standing, facts, headline, note_line, one_line, standing_object
from runner.ledger import Life, Note
from runner.views import RunSummary

BEGAN_S = 1_700_000_000.0
LIVE: dict[str, Any] = {
    "stopping": False,
    "pauses": {},
    "limits": {"creates": "30/min", "polls": "5/s", "in_flight": 8, "budget": 700},
    "creates": {"per_min": 30.0, "window_s": 60.0, "in_window": 12, "wait_s": 1.2},
    "polls": {"per_min": 300.0, "window_s": 1.0, "in_window": 2, "wait_s": None},
    "in_flight": 3,
    "credits": {"settled": 10, "reserved": 3},
}


def run(**changed: Any) -> Standing:
    """A run a minute after it began; `life` and `live` may differ."""
    ended = changed.pop("ended", None)
    life = Life(life_id=1, run_id="boats", started_at_s=BEGAN_S, pid=7, host="studio", **(ended or {}))
    state = changed.pop("state", "ended" if ended else "alive")
    summary = RunSummary(
        run_id="boats",
        name="boats",
        edition="",
        manifest_path="/a/boats.yaml",
        out_dir="/a/out",
        state=state,
        life=life,
        lives=1,
        counts={ItemState.PLANNED: 5, ItemState.ACCEPTED: 3, ItemState.SUCCEEDED: 10, ItemState.FAILED: 2},
        reserved=3,
        settled=10,
        uncertain=0,
        cap_credits=700,
    )
    live = {**LIVE, **changed.pop("live")} if changed.get("live") is not None else changed.pop("live", None)
    return Standing(
        run=summary,
        slowest=(),
        notes=changed.pop("notes", ()),
        live=live,
        at_s=BEGAN_S + 60.0,
        silence=changed.pop("silence", None),
    )


@pytest.mark.parametrize(
    ("standing", "line"),
    [
        (run(), "boats  running for 1m, pid 7 on studio"),
        (run(live={"pauses": {"person": "wanda paused the run"}}), "boats  paused, begun 1m ago, pid 7 on studio"),
        (run(live={"stopping": True}), "boats  stopping, begun 1m ago, pid 7 on studio"),
        (
            run(ended={"ended_at_s": BEGAN_S + 50.0, "exit_code": 3}),
            "boats  ended 10s ago with exit code 3: finished, and some items failed",
        ),
        (
            run(state="died"),
            (
                "boats  was begun 1m ago and stopped without a word: killed, crashed, or the machine went down; "
                "nothing is lost"
            ),
        ),
    ],
)
def test_the_first_line_says_what_the_run_is_at(standing: Standing, line: str) -> None:
    assert headline(standing) == line


@pytest.mark.parametrize(
    ("live", "speed"),
    [
        ({}, "creates 30/min (12 in the last minute), polls 5/s, 3 of 8 in flight"),
        (
            {"creates": {**LIVE["creates"], "wait_s": 26.4}},
            "creates 30/min (12 in the last minute, the next in 26s), polls 5/s, 3 of 8 in flight",
        ),
        (
            {"creates": {**LIVE["creates"], "per_min": 7.5}},
            "creates 7.5/min of 30/min (12 in the last minute), polls 5/s, 3 of 8 in flight",
        ),
    ],
)
def test_a_live_run_tells_its_speed(live: dict[str, Any], speed: str) -> None:
    assert dict(facts(run(live=live)))["speed"] == speed


def test_a_pause_says_how_it_ends_and_without_an_answer_there_is_no_speed() -> None:
    paused = dict(facts(run(live={"pauses": {"person": "wanda paused the run"}}), flags=["--sim"]))
    assert paused["paused"] == "wanda paused the run; `rivya-batch resume boats --sim` goes on"
    assert "speed" not in dict(facts(run()))


def test_a_run_that_lives_and_does_not_answer_is_told_as_such() -> None:
    told = dict(facts(run(silence="The run did not answer within 10 s.")))

    assert told["silent"] == "The run did not answer within 10 s. This is what the ledger has."
    assert "silent" not in dict(facts(run()))


def test_a_line_of_a_log_has_the_figures_that_move() -> None:
    assert one_line(run(live={}))[-69:].endswith("done 10/20 in flight 3 failed 2 credits 13/700 creates 30/min")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("resumed", {"by": "wanda"}, "wanda: resumed"),
        ("stopped", {"by": "wanda\x1b[2J", "now": False}, "nothing new is started"),
        ("paused", {"why": "budget", "reason": "all spent"}, "no new creates: all spent"),
        ("left", {"item": "a", "why": "b"}, ""),
        ("later", {"of": "another release"}, ""),
    ],
)
def test_what_happened_to_the_run_as_a_whole_is_a_safe_line_with_its_time(
    name: str, data: dict[str, object], words: str
) -> None:
    line = note_line(Note(note_id=1, life_id=1, at_s=BEGAN_S, name=name, data=data))

    assert line.endswith(words)
    assert bool(line) == bool(words)
    assert "\x1b" not in line


def test_programs_get_every_change_with_its_time() -> None:
    tuned = {
        "dial": "creates",
        "before": "60/min",
        "asked": "30/min",
        "after": "30/min",
        "held_by": None,
        "by": "wanda",
    }
    notes = [
        Note(note_id=1, life_id=1, at_s=BEGAN_S, name="tuned", data=tuned),
        Note(note_id=2, life_id=1, at_s=BEGAN_S, name="rate", data={"limit": "creates"}),
    ]
    told = standing_object(run(notes=notes, live={}))

    assert told["steering"] == [{"at": "2023-11-14T22:13:20.000Z", "name": "tuned", **tuned}]
    assert told["live"] == LIVE
    assert told["manifest"] == str(Path("/a/boats.yaml"))
