"""Answers to a create that no honest service gives, by hand, each with the verdict it deserves.

`MALFORMED` is the table: name, bytes, how the connection ends, verdict. `AMBIGUOUS` costs a second send of the same key
and nothing else; any other verdict is the last word about somebody's credits, so it needs a whole answer that says it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Final

from jobs.verdict import VerdictKind
from tests.proof.wire import Ending
from tests.proof.wire_answers import envelope, framed, task_body

__all__ = ["MALFORMED", "Malformed"]

_A, _R, _Q = VerdictKind.ACCEPTED, VerdictKind.REJECTED, VerdictKind.AMBIGUOUS
_L, _C, _M = VerdictKind.LIMITED, VerdictKind.CONFLICT, VerdictKind.MISROUTED
_K, _N = VerdictKind.REFUSED_KEY, VerdictKind.NO_CREDITS

TASK: Final = task_body()
NO: Final = envelope("validation_failed")


@dataclass(frozen=True, slots=True)
class Malformed:
    """One row."""

    name: str
    said: bytes
    verdict: VerdictKind
    ends: Ending = "fin"


# What stands where a status line should, before a whole answer that accepts.
_STARTS: Final = (
    ("nothing", b"", _Q),
    ("one byte", b"H", _Q),
    ("a name only", b"HTTP/1.1\r\n", _Q),
    ("no status", b"HTTP/1.1 \r\n", _Q),
    ("two digits", b"HTTP/1.1 20 OK\r\n", _Q),
    ("four digits", b"HTTP/1.1 2000 OK\r\n", _Q),
    ("letters", b"HTTP/1.1 abc OK\r\n", _Q),
    ("negative", b"HTTP/1.1 -202 OK\r\n", _Q),
    ("digits of another script", "HTTP/1.1 \u0662\u0660\u0662 OK\r\n".encode(), _Q),
    ("status 000", b"HTTP/1.1 000 OK\r\n", _Q),
    ("status 099", b"HTTP/1.1 099 OK\r\n", _Q),
    ("status 600", b"HTTP/1.1 600 OK\r\n", _Q),
    ("status 999", b"HTTP/1.1 999 OK\r\n", _Q),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n", _Q),
    ("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46", _Q),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", _Q),
    ("HTTP/2 settings", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", _Q),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _Q),
    ("a request", b"POST /api/v1/generations HTTP/1.1\r\nHost: x\r\n\r\n", _Q),
    ("ICY", b"ICY 200 OK\r\n", _Q),
    ("lower case", b"http/1.1 202 Accepted\r\n", _Q),
    ("no slash", b"HTTP 1.1 202 Accepted\r\n", _Q),
    ("HTTP/0.9 page", b"<html>Sign in</html>", _Q),
    ("HTTP/9.9", b"HTTP/9.9 202 Accepted\r\n", _Q),
    ("HTTP/2.0", b"HTTP/2.0 202 Accepted\r\n", _A),
    ("a byte order mark", b"\xef\xbb\xbfHTTP/1.1 202 Accepted\r\n", _Q),
    ("a NUL before", b"\0HTTP/1.1 202 Accepted\r\n", _Q),
    ("a NUL in the reason", b"HTTP/1.1 202 Acc\0epted\r\n", _A),  # a reason means nothing
    ("a long reason", b"HTTP/1.1 202 " + b"x" * 100_000 + b"\r\n", _Q),
    ("JSON at once", TASK, _Q),
    ("only line ends", b"\r\n\r\n\r\n\r\n", _Q),
    ("a thousand zeros", b"\0" * 1000, _Q),
)

# One header line more, before the right length of a body that accepts.
_LINES: Final = (
    ("no colon", b"nonsense", _Q),
    ("no name", b": x", _Q),
    ("a space in the name", b"X Y: z", _Q),
    ("a space before the colon", b"X : z", _Q),
    ("a NUL in the value", b"X: \0", _Q),
    ("a NUL in the name", b"X\0: z", _Q),
    ("a bell in the value", b"X: \x07", _A),
    ("an escape sequence", b"X-Request-Id: \x1b]0;owned\x07", _A),
    ("bytes that are no UTF-8", b"X-Request-Id: \xff\xfe", _A),
    ("half a surrogate pair", b"X-Request-Id: \xed\xa0\x80", _A),
    ("a long name", b"X" * 9000 + b": z", _Q),
    ("a long value", b"X: " + b"z" * 200_000, _Q),
    ("two lengths", b"Content-Length: 5", _Q),
    ("a negative length", b"Content-Length: -1", _Q),
    ("a length with a sign", b"Content-Length: +5", _Q),
    ("a hexadecimal length", b"Content-Length: 0x5", _Q),
    ("a length with a comma", b"Content-Length: 5, 5", _Q),
    ("a length of another script", "Content-Length: \u0665".encode(), _Q),
    ("an endless length", b"Content-Length: " + b"9" * 100, _Q),
    ("an empty length", b"Content-Length:", _Q),
    ("brotli", b"Content-Encoding: br", _Q),
    ("zstd", b"Content-Encoding: zstd", _Q),
    ("deflate", b"Content-Encoding: deflate", _Q),
    ("compress", b"Content-Encoding: compress", _Q),
    ("gzip that is none", b"Content-Encoding: gzip", _Q),
    ("gzip twice", b"Content-Encoding: gzip, gzip", _Q),
    ("identity", b"Content-Encoding: identity", _A),
    ("no encoding", b"Content-Encoding:", _A),
    ("an encoding unheard of", b"Content-Encoding: aes128gcm", _Q),
    ("an odd type", b"Content-Type: text/html; charset=utf-16", _A),
    ("a broken type", b"Content-Type: ;;==;;", _A),
    ("a redirect's address", b"Location: https://evil.test/", _A),
    ("a cookie", b"Set-Cookie: session=1; Domain=evil.test", _A),
    ("a hundred kilobytes of cookie", b"Set-Cookie: " + b"a" * 100_000, _Q),
    ("an offer to upgrade", b"Upgrade: h2c\r\nConnection: upgrade", _A),
    ("a websocket of old", b"Sec-WebSocket-Key1: x", _Q),
    ("a date of nobody", b"Date: Sun, 99 Nov 99999 99:99:99 GMT", _A),
    ("a wait of nobody", b"Retry-After: 1e400", _A),
    ("130 headers", b"\r\n".join(b"X-%d: y" % n for n in range(130)), _Q),
    ("10,000 headers", b"\r\n".join(b"X-%d: y" % n for n in range(10_000)), _Q),
)

# Whole bytes after a status line that accepts; how the connection ends matters here.
_FRAMES: Final[tuple[tuple[str, bytes, VerdictKind, Ending], ...]] = (
    ("shorter than said", b"Content-Length: 1000\r\n\r\n" + TASK, _Q, "fin"),
    ("shorter by one", b"Content-Length: %d\r\n\r\n" % (len(TASK) + 1) + TASK, _Q, "fin"),
    ("shorter, and silence", b"Content-Length: %d\r\n\r\n" % (len(TASK) + 1) + TASK, _Q, "open"),
    ("longer than said by one", b"Content-Length: %d\r\n\r\n" % (len(TASK) - 1) + TASK, _Q, "fin"),
    ("length 0 before a task", b"Content-Length: 0\r\n\r\n" + TASK, _Q, "fin"),
    ("the largest length there is", b"Content-Length: 18446744073709551615\r\n\r\n" + TASK, _Q, "fin"),
    ("no length, closed", b"\r\n" + TASK, _A, "fin"),
    ("no length, reset", b"\r\n" + TASK, _Q, "rst"),
    ("no length, and silence", b"\r\n" + TASK, _Q, "open"),
    ("no length, half", b"\r\n" + TASK[:50], _Q, "fin"),
    ("no length, nothing", b"\r\n", _Q, "fin"),
    ("no end of the head", b"Content-Length: 5\r\n", _Q, "fin"),
    ("length and chunks", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", _Q, "fin"),
    ("chunks and length", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", _Q, "fin"),
    ("no chunk", b"Transfer-Encoding: chunked\r\n\r\n", _Q, "fin"),
    ("the last chunk only", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", _Q, "fin"),
    ("chunks without their last", b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(TASK), TASK), _Q, "fin"),
    ("half the last chunk", b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(TASK), TASK), _Q, "fin"),
    ("a chunk cut", b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s" % (len(TASK), TASK[:-1]), _Q, "fin"),
    ("a chunk too long", b"Transfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n0\r\n\r\n" % TASK, _Q, "fin"),
    ("a chunk without a size", b"Transfer-Encoding: chunked\r\n\r\n\r\n%s\r\n0\r\n\r\n" % TASK, _Q, "fin"),
    ("a size in letters", b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n%s\r\n0\r\n\r\n" % TASK, _Q, "fin"),
    ("a negative size", b"Transfer-Encoding: chunked\r\n\r\n-5\r\n%s\r\n0\r\n\r\n" % TASK, _Q, "fin"),
    ("a size with 0x", b"Transfer-Encoding: chunked\r\n\r\n0x%x\r\n%s\r\n0\r\n\r\n" % (len(TASK), TASK), _Q, "fin"),
    ("an endless size", b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n" + TASK, _Q, "fin"),
    ("a size of a page", b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 70_000 + b"\r\n" + TASK, _Q, "fin"),
    (
        "a trailer that is no header",
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n???\r\n\r\n" % (len(TASK), TASK),
        _Q,
        "fin",
    ),
    ("another coding", b"Transfer-Encoding: gzip\r\n\r\n" + TASK, _A, "fin"),
    ("a coding nobody knows", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", _Q, "fin"),
    ("chunked, then gzip", b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", _Q, "fin"),
    ("chunked twice", b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", _Q, "fin"),
    (
        "two answers, the second accepts",
        b"Content-Length: 2\r\n\r\n{}" + framed(TASK, status="202 Accepted"),
        _Q,
        "fin",
    ),
    (
        "a task and a refusal",
        b"Content-Length: %d\r\n\r\n%s" % (len(TASK), TASK) + framed(NO, status="400 No"),
        _A,
        "fin",
    ),
)

# Bodies of a 202, right in their frame.
_BODIES: Final = (
    ("empty", b"", _Q),
    ("a space", b" ", _Q),
    ("null", b"null", _Q),
    ("true", b"true", _Q),
    ("a number", b"7", _Q),
    ("a text", b'"task_1"', _Q),
    ("a list", b"[]", _Q),
    ("a list of tasks", b"[" + TASK + b"]", _Q),
    ("an object", b"{}", _Q),
    ("half an object", b"{", _Q),
    ("half a task", TASK[:-1], _Q),
    ("a task and more", TASK + b"x", _Q),
    ("two tasks", TASK + TASK, _Q),
    ("a task in lines", TASK + b"\n" + TASK, _Q),
    ("a task and spaces", b"\n " + TASK + b"\r\n\t ", _A),
    ("a page", b"<html><body>Sign in</body></html>", _Q),
    ("a page with a task in it", b"<html>" + TASK, _Q),
    ("a callback", b"f(" + TASK + b")", _Q),
    ("a guard", b")]}',\n" + TASK, _Q),
    ("an event", b"data: " + TASK + b"\n\n", _Q),
    ("single quotes", b"{'id':'task_1'}", _Q),
    ("no quotes", b"{id:1}", _Q),
    ("a comma too many", b'{"id":"task_1",}', _Q),
    ("a comment", b'{"id":"task_1"/**/}', _Q),
    ("a byte order mark", b"\xef\xbb\xbf" + TASK, _A),
    ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf" + TASK, _Q),
    ("UTF-16", TASK.decode().encode("utf-16"), _Q),
    ("UTF-16, big end first", TASK.decode().encode("utf-16-be"), _Q),
    ("UTF-32", TASK.decode().encode("utf-32"), _Q),
    ("UTF-7", b"+AHsAIgBpAGQAIgA6ACIAdAAiAH0-", _Q),
    ("EBCDIC", TASK.decode().encode("cp500"), _Q),
    ("Latin-1", b'{"id":"t\xe4sk"}', _Q),
    ("a broken byte elsewhere", b'{"id":"task_1","note":"\xff"}', _Q),
    ("an overlong byte", b'{"id":"task_1","note":"\xc0\x80"}', _Q),
    ("a surrogate as bytes", b'{"id":"task_1","note":"\xed\xa0\x80"}', _Q),
    ("a NUL before", b"\0" + TASK, _Q),
    ("a NUL after", TASK + b"\0", _Q),
    ("NULs", b"\0" * 100, _Q),
    ("compressed without saying so", gzip.compress(TASK), _Q),
    ("NaN", b'{"id":"task_1","x":NaN}', _Q),
    ("Infinity", b'{"id":"task_1","x":Infinity}', _Q),
    ("-Infinity", b'{"id":"task_1","reserved_credits":-Infinity}', _Q),
    ("a leading zero", b'{"id":"task_1","x":01}', _Q),
    ("a bare point", b'{"id":"task_1","x":.5}', _Q),
    ("a plus", b'{"id":"task_1","x":+1}', _Q),
    ("hexadecimal", b'{"id":"task_1","x":0x1}', _Q),
    ("400 digits", b'{"id":"task_1","x":' + b"9" * 400 + b"}", _A),
    ("5,000 digits", b'{"id":"task_1","x":' + b"9" * 5000 + b"}", _Q),
    ("a huge exponent", b'{"id":"task_1","reserved_credits":1e99999}', _A),
    ("a price of 10^18", b'{"id":"task_1","reserved_credits":1000000000000000000}', _A),
    ("a price below nothing", b'{"id":"task_1","reserved_credits":-5}', _A),
    ("a price as text", b'{"id":"task_1","reserved_credits":"5"}', _A),
    ("a price as a float", b'{"id":"task_1","reserved_credits":5.0}', _A),
    ("a price as a truth", b'{"id":"task_1","reserved_credits":true}', _A),
    ("100,000 deep", b"[" * 100_000, _Q),
    ("100,000 deep and back", b"[" * 100_000 + b"]" * 100_000, _Q),
    ("100,000 objects deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, _Q),
    ("500 deep beside a task", b'{"id":"task_1","x":' + b"[" * 500 + b"]" * 500 + b"}", _A),
    ("a lone surrogate", b'{"id":"task_1","note":"\\ud800"}', _A),
    ("a surrogate in the id", b'{"id":"\\ud800"}', _Q),
    ("an escape that is none", b'{"id":"task_1","x":"\\x41"}', _Q),
    ("half an escape", b'{"id":"task_1","x":"\\u12"}', _Q),
    ("a tab in a text", b'{"id":"task_1","x":"\t"}', _Q),
    ("a line in a text", b'{"id":"task_1","x":"\n"}', _Q),
    ("the id in escapes", b'{"\\u0069d":"task_1"}', _A),
    ("the id twice, the same", b'{"id":"task_1","id":"task_1"}', _A),
    ("no id", b'{"status":"queued"}', _Q),
    ("another name", b'{"task_id":"task_1"}', _Q),
    ("another case", b'{"ID":"task_1"}', _Q),
    ("one floor down", b'{"data":{"id":"task_1"}}', _Q),
    ("id null", b'{"id":null}', _Q),
    ("id a number", b'{"id":7}', _Q),
    ("id a float", b'{"id":7.5}', _Q),
    ("id a truth", b'{"id":true}', _Q),
    ("id a list", b'{"id":["task_1"]}', _Q),
    ("id an object", b'{"id":{"id":"task_1"}}', _Q),
    ("id empty", b'{"id":""}', _Q),
    ("id a space", b'{"id":" "}', _Q),
    ("id with a space", b'{"id":"task 1"}', _Q),
    ("id with spaces around", b'{"id":" task_1 "}', _Q),
    ("id with a line end", b'{"id":"task_1\\n"}', _Q),
    ("id that splits a header", b'{"id":"task_1\\r\\nX-Evil: 1"}', _Q),
    ("id with a NUL", b'{"id":"task_1\\u0000"}', _Q),
    ("id with an escape", b'{"id":"\\u001b[31mtask"}', _Q),
    ("id with a DEL", b'{"id":"task\\u007f"}', _Q),
    ("id written backwards", b'{"id":"\\u202e1_ksat"}', _Q),
    ("id of no width", b'{"id":"\\u200b"}', _Q),
    ("id with an accent", '{"id":"t\u00e2che"}'.encode(), _Q),
    ("id with a smiley", '{"id":"\U0001f600"}'.encode(), _Q),
    ("id of another script", '{"id":"\u0442\u0430sk"}'.encode(), _Q),
    ("id .", b'{"id":"."}', _Q),
    ("id ..", b'{"id":".."}', _Q),
    ("id of 257", b'{"id":"' + b"x" * 257 + b'"}', _Q),
    ("id of a megabyte", b'{"id":"' + b"x" * 1_000_000 + b'"}', _Q),
    ("a refusal", NO, _Q),
    ("a refusal beside an id", json.dumps({"id": "task_1", "error": {"code": "validation_failed"}}).encode(), _A),
    ("no credits, in a 202", envelope("insufficient_credits"), _Q),
    ("a task born failed", task_body(status="failed", error={"code": "x", "message": "m"}), _A),
    ("a status of nobody", task_body(status=[1, 2]), _A),
    ("results of nobody", task_body(result={"urls": [None, 7, {"a": 1}, "\ud800"]}), _A),
    ("10,000 addresses", task_body(result={"urls": [f"https://a/{n}" for n in range(10_000)]}), _A),
    ("5 MiB", b'{"id":"task_1","x":"' + b"x" * (5 << 20) + b'"}', _Q),
)

# Bodies of a 400.
_REFUSALS: Final = (
    ("empty", b"", _Q),
    ("a page", b"<html>Bad Request</html>", _Q),
    ("half", NO[:-1], _Q),
    ("and more", NO + b"x", _Q),
    ("in a list", b"[" + NO + b"]", _Q),
    ("a text", b'{"error":"validation_failed"}', _Q),
    ("no code", b'{"error":{"message":"No."}}', _Q),
    ("an empty code", b'{"error":{"code":""}}', _Q),
    ("a code null", b'{"error":{"code":null}}', _Q),
    ("a code as a number", b'{"error":{"code":400}}', _Q),
    ("a code as a list", b'{"error":{"code":["validation_failed"]}}', _Q),
    ("an error list", b'{"error":[{"code":"validation_failed"}]}', _Q),
    ("errors", b'{"errors":[{"code":"validation_failed"}]}', _Q),
    ("a code at the top", b'{"code":"validation_failed"}', _Q),
    ("another shape", b'{"message":"Bad Request","statusCode":400}', _Q),
    ("a problem document", b'{"type":"about:blank","title":"Bad Request","status":400}', _Q),
    ("a task", TASK, _Q),
    ("a task and a refusal", json.dumps({"id": "task_1", "error": {"code": "x"}}).encode(), _R),
    ("a code of tomorrow", envelope("prompt_blocked"), _R),
    ("a code of 10,000 characters", envelope("x" * 10_000), _R),
    ("a code with escapes", envelope("\x1b[31mred"), _R),
    ("a lone surrogate in the message", envelope("validation_failed", "\ud83d"), _R),
    ("a message of a megabyte", envelope("validation_failed", "x" * 1_000_000), _R),
    ("a message list", b'{"error":{"code":"validation_failed","message":[1]}}', _R),
    ("a byte order mark", b"\xef\xbb\xbf" + NO, _R),
    ("NaN beside it", b'{"error":{"code":"validation_failed"},"x":NaN}', _Q),
    ("UTF-16", NO.decode().encode("utf-16"), _Q),
    ("a broken byte", b'{"error":{"code":"validation_failed","message":"\xff"}}', _Q),
    ("100,000 deep", b'{"error":' * 100_000, _Q),
    ("no credits", envelope("insufficient_credits"), _N),
    ("a limit", envelope("rate_limited"), _L),
    ("a bad key", envelope("api_key_invalid"), _R),
    ("a conflict", envelope("idempotency_conflict"), _R),
)

# A status, without the envelope and with one of a code nobody documented.
_STATUSES: Final = (
    *((status, _Q, _Q) for status in (200, 201, 202, 203, 206, 226, 299)),
    *((status, _M, _M) for status in (300, 301, 302, 303, 305, 307, 308, 399)),
    (400, _Q, _R),
    (401, _Q, _K),
    (402, _Q, _Q),
    (403, _Q, _Q),
    (404, _M, _M),
    *((status, _Q, _Q) for status in (405, 406, 407, 408)),
    (409, _C, _C),
    *((status, _Q, _Q) for status in (410, 411, 412, 413, 414, 415, 417, 418, 421, 422, 423, 424, 425, 426, 428)),
    (429, _L, _L),
    *((status, _Q, _Q) for status in (431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511)),
    *((status, _Q, _Q) for status in (520, 521, 522, 523, 524, 525, 526, 529, 530, 598, 599)),
)

_PACKED: Final = gzip.compress(TASK, mtime=0)
_ZIPS: Final = (
    ("whole", _PACKED, _A),
    ("without its checksum", _PACKED[:-8], _Q),
    ("without its last byte", _PACKED[:-1], _Q),
    ("with a wrong checksum", _PACKED[:-8] + b"\0\0\0\0" + _PACKED[-4:], _Q),
    ("with a wrong length", _PACKED[:-4] + b"\0\0\0\1", _Q),
    ("half", _PACKED[: len(_PACKED) // 2], _Q),
    ("the head only", _PACKED[:10], _Q),
    ("two bytes", b"\x1f\x8b", _Q),
    ("rubbish after it", _PACKED + b"x", _Q),
    ("twice", _PACKED + _PACKED, _Q),
    ("after a thousand empty ones", gzip.compress(b"", mtime=0) * 1000 + _PACKED, _Q),
    ("inside another", gzip.compress(_PACKED), _Q),
    ("another kind", zlib.compress(TASK), _Q),
    ("no kind", TASK, _Q),
    ("a bomb of 64 MiB", gzip.compress(b"\0" * (64 << 20), 9), _Q),
    ("a bomb of 64 MiB around a task", gzip.compress(TASK + b" " * (64 << 20), 9), _Q),
)

_BEFORE: Final = (
    ("continue", b"HTTP/1.1 100 Continue\r\n\r\n", _A),
    ("processing, a hundred times", b"HTTP/1.1 102 Processing\r\n\r\n" * 100, _A),
    ("early hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", _A),
    ("an interim nobody knows", b"HTTP/1.1 199 Hm\r\n\r\n", _A),
    ("switching protocols", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", _Q),
    ("half an interim", b"HTTP/1.1 100 Cont", _Q),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", _Q),
    ("not modified", b"HTTP/1.1 304 Not Modified\r\n\r\n", _M),
    ("a refusal", framed(NO, status="400 Bad Request"), _R),
    ("another task", framed(b'{"id":"task_1"}', status="202 Accepted"), _A),
)


def _rows() -> tuple[Malformed, ...]:
    start = b"HTTP/1.1 202 Accepted\r\n"
    length = b"Content-Length: %d\r\n" % len(TASK)
    rows = [Malformed(f"start: {name}", said + length + b"\r\n" + TASK, kind) for name, said, kind in _STARTS]
    rows += [
        Malformed(f"line: {name}", start + line + b"\r\n" + length + b"\r\n" + TASK, kind)
        for name, line, kind in _LINES
    ]
    rows += [Malformed(f"frame: {name}", start + rest, kind, ends) for name, rest, kind, ends in _FRAMES]
    rows += [Malformed(f"202: {name}", framed(body, status="202 Accepted"), kind) for name, body, kind in _BODIES]
    rows += [Malformed(f"400: {name}", framed(body, status="400 Bad Request"), kind) for name, body, kind in _REFUSALS]
    for status, bare, with_code in _STATUSES:
        rows.append(Malformed(f"status {status}: a page", framed(b"<html>", status=f"{status} X"), bare))
        rows.append(
            Malformed(f"status {status}: a code", framed(envelope("unheard_of"), status=f"{status} X"), with_code)
        )
    coded = "Content-Encoding: gzip\r\n"
    rows += [
        Malformed(f"gzip: {name}", framed(body, status="202 Accepted", headers=coded), kind)
        for name, body, kind in _ZIPS
    ]
    whole = framed(TASK, status="202 Accepted")
    rows += [Malformed(f"before: {name}", first + whole, kind) for name, first, kind in _BEFORE]
    return tuple(rows)


MALFORMED: Final = _rows()
