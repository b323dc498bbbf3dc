"""Reading the service's headers: which bytes an answer holds, and when to come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.wire import content_range, http_date, retry_after


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("bytes 0-9/10", (0, 10)),
        ("bytes 5-9/10", (5, 10)),
        ("bytes */10", None),
        ("bytes 5-9/*", None),
        ("bytes -5/10", None),
        ("items 5-9/10", None),
        ("bytes 5-9/10 ", None),
        ("bytes \u0665-9/10", None),
        ("bytes " + "9" * 16 + "-9/10", None),
        ("", None),
    ],
)
def test_a_content_range_names_its_beginning_and_the_whole(text: str, read: tuple[int, int] | None) -> None:
    assert content_range(text) == read


NOW = "Sun, 06 Nov 1994 08:49:37 GMT"

RETRY_AFTERS = (
    # seconds
    ("0", 0.0),
    ("1", 1.0),
    ("120", 120.0),
    (" 7 ", 7.0),
    ("\t7", 7.0),
    ("007", 7.0),
    ("1.5", 1.5),
    ("0.000000001", 1e-9),
    ("999999999999999", 999999999999999.0),
    # dates, by the server's own clock
    ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
    ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
    ("Sun, 06 Nov 1994 09:49:37 +0100", 0.0),
    ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
    ("Sun Nov  6 08:50:37 1994", 60.0),
    ("Mon, 07 Nov 1994 08:49:37 GMT", 86400.0),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    # garbage
    ("", None),
    (" ", None),
    ("-1", None),
    ("+1", None),
    ("-0", None),
    ("1,5", None),
    ("5, 10", None),
    ("120;foo", None),
    ("1e3", None),
    ("0x10", None),
    (".5", None),
    ("5.", None),
    ("1 000", None),
    ("1_000", None),
    ("9" * 16, None),
    ("9" * 5000, None),
    ("inf", None),
    ("nan", None),
    ("soon", None),
    ("PT5S", None),
    ("\u0665", None),  # an Arabic five: int() would take it
    ("\uff15", None),  # a full-width five
    ("5\x00", None),
    ("2026-01-01T00:00:00Z", None),
    ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ("Sun, 06 Nov 1994 25:61:61 GMT", None),
    ("Fri", None),
    ("Sun, 06 Nov 1994 08:49:37 +9999999999999", None),
)


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTERS)
def test_retry_after_is_seconds_or_a_date_or_unreadable(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text, "date": NOW}) == seconds


def test_retry_after_is_unknown_without_the_header_and_for_a_date_without_a_clock() -> None:
    assert retry_after({}) is None
    assert retry_after({"retry-after": NOW}) is None
    assert retry_after({"retry-after": NOW, "date": "yesterday"}) is None


@given(st.text(), st.text())
def test_no_header_makes_retry_after_raise_or_go_negative(text: str, date: str) -> None:
    wait = retry_after({"retry-after": text, "date": date})

    assert wait is None or wait >= 0


@given(
    st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,20} [A-Z][a-z]{2} [0-9]{1,20} [0-9:]{1,20} [-+A-Z0-9]{1,20}\Z")
)
def test_no_text_makes_a_date_raise(text: str) -> None:
    http_date(text)
