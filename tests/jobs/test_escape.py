"""Untrusted text never steers a terminal, forges a log line, or becomes a formula."""

from __future__ import annotations

import html
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.escape import for_csv, for_html, for_script, for_terminal, json_text

# text -> what a terminal is given
TERMINAL = [
    ("plain", "plain"),
    ("", ""),
    ("Ünïcödé 漢字 кириллица עברית", "Ünïcödé 漢字 кириллица עברית"),
    ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
    ("می‌خواهم", "می‌خواهم"),
    ("back\\slash", "back\\slash"),
    ("no-break space", "no-break space"),
    ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
    ("\x1b[1A\x1b[2K", "\\x1b[1A\\x1b[2K"),
    ("\x1b[?25l", "\\x1b[?25l"),
    ("\x1b[?1049h", "\\x1b[?1049h"),
    ("\x1b[6n", "\\x1b[6n"),
    ("\x1b[8m hidden", "\\x1b[8m hidden"),
    ("\x1bc", "\\x1bc"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("\x1b]2;title\x1b\\", "\\x1b]2;title\\x1b\\"),
    ("\x1b]8;;https://example.test\x07click\x1b]8;;\x07", "\\x1b]8;;https://example.test\\x07click\\x1b]8;;\\x07"),
    ("\x1b]8;id=1;https://example.test\x1b\\x", "\\x1b]8;id=1;https://example.test\\x1b\\x"),
    ("\x1b]52;c;cm0gLXJm\x07", "\\x1b]52;c;cm0gLXJm\\x07"),
    ("\x1b]52;p;?\x07", "\\x1b]52;p;?\\x07"),
    ("\x1b]4;1;rgb:00/00/00\x07", "\\x1b]4;1;rgb:00/00/00\\x07"),
    ("\x1b]1337;File=inline=1:AAAA\x07", "\\x1b]1337;File=inline=1:AAAA\\x07"),
    ("\x1bP+q544e\x1b\\", "\\x1bP+q544e\\x1b\\"),
    ("\x1b_Gf=100;AAAA\x1b\\", "\\x1b_Gf=100;AAAA\\x1b\\"),
    ("\x1b^privacy\x1b\\", "\\x1b^privacy\\x1b\\"),
    ("\x1bX sos \x1b\\", "\\x1bX sos \\x1b\\"),
    ("\x1b#8", "\\x1b#8"),
    ("\x1b(0lqk", "\\x1b(0lqk"),
    ("\x1b[200~rm\x1b[201~", "\\x1b[200~rm\\x1b[201~"),
    ("\x1b", "\\x1b"),
    ("\x1b\x1b[31m", "\\x1b\\x1b[31m"),
    ("\x9b31mred", "\\x9b31mred"),
    ("\x9d0;title\x9c", "\\x9d0;title\\x9c"),
    ("\x90q\x9c", "\\x90q\\x9c"),
    ("\x9e\x9f\x98", "\\x9e\\x9f\\x98"),
    ("\x84\x85\x8d", "\\x84\\x85\\x8d"),
    ("\x80\x9a", "\\x80\\x9a"),
    ("\x00", "\\x00"),
    ("a\x00b", "a\\x00b"),
    ("\x05 answerback", "\\x05 answerback"),
    ("\x07 bell", "\\x07 bell"),
    ("over\x08\x08\x08\x08under", "over\\x08\\x08\\x08\\x08under"),
    ("\x0b\x0c", "\\x0b\\x0c"),
    ("\x0e shift out \x0f", "\\x0e shift out \\x0f"),
    ("\x11\x13 flow", "\\x11\\x13 flow"),
    ("\x18\x1a", "\\x18\\x1a"),
    ("\x1c\x1d\x1e\x1f", "\\x1c\\x1d\\x1e\\x1f"),
    ("del\x7f", "del\\x7f"),
    ("good\rEVIL", "good\\rEVIL"),
    ("two\nlines", "two\\nlines"),
    ("dos\r\nlines", "dos\\r\\nlines"),
    ("tab\there", "tab\\there"),
    ("next\u0085line", "next\\x85line"),
    ("line\u2028sep", "line\\u2028sep"),
    ("para\u2029sep", "para\\u2029sep"),
    ("\u202egnp.exe", "\\u202egnp.exe"),
    ("\u202a\u202b\u202c\u202d", "\\u202a\\u202b\\u202c\\u202d"),
    ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),
    ("\u200e\u200f", "\\u200e\\u200f"),
    ("\u061c", "\\u061c"),
    ("\u200bzero width", "\\u200bzero width"),
    ("\u2060joiner", "\\u2060joiner"),
    ("\ufeffmark", "\\ufeffmark"),
    ("\ufff9\ufffa\ufffb", "\\ufff9\\ufffa\\ufffb"),
    ("soft\xadhyphen", "soft\\xadhyphen"),
    ("\u180e", "\\u180e"),
    ("\u206a\u206f", "\\u206a\\u206f"),
    ("\U000e0001", "\\U000e0001"),
    ("\ud800", "\\ud800"),
    ("\udfff", "\\udfff"),
    ("\udc9b31m", "\\udc9b31m"),
    ("a\ud83d", "a\\ud83d"),
    ("mixed\x1b[1m\u202e\ud800", "mixed\\x1b[1m\\u202e\\ud800"),
]

# cell -> what a spreadsheet is given
CSV = [
    ("plain", "plain"),
    ("", ""),
    ("a = b", "a = b"),
    ("x@example.test", "x@example.test"),
    ("10-20", "10-20"),
    ("=1+1", "'=1+1"),
    ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
    ('=HYPERLINK("https://example.test","x")', '\'=HYPERLINK("https://example.test","x")'),
    ("=IMPORTXML(A1)", "'=IMPORTXML(A1)"),
    ("=WEBSERVICE(A1)", "'=WEBSERVICE(A1)"),
    ("=", "'="),
    ("==", "'=="),
    ("+1", "'+1"),
    ("+49 30", "'+49 30"),
    ("-1", "'-1"),
    ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
    ("- a list", "'- a list"),
    ("@SUM(1)", "'@SUM(1)"),
    ("@", "'@"),
    ("\t=1", "'\t=1"),
    ("\ttab", "'\ttab"),
    ("\r=1", "'\r=1"),
    ("\rcr", "'\rcr"),
    ("\n=1", "'\n=1"),
    ("\nlf", "'\nlf"),
    ("  =1", "'  =1"),
    (" -1", "' -1"),
    ("\u00a0=1", "'\u00a0=1"),
    ("\u3000=1", "'\u3000=1"),
    ("＝1+1", "'＝1+1"),
    ("＋1", "'＋1"),
    ("－1", "'－1"),
    ("＠SUM(1)", "'＠SUM(1)"),
    ("a\nb", "a\nb"),
    ("a\tb", "a\tb"),
    ("'quoted", "'quoted"),
    ('"quoted"', '"quoted"'),
    ("a,b;c", "a,b;c"),
    ("\x00=1", "\\x00=1"),
    ("\x1b[31m", "\\x1b[31m"),
    ("\ufeff=1", "\\ufeff=1"),
    ("\u200b=1", "\\u200b=1"),
    ("\u202e=1", "\\u202e=1"),
    ("a\ud800", "a\\ud800"),
]


@pytest.mark.parametrize(("text", "shown"), TERMINAL)
def test_a_terminal_prints_text_and_does_not_obey_it(text: str, shown: str) -> None:
    assert for_terminal(text) == shown


@pytest.mark.parametrize(("text", "shown"), TERMINAL)
def test_line_breaks_stay_only_where_the_caller_keeps_them(text: str, shown: str) -> None:
    kept = for_terminal(text, newlines="keep")

    assert kept.count("\n") == text.count("\n")
    assert kept.replace("\n", "\\n") == shown


@pytest.mark.parametrize(("cell", "safe"), CSV)
def test_a_cell_never_becomes_a_formula(cell: str, safe: str) -> None:
    assert for_csv(cell) == safe


@given(st.text(st.characters()))
def test_no_control_direction_or_broken_character_ever_reaches_a_terminal(text: str) -> None:
    shown = for_terminal(text)

    shown.encode("utf-8")
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in shown)
    assert not any(unicodedata.bidirectional(char) in {"RLO", "LRO", "RLE", "LRE", "PDF"} for char in shown)


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()) | st.integers() | st.none()))
def test_json_is_lossless_and_harmless_to_print(value: dict[str, object]) -> None:
    text = json_text(value)

    assert json.loads(text) == value
    assert for_terminal(text) == text


def test_indented_json_keeps_its_own_line_breaks() -> None:
    assert json_text({"a": "\n\x7f\u202e\ud800"}, indent=1) == '{\n "a": "\\n\\u007f\\u202e\\ud800"\n}'


@given(st.text(st.characters()))
def test_html_keeps_what_a_terminal_shows_and_no_markup(text: str) -> None:
    safe = for_html(text)

    assert html.unescape(safe) == for_terminal(text, newlines="keep")
    assert not set(safe) & set("<>\"'`")


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()) | st.booleans() | st.none()))
def test_a_script_block_holds_the_value_and_no_markup(value: dict[str, object]) -> None:
    safe = for_script(value)

    assert json.loads(safe) == value
    assert not set(safe) & set("<>&'`\u2028\u2029")
