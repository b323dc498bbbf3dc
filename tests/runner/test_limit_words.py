"""Limits that were found, in words."""

from __future__ import annotations

import pytest

from jobs.steps import Notice
from runner.cli.notices import told


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, 8, "8 tasks run at once, the rest waits for a place: HTTP 429"),
        (9, 8, "8 tasks run at once, the rest waits for a place: HTTP 429"),
        (8, 9, ""),
        (8, None, "no limit of tasks at once: HTTP 429"),
    ],
)
def test_places_are_told_when_they_become_fewer(before: int | None, after: int | None, words: str) -> None:
    assert told(Notice(name="places", data={"before": before, "after": after, "why": "HTTP 429"})) == words


def test_a_window_over_all_calls_is_told_like_any_other_limit() -> None:
    data = {"limit": "calls", "before": 250.0, "after": 60.0, "full": 250.0, "wait_s": 0.7, "why": "HTTP 429"}

    assert told(Notice(name="rate", data=data)) == "calls slowed to 3,600/min: HTTP 429"


def test_a_trickle_is_no_standstill() -> None:
    data = {"limit": "creates", "before": 1 / 60, "after": 1 / 480, "full": 1 / 60, "wait_s": 0.7, "why": "HTTP 429"}

    assert told(Notice(name="rate", data=data)) == "creates slowed to 0.1/min: HTTP 429"
