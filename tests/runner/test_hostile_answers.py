"""Answers that mean harm: bombs, heads without end, and answers and results that trickle in for ever.

The tables are module-level tuples in capitals; `test_hostile_network.py` counts them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Final

import pytest

from jobs.answers import Phase
from jobs.verdict import VerdictKind, judge
from runner.errors import FetchError
from runner.secret import Secret
from runner.service import Service
from runner.transport import AiohttpFetcher, AiohttpTransport
from runner.transport.connections import Deadlines
from runner.transport.reading import ANSWER_BYTES_MAX
from tests.proof.wire import SERVICE, Rig, Wire, whole_request
from tests.runner.fetches import Kept
from tests.runner.raw_server import RawServer, always, answer, once

KEY = "rvya_sk_canary0123456789"
IDEMPOTENCY = "canary-key-1"
PROMPT = b'{"model":"z-image","prompt":"a canary"}'
TASK = json.dumps({"id": "task_1", "status": "queued"}).encode()


# Bombs


def _endless_gzip(mib: int) -> bytes:
    """Zeros without end, in a thousandth of their size; made of one block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * mib + zlib.compress(b"", 9)[2:4]


BOMBS: Final[tuple[tuple[str, str, Callable[[], bytes]], ...]] = (
    ("1 GiB of zeros", "gzip", lambda: _endless_gzip(1024)),
    ("4 GiB of zeros in one answer", "gzip", lambda: _endless_gzip(4000)[: ANSWER_BYTES_MAX - 1]),
    ("64 MiB that end well", "gzip", lambda: gzip.compress(b"\0" * (64 << 20))),
    ("a task and 64 MiB of spaces", "gzip", lambda: gzip.compress(TASK + b" " * (64 << 20))),
    ("200,000 empty members", "gzip", lambda: gzip.compress(b"", mtime=0) * 200_000),
    ("a bomb in a bomb", "gzip", lambda: gzip.compress(_endless_gzip(100))),
    ("zlib", "deflate", lambda: zlib.compress(b"\0" * (64 << 20))),
    ("bare deflate", "deflate", lambda: _endless_gzip(64)[10:]),
    ("brotli", "br", lambda: b"\x5b\xff\xff\x03\x00" * 10_000),
    ("zstd", "zstd", lambda: b"\x28\xb5\x2f\xfd\xa4" + b"\0" * 100_000),
    ("two codings", "gzip, br", lambda: gzip.compress(TASK)),
    ("gzip, and an odd blank", "gzip\x1d", lambda: gzip.compress(TASK)),
    ("gzip under another name", "x-gzip", lambda: _endless_gzip(64)),
    ("5 MiB of JSON", "identity", lambda: b'{"id":"task_1","x":"' + b"x" * (5 << 20) + b'"}'),
    ("4 MiB of brackets", "identity", lambda: b"[" * (ANSWER_BYTES_MAX - 1)),
    ("a million keys", "identity", lambda: b"{" + b'"a":1,' * 600_000 + b'"id":7}'),
    ("a million digits", "identity", lambda: b'{"id":"task_1","x":' + b"9" * 1_000_000 + b"}"),
)

HEADER_BOMBS: Final = (
    b"X: " + b"x" * 1_000_000 + b"\r\n",
    b"x" * 1_000_000 + b": y\r\n",
    b"X: y\r\n" * 100_000,
    b"Set-Cookie: a=b\r\n" * 10_000,
    b"X: y\r\n z\r\n" * 10_000,
    b"X" * 1_000_000,
)


@pytest.mark.wire
@pytest.mark.parametrize(("name", "coding", "bomb"), BOMBS, ids=[name for name, _, _ in BOMBS])
async def test_a_bomb_is_no_answer_and_takes_little_memory_and_time(
    name: str, coding: str, bomb: Callable[[], bytes]
) -> None:
    said = answer(bomb(), headers=f"Content-Encoding: {coding}\r\n")
    async with RawServer(once(said)) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        tracemalloc.start()
        began_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        end = await Service(transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT)
        took_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began_s
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert judge(end).kind is VerdictKind.AMBIGUOUS
    assert peak_bytes < 16 * ANSWER_BYTES_MAX, f"{peak_bytes / 1e6:.0f} MB"
    assert took_s < 5.0


@pytest.mark.wire
@pytest.mark.parametrize(("name", "coding", "bomb"), BOMBS[:10], ids=[name for name, _, _ in BOMBS[:10]])
async def test_a_compressed_result_is_not_expanded_whatever_it_is(
    name: str, coding: str, bomb: Callable[[], bytes]
) -> None:
    sink = Kept()
    said = answer(bomb(), headers=f"Content-Encoding: {coding}\r\n")
    async with RawServer(once(said)) as server, AiohttpFetcher(loopback=True) as fetcher:
        with pytest.raises(FetchError):
            await fetcher.fetch(f"{server.url}/clip", sink=sink)

    assert sink.begun == []


@pytest.mark.wire
@pytest.mark.parametrize("bomb", HEADER_BOMBS, ids=lambda bomb: f"{bomb[:12]!r} {len(bomb)}")
async def test_a_head_without_end_is_no_answer(bomb: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\n" + bomb + b"Content-Length: 2\r\n\r\n{}"
    async with RawServer(always(said)) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        end = await Service(transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT)

    assert judge(end).kind is VerdictKind.AMBIGUOUS
    assert len(server.asked) == 1


# Slowness, under virtual time: what is said each `every_s`, for ever

SLOW_ANSWERS: Final = (
    ("nothing at all", b"", b"", 1.0),
    ("a status line by the byte", b"", b"HTTP/1.1 202 ", 5.0),
    ("a header by the byte", b"HTTP/1.1 202 OK\r\nX: ", b"x", 5.0),
    ("headers, one by one", b"HTTP/1.1 202 OK\r\n", b"X: y\r\n", 5.0),
    ("interim answers", b"", b"HTTP/1.1 102 Processing\r\n\r\n", 5.0),
    ("line ends", b"", b"\r\n", 5.0),
    ("a body by the byte", b"HTTP/1.1 202 OK\r\nContent-Length: 100000\r\n\r\n", b" ", 5.0),
    ("chunks of one byte", b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 5.0),
    ("a body without end", b"HTTP/1.1 202 OK\r\n\r\n", b" ", 5.0),
    ("chunks' extensions", b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x", 5.0),
    ("trailers", b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", 5.0),
    ("a byte just before the silence is too long", b"HTTP/1.1 202 OK\r\nContent-Length: 100000\r\n\r\n", b" ", 59.0),
    ("fast spaces", b"HTTP/1.1 202 OK\r\nContent-Length: 99999999\r\n\r\n", b" " * 50, 0.1),
)
SLOW_RESULTS: Final = (
    ("nothing at all", b"", b"", 1.0),
    ("a head by the byte", b"HTTP/1.1 200 OK\r\nX: ", b"x", 5.0),
    ("a body by the byte", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", 1.0),
    ("a body without end by the byte", b"HTTP/1.1 200 OK\r\n\r\n", b"x", 1.0),
    ("a byte a minute", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", 59.0),
    ("chunks of one byte", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.5),
    ("just fast enough, for hours", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x" * 1100, 1.0),
    ("redirects to itself", b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 9\r\n\r\n", b"", 1.0),
    ("interim answers", b"", b"HTTP/1.1 100 Continue\r\n\r\n", 5.0),
)


class Trickle(asyncio.Protocol):
    """Says `first`, and then `again` every so often until the client hangs up."""

    def __init__(self, first: bytes, again: bytes, every_s: float) -> None:
        self._first, self._again, self._every_s = first, again, every_s
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Wire)
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if whole_request(self._heard):
            self._heard.clear()
            self._wire.write(self._first)
            self._more()

    def _more(self) -> None:
        if self._again and not self._wire.is_closing():
            self._wire.write(self._again)
            asyncio.get_running_loop().call_later(self._every_s, self._more)


@pytest.mark.parametrize(("name", "first", "again", "every_s"), SLOW_ANSWERS, ids=[row[0] for row in SLOW_ANSWERS])
def test_an_answer_that_never_ends_ends_with_a_deadline(name: str, first: bytes, again: bytes, every_s: float) -> None:
    limits = Deadlines()
    with Rig(answering=lambda: Trickle(first, again, every_s)) as rig:
        end = rig.serve(Service(rig.transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT))

        assert judge(end).kind is VerdictKind.AMBIGUOUS
        assert end.phase is Phase.SENT
        assert rig.loop.time() <= limits.exchange_s + 2  # timers are rounded up to whole seconds


@pytest.mark.parametrize(("name", "first", "again", "every_s"), SLOW_RESULTS, ids=[row[0] for row in SLOW_RESULTS])
def test_a_result_that_never_ends_ends_with_a_deadline(name: str, first: bytes, again: bytes, every_s: float) -> None:
    limits = Deadlines()
    with Rig(answering=lambda: Trickle(first, again, every_s)) as rig:
        with pytest.raises(FetchError):
            rig.serve(rig.fetcher.fetch(f"{SERVICE}/clip", sink=Kept()))

        assert rig.loop.time() <= limits.download_s + 2
