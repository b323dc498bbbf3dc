"""What the bytes of an answer say, read a second time and apart from the client: the judge of the wire proofs.

Two readings. The strict one knows only the grammar of HTTP/1.1 as written in RFC 9112; what it understands, the client
must understand alike. The loose one also takes what many clients forgive (bare line feeds, odd characters in headers,
bytes after the end); there the client may say "no whole answer" instead, but nothing else. Where neither reads a whole
answer, the client must not either.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal

from jobs.verdict import VerdictKind
from tests.proof.wire import Ending

__all__ = ["Reading", "Said", "json_of", "readings", "said_by", "said_of_task"]

ANSWER_MAX: Final = 4 * 1024 * 1024
LINE_MAX: Final = 8190  # beyond it, or beyond so many lines, the client may refuse a head
LINES_MAX: Final = 128
DEPTH_SURE: Final = 200  # deeper nesting may be refused
LENGTH_NONE: Final = (
    2**64 - 1
)  # how the client's parser says to itself that there is no body: then only the head counts
DIGITS_SURE: Final = 300  # longer numbers may be refused

Said = tuple[VerdictKind, str | None]
"""A verdict and, for ACCEPTED, the task id."""

_STATUS_STRICT = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: ([\t -~\x80-\xff]*))?\r\n")
_STATUS_LOOSE = re.compile(rb"\s*HTTP/([0-9])\.([0-9]) +([0-9]{3})(?:[^\r\n]*)\r?\n")
_FIELD_STRICT = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?[ \t]*\r\n"
)
_FIELD_LOOSE = re.compile(rb"([^:\r\n]*):([^\n]*\n(?:[ \t][^\n]*\n)*)")
_CHUNK_STRICT = re.compile(rb"([0-9a-fA-F]{1,15})(?:;[\t -~\x80-\xff]*)?\r\n")
_CHUNK_LOOSE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[^\n]*\n")
_ID = re.compile(r"[!-~]{1,256}")
_KEY_CODES: Final = {"api_key_missing", "api_key_invalid", "api_key_revoked", "api_key_expired", "api_scope_denied"}
_SINGLE: Final = {
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"content-location",
    b"content-range",
    b"etag",
    b"host",
    b"max-forwards",
    b"server",
    b"transfer-encoding",
    b"user-agent",
}


class _Cut(Exception):  # noqa: N818  # a state of the bytes
    """No whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A whole answer. `odd`: the client may as well refuse it."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    odd: bool

    def all(self, name: bytes) -> list[bytes]:
        return [value for each, value in self.fields if each == name]


def readings(data: bytes, ended: Ending) -> tuple[Reading | None, Reading | None]:
    """The strict and the loose reading of what one connection said to one request."""
    return _read(data, ended, loose=False), _read(data, ended, loose=True)


def _read(data: bytes, ended: Ending, *, loose: bool) -> Reading | None:
    try:
        return _answer(data, ended, loose=loose)
    except _Cut:
        return None


def _answer(data: bytes, ended: Ending, *, loose: bool) -> Reading:
    odd = loose
    while True:
        status, version_10, fields, data = _head(data, loose=loose)
        odd |= version_10 or _odd_head(fields)
        if not 100 <= status <= 199 or status == 101:
            break
        odd |= any(name in {b"content-length", b"transfer-encoding", b"connection"} for name, _ in fields)
    odd |= status == 101 or status < 100
    body, rest, framed_odd = _body(status, fields, data, ended, version_10=version_10, loose=loose)
    if rest and not loose:
        raise _Cut  # a second answer, or rubbish, behind the first
    body, coded_odd = _decoded(fields, body)
    if len(body) > ANSWER_MAX:
        raise _Cut
    return Reading(status=status, fields=tuple(fields), body=body, odd=odd or framed_odd or coded_odd)


def _head(data: bytes, *, loose: bool) -> tuple[int, bool, list[tuple[bytes, bytes]], bytes]:
    if loose and (end := re.search(rb"\n\r?\n", data)):  # a carriage return alone ends a line for some
        data = re.sub(rb"\r(?!\n)", b"\r\n", data[: end.end()]) + data[end.end() :]
    start = (_STATUS_LOOSE if loose else _STATUS_STRICT).match(data)
    if start is None:
        raise _Cut
    if loose:
        status, version_10 = int(start[3]), start[1] + start[2] != b"11"
    else:
        status, version_10 = int(start[2]), start[1] == b"0"
    at = start.end()
    fields: list[tuple[bytes, bytes]] = [(b"", start[0])]  # as long a line as any
    blank = re.compile(rb"\r?\n") if loose else re.compile(rb"\r\n")
    while not (end := blank.match(data, at)):
        line = (_FIELD_LOOSE if loose else _FIELD_STRICT).match(data, at)
        if line is None:
            raise _Cut
        fields.append((line[1].strip().lower(), (line[2] or b"").strip()))
        at = line.end()
    return status, version_10, fields, data[end.end() :]


def _odd_head(fields: list[tuple[bytes, bytes]]) -> bool:
    names = [name for name, _ in fields]
    if len(fields) > LINES_MAX or any(len(name) + len(value) > LINE_MAX - 100 for name, value in fields):
        return True
    return any(names.count(name) > 1 for name in _SINGLE) or b"sec-websocket-key1" in names


def _body(
    status: int, fields: list[tuple[bytes, bytes]], data: bytes, ended: Ending, *, version_10: bool, loose: bool
) -> tuple[bytes, bytes, bool]:
    """The framed body, what follows it, and whether the framing is one that a client may refuse."""
    lengths = {value for name, value in fields if name == b"content-length"}
    codings = b",".join(value for name, value in fields if name == b"transfer-encoding").lower()
    if status in {204, 304}:
        return b"", data, bool(lengths or codings)
    if codings:
        odd = bool(lengths) or version_10 or codings != b"chunked"
        if codings.split(b",")[-1].strip() == b"chunked":
            body, rest, dirty = _chunks(data, loose=loose)
            return body, rest, odd or dirty
        lengths = set()
    if lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,20}", length := lengths.pop()):
            raise _Cut
        size = int(length)
        if loose and size == LENGTH_NONE:
            return b"", data, True
        if len(data) < size:
            raise _Cut
        return data[:size], data[size:], False
    if ended != "fin":
        raise _Cut
    return data, b"", bool(codings)


def _chunks(data: bytes, *, loose: bool) -> tuple[bytes, bytes, bool]:
    body, at, dirty = bytearray(), 0, False
    while True:
        size_line = (_CHUNK_LOOSE if loose else _CHUNK_STRICT).match(data, at)
        if size_line is None:
            raise _Cut
        dirty |= size_line[0].strip() != size_line[1]
        size, at = int(size_line[1], 16), size_line.end()
        if size == 0:
            break
        if len(data) < at + size:
            raise _Cut
        body += data[at : at + size]
        at += size
        end = re.compile(rb"\r?\n|" if loose else rb"\r\n").match(data, at)
        if end is None:
            raise _Cut
        at = end.end()
    while not (end := re.compile(rb"\r?\n" if loose else rb"\r\n").match(data, at)):  # trailers
        line = (_FIELD_LOOSE if loose else _FIELD_STRICT).match(data, at)
        if line is None:
            raise _Cut
        dirty, at = True, line.end()
    return bytes(body), data[end.end() :], dirty


def _decoded(fields: list[tuple[bytes, bytes]], body: bytes) -> tuple[bytes, bool]:
    coding = b", ".join(value for name, value in fields if name == b"content-encoding").strip().lower()
    if not body or coding in {b"", b"identity"}:
        return body, coding == b"" and any(name == b"content-encoding" for name, _ in fields)
    if coding != b"gzip":
        raise _Cut
    member = zlib.decompressobj(wbits=31)
    try:
        member.decompress(body)
        return gzip.decompress(body), bool(member.unused_data)
    except (OSError, EOFError, zlib.error):
        raise _Cut from None


def json_of(body: bytes) -> tuple[Any, bool]:
    """The JSON value, None where there is none, and whether a reader may refuse it."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, True
    odd = re.search(rf"[0-9]{{{DIGITS_SURE}}}", text) is not None
    return value, odd or text.count("[") + text.count("{") > DEPTH_SURE


def _refuse(name: str) -> None:
    raise ValueError(name)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def said_by(reading: Reading) -> tuple[Said, bool]:
    """What an answer to a create says, and whether AMBIGUOUS would be as good."""
    value, odd = json_of(reading.body)
    seen, status = _object(value), reading.status
    if 200 <= status <= 299:
        task_id = seen.get("id")
        if isinstance(task_id, str) and _ID.fullmatch(task_id) and task_id not in {".", ".."}:
            return (VerdictKind.ACCEPTED, task_id), odd or reading.odd
        return (VerdictKind.AMBIGUOUS, None), True
    code = _object(seen.get("error")).get("code")
    code = code if isinstance(code, str) and code else None
    return (_refusal(status, code), None), (odd and bool(seen)) or reading.odd


_UNPAID = (400, 402, 403, 413, 422, 429)


def _refusal(status: int, code: str | None) -> VerdictKind:
    """ARCHITECTURE.md, "What a send proves", without earlier doubt."""
    if 300 <= status <= 399:
        return VerdictKind.MISROUTED
    if code == "insufficient_credits":
        return VerdictKind.NO_CREDITS if status in _UNPAID else VerdictKind.NO_CREDITS_PERHAPS
    if code == "rate_limited" or status == 429:
        return VerdictKind.LIMITED if status in _UNPAID else VerdictKind.AMBIGUOUS
    if (status == 401 and code) or (status == 403 and code in _KEY_CODES):
        return VerdictKind.REFUSED_KEY
    if status == 409:
        return VerdictKind.CONFLICT
    if (status == 400 and code) or (status in {413, 422} and code in {"validation_failed", "chat_model_not_supported"}):
        return VerdictKind.REJECTED
    return VerdictKind.MISROUTED if status == 404 else VerdictKind.AMBIGUOUS


def said_of_task(reading: Reading, task_id: str) -> tuple[str | None, bool]:
    """The status word that an answer to a poll gives of this task, None for no news; and whether none is as good."""
    value, odd = json_of(reading.body)
    seen = _object(value)
    if not 200 <= reading.status <= 299 or seen.get("id") != task_id:
        return None, True
    status = seen.get("status")
    word = status[:128].encode("utf-8", "replace").decode() if isinstance(status, str) else ""
    return word, odd or reading.odd


Kind = Literal["create", "status"]
