"""The service's JSON and headers, read into plain values.

Reading is tolerant of what may change (unknown fields, renamed optional ones, unknown words) and strict where money is:
credits are a sane whole number or unknown, never coerced. Nothing a server can send makes a reader raise: what cannot
be read is None, and the caller decides what None means.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

import orjson

from jobs.answers import ErrorSeen, Quota, TaskSeen, Uploaded

__all__ = [
    "content_range",
    "credits_from",
    "error_from",
    "gunzipped",
    "http_date",
    "json_from",
    "quota",
    "retry_after",
    "strong_etag",
    "task_from",
    "uploaded_from",
]

# No price or balance comes near; a larger number is a fault of the sender's and must not enter the books.
CREDITS_MAX: Final = 10**9

# Ids are opaque; ours go into paths, file names and the ledger. Documented ones have about 30 characters.
ID_CHARS_MAX: Final = 256
WORD_CHARS_MAX: Final = 128  # statuses, codes, model ids, request ids, times
MESSAGE_CHARS_MAX: Final = 2000  # error messages; the ledger keeps each one
URL_CHARS_MAX: Final = 8192  # signed addresses run to 2,000; servers refuse requests beyond 8 KiB
# More seconds than this are no time to wait but a moment since 1970.
EPOCH_S_MIN: Final = 1e9
EPOCH_MS_MIN: Final = 1e12  # and so many are milliseconds since then
URLS_MAX: Final = 64  # ten times the most any model is documented to make

_STRONG_ETAG = re.compile(r'"[!#-~]{1,1000}"')  # what can be sent back exactly as it came
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,9}")


def json_from(body: bytes) -> object:
    """The JSON value, or None when there is none.

    What the fast parser refuses gets a second chance: a byte order mark, or half a surrogate pair left by a server that
    cut a message in the middle of an emoji, must not hide the task id beside it.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def task_from(body: bytes) -> TaskSeen | None:
    """The task of a 2xx answer; None unless it holds an object with a sane id."""
    seen = _mapping(json_from(body))
    task_id = _id(seen.get("id"))
    if task_id is None:
        return None
    return TaskSeen(
        id=task_id,
        status=_text(seen.get("status"), WORD_CHARS_MAX) or "",
        reserved_credits=_credits(seen.get("reserved_credits")),
        final_credits=_credits(seen.get("final_credits")),
        urls=_urls(seen.get("result")),
        error=_error(seen.get("error")),
    )


def error_from(body: bytes) -> ErrorSeen | None:
    """The documented error envelope; None when the body is anything else."""
    return _error(_mapping(json_from(body)).get("error"))


def uploaded_from(body: bytes, *, kind: str, name: str, mime: str) -> Uploaded | None:
    """The uploaded file; only id and address are needed. `kind`, `name` and `mime` stand in for missing ones."""
    seen = _mapping(json_from(body))
    file_id, url = _id(seen.get("id")), _whole(seen.get("url"), URL_CHARS_MAX)
    if file_id is None or url is None:
        return None
    return Uploaded(
        file_id=file_id,
        url=url,
        kind=_text(seen.get("kind"), WORD_CHARS_MAX) or kind,
        name=_text(seen.get("name"), ID_CHARS_MAX) or name,
        mime_type=_text(_either(seen, "mime_type", "mimeType"), WORD_CHARS_MAX) or mime,
        duration_token=_whole(_either(seen, "duration_token", "durationToken"), URL_CHARS_MAX),
        duration_s=_seconds(_either(seen, "duration_seconds", "durationSeconds")),
        expires_at=_text(_either(seen, "expires_at", "expiresAt"), WORD_CHARS_MAX),
    )


def credits_from(body: bytes) -> int | None:
    """The balance, or None when it is not a sane whole number."""
    return _credits(_mapping(json_from(body)).get("current_credits"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, 0 or more; None when the header is absent or unreadable.

    A date is taken relative to the answer's own Date, so that our clock's error plays no part; without Date it is
    unreadable.
    """
    text = headers.get("retry-after", "").strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text)
    until, now = http_date(text), http_date(headers.get("date", ""))
    if until is None or now is None:
        return None
    return max(0.0, until - now)


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What is left of a limit, and for how long; None unless both are told.

    The service documents no such headers, so those are read that others use: `x-ratelimit-remaining` with `-reset`, or
    `ratelimit-remaining`. A reset is in seconds, or a moment since 1970 in seconds or milliseconds, which is taken
    relative to the answer's Date.
    """
    remaining = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")
    if remaining is None:
        return None
    told = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    if not _WHOLE.fullmatch(remaining) or not _SECONDS.fullmatch(told):
        return None
    reset_s = float(told)
    if reset_s >= EPOCH_S_MIN:
        now = http_date(headers.get("date", ""))
        if now is None:
            return None
        reset_s = max(0.0, (reset_s / 1000.0 if reset_s >= EPOCH_MS_MIN else reset_s) - now)
    return Quota(remaining=int(remaining), reset_s=reset_s)


@lru_cache(maxsize=64)  # all answers of one second carry the same Date
def http_date(text: str) -> float | None:
    """An HTTP date as seconds since 1970; None when it is none."""
    if not text.isascii():
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def strong_etag(text: str) -> str | None:
    """A name for exactly these bytes; None when it is weak or cannot be sent back."""
    return text if _STRONG_ETAG.fullmatch(text) else None


def content_range(text: str) -> tuple[int, int] | None:
    """Where a part begins and how long the whole is."""
    part = _CONTENT_RANGE.fullmatch(text)
    return (int(part[1]), int(part[2])) if part else None


def gunzipped(body: bytes | bytearray, bytes_max: int) -> bytes | None:
    """What was compressed, up to `bytes_max`; None unless it is one gzip member, whole, and nothing after it.

    Whole: with its end mark and checksum, without which half an answer may look like one. Several members in a row are
    legal, and nobody sends them, except to keep a client busy.
    """
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        expanded = member.decompress(body, bytes_max)
    except zlib.error:
        return None
    if len(expanded) == bytes_max:
        return expanded
    return expanded if member.eof and not member.unused_data else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _either(seen: Mapping[str, object], documented: str, variant: str) -> object:
    return seen[documented] if seen.get(documented) is not None else seen.get(variant)


def _text(value: object, chars_max: int) -> str | None:
    """A string that can be encoded and stored, cut to size; None for everything else."""
    if not isinstance(value, str):
        return None
    return value[:chars_max].encode("utf-8", "replace").decode("utf-8")


def _whole(value: object, chars_max: int) -> str | None:
    """A string that must not be changed to be used: an address, a token. None when it is empty or does not fit."""
    text = _text(value, chars_max)
    return text if text and text == value else None


def _id(value: object) -> str | None:
    """An id is never cut or mended: half an id is another id. `.` and `..` would climb in a path."""
    if not isinstance(value, str) or not 1 <= len(value) <= ID_CHARS_MAX or value in {".", ".."}:
        return None
    return value if all("!" <= char <= "~" for char in value) else None


def _credits(value: object) -> int | None:
    # `type`, not `isinstance`: True is an int to Python, and one credit to nobody.
    return value if type(value) is int and 0 <= value <= CREDITS_MAX else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= CREDITS_MAX else None  # NaN compares as False


def _error(value: object) -> ErrorSeen | None:
    seen = _mapping(value)
    code = _text(seen.get("code"), WORD_CHARS_MAX)
    if not code:
        return None
    return ErrorSeen(
        code=code,
        message=_text(seen.get("message"), MESSAGE_CHARS_MAX) or "",
        request_id=_text(_either(seen, "requestId", "request_id"), WORD_CHARS_MAX),
    )


def _urls(result: object) -> tuple[str, ...]:
    """`primary_url` first, then the rest of `urls`, none twice."""
    seen = _mapping(result)
    listed = seen.get("urls")
    candidates = [seen.get("primary_url"), *(listed if isinstance(listed, list) else [])]
    usable = [url for url in (_whole(candidate, URL_CHARS_MAX) for candidate in candidates) if url is not None]
    return tuple(dict.fromkeys(usable))[:URLS_MAX]
