"""Answers bent in their bytes, their head and their frame. A bend draws from the dice and gives other bytes."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from typing import Final

from tests.proof.wire_answers import envelope, framed, task_body

__all__ = ["BENDS", "Bend", "reframed", "split"]

Bend = Callable[[random.Random, bytes], bytes]


# Bytes


def _flip(dice: random.Random, data: bytes) -> bytes:
    bent = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        if bent:
            bent[dice.randrange(len(bent))] ^= 1 << dice.randrange(8)
    return bytes(bent)


def _insert(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    piece = dice.choice((b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b"\x80", b"0", b"\xff\xfe", dice.randbytes(3)))
    return data[:at] + piece * dice.randrange(1, 4) + data[at:]


def _delete(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.randrange(1, 6) :]


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _swap(dice: random.Random, data: bytes) -> bytes:
    if len(data) < 4:
        return data
    a, b = sorted(dice.sample(range(len(data)), 2))
    return data[:a] + data[b:] + data[a:b]


def _digit(dice: random.Random, data: bytes) -> bytes:
    """One digit, somewhere: a status, a length, a chunk's size, a price."""
    places = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return data
    at = dice.choice(places)
    return data[:at] + dice.choice((b"0", b"1", b"9", b"-1", b"00", b"a", b"99999999999999999999")) + data[at + 1 :]


# Head and frame


def split(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The line it starts with, its headers, its body."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    return start, lines, body


def _joined(start: bytes, lines: list[bytes], body: bytes) -> bytes:
    return b"\r\n".join([start, *lines]) + b"\r\n\r\n" + body


def _status(dice: random.Random, data: bytes) -> bytes:
    _, lines, body = split(data)
    code = dice.choice(
        (
            99,
            100,
            101,
            103,
            199,
            200,
            201,
            202,
            204,
            205,
            206,
            226,
            299,
            300,
            304,
            307,
            400,
            401,
            402,
            403,
            404,
            405,
            408,
            409,
            410,
            411,
            413,
            418,
            421,
            422,
            425,
            429,
            431,
            451,
            499,
            500,
            502,
            503,
            504,
            520,
            522,
            524,
            529,
            599,
            600,
            999,
        )
    )
    version = dice.choice((b"1.1", b"1.1", b"1.1", b"1.0", b"0.9", b"2.0", b"1.2", b"1.1 "))
    return _joined(b"HTTP/%s %d Whatever" % (version, code), lines, body)


_LINES: Final = (
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: +7",
    b"Content-Length: 0x10",
    b"Content-Length: 1, 1",
    b"Content-Length: 99999999999999999999999",
    b"Content-Length: ",
    b"Content-Length: 18446744073709551615",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding:\tchunked ",
    b"Content-Encoding: gzip",
    b"Content-Encoding: deflate",
    b"Content-Encoding: br",
    b"Content-Encoding: zstd",
    b"Content-Encoding: identity",
    b"Content-Encoding: gzip, gzip",
    b"Content-Encoding: ",
    b"Content-Encoding: GZIP",
    b"Content-Type: text/html; charset=utf-16",
    b"Content-Type: application/json; charset=latin-1",
    b"Content-Type: ;;;",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Retry-After: 1",
    b"Retry-After: -1",
    b"Retry-After: 1e9",
    b"Retry-After: " + b"9" * 400,
    b"Retry-After: \xd9\xa5",
    b"Retry-After: Sun, 06 Nov 99999 08:49:37 GMT",
    b"Date: Sun, 06 Nov 1994 08:49:37 +9999",
    b"Date: never",
    b"Location: https://evil.test/",
    b"Location: //[",
    b"Location: \x01",
    b"Set-Cookie: a=b",
    b"Set-Cookie: " + b"a=b;" * 900,
    b"X-Request-Id: " + b"r" * 5000,
    b"X-Request-Id: \x1b[31m",
    b"X-Request-Id: \xff",
    b" folded: line",
    b"\tfolded",
    b"no colon",
    b": no name",
    b"Sp ace: x",
    b"Name : x",
    b"N\xc3\xa4me: x",
    b"X: \x00",
    b"X: \x7f",
    b"Sec-WebSocket-Key1: x",
    b"Trailer: X",
    b"",
)


def _line(dice: random.Random, data: bytes) -> bytes:
    start, lines, body = split(data)
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(_LINES))
    return _joined(start, lines, body)


def _again(dice: random.Random, data: bytes) -> bytes:
    """One header twice, or gone."""
    start, lines, body = split(data)
    if lines:
        at = dice.randrange(len(lines))
        lines[at : at + 1] = [lines[at]] * dice.choice((0, 2, 2, 3))
    return _joined(start, lines, body)


def _flood(dice: random.Random, data: bytes) -> bytes:
    start, lines, body = split(data)
    lines += dice.choice(
        ([b"X: y"] * 200, [b"X-Big: " + b"x" * 9000], [b"Y" * 9000 + b": z"], [b"Set-Cookie: a=b"] * 130)
    )
    return _joined(start, lines, body)


def _before(dice: random.Random, data: bytes) -> bytes:
    """Interim answers, or rubbish, first."""
    first = dice.choice(
        (
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\n\r\n" * 30,
            b"HTTP/1.1 103 Hi\r\nLink: x\r\n\r\n",
            b"\r\n",
            b"\n\n",
            b" ",
            b"\x00",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"SSH-2.0\r\n",
            b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
        )
    )
    return first + data


def _after(dice: random.Random, data: bytes) -> bytes:
    """A second answer behind the first, or rubbish."""
    return data + dice.choice(
        (
            framed(task_body(id="task_evil"), status="202 Accepted"),
            framed(envelope("validation_failed"), status="400 No"),
            data,
            b"\r\n",
            b"0\r\n\r\n",
            b"rubbish",
            b"\x00" * 50,
            b"}",
            b"HTTP/1.1 ",
        )
    )


def _refused(dice: random.Random, data: bytes) -> bytes:
    """The body of a refusal under the head of an acceptance, and the other way round."""
    start, lines, body = split(data)
    body = dice.choice((task_body(), envelope("validation_failed"), envelope("insufficient_credits"), body[:-1], b""))
    return reframed(start, lines, body)


def reframed(start: bytes, lines: list[bytes], body: bytes) -> bytes:
    """With another body, and a frame that is true of it."""
    kept = [line for line in lines if line.split(b":")[0].lower() not in _FRAME]
    return _joined(start, [*kept, b"Content-Length: %d" % len(body)], body)


_FRAME: Final = {b"content-length", b"transfer-encoding", b"content-encoding"}


def _chunked(dice: random.Random, data: bytes) -> bytes:
    start, lines, body = split(data)
    kept = [line for line in lines if line.split(b":")[0].lower() not in _FRAME]
    sizes = dice.choice((b"%x", b"%X", b"0000%x", b"%x;ext=1", b"%x ", b" %x", b"0x%x", b"-%x", b"%x\0", b"+%x"))
    end = dice.choice((b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: trailer\r\n\r\n", b"0\r\n", b"", b"00\r\n\r\n", b"0\n\n"))
    return _joined(start, [*kept, b"Transfer-Encoding: chunked"], sizes % len(body) + b"\r\n" + body + b"\r\n" + end)


def _zipped(dice: random.Random, data: bytes) -> bytes:
    """Compressed as said, or otherwise, or not to the end."""
    start, lines, body = split(data)
    kept = [line for line in lines if line.split(b":")[0].lower() not in _FRAME]
    packed = gzip.compress(body, mtime=0)
    packed = dice.choice(
        (
            packed,
            packed[:-1],
            packed[:-8],
            packed[:-9],
            packed + b"\x00",
            packed + packed,
            zlib.compress(body),
            gzip.compress(b"", mtime=0) * 50 + packed,
            body,
            packed[:10],
            b"\x1f\x8b",
        )
    )
    coding = dice.choice((b"gzip", b"gzip", b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity", b"Gzip"))
    return _joined(start, [*kept, b"Content-Encoding: " + coding, b"Content-Length: %d" % len(packed)], packed)


# As often as they should be drawn.
BENDS: Final[tuple[tuple[str, Bend], ...]] = (
    ("bits flipped", _flip),
    ("bytes inserted", _insert),
    ("bytes deleted", _delete),
    ("cut", _cut),
    ("pieces swapped", _swap),
    ("a digit", _digit),
    ("status or version", _status),
    ("a header more", _line),
    ("a header more", _line),
    ("a header again or gone", _again),
    ("headers flooded", _flood),
    ("something before", _before),
    ("something behind", _after),
    ("another body", _refused),
    ("chunked", _chunked),
    ("compressed", _zipped),
)
