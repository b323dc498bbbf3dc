"""Findings as people and programs read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from jobs.findings import Finding, Place
from jobs.render import MAX_SHOWN, findings_json, findings_text, in_order, summary

FILE = "sweep.yaml"


def finding(
    line: int, column: int, end_column: int, *, code: str = "unknown-key", message: str = "unknown key"
) -> Finding:
    place = Place(file=FILE, line=line, column=column, end_column=end_column, path="jobs[0].promt")
    return Finding(code=code, message=message, place=place, help="did you mean `prompt`?")


def shown(line: str, column: int, end_column: int) -> tuple[str, str]:
    """The two lines of a snippet, without their margin."""
    text = findings_text([finding(1, column, end_column)], {FILE: line})
    rows = text.splitlines()
    return rows[3].removeprefix("1 |").removeprefix(" "), rows[4].removeprefix("  |").removeprefix(" ")


def test_a_finding_is_a_message_a_place_the_line_and_one_next_step() -> None:
    text = "version: 1\njobs:\n  - id: a\n    promt: hi\n"

    assert findings_text([finding(4, 5, 10, message="unknown key `promt`")], {FILE: text}) == snapshot("""\
error[unknown-key]: unknown key `promt`
 --> sweep.yaml:4:5
  |
4 |     promt: hi
  |     ^^^^^
  = help: did you mean `prompt`?

1 error in sweep.yaml
""")


def test_the_margin_grows_with_the_line_number() -> None:
    text = "\n" * 99 + "promt: hi\n"

    assert findings_text([finding(100, 1, 6)], {FILE: text}) == snapshot("""\
error[unknown-key]: unknown key
   --> sweep.yaml:100:1
    |
100 | promt: hi
    | ^^^^^
    = help: did you mean `prompt`?

1 error in sweep.yaml
""")


def test_findings_stand_in_order_of_place_once_each_with_a_summary() -> None:
    warning = Finding(code="unused-reference", message="nobody uses it", severity="warning")
    found = [finding(9, 1, 2), finding(2, 7, 9), finding(2, 3, 4), warning, finding(9, 1, 2)]

    assert [one.place and (one.place.line, one.place.column) for one in in_order(found)] == [
        None,
        (2, 3),
        (2, 7),
        (9, 1),
    ]
    assert findings_text(found, {}) == snapshot("""\
warning[unused-reference]: nobody uses it

error[unknown-key]: unknown key
 --> sweep.yaml:2:3
  = help: did you mean `prompt`?

error[unknown-key]: unknown key
 --> sweep.yaml:2:7
  = help: did you mean `prompt`?

error[unknown-key]: unknown key
 --> sweep.yaml:9:1
  = help: did you mean `prompt`?

3 errors, 1 warning in sweep.yaml
""")


def test_nothing_wrong_is_no_text() -> None:
    assert findings_text([], {}) == ""
    assert findings_json([]) == {"findings": []}


def test_several_files_are_counted() -> None:
    other = Finding(code="ragged-row", message="short", place=Place(file="rows.csv", line=1, column=1, end_column=2))

    assert summary([finding(1, 1, 2), other]) == "2 errors in 2 files"


def test_a_thousand_findings_are_not_printed_one_by_one() -> None:
    text = findings_text([finding(line, 1, 2) for line in range(1, 1001)], {})

    assert text.count("error[") == MAX_SHOWN
    assert f"... and {1000 - MAX_SHOWN} more\n\n1,000 errors in {FILE}\n" in text


@pytest.mark.parametrize(
    ("line", "column", "end_column", "expected"),
    [
        ("a: b", 4, 5, ("a: b", "   ^")),
        ("a: b", 5, 6, ("a: b", "    ^")),
        ("a: b", 4, 99, ("a: b", "   ^")),
        ("a: 日本 x", 4, 6, ("a: 日本 x", "   ^^^^")),
        ("a: 日本 x", 7, 8, ("a: 日本 x", "        ^")),
        ("e\u0301a: b", 6, 7, ("e\u0301a: b", "    ^")),
        ("\ta: b", 2, 3, ("    a: b", "    ^")),
        ("a\tb: c", 3, 4, ("a    b: c", "     ^")),
        ("a\x1b[2Jb", 2, 3, ("a\\x1b[2Jb", " ^^^^")),
        ("a\u202eb", 3, 4, ("a\\u202eb", "       ^")),
        ("key: rvya_sk_abcdefgh", 6, 22, ("key: ****************", "     ^^^^^^^^^^^^^^^^")),
    ],
)
def test_the_caret_stands_below_what_is_meant(
    line: str, column: int, end_column: int, expected: tuple[str, str]
) -> None:
    assert shown(line, column, end_column) == expected


def test_a_long_line_is_cut_around_the_caret() -> None:
    line, caret = shown("a" * 500 + "HERE" + "b" * 500, 501, 505)

    assert line.startswith("…a")
    assert line.endswith("b…")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert len(line) < 120


def test_a_caret_over_a_whole_long_line_ends_with_it() -> None:
    line, caret = shown("a" * 1000, 1, 1001)

    assert len(caret) <= len(line) < 120


def test_json_has_every_field_of_the_contract() -> None:
    found = [finding(4, 5, 10), Finding(code="no-items", message="there are no items")]

    assert findings_json(found) == snapshot(
        {
            "findings": [
                {
                    "code": "no-items",
                    "severity": "error",
                    "message": "there are no items",
                    "file": None,
                    "line": None,
                    "column": None,
                    "end_column": None,
                    "path": None,
                    "help": "",
                },
                {
                    "code": "unknown-key",
                    "severity": "error",
                    "message": "unknown key",
                    "file": "sweep.yaml",
                    "line": 4,
                    "column": 5,
                    "end_column": 10,
                    "path": "jobs[0].promt",
                    "help": "did you mean `prompt`?",
                },
            ]
        }
    )


@given(st.text(max_size=60), st.text(max_size=300), st.integers(1, 320), st.integers(0, 320))
def test_whatever_is_printed_obeys_no_stranger(message: str, line: str, column: int, length: int) -> None:
    place = Place(file="a\x1b[2J.yaml", line=1, column=column, end_column=column + length + 1, path=message)
    text = findings_text([Finding(code="a-b", message=message, place=place, help=message)], {"a\x1b[2J.yaml": line})

    assert not [char for char in text if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)]
    assert text.count("\n") <= 9
