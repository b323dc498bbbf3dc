"""The service that is measured against: one process, one port, documented answers, and next to no work per request.

    python -m tests.bench.server

says `port N` on stdout. `POST /bench/batch` with a workload and a seed begins a batch, `GET /bench/books` says what it
came to. A raw protocol with a parser for exactly the requests that HTTP clients send; several times faster than any
client here, so that a client's time is its own.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import asdict
from email.utils import formatdate
from typing import Any, cast

import orjson
import uvloop

from tests.bench.accounting import Batch
from tests.bench.workloads import WORKLOADS, Kind, Workload, sized

__all__ = ["Door", "workload_from"]

PATH = "/api/v1/generations"
_CREATE = b"POST /api/v1/generations HTTP/1.1\r\n"
_STATUS = b"GET /api/v1/generations/task_"
_STATUS_CHARS = len(_STATUS)

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_KEY = re.compile(rb"(?i)\r\nidempotency-key: *([!-~]+)")
_CLOSE = re.compile(rb"(?i)\r\nconnection: *close")

_AT = b'"created_at":"2026-05-11T00:00:00.000Z","updated_at":"2026-05-11T00:00:00.000Z"'
_TASK = b'{"id":"task_%08d","status":"%s","model":"%s","reserved_credits":1,"final_credits":%d,' + _AT + b"%s}"
_OPEN = b',"result":null,"error":null'
_ENDED = (
    b',"result":{"primary_url":"https://results.example/%08d.png","urls":["https://results.example/%08d.png"]}'
    b',"error":null'
)
_LIMITED = b'{"error":{"code":"rate_limited","message":"Too many requests.","requestId":"req_%d"}}'
_NOT_FOUND = b'{"error":{"code":"not_found","message":"There is nothing here.","requestId":"req_0"}}'

_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s"


class Door:
    """What all connections share: the batch, and the Date of this second."""

    def __init__(self) -> None:
        self.batch = Batch(sized(WORKLOADS["W1"]), 0)
        self._models = [b""]
        self._date = b""
        self._date_of = 0

    def begin(self, wanted: dict[str, Any]) -> None:
        self.batch = Batch(workload_from(wanted["workload"]), wanted["seed"])
        self._models = [kind.model.encode() for kind in self.batch.workload.kinds]

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The whole answer to one whole request."""
        now_s = time.monotonic()
        if head.startswith(_STATUS):
            return self._status(now_s, head)
        if head.startswith(_CREATE):
            return self._create(now_s, head, body)
        if head.startswith(b"GET /api/v1/credits "):
            admitted = self.batch.other(now_s)
            return self._whole(b"200 OK", b'{"current_credits":1000000000}') if admitted else self._limited()
        if head.startswith(b"POST /bench/batch "):
            self.begin(orjson.loads(body))
            return self._whole(b"200 OK", b"{}")
        if head.startswith(b"GET /bench/books "):
            return self._whole(b"200 OK", orjson.dumps(asdict(self.batch.books())))
        return self._whole(b"404 Not Found", _NOT_FOUND)

    def _create(self, now_s: float, head: bytes, body: bytes) -> bytes:
        wanted = orjson.loads(body)
        found = _KEY.search(head)
        key = found[1] if found else b""
        number = self.batch.create(now_s, key=key, model=wanted["model"], prompt=wanted["prompt"])
        if number is None:
            return self._limited()
        model = self._models[self.batch.tasks[number].kind]
        return self._whole(b"201 Created", _TASK % (number, b"queued", model, 0, _OPEN))

    def _status(self, now_s: float, head: bytes) -> bytes:
        number = int(head[_STATUS_CHARS : head.index(b" ", _STATUS_CHARS)])
        if not self.batch.knows(number):
            return self._whole(b"404 Not Found", _NOT_FOUND)
        ended = self.batch.status(now_s, number)
        if ended is None:
            return self._limited()
        model = self._models[self.batch.tasks[number].kind]
        if ended:
            return self._whole(b"200 OK", _TASK % (number, b"succeeded", model, 1, _ENDED % (number, number)))
        return self._whole(b"200 OK", _TASK % (number, b"processing", model, 0, _OPEN))

    def _limited(self) -> bytes:
        return self._whole(b"429 Too Many Requests", _LIMITED % (self.batch.creates + self.batch.polls))

    def _whole(self, status: bytes, body: bytes) -> bytes:
        second = int(time.time())
        if second != self._date_of:
            self._date_of, self._date = second, formatdate(second, usegmt=True).encode()
        return _HEAD % (status, self._date, len(body), body)


class Connection(asyncio.Protocol):
    """One connection: whole requests out of the bytes, one answer each, in order."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but does not say so

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        waiting = self._waiting + data if self._waiting else data
        while waiting:
            end = waiting.find(b"\r\n\r\n")
            if end < 0:
                break
            head, begins = waiting[:end], end + 4
            if head.startswith(b"P"):
                found = _LENGTH.search(head)
                ends = begins + (int(found[1]) if found else 0)
                if len(waiting) < ends:
                    break
            else:
                ends = begins
            self._transport.write(self._door.answer(head + b"\r\n", waiting[begins:ends]))
            if _CLOSE.search(head):
                self._transport.close()
                return
            waiting = waiting[ends:]
        self._waiting = waiting


def workload_from(plain: dict[str, Any]) -> Workload:
    """A workload as it travels."""
    kinds = tuple(Kind(**kind) for kind in plain["kinds"])
    return Workload(**{**plain, "kinds": kinds})


async def serve() -> None:
    """Until the process is ended."""
    door = Door()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(door), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"port {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
