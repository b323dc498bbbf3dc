"""Keys in a manifest are found, kept out of what is printed, and looked for in time that grows with the text alone."""

from __future__ import annotations

import time

import pytest

from jobs.leaks import is_secret_name, is_secret_text, masked

KEYS = [
    "rvya_sk_0123456789abcdef",
    "rvya_pk_abcd",
    "bearer abcdefghijklmno1",
    "BEARER abc.def~ghi+jkl/mno=1",
    "sk-abcdefghijklmnopqrst",
    "AKIAABCDEFGHIJKLMNOP",
    "ghp_" + "a1" * 18,
    *(f"gh{letter}_" + "a1" * 18 for letter in "ours"),
    "github_pat_" + "a1" * 20,
    "xoxb-123456789-abc",
    "AIza" + "a1_-b" * 7,
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2ln",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
]

PLAIN = [
    "",
    "a paper boat",
    "the bearer of the ring walks on",
    "bearer of-a-very-long-compound-word-indeed",
    "task-abcdefghijklmnopqrstuvw",
    "risk-free-and-more-than-twenty-letters",
    "rvya is a word",
    "rvya_sk_",
    "an AKIA in the sky",
    "eyJust a typo",
    "-----BEGIN CERTIFICATE-----",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "a {} b", "Authorization: {}", "({})", "\n{}\n", "key={}"])
def test_what_issuers_made_recognisable_is_found_and_masked(key: str, around: str) -> None:
    text = around.format(key)

    assert is_secret_text(text)
    assert key not in masked(text)
    assert len(masked(text)) == len(text), "columns still point where they pointed"


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_are_left_alone(text: str) -> None:
    assert not is_secret_text(text)
    assert masked(text) == text


@pytest.mark.parametrize("name", ["api_key", "API-KEY", "apikey", "rivya_api_key", "password", "client_secret"])
def test_names_of_keys_hide_what_stands_beside_them(name: str) -> None:
    assert is_secret_name(name)
    assert "hunter2" not in masked(f"  {name}: hunter2")
    assert "hunter2" not in masked(f'"{name}" = "hunter2 and more"')


def test_the_name_and_password_of_an_address_are_masked() -> None:
    assert masked("see https://me:hunter2@example.test/x") == "see https://**********@example.test/x"


# Beginnings of keys that never end: each made a search that goes back over the text for every one of them.
BEGINNINGS = [
    "eyJ-",
    "eyJ_aaaaaaaaaa.",
    "eyJaaaaaaaaaaaa",
    "eyJaaaaaaaaaaaa.eyJ",
    "bearer ",
    "bearer\t ",
    "bearer a",
    "sk-",
    "xoxb-",
    "gh",
    "ghp_a",
    "AKIA",
    "AIza-",
    "rvya_",
    "rvya_aa",
    "-----BEGIN ",
    "-----BEGIN A",
    "PRIVATE KEY ",
    "password",
    "password ",
    "password\n",
    "api_key'  ",
    "://",
    "://a",
    "a@",
]


@pytest.mark.parametrize("piece", BEGINNINGS)
def test_beginnings_without_end_do_not_hold_anybody_up(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    began_s = time.process_time()
    is_secret_text(text)
    masked(text)

    assert time.process_time() - began_s < 1.0
