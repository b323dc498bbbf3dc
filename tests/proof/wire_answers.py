"""Every kind of answer the client can get, as raw bytes: recorded from the simulator's server, and written by hand.

The recording is made anew each time, over wires in memory, so it cannot fall behind the simulator; its clock times are
replaced by constants of the same length, so that the same number means the same play tomorrow. By hand is what the
simulator does not do: proxies, other framings, other versions.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal

from aiohttp import web

from runner.exchange import Part, Request
from runner.secret import Secret
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.media import Studio
from runner.sim.profile import EXPIRED_KEY, NARROW_KEY, REVOKED_KEY, ApiKey, Profile
from runner.sim.server import SimServer
from runner.transport import AiohttpTransport
from tests.proof.wire import KEY, SERVICE, Ending, Rig, Wires
from tests.runner.media_samples import SAMPLES

__all__ = ["TASK_ID", "Answer", "Call", "answers", "envelope", "framed", "task_body"]

Call = Literal["create", "status", "upload", "credits", "models", "download"]

TASK_ID: Final = "task_1"  # what the hand-written answers are about
CREATES: Final = "/api/v1/generations"
BODY: Final = b'{"model":"z-image","prompt":"a cat"}'

# What a clock moves in a recording, and what stands there instead: as long, so that lengths still fit.
_CLOCK: Final = (
    (re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"), b"Sun, 06 Nov 1994 08:49:37 GMT"),
    (re.compile(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z"), b"2026-05-11T00:00:00.000Z"),
    (re.compile(rb"(?<=exp=)[0-9]{10}"), b"1778457600"),
    (re.compile(rb"(?<=sig=)[0-9a-f]{24}"), b"007b1f0d95c1ff44de8e12b3"),
    (re.compile(rb"(?<=req_)[0-9a-f]{24}"), b"347ca35cdd7eef4bd5babcc3"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to one kind of call. `ends`: what the connection does after it by itself."""

    name: str
    call: Call
    data: bytes
    ends: Ending = "open"
    task_id: str = TASK_ID


def framed(body: bytes, *, status: str = "200 OK", headers: str = "Content-Type: application/json\r\n") -> bytes:
    """An answer with its length."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def task_body(**changes: Any) -> bytes:
    """A task as documented."""
    seen = {"id": TASK_ID, "status": "queued", "model": "z-image", "reserved_credits": 1, "final_credits": 0}
    return json.dumps(seen | {"result": None, "error": None} | changes).encode()


def envelope(code: str, message: str = "No.") -> bytes:
    """The documented error."""
    return json.dumps({"error": {"code": code, "message": message, "requestId": "req_1"}}).encode()


@cache
def answers() -> tuple[Answer, ...]:
    """All of them, in an order that does not change."""
    return (*_recorded(), *_by_hand())


def _headless(data: bytes) -> tuple[str, bytes]:
    """The start line and the body of an answer framed by its length."""
    head, _, body = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode().removeprefix("HTTP/1.1 "), body


def _by_hand() -> tuple[Answer, ...]:
    accepted = framed(task_body(), status="202 Accepted")
    refused = framed(envelope("validation_failed"), status="400 Bad Request")
    plain = {
        "accepted": accepted,
        "refused": refused,
        "no credits": framed(envelope("insufficient_credits"), status="402 Payment Required"),
        "bad key": framed(envelope("api_key_invalid"), status="401 Unauthorized"),
        "page of a proxy": framed(
            b"<html><body>502 Bad Gateway</body></html>",
            status="502 Bad Gateway",
            headers="Content-Type: text/html\r\n",
        ),
        "limited": framed(
            envelope("rate_limited"), status="429 Too Many Requests", headers="Retry-After: 120\r\nDate: x\r\n"
        ),
        "conflict": framed(envelope("idempotency_conflict"), status="409 Conflict"),
        "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
        "reset content": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
        "moved": framed(b"", status="307 Temporary Redirect", headers="Location: https://login.test/\r\n"),
        "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + accepted,
        "continue, twice": b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + refused,
    }
    every = [Answer(name=name, call="create", data=data) for name, data in plain.items()]
    for name in ("accepted", "refused", "no credits", "bad key", "conflict", "page of a proxy"):
        for variant, make in _FRAMINGS.items():
            data, ends = make(*_headless(plain[name]))
            every.append(Answer(name=f"{name}, {variant}", call="create", data=data, ends=ends))
    succeeded = task_body(status="succeeded", final_credits=1, result={"primary_url": "https://cdn.test/1.png"})
    for variant, make in _FRAMINGS.items():
        data, ends = make("200 OK", succeeded)
        every.append(Answer(name=f"status, {variant}", call="status", data=data, ends=ends))
        data, ends = make("200 OK", b'{"current_credits":123}')
        every.append(Answer(name=f"credits, {variant}", call="credits", data=data, ends=ends))
        data, ends = make("201 Created", b'{"id":"file_1","url":"https://cdn.test/f","duration_token":"dt"}')
        every.append(Answer(name=f"upload, {variant}", call="upload", data=data, ends=ends))
    for kind in ("png", "mp4", "webp", "mp3", "wav", "jpg"):
        mime, content = SAMPLES[kind]
        for variant in ("by length", "chunked", "until the end", "chunked in pieces"):
            data, ends = _FRAMINGS[variant]("200 OK", content)
            data = data.replace(b"application/json", mime.encode())
            every.append(Answer(name=f"download {kind}, {variant}", call="download", data=data, ends=ends))
    return tuple(every)


def _chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def _head(status: str, more: str = "", version: str = "1.1") -> bytes:
    return f"HTTP/{version} {status}\r\nContent-Type: application/json\r\n{more}\r\n".encode()


_TE: Final = "Transfer-Encoding: chunked\r\n"
_GZIP: Final = "Content-Encoding: gzip\r\n"

_FRAMINGS: Final[dict[str, Callable[[str, bytes], tuple[bytes, Ending]]]] = {
    "by length": lambda status, body: (_head(status, f"Content-Length: {len(body)}\r\n") + body, "open"),
    "by length, closed": lambda status, body: (
        _head(status, f"Connection: close\r\nContent-Length: {len(body)}\r\n") + body,
        "fin",
    ),
    "chunked": lambda status, body: (_head(status, _TE) + _chunked(body, len(body)), "open"),
    "chunked in pieces": lambda status, body: (_head(status, _TE) + _chunked(body, 7), "open"),
    "until the end": lambda status, body: (_head(status, "Connection: close\r\n") + body, "fin"),
    "HTTP/1.0": lambda status, body: (_head(status, version="1.0") + body, "fin"),
    "gzip by length": lambda status, body: (
        _head(status, f"{_GZIP}Content-Length: {len(_gzip(body))}\r\n") + _gzip(body),
        "open",
    ),
    "gzip chunked": lambda status, body: (_head(status, _GZIP + _TE) + _chunked(_gzip(body), 16), "open"),
    "gzip until the end": lambda status, body: (_head(status, _GZIP) + _gzip(body), "fin"),
    "deflate by length": lambda status, body: (
        _head(status, f"Content-Encoding: deflate\r\nContent-Length: {len(zlib.compress(body))}\r\n")
        + zlib.compress(body),
        "open",
    ),
}


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@dataclass
class _Tape:
    """The simulator's real server at one end, the real client at the other, and what was said between."""

    rig: Rig
    server: SimServer
    answers: list[Answer]

    def later(self, seconds: float) -> None:
        self.server._epoch_s += seconds

    async def take(self, name: str, call: Call, request: Request, *, key: str | None = None) -> bytes:
        before = {wire: len(wire.written) for wire in self._far()}
        if key is None:
            await self.rig.transport.send(request)
        else:
            async with _As(self.rig, key) as transport:
                await transport.send(request)
        [said] = [
            bytes(wire.written[before.get(wire, 0) :])
            for wire in self._far()
            if len(wire.written) > before.get(wire, 0)
        ]
        for clock, steady in _CLOCK:
            said = clock.sub(steady, said)
        body = said.partition(b"\r\n\r\n")[2]
        self.answers.append(Answer(name=f"simulator: {name}", call=call, data=said, task_id=_task_id(body)))
        return body

    def _far(self) -> list[Any]:
        return [client._other for connector in self.rig.connectors for client in connector.clients]


class _As(AiohttpTransport):
    """The same wires under another key."""

    def __init__(self, rig: Rig, key: str) -> None:
        super().__init__(SERVICE, Secret(key))
        self._rig = rig

    def _connector(self, *, fresh: bool) -> Wires:
        return self._rig.wires(fresh=fresh)


def _task_id(body: bytes) -> str:
    try:
        return str(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return TASK_ID


def _recorded() -> tuple[Answer, ...]:
    return tuple(each for talk in _TALKS for each in _taped(*talk))


Talk = Callable[[_Tape], Awaitable[None]]


def _taped(profile: Profile, faults: list[dict[str, Any]], talk: Talk) -> list[Answer]:
    catalogue = packaged_catalogue()
    few = {**catalogue, "models": [each for each in catalogue["models"] if each["id"] in {"z-image", "suno-sounds"}]}
    simulator = Simulator(profile, few, 7, parse_faults(faults, 7))
    simulator.origin = SERVICE
    with Rig() as rig:

        async def main() -> list[Answer]:
            behind = SimServer(simulator, Studio("fast"), None)
            server = web.Server(behind.answer, access_log=None)
            rig.answering = server
            tape = _Tape(rig, behind, [])
            await talk(tape)
            await server.shutdown(0.1)
            return tape.answers

        return rig.serve(main())


def _create(key: str, body: bytes = BODY) -> Request:
    return Request(method="POST", path=CREATES, headers={"Idempotency-Key": key}, body=body)


def _get(path: str) -> Request:
    return Request(method="GET", path=path)


async def _of_creates(tape: _Tape) -> None:
    await tape.take("create", "create", _create("k1"))
    await tape.take("the same create again", "create", _create("k1"))
    await tape.take("its key with another body", "create", _create("k1", BODY.replace(b"cat", b"dog")))
    await tape.take("an unknown model", "create", _create("k2", BODY.replace(b"z-image", b"z")))
    await tape.take("no JSON", "create", _create("k3", b"{"))
    await tape.take("a revoked key", "create", _create("k4"), key=REVOKED_KEY)
    await tape.take("an expired key", "create", _create("k5"), key=EXPIRED_KEY)
    await tape.take("a narrow key", "create", _create("k6"), key=NARROW_KEY)


async def _of_statuses(tape: _Tape) -> None:
    task_id = _task_id(await tape.take("create", "create", _create("k1")))
    await tape.take("queued", "status", _get(f"{CREATES}/{task_id}"))
    tape.later(600.0)
    task = json.loads(await tape.take("succeeded", "status", _get(f"{CREATES}/{task_id}")))
    path = task["result"]["primary_url"].removeprefix(SERVICE)
    await tape.take("a result", "download", _get(path))
    await tape.take("a part of it", "download", replace(_get(path), headers={"Range": "bytes=10-"}))
    await tape.take("a forged link", "download", _get(path[:-1]))
    await tape.take("nobody's task", "status", _get(f"{CREATES}/task_none"))


async def _of_files(tape: _Tape) -> None:
    png = Part(name="file", content=SAMPLES["png"][1], filename="a.png", mime="image/png")
    kind = Part(name="kind", content=b"image")
    await tape.take("an upload", "upload", Request(method="POST", path="/api/v1/files", parts=(kind, png)))
    await tape.take("an upload without its kind", "upload", Request(method="POST", path="/api/v1/files", parts=(png,)))
    await tape.take("the balance", "credits", _get("/api/v1/credits"))
    await tape.take("the catalogue", "models", _get("/api/v1/models"))
    await tape.take("no such path", "create", Request(method="POST", path="/api/v1/generation", body=BODY))


async def _of_limits(tape: _Tape) -> None:
    for n in range(2):
        await tape.take(f"create {n} of a full window", "create", _create(f"k{n}"))


async def _of_faults(tape: _Tape) -> None:
    for n, rule in enumerate(_FAULTS):
        await tape.take(f"fault {rule['do']}", "create", _create(f"k{n}"))


_FAULTS: Final[list[dict[str, Any]]] = [
    {"match": {"endpoint": "create", "nth": n + 1}, "do": do}
    for n, do in enumerate(
        [
            {"status": 502, "body": "html"},
            {"status": 500, "body": "empty"},
            {"status": 200, "body": "half_json"},
            {"status": 200, "body": "not_json"},
            {"status": 503, "body": "text", "retry_after": "7"},
            {"status": 307, "body": "empty", "location": "https://login.test/"},
            {"code": "rate_limited", "retry_after": "Sun, 06 Nov 1994 08:50:37 GMT"},
            {"code": "insufficient_credits"},
            {"patch": {"reserved_credits": "5"}},
            {"remove": ["id"]},
        ]
    )
]
_FREE: Final = Profile(keys=(*Profile().keys, ApiKey(secret=KEY)), windows=())
_TALKS: Final[tuple[tuple[Profile, list[dict[str, Any]], Talk], ...]] = (
    (replace(_FREE, create_status=200), [], _of_creates),
    (replace(_FREE, create_status=202), [], _of_statuses),
    (_FREE, [], _of_files),
    (replace(_FREE, windows=(replace(Profile().windows[0], limit=1),)), [], _of_limits),
    (replace(_FREE, windows=(replace(Profile().windows[0], limit=1),), retry_after="date"), [], _of_limits),
    (replace(_FREE, public_api=False), [], _of_limits),
    (replace(_FREE, insufficient_as="402", initial_credits=0), [], _of_limits),
    (_FREE, _FAULTS, _of_faults),
)
