"""Answers bent in their JSON, and framed anew, so that they are read at all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

from tests.proof.wire_answers import task_body
from tests.proof.wire_bends import Bend, reframed, split

__all__ = ["JSON_BENDS"]


def _json(dice: random.Random, data: bytes) -> bytes:
    """The body's values bent, and framed anew."""
    start, lines, body = split(data)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = json.loads(task_body())
    if isinstance(value, dict) and value:
        inner = value["error"] if isinstance(value.get("error"), dict) and dice.random() < 0.7 else value
        name = (
            dice.choice(list(inner) or ["id"]) if dice.random() < 0.6 else dice.choice(("id", "code", "error", "url"))
        )
        inner[name] = dice.choice(_VALUES)
    text = json.dumps(value).encode()
    return reframed(start, lines, text)


_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**63,
    2**64,
    10**30,
    1.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "task_1",
    "task_2",
    "7",
    "\u0000",
    "\ud800",
    "\udfff\ud800",
    "\U0001f600",
    "a\nb",
    "\x1b[31m",
    "\u202e",
    ".",
    "..",
    "../..",
    "a/b",
    "x" * 256,
    "x" * 257,
    "x" * 10_000,
    [],
    {},
    [[]],
    ["task_1"],
    {"id": "task_1"},
    [None] * 50,
    {"code": "validation_failed"},
    "validation_failed",
    "insufficient_credits",
    "rate_limited",
    "api_key_invalid",
    {"code": "insufficient_credits", "message": 5},
    {"code": "\ud800"},
    {"code": "v" * 500, "message": "\x1b]0;x\x07" * 50, "requestId": ["r"]},
    "http://127.0.0.1/",
    "ﬁ",
)


def _json_text(dice: random.Random, data: bytes) -> bytes:
    """What no serialiser writes."""
    start, lines, body = split(data)
    return reframed(start, lines, dice.choice(_BODIES)(body))


def _put(text: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(b"{", b"{" + text + b",", 1)


_BODIES: Final[tuple[Callable[[bytes], bytes], ...]] = (
    _put(b'"id":"task_0"'),
    _put(b'"id":NaN'),
    _put(b'"x":' + b"9" * 5000),
    _put(b'"x":-' + b"9" * 400),
    _put(b'"x":1e99999'),
    _put(b'"x":' + b"[" * 300 + b"]" * 300),
    _put(b'"x":' + b"[" * 3000 + b"]" * 3000),
    _put(b'"x":"\\ud800"'),
    _put(b'"x":"\\x"'),
    _put(b'"x":"\t"'),
    _put(b"'x':1"),
    _put(b"x:1"),
    _put(b"/* */"),
    _put(b'"":0'),
    _put(b'"\\u0069d":"task_9"'),
    _put(b'"x":01'),
    _put(b'"x":.5'),
    _put(b'"x":+1'),
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.decode("utf-8", "replace").encode("utf-16"),
    lambda body: body.decode("utf-8", "replace").encode("utf-32"),
    lambda body: body.decode("utf-8", "replace").encode("utf-7", "replace"),
    lambda body: b"\0" + body,
    lambda body: body + b"\0",
    lambda body: body + b"{}",
    lambda body: body + b" \n\t\r",
    lambda body: b"[" + body + b"]",
    lambda body: b'"' + body + b'"',
    lambda body: b"callback(" + body + b")",
    lambda body: b")]}',\n" + body,
    lambda body: b"data: " + body + b"\n\n",
    lambda body: body[:-1] + b",}",
    lambda body: b"{" * 100_000,
    lambda body: b"",
    lambda body: b"null",
    lambda body: b"<html>" + body,
    lambda body: b"\x1f\x8b" + body,
    lambda body: body.replace(b"task", b"t\xe4sk"),
    lambda body: body.replace(b'"', b"'"),
    lambda body: body.replace(b":", b": \n"),
)


JSON_BENDS: Final[tuple[tuple[str, Bend], ...]] = (
    ("JSON values", _json),
    ("JSON values", _json),
    ("JSON text", _json_text),
)
