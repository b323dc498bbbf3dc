"""Figures and columns as people read them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.cli.columns import PIECE_LINES, columns, pieces_of_columns, shortened
from runner.cli.figures import count, duration, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (521, "8m 41s"),
        (3600, "1h 00m"),
        (7500, "2h 05m"),
        (360_000, "4d 4h"),
    ],
)
def test_a_length_of_time_takes_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (61_000_000, "61 MB"),
        (1_940_000_000, "1.9 GB"),
        (10**13, "10000 GB"),
    ],
)
def test_a_number_of_bytes_takes_the_unit_that_keeps_it_short(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_a_number_agrees_with_its_noun() -> None:
    assert [count(n, "item") for n in (0, 1, 2, 1200)] == ["0 items", "1 item", "2 items", "1,200 items"]


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert (
        columns(("a", "n"), [("漢字", "1"), ("x", "1,000")], right=("n",)) == "a         n\n漢字      1\nx     1,000\n"
    )


def test_a_table_without_end_is_told_in_pieces_whose_columns_never_narrow() -> None:
    read = list[int]()

    def rows() -> Iterator[tuple[str, str]]:
        for n in range(2 * PIECE_LINES):
            read.append(n)
            yield ("wide" if n == PIECE_LINES else "a", str(n))

    pieces = pieces_of_columns(("key", "n"), rows(), right=("n",))
    first = next(pieces)

    assert len(read) == PIECE_LINES - 1, "the header is a line, too"
    assert first.startswith("key     n\na       0\n")
    second = next(pieces).splitlines()
    assert second[:2] == ["a     4999", "wide  5000"]
    assert next(pieces) == "a     9999\n"
    assert len(first.splitlines()) + len(second) + 1 == 2 * PIECE_LINES + 1


def test_a_long_word_is_cut_in_the_middle() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghij", 5) == "ab…ij"
