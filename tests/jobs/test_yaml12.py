"""YAML 1.2 with a place for every value."""

from __future__ import annotations

import gc
import json
import math
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobs import yaml12
from jobs.findings import Finding, Place
from jobs.utf8 import decode
from jobs.yaml12 import MAX_CHARS, Document, dotted, load
from jobs.yaml_events import PARSERS
from jobs.yaml_reader import MAX_DEPTH, MAX_FINDINGS, MAX_INTEGER


def document(text: str) -> Document:
    loaded, findings = load(text, "a.yaml")
    assert findings == []
    assert loaded is not None
    return loaded


def value(text: str) -> object:
    data = document(f"value: {text}\n").data
    assert isinstance(data, dict)
    return data["value"]


def findings_of(text: str) -> list[Finding]:
    return load(text, "a.yaml")[1]


def codes_of(text: str) -> list[str]:
    return [finding.code for finding in findings_of(text)]


def span(place: Place) -> tuple[int, int, int]:
    return place.line, place.column, place.end_column


@pytest.fixture(params=PARSERS, ids=lambda parser: parser.__name__)
def _each_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML without its C part must read the same."""
    monkeypatch.setattr(yaml12, "PARSERS", (request.param,))


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("16:9", "16:9"), ("1:30", "1:30"), ("12:30:45", "12:30:45"), ("2026-06-01", "2026-06-01")),
        *(("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("No", "No")),
        *(("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRUE", "tRUE")),
        *(("null", None), ("~", None), ("", None), ("Null", None), ("NULL", None), ("nULL", "nULL")),
        *(("010", 10), ("0", 0), ("-7", -7), ("+7", 7), ("0o14", 12), ("0x1F", 31), ("0b11", "0b11")),
        *(("0o8", "0o8"), ("0xG", "0xG"), ("-0x1F", "-0x1F"), ("1_000", "1_000"), ("1,000", "1,000")),
        *(("1.10", 1.1), (".5", 0.5), ("5.", 5.0), ("+.5", 0.5), ("1e3", 1000.0), ("1.5e-3", 0.0015)),
        *((".", "."), ("+", "+"), ("1e", "1e"), ("e3", "e3"), ("1.2.3", "1.2.3"), ("v1", "v1")),
        *(('"8"', "8"), ("'8'", "8"), ('"true"', "true"), ("'~'", "~"), ("!!str 8", "8"), ("! 8", "8")),
        *(("9007199254740991", MAX_INTEGER), ("-9007199254740991", -MAX_INTEGER), ("480p", "480p")),
        *(("=", "="), ("<<", "<<"), ("a#b", "a#b"), ("[1, 2]", [1, 2]), ("{a: 1}", {"a": 1})),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, expected: object) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc -:#{}[]'\"8~", max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


class _Quoting(yaml.SafeDumper):
    """PyYAML decides by YAML 1.1 what needs quotes; with every text quoted the two versions agree."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')

    def ignore_aliases(self, data: object) -> bool:
        return True


_Quoting.add_representer(str, _Quoting.represent_text)


@given(JSON)
def test_what_a_yaml_writer_writes_comes_back(data: object) -> None:
    text = yaml.dump({"data": data}, Dumper=_Quoting, allow_unicode=True, width=60)

    assert document(text).data == {"data": data}


@given(JSON)
def test_json_is_yaml(data: object) -> None:
    assert document(json.dumps({"data": data}, ensure_ascii=False)).data == {"data": data}


@given(JSON)
def test_every_value_has_a_place_inside_the_text(data: object) -> None:
    loaded = document(yaml.dump({"data": data}, Dumper=_Quoting, allow_unicode=True, width=60))
    lines = loaded.text.splitlines()
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), loaded.data)]
    while waiting:
        path, here = waiting.pop()
        for place in (loaded.place(path), loaded.place(path, key=True)):
            assert 1 <= place.line <= len(lines)
            assert 1 <= place.column < place.end_column <= len(lines[place.line - 1]) + 2
        if isinstance(here, dict):
            waiting += [((*path, key), inner) for key, inner in here.items()]
        elif isinstance(here, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(here)]


TEXT = """\
version: 1
name: "sweep"   # a comment
empty:
jobs:
  - id: one
    params: {duration: 8, list: [a,
      b]}
    prompt: |
      two
      lines
"""


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        (("version",), False, (1, 10, 11)),
        (("version",), True, (1, 1, 8)),
        (("name",), False, (2, 7, 14)),
        (("empty",), False, (3, 1, 6)),
        (("jobs",), False, (4, 1, 5)),
        (("jobs", 0), False, (5, 5, 12)),
        (("jobs", 0, "params"), False, (6, 13, 36)),
        (("jobs", 0, "params", "duration"), False, (6, 24, 25)),
        (("jobs", 0, "params", "list", 1), False, (7, 7, 8)),
        (("jobs", 0, "prompt"), False, (8, 13, 14)),
        (("jobs", 0, "params", "nothing", "here"), False, (6, 13, 36)),
        (("jobs", 7), False, (4, 1, 5)),
        ((), False, (1, 1, 11)),
    ],
)
def test_a_place_is_the_value_its_key_or_the_nearest_that_exists(
    path: tuple[str | int, ...], key: bool, expected: tuple[int, int, int]
) -> None:
    assert span(document(TEXT).place(path, key=key)) == expected


def test_a_place_tells_its_file_and_path() -> None:
    place = document(TEXT).place(("jobs", 0, "params", "duration"))

    assert (place.file, place.path) == ("a.yaml", "jobs[0].params.duration")
    assert dotted(()) == ""


def test_columns_count_characters_and_every_kind_of_line_break_counts_as_one() -> None:
    loaded = document("a: 日本語 😀\r\nb: {ü: 1, c: x}\r\n")

    assert span(loaded.place(("a",))) == (1, 4, 9)
    assert span(loaded.place(("b", "c"))) == (2, 14, 15)


def test_values_through_aliases_and_merges_are_shown_where_they_are_written() -> None:
    text = "x-a: &a {k: 1, l: 2}\nx-b: &b {l: 3, m: 4}\njob: {<<: [*a, *b], m: 5}\nalso: *a\n"
    loaded = document(text)

    assert loaded.data == {
        "x-a": {"k": 1, "l": 2},
        "x-b": {"l": 3, "m": 4},
        "job": {"k": 1, "l": 2, "m": 5},
        "also": {"k": 1, "l": 2},
    }
    assert span(loaded.place(("job", "k"))) == (1, 13, 14)
    assert span(loaded.place(("job", "l"))) == (1, 19, 20)
    assert span(loaded.place(("job", "m"))) == (3, 24, 25)
    assert span(loaded.place(("also", "l"), key=True)) == (1, 16, 17)


def test_a_merged_mapping_keeps_the_order_of_what_it_merges() -> None:
    data = document("a: &a {x: 1, y: 2}\nb: {z: 3, <<: *a, x: 4}\n").data
    assert isinstance(data, dict)
    merged = data["b"]

    assert isinstance(merged, dict)
    assert list(merged.items()) == [("x", 4), ("y", 2), ("z", 3)]


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        *(("", "empty-file", (1, 1)), ("# only\n", "empty-file", (1, 1)), ("---\n...\n", "empty-file", (1, 1))),
        *(("~\n", "empty-file", (1, 1)), ("a: 1\na: 2\n", "duplicate-key", (2, 1))),
        *(("{a: 1, a: 2}", "duplicate-key", (1, 8)), ("a: {<<: {b: 1}, <<: {c: 1}}", "duplicate-key", (1, 17))),
        *(
            ("'a': 1\na: 2", "duplicate-key", (2, 1)),
            ("1: a", "key-not-text", (1, 1)),
            ("~: a", "key-not-text", (1, 1)),
        ),
        *((": a", "yaml-syntax", (1, 1)), ("true: a", "key-not-text", (1, 1)), ("? [a]\n: b", "key-not-text", (1, 3))),
        *(
            ("a: !x b", "custom-tag", (1, 4)),
            ("a: !x {}", "custom-tag", (1, 4)),
            ("a: !!set {x}", "custom-tag", (1, 4)),
        ),
        *(("a: !!binary eA==", "custom-tag", (1, 4)), ("a: !!int 5", "custom-tag", (1, 4))),
        *(("!!omap [a: 1]", "custom-tag", (1, 1)), ("a: !u!x b", "custom-tag", (1, 4))),
        *(("a: 1\n---\nb: 2", "several-documents", (2, 1)), ("a: *b", "unknown-alias", (1, 4))),
        *(("a: &a [*a]", "alias-cycle", (1, 8)), ("a: &a {b: {c: *a}}", "alias-cycle", (1, 15))),
        *(("a: &b 1\nc: &b 2", "duplicate-anchor", (2, 4)), ("a: {<<: 1}", "bad-merge", (1, 5))),
        *(
            ("a: {<<: [{b: 1}, 2]}", "bad-merge", (1, 5)),
            ("a: .inf", "not-finite", (1, 4)),
            ("a: -.Inf", "not-finite", (1, 4)),
        ),
        *(("a: .nan", "not-finite", (1, 4)), ("a: 1e999", "not-finite", (1, 4))),
        *(("a: 9007199254740992", "integer-too-large", (1, 4)), ("a: 0x20000000000000", "integer-too-large", (1, 4))),
        *(("a: " + "9" * 5000, "integer-too-large", (1, 4)), ('a: "\\0"', "control-character", (1, 4))),
        *(('"\\e": 1', "control-character", (1, 1)), ("a: x\x00y", "control-character", (1, 5))),
        *(("a: \x7f", "control-character", (1, 4)), ("a: \udc80", "control-character", (1, 4))),
        *(("\ufeffa: 1", "byte-order-mark", (1, 1)), ("a: {{ b }}", "unquoted-template", (1, 4))),
        *(("a: {{ b }} c", "unquoted-template", (1, 4)), ("- {% if b %}", "unquoted-template", (1, 3))),
        *(("a: [{{ b }}, c]", "unquoted-template", (1, 5)), ("a:\n\tb: 1", "tab-indent", (2, 1))),
        *(
            ("a: 1\n\tb: 1", "tab-indent", (2, 1)),
            ("a: 'b", "unclosed-quote", (1, 4)),
            ('a: "b\nc: d', "unclosed-quote", (1, 4)),
        ),
        *(("a: [b, c", "unclosed-bracket", (1, 4)), ("a: {b: c\nd: e", "unclosed-bracket", (1, 4))),
        *(("a: 'it's'", "text-after-quote", (1, 8)), ('a: "b" c', "text-after-quote", (1, 8))),
        *(('a: "\\x"', "bad-escape", (1, 7)), ('a: "\\uD8"', "bad-escape", (1, 7))),
        *(("a: b: c", "yaml-syntax", (1, 5)), ("a: @b", "yaml-syntax", (1, 4)), ("a: `b`", "yaml-syntax", (1, 4))),
        *(
            ("a: %b", "yaml-syntax", (1, 4)),
            ("a: *.png", "yaml-syntax", (1, 5)),
            ("a: 1\nb\nc: 2", "yaml-syntax", (2, 1)),
        ),
        *(("a: - 1", "yaml-syntax", (1, 4)), ("- a\nb: 1", "yaml-syntax", (2, 1)), ("]", "yaml-syntax", (1, 1))),
        *(("a: |x\n  b", "yaml-syntax", (1, 5)), ("a:\n  - 1\n b: 2", "yaml-syntax", (3, 2))),
    ],
)
def test_what_a_manifest_must_not_hold_is_found_at_its_place(text: str, code: str, at: tuple[int, int]) -> None:
    first = findings_of(text)[0]
    assert first.place is not None

    assert (first.code, (first.place.line, first.place.column)) == (code, at)
    assert len(set(codes_of(text))) == 1


def test_all_mistakes_that_can_be_told_apart_are_told_at_once() -> None:
    text = "a: 1\na: 2\n3: x\nb: !t y\nc: .nan\nd: *none\n"

    assert codes_of(text) == ["duplicate-key", "key-not-text", "custom-tag", "not-finite", "unknown-alias"]


def test_a_document_with_findings_can_be_looked_at_further() -> None:
    loaded, findings = load("a: 1\na: 2\nb: 3\n", "a.yaml")

    assert loaded is not None
    assert loaded.data == {"a": 1, "b": 3}
    assert list(loaded.findings) == findings


def test_a_near_miss_of_an_anchor_is_named() -> None:
    assert findings_of("a: &look 1\nb: *lok\n")[0].help == "did you mean `look`?"


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    "text",
    [
        *("[" * 5_000, "{a: " * 5_000, "- " * 5_000 + "x", "? " * 5_000, "a: &a " + "[" * MAX_DEPTH),
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{x: *a{n - 1}}}\n" for n in range(1, 200)),
    ],
    ids=lambda text: text[:6],
)
def test_nesting_ends_at_a_limit_however_it_is_made(text: str) -> None:
    assert codes_of(text) == ["too-deep"]


@pytest.mark.parametrize("width", [2, 10])
def test_a_bomb_of_aliases_is_refused_before_it_goes_off(width: int) -> None:
    levels = 40 if width == 2 else 12
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, levels))
    start = time.process_time()

    assert codes_of(bomb) == ["too-many-values"]
    assert time.process_time() - start < 5


def test_a_file_beyond_the_size_limit_is_not_even_parsed() -> None:
    assert codes_of("a: 1\n" + "#" * MAX_CHARS) == ["file-too-large"]


def test_the_number_of_findings_has_an_end() -> None:
    loaded, findings = load("".join("a: 1\n" for _ in range(1000)), "a.yaml")

    assert loaded is None
    assert len(findings) == MAX_FINDINGS


def test_the_garbage_collector_is_left_as_it_was() -> None:
    gc.disable()
    try:
        load("a: [", "a.yaml")
        assert not gc.isenabled()
    finally:
        gc.enable()
    load("a: [", "a.yaml")
    assert gc.isenabled()


FRAGMENTS = st.sampled_from(
    [
        *(
            "a",
            ": ",
            ":",
            "- ",
            "\n",
            "  ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&a",
            "*a",
            "!",
            "!!str ",
            "|",
            ">",
            "'",
            '"',
        ),
        *("#", "\\", "%", "@", "`", "?", "<<", "---\n", "...\n", "{{", "}}", "\r", "\x00", "\u2028", "\x85", "\ufeff"),
        *("é", "0x", "1e9"),
    ]
)


@pytest.mark.usefixtures("_each_parser")
@given(text=st.lists(FRAGMENTS, max_size=30).map("".join) | st.text(max_size=40))
def test_no_text_whatever_does_more_than_make_findings(text: str) -> None:
    loaded, findings = load(text, "a.yaml")

    assert loaded is not None or findings
    for finding in findings:
        assert finding.place is not None
        assert finding.place.line >= 1
        assert 1 <= finding.place.column < finding.place.end_column


@pytest.mark.parametrize(
    ("data", "line", "column", "word"),
    [
        (b"caf\xe9", 1, 4, "0xe9"),
        (b"a: 1\r\nb: caf\xc3\xa9 \xff", 2, 9, "0xff"),
        (b"\xff\xfea\x00", 1, 1, "UTF-16"),
        (b"a: \xed\xa0\x80", 1, 4, "0xed"),
        (b"a: \xc0\xaf", 1, 4, "0xc0"),
    ],
)
def test_bytes_that_are_not_utf_8_are_found_at_their_place(data: bytes, line: int, column: int, word: str) -> None:
    text, (finding,) = decode(data, "a.yaml")
    assert finding.place is not None

    assert text is None
    assert (finding.code, finding.place.line, finding.place.column) == ("not-utf8", line, column)
    assert word in finding.message


def test_bytes_that_are_utf_8_are_their_text() -> None:
    assert decode("a: 日本 😀\n".encode(), "a.yaml") == ("a: 日本 😀\n", [])


def test_a_number_that_was_cut_to_a_float_is_still_the_same_number() -> None:
    found = value("0.30000000000000004")

    assert isinstance(found, float)
    assert math.isclose(found, 0.30000000000000004, rel_tol=0, abs_tol=0)
