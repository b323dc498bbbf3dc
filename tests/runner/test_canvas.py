"""A picture at the bottom of a terminal: what a person sees is the last one, whole, below every line that was told."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from runner.cli.canvas import Canvas
from runner.cli.pieces import Piece
from tests.runner.screen_reader import PaperTerminal

LINES = st.lists(st.text("abc ", max_size=19), max_size=8)


def pieces(lines: Sequence[str]) -> list[list[Piece]]:
    return [[Piece(line)] for line in lines]


def stripped(lines: Sequence[str]) -> list[str]:
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept


@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=8))
def test_a_person_sees_what_was_told_and_below_it_the_last_picture(steps: list[tuple[list[str], list[str]]]) -> None:
    terminal = PaperTerminal(width=20)
    canvas, told = Canvas(terminal), list[str]()
    for lines, above in steps:
        told += above
        canvas.show(pieces(lines), pieces(above))
        assert terminal.shown == stripped([*told, *lines])
    canvas.close()


def test_each_picture_is_one_write_that_a_terminal_shows_at_once() -> None:
    terminal = PaperTerminal()
    canvas = Canvas(terminal)
    canvas.show(pieces(["one", "two"]), pieces(["told"]))
    canvas.show(pieces(["one", "three"]))

    assert len(terminal.writes) == 2
    assert all(text.startswith("\x1b[?2026h") and text.endswith("\x1b[?2026l") for text in terminal.writes)
    assert terminal.modes["2026"] is False


def test_only_what_changed_is_written_and_nothing_is_wiped_first() -> None:
    terminal = PaperTerminal()
    canvas = Canvas(terminal)
    canvas.show(pieces(["the same", "before", "as well"]))
    canvas.show(pieces(["the same", "after", "as well"]))
    canvas.show(pieces(["the same", "after", "as well"]))

    assert terminal.writes[1:] == ["\x1b[?2026h\x1b[3A\r\nafter\x1b[K\n\n\x1b[J\x1b[?2026l"]


def test_the_cursor_is_hidden_while_there_is_a_picture_and_given_back_once() -> None:
    terminal = PaperTerminal()
    canvas = Canvas(terminal)
    canvas.close()
    assert terminal.writes == []
    canvas.show(pieces(["one"]))
    hidden = dict(terminal.modes)
    canvas.close()
    canvas.close()

    assert (hidden["25"], terminal.modes["25"]) == (False, True)
    assert len(terminal.writes) == 2


def test_an_echoed_key_is_gone_with_the_next_picture() -> None:
    terminal = PaperTerminal()
    canvas = Canvas(terminal)
    canvas.show(pieces(["one", "two"]))
    terminal.type_ahead("^C")
    assert terminal.shown == ["one", "two", "^C"]
    canvas.show(pieces(["one", "three"]))

    assert terminal.shown == ["one", "three"]


def test_a_terminal_that_became_narrower_has_broken_lines_and_they_are_drawn_over() -> None:
    terminal = PaperTerminal(width=40)
    canvas = Canvas(terminal)
    canvas.show(pieces(["told before"]))
    canvas.show(pieces(["x" * 30, "y" * 10]), pieces(["told"]))
    terminal.width = 20
    terminal.rows[1:3] = ["x" * 20, "x" * 10, "y" * 10]  # as terminals break their lines anew
    terminal._row += 1
    canvas.show(pieces(["x" * 15, "z" * 10]))

    assert terminal.shown == ["told", "x" * 15, "z" * 10]


def test_a_picture_higher_than_the_terminal_reaches_up_no_further_than_its_top() -> None:
    terminal = PaperTerminal(height=24)
    canvas = Canvas(terminal)
    canvas.show(pieces([str(n) for n in range(10)]))
    terminal.height = 5
    canvas.show(pieces(["a", "b", "c"]))

    assert terminal.shown[-3:] == ["a", "b", "c"]
    assert "\x1b[4A" in terminal.writes[-1]
