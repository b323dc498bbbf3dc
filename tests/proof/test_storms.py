"""Storms at the service, in virtual time: nothing fails, nothing is bought twice, and the full speed is soon back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.proof.storms import FORMS, KINDS, SHORT, weather

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "limited": {"storms": len(FORMS)},
    "outage": {"storms": 3, "period_s": 1100.0},  # longer than a life waits for an answer
}


@pytest.mark.parametrize("kind", KINDS)
def test_after_storms_everything_is_bought_once_and_the_full_speed_is_soon_back(kind: str) -> None:
    length = replace(SHORT, **SHAPES.get(kind, {}))

    counts = weather(kind, length, 0)

    assert sum(times for what, times in counts.items() if what.startswith("storms, full")) == length.storms
    assert counts["lives"] == 1 or kind == "outage"
