"""What other services' rate headers tell, should this one send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.answers import Quota
from runner.wire import quota

NOW = "Mon, 11 May 2026 10:00:00 GMT"
NOW_S = 1778493600


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": "30"}, Quota(remaining=12, reset_s=30.0)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "1.5"}, Quota(remaining=0, reset_s=1.5)),
        (
            {"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(NOW_S + 20), "date": NOW},
            Quota(remaining=3, reset_s=20.0),
        ),
        (
            {"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(NOW_S - 20), "date": NOW},
            Quota(remaining=3, reset_s=0.0),
        ),
        (
            {"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(1000 * NOW_S + 1500), "date": NOW},
            Quota(remaining=3, reset_s=1.5),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(NOW_S)}, None),
        ({"x-ratelimit-remaining": "3"}, None),
        ({"x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_quota_is_what_is_left_and_for_how_long(headers: dict[str, str], found: Quota | None) -> None:
    assert quota(headers) == found


@given(st.text(), st.text(), st.text())
def test_no_header_makes_a_quota_raise_or_go_negative(remaining: str, reset: str, date: str) -> None:
    found = quota({"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset, "date": date})

    assert found is None or (found.remaining >= 0 and found.reset_s >= 0.0)
