"""Rows of CSV and JSON lines files."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import rows as rows_module
from jobs.findings import Finding
from jobs.rows import Row, read_rows


def csv_rows(text: str) -> list[Row]:
    rows, findings = read_rows(text, "a.csv", "csv")
    assert findings == []
    return rows


def jsonl_rows(text: str) -> list[Row]:
    rows, findings = read_rows(text, "a.jsonl", "jsonl")
    assert findings == []
    return rows


def places(findings: list[Finding]) -> list[tuple[str, int, int]]:
    return [(one.code, one.place.line, one.place.column) for one in findings if one.place is not None]


def test_a_csv_gives_texts_by_column_with_the_line_each_row_starts_on() -> None:
    assert csv_rows('sku,title\n1,"a, b"\n\n2,"two\nlines"\n3,x\n') == [
        Row(line=2, values={"sku": "1", "title": "a, b"}),
        Row(line=4, values={"sku": "2", "title": "two\nlines"}),
        Row(line=6, values={"sku": "3", "title": "x"}),
    ]


@pytest.mark.parametrize("text", ["\ufeffa,b\r\n1,2\r\n", "a,b\n1,2", "a,b\r1,2\r", '"a","b"\n"1","2"\n'])
def test_what_spreadsheets_do_to_a_csv_does_not_matter(text: str) -> None:
    assert [row.values for row in csv_rows(text)] == [{"a": "1", "b": "2"}]


def test_json_lines_keep_their_types() -> None:
    (row,) = jsonl_rows('\ufeff{"a": 1, "b": 1.5, "c": true, "d": null, "e": "x\\u2028y"}\n\n')

    assert row == Row(line=1, values={"a": 1, "b": 1.5, "c": True, "d": None, "e": "x\u2028y"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1\n1,2\n1,2,3\n", [("ragged-row", 2, 1), ("ragged-row", 4, 1)]),
        ("a,b,a\n1,2,3\n", [("duplicate-column", 1, 1)]),
        ("a,,b\n1,2,3\n", [("empty-column", 1, 1)]),
        ("a, b\n1,2\n", [("column-blanks", 1, 1)]),
        ("a;b\n1;2\n", [("csv-separator", 1, 1)]),
        ("a\tb\n1\t2\n", [("csv-separator", 1, 1)]),
        ('a,b\n1,2\n"3,4\n5,6\n', [("bad-csv", 3, 1)]),
        ('a\n"b"c\n', [("bad-csv", 2, 1)]),
        ("a\n" + "x" * 200_000 + "\n", [("bad-csv", 2, 1)]),
        ("a\n1\x002\n", [("control-character", 2, 2)]),
        ("a\nx\x1b[2J\n", [("control-character", 2, 2)]),
        (",".join(f"c{n}" for n in range(1001)) + "\n" + "," * 1000 + "\n", [("too-many-columns", 1, 1)]),
        ("", [("no-rows", 1, 1)]),
        ("\n\n", [("no-rows", 1, 1)]),
        ("a,b\n", [("no-rows", 1, 1)]),
    ],
)
def test_what_is_wrong_with_a_csv_is_found_at_its_line(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(read_rows(text, "a.csv", "csv")[1])[: len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a: 1}\n", [("bad-json", 1, 2)]),
        ('{"a": 1},\n', [("bad-json", 1, 9)]),
        ('\n{"a": \n', [("bad-json", 2, 7)]),
        ('{"a": NaN}\n{"a": -Infinity}\n', [("bad-json", 1, 1), ("bad-json", 2, 1)]),
        ('{"a": 1e999}\n', [("not-finite", 1, 1)]),
        ('{"a": 9007199254740992}\n', [("integer-too-large", 1, 1)]),
        ('{"a": ' + "9" * 5000 + "}\n", [("bad-json", 1, 1)]),
        ("[" * 100_000, [("bad-json", 1, 1)]),
        ("[1]\n2\nnull\n", [("json-not-object", 1, 1), ("json-not-object", 2, 1), ("json-not-object", 3, 1)]),
        ('{"a": 1, "b": 2, "a": 3}\n', [("duplicate-json-key", 1, 1)]),
        ('{"a": {"b": 1}}\n{"a": [1]}\n', [("nested-value", 1, 1), ("nested-value", 2, 1)]),
        ('{"": 1}\n', [("empty-column", 1, 1)]),
        ('{"a": "\\u001b"}\n', [("control-character", 1, 1)]),
        ('{"a": "\\ud800"}\n', [("control-character", 1, 1)]),
        ("", [("no-rows", 1, 1)]),
    ],
)
def test_what_is_wrong_with_json_lines_is_found_at_its_line(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(read_rows(text, "a.jsonl", "jsonl")[1]) == expected


def test_good_rows_beside_bad_ones_are_still_there() -> None:
    rows, findings = read_rows("a,b\n1\n3,4\n", "a.csv", "csv")

    assert [row.values for row in rows] == [{"a": "3", "b": "4"}]
    assert len(findings) == 1


def test_past_fifty_mistakes_the_rest_is_counted() -> None:
    _, findings = read_rows("a,b\n" + "1\n" * 1000, "a.csv", "csv")

    assert len(findings) == 50
    assert findings[-1].help == "mend these first: 950 more mistakes follow in this file"


def test_a_file_of_more_rows_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_ROWS", 3)
    rows, findings = read_rows("a\n" + "1\n" * 5, "a.csv", "csv")

    assert len(rows) == 3
    assert places(findings) == [("too-many-rows", 5, 1)]


CELLS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=8
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_a_csv_writer_writes_comes_back(table: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["a", "b"], *table])

    assert [list(row.values.values()) for row in csv_rows(text.getvalue())] == table


@given(st.lists(st.dictionaries(CELLS.filter(str.strip), CELLS | st.none() | st.booleans(), max_size=3), min_size=1))
def test_what_a_json_writer_writes_comes_back(records: list[dict[str, object]]) -> None:
    text = "\n".join(json.dumps(record) for record in records)

    assert [row.values for row in jsonl_rows(text)] == records


PIECES = st.sampled_from(
    ["a", ",", '"', "\n", "\r", "{", "}", "[", "]", ":", "1", "\\u", "\x00", "\ufeff", "\u2028", " ", "é"]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=40), st.sampled_from(["csv", "jsonl"]))
def test_no_text_whatever_does_more_than_make_findings(text: str, kind: str) -> None:
    rows, findings = read_rows(text, "a", "csv" if kind == "csv" else "jsonl")

    assert rows or findings
    assert all(one.place is not None and one.place.line >= 1 and one.help for one in findings)


def test_only_line_breaks_begin_a_row() -> None:
    rows = csv_rows("a\nb\u2028c\nd\u2029e\r\ng\n")

    assert [row.values["a"] for row in rows] == ["b\u2028c", "d\u2029e", "g"]
