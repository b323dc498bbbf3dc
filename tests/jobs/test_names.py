"""Output names are the same on every system and stay below their folder."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.names import EXT_MARK, bad_name, collision_key, default_stem, slug, slugged, stem_of

GOOD = [
    "a",
    "a/b",
    "Schuh-Größe",
    "靴/走る",
    "A b.c",
    "x=1,y=2",
    "kitchen/MUG-01 (2)",
    "हिन्दी",
    "a" * 120,
    "v1.2",
    "con1",
    "company",
]

BAD = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../a",
    "a/..",
    "a/../b",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "-rf",
    "a/-rf",
    " a",
    "a ",
    "a.",
    "a/b.",
    "a./b",
    "a\\b",
    "..\\a",
    "C:",
    "C:\\a",
    "c:a",
    "\\\\server\\share",
    "a:b",
    "a|b",
    "a*b",
    "a?b",
    "a<b",
    "a>b",
    'a"b',
    "a'b",
    "a`b",
    "a$b",
    "a;b",
    "a&b",
    "a!b",
    "a%b",
    "a~b",
    "~",
    "~root",
    "a#b",
    "a{b}",
    "a\tb",
    "a\nb",
    "a\rb",
    "a\x00b",
    "a\x1bb",
    "a\x7fb",
    "a\x85b",
    "a\u202eb",
    "a\u200fb",
    "a\u2066b",
    "a\u200bb",
    "a\ufeffb",
    "a\u2028b",
    "a\u00a0b",
    "a\u3000b",
    "a\ue000b",
    "a\ud800b",
    "a\U000e0001b",
    "a⁄b",
    "a∕b",
    "a／b",
    "a＼b",
    "a：b",
    "con",
    "CON",
    "Con.txt",
    "con.png",
    "prn",
    "aux/b",
    "aux .x",
    "nul  ",
    "a/aux",
    "nul",
    "com1",
    "COM9.tar",
    "lpt1",
    "com¹",
    "conin$",
    "a.png/b",
    "clip.MP4/x",
    "a" * 121,
    "ä" * 61,
    "/".join("a" * 9),
    "/".join(["a" * 100] * 3),
]


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_name_is_good(name: str) -> None:
    assert bad_name(name) is None


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_a_name_that_some_system_or_shell_takes_for_something_else_is_bad(name: str) -> None:
    assert bad_name(name)


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_every_text_makes_a_good_slug(name: str) -> None:
    assert "/" not in slug(name)
    assert bad_name(f"a/{slug(name)}-{'x' * 8}") is None


@given(st.text(), st.text(), st.from_regex(r"i1-[a-z2-7]{32}", fullmatch=True))
def test_a_default_name_is_good_whatever_it_is_made_of(job: str, readable: str, identity: str) -> None:
    stem = default_stem(job, readable, identity)

    assert bad_name(stem) is None
    assert identity[3:11] in stem


DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}


@given(st.text())
def test_a_good_name_stays_below_its_folder_on_every_system(name: str) -> None:
    if bad_name(name) is None:
        assert ".." not in PurePosixPath(name).parts
        assert not PurePosixPath("/out", name).is_absolute() or PurePosixPath("/out", name).parts[1] == "out"
        assert not PureWindowsPath(name).drive
        assert not any(part.partition(".")[0].upper() in DEVICES for part in PureWindowsPath(name).parts)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("wet asphalt", "wet-asphalt"),
        ("16:9", "16-9"),
        ("  Crème brûlée!  ", "Crème-brûlée"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c", "a-b-c"),
        ("v1.2_final", "v1.2_final"),
        ("", "x"),
        ("???", "x"),
        ("Cre\u0300me", "Crème"),
        ("👟 sneaker", "sneaker"),
        ("x" * 100, "x" * 60),
        ("靴" * 60, "靴" * 30),
    ],
)
def test_a_slug_keeps_what_can_be_read(text: str, short: str) -> None:
    assert slug(text) == short


def test_values_become_slugs_wherever_they_are_and_numbers_stay() -> None:
    assert slugged({"a": "x/y", "b": ["../z", 3], "c": 0.5, "d": None}) == {
        "a": "x-y",
        "b": ["z", 3],
        "c": 0.5,
        "d": None,
    }


@pytest.mark.parametrize(
    ("rendered", "stem"),
    [
        ("a/b", "a/b"),
        (f"a/b{EXT_MARK}", "a/b"),
        (f"a/b.{EXT_MARK}", "a/b"),
        ("a/b.mp4", "a/b"),
        ("a/b.JPEG", "a/b"),
        ("a/b.v2", "a/b.v2"),
        (f"a/b.png{EXT_MARK}", "a/b.png"),
        (f"a{EXT_MARK}/b", None),
        (f"a{EXT_MARK}{EXT_MARK}", None),
        ("e\u0301", "é"),
    ],
)
def test_the_extension_is_no_part_of_a_name(rendered: str, stem: str | None) -> None:
    assert stem_of(rendered) == stem


@pytest.mark.parametrize(
    ("one", "other"), [("Shoe", "shoe"), ("é", "e\u0301"), ("É", "e\u0301"), ("STRASSE", "straße"), ("a/B", "A/b")]
)
def test_names_that_some_systems_take_for_one_collide(one: str, other: str) -> None:
    assert collision_key(one) == collision_key(other)


@given(st.text())
def test_a_collision_does_not_depend_on_how_a_text_is_composed(text: str) -> None:
    forms = {collision_key(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}

    assert len(forms) == 1
