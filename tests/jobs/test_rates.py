"""Rates and durations as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.rates import DURATION_PATTERN, MAX_PER_SECOND, RATE_PATTERN, Rate, parse_duration_s, parse_rate, per_minute


@pytest.mark.parametrize(
    ("text", "count", "window_s"),
    [("1/s", 1, 1.0), ("50/s", 50, 1.0), ("60/min", 60, 60.0), ("500/h", 500, 3600.0), ("10000/s", 10_000, 1.0)],
)
def test_a_rate_is_a_whole_number_per_second_minute_or_hour(text: str, count: int, window_s: float) -> None:
    assert parse_rate(text) == Rate(count=count, window_s=window_s)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "5",
            "/s",
            "5/",
            "0/s",
            "05/s",
            "-5/s",
            "+5/s",
            "5.5/s",
            "5 /s",
            "5/ s",
            " 5/s",
            "5/s ",
            "5/s\n",
            "5/day",
        ),
        *("5/S", "5/sec", "5/m", "10001/s", "99999999/h", "9999999/min", "٥/s", "5//s", "1e3/s", "{{ vars.x }}/s"),
    ],
)
def test_everything_else_is_no_rate(text: str) -> None:
    assert parse_rate(text) is None


def test_a_rate_prints_as_it_is_written() -> None:
    assert [str(parse_rate(text)) for text in ("50/s", "60/min", "500/h")] == ["50/s", "60/min", "500/h"]
    assert str(Rate(count=7, window_s=10.0)) == "7/10s"


@given(st.integers(1, MAX_PER_SECOND), st.sampled_from(["s", "min", "h"]))
def test_a_rate_is_read_as_the_speed_it_says(count: int, unit: str) -> None:
    rate = parse_rate(f"{count}/{unit}")

    assert rate is not None
    assert rate.per_second * rate.window_s == pytest.approx(count)
    assert str(rate) == f"{count}/{unit}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("500ms", 0.5), ("2s", 2.0), ("1.5s", 1.5), ("20m", 1200.0), ("20min", 1200.0), ("1h", 3600.0)),
        *(("1h30m", 5400.0), ("1d", 86_400.0), ("1d1h1m1s", 90_061.0), ("0s", 0.0), ("1m500ms", 60.5)),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "20", "m", "20 m", " 20m", "20m ", "20m\n", "-20m", "1.s", ".5s", "1.2345s", "20M", "20minutes", "2w"),
        *("30m1h", "1m1m", "1m1min", "1s1m", "1e3s", "99999999s", "٢s"),
    ],
)
def test_everything_else_is_no_duration(text: str) -> None:
    assert parse_duration_s(text) is None


@given(st.text(max_size=12))
def test_no_text_whatever_is_more_than_refused(text: str) -> None:
    rate, seconds = parse_rate(text), parse_duration_s(text)

    assert rate is None or re.search(RATE_PATTERN, text)
    assert seconds is None or (seconds >= 0 and re.search(DURATION_PATTERN, text))


@pytest.mark.parametrize(
    ("per_s", "words"),
    [(1.0, "60"), (0.125, "7.5"), (0.05, "3"), (0.625, "38"), (40.0, "2,400"), (0.0, "0"), (1 / 45, "1.3")],
)
def test_a_rate_is_said_with_as_many_digits_as_it_is_worth(per_s: float, words: str) -> None:
    assert per_minute(per_s) == words
