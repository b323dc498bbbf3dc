"""The key shows as a mask, whatever is done to it."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import marshal
import pickle  # noqa: TID251  # to see it refused
import pprint
import pydoc
import reprlib
import traceback
from dataclasses import asdict, dataclass, replace
from string import Template
from types import SimpleNamespace
from urllib.parse import quote

import orjson
import pytest

from runner.errors import AuthError
from runner.secret import MASK, Secret

KEY = "rvya_sk_canary+/0123456789="


@dataclass(frozen=True)
class Holder:
    key: Secret


def _logged(key: Secret) -> str:
    """What a careless line of logging writes, format and arguments."""
    written = io.StringIO()
    handler, logger = logging.StreamHandler(written), logging.getLogger("careless")
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logger.addHandler(handler)
    logger.error("sent %s with %r", {"key": key}, key)
    logger.removeHandler(handler)
    return written.getvalue()


def _raised(key: Secret) -> str:
    try:
        raise ValueError(key, {"authorization": key})  # noqa: TRY301 - to be seen in the traceback
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        return "".join(lines) + repr(error.args)


# What people and libraries do to a value to see it.
WAYS = [
    repr,
    str,
    ascii,
    "{}".format,
    "{!r:>40}".format,
    "{:>40}".format,
    lambda key: f"{key}",
    lambda key: f"{key!s:.20} {key!a}",
    lambda key: "%s %r" % (key, key),  # noqa: UP031  # what logging does
    lambda key: "{key}".format_map({"key": key}),
    lambda key: Template("$key").substitute(key=key),
    lambda key: repr([key]),
    lambda key: repr({key: key}),
    lambda key: pprint.pformat({"key": [key]}),
    lambda key: repr(Holder(key)),
    lambda key: repr(asdict(Holder(key))),
    lambda key: repr(replace(Holder(key))),
    lambda key: repr(SimpleNamespace(key=key)),
    lambda key: json.dumps({"key": key}, default=str),
    lambda key: json.dumps({"key": key}, default=repr),
    lambda key: orjson.dumps({"key": key}, default=str).decode(),
    lambda key: repr(copy.copy(key)),
    lambda key: repr(copy.deepcopy({"key": key})),
    lambda key: repr(getattr(key, "__dict__", "no dict")),
    pydoc.render_doc,
    reprlib.repr,
    _logged,
    _raised,
]


@pytest.mark.parametrize("show", WAYS, ids=range(len(WAYS)))
def test_no_way_of_showing_it_shows_it(show: object) -> None:
    assert callable(show)
    shown = show(Secret(KEY))

    assert "canary" not in shown


def test_it_masks_with_the_same_mask_for_every_key() -> None:
    assert str(Secret("a" * 8)) == str(Secret("b" * 100)) == MASK


def test_it_is_unwrapped_on_purpose_only() -> None:
    assert Secret(KEY).reveal() == KEY


DUMPS = [pickle.dumps, json.dumps, orjson.dumps, marshal.dumps, lambda key: pickle.dumps({"key": [key]}, protocol=2)]


@pytest.mark.parametrize("dump", DUMPS, ids=range(len(DUMPS)))
def test_it_is_not_written_anywhere_by_accident(dump: object) -> None:
    assert callable(dump)
    with pytest.raises((TypeError, ValueError)) as caught:
        dump(Secret(KEY))

    assert "canary" not in "".join(traceback.format_exception(caught.value))


MALFORMED = [
    "",
    " ",
    "canary",
    "canary key",
    "canary\n",
    "\ncanary-key",
    "canary key with spaces",
    "canary-key\r",
    "canary-key\nX-Evil: 1",
    "canary-key\x0b",
    "canary-key\x1b[2J",
    "canary-key\u00a0",
    "canary-key\u200b",
    "canary-key\ufeff",
    "canary-key\ud800",
    "ｃanary-key",
    "canary\r\nX-Evil: 1",
    "canary\t",
    "canary\x00",
    "canaryé",
    "canary\u2028",
    "\x7fcanary",
    "canary" * 1000,
]


@pytest.mark.parametrize("text", MALFORMED, ids=ascii)
def test_what_could_split_a_header_is_refused_when_made_and_not_quoted_in_the_error(text: str) -> None:
    with pytest.raises(AuthError) as caught:
        Secret(text)

    assert caught.value.exit_code == 4
    assert "canary" not in f"{caught.value!r} {caught.value.next_step}"


# How others write the key down.
FORMS = [
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
]


@pytest.mark.parametrize("form", FORMS)
def test_copies_in_foreign_text_are_masked(form: str) -> None:
    scrubbed = Secret(KEY).scrub(f"before {form} after".encode())

    assert form.encode() not in scrubbed
    assert b"canary" not in scrubbed
    assert MASK.encode() in scrubbed
    assert scrubbed.startswith(b"before ")
    assert scrubbed.endswith(b" after")


def test_text_without_it_is_left_alone() -> None:
    assert Secret(KEY).scrub(b"nothing here") == b"nothing here"
