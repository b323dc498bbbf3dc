"""The key shows as a mask, whatever is done to it."""

from __future__ import annotations

import base64
import copy
import json
import pickle  # noqa: TID251  # to see it refused
import traceback
from dataclasses import asdict, dataclass
from urllib.parse import quote

import orjson
import pytest

from runner.errors import AuthError
from runner.secret import MASK, Secret

KEY = "rvya_sk_canary+/0123456789="


@dataclass(frozen=True)
class Holder:
    key: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{!r:>40}".format,
        "{:>40}".format,
        lambda key: f"{key}",
        lambda key: "%s %r" % (key, key),  # noqa: UP031  # what logging does
        lambda key: repr([key]),
        lambda key: repr(Holder(key)),
        lambda key: repr(asdict(Holder(key))),
        lambda key: json.dumps({"key": key}, default=str),
        lambda key: orjson.dumps({"key": key}, default=str).decode(),
        lambda key: repr(copy.deepcopy({"key": key})),
        lambda key: repr(getattr(key, "__dict__", "no dict")),
    ],
)
def test_no_way_of_showing_it_shows_it(show: object) -> None:
    assert callable(show)
    shown = show(Secret(KEY))

    assert "canary" not in shown


def test_it_masks_with_the_same_mask_for_every_key() -> None:
    assert str(Secret("a" * 8)) == str(Secret("b" * 100)) == MASK


def test_it_is_unwrapped_on_purpose_only() -> None:
    assert Secret(KEY).reveal() == KEY


@pytest.mark.parametrize("dump", [pickle.dumps, json.dumps, orjson.dumps])
def test_it_is_not_written_anywhere_by_accident(dump: object) -> None:
    assert callable(dump)
    with pytest.raises(TypeError) as caught:
        dump(Secret(KEY))

    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "canary",
        "canary key",
        "canary\n",
        "canary\r\nX-Evil: 1",
        "canary\t",
        "canary\x00",
        "canaryé",
        "canary\u2028",
        "\x7fcanary",
        "canary" * 1000,
    ],
)
def test_what_could_split_a_header_is_refused_when_made_and_not_quoted_in_the_error(text: str) -> None:
    with pytest.raises(AuthError) as caught:
        Secret(text)

    assert caught.value.exit_code == 4
    assert "canary" not in f"{caught.value!r} {caught.value.next_step}"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        quote(quote(KEY, safe=""), safe=""),
        json.dumps(KEY).replace("/", "\\/"),
        KEY.replace("+", "\\u002B").replace("/", "\\u002f"),
        KEY.replace("+", "&#43;").replace("/", "&#x2F;").replace("=", "&#061;"),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(KEY.encode()).decode().rstrip("="),
        base64.b64encode(f"Bearer {KEY}, as it came".encode()).decode(),
        base64.b64encode(f"user:{KEY}\n".encode()).decode(),
        base64.b64encode(f"{KEY}:".encode()).decode(),
        base64.urlsafe_b64encode(f"xy{KEY}??".encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)
def test_copies_in_foreign_text_are_masked(form: str) -> None:
    scrubbed = Secret(KEY).scrub(f"before {form} after".encode())

    assert form.encode() not in scrubbed
    assert b"canary" not in scrubbed
    assert MASK.encode() in scrubbed
    assert scrubbed.startswith(b"before ")
    assert scrubbed.endswith(b" after")


def test_text_without_it_is_left_alone() -> None:
    assert Secret(KEY).scrub(b"nothing here") == b"nothing here"
