"""The fetcher: no key goes along, a cut is no file, and the host is believed in nothing."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from runner.errors import FetchError, LinkDead
from runner.exchange import Fetched, Resume
from runner.transport import AiohttpFetcher
from runner.transport.connections import Deadlines
from runner.transport.fetching import DOWNLOAD_BYTES_MAX
from tests.runner.fetches import CONTENT, Kept, failure_of, fetched
from tests.runner.raw_server import Line, RawServer, always, answer, once


@pytest.mark.wire
async def test_a_result_comes_whole_with_its_length_and_without_any_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with RawServer(always(answer(CONTENT, headers="Content-Type: video/mp4\r\nSet-Cookie: a=b\r\n"))) as server:
        for _ in range(2):
            result, sink = await fetched(server)

            assert result == Fetched(received_bytes=10240, total_bytes=10240, content_type="video/mp4")
            assert (bytes(sink.data), sink.begun) == (CONTENT, [(0, 10240, None)])
        assert [set(asked.headers) for asked in server.asked] == [
            {"host", "user-agent", "accept", "accept-encoding", "connection"}
        ] * 2
        assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.wire
async def test_a_body_without_a_length_ends_when_the_host_hangs_up() -> None:
    async with RawServer(once(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)) as server:
        result, sink = await fetched(server)

        assert (result.total_bytes, bytes(sink.data)) == (None, CONTENT)


@pytest.mark.wire
async def test_a_body_without_a_length_that_ends_in_a_reset_is_a_cut() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)
        line.reset()

    assert (await failure_of(script)).temporary


@pytest.mark.wire
@pytest.mark.parametrize("etag", [b'"a b"', b'"\xff"', b'W/"v1"', b'"', b'""', b"v1", b'"' + b"x" * 2000 + b'"'])
async def test_an_etag_that_cannot_be_sent_back_as_it_came_is_no_reason_to_go_on(etag: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\nETag: " + etag + b"\r\nContent-Type: \xff\r\nContent-Length: 1\r\n\r\nx"
    async with RawServer(once(said)) as server:
        result, sink = await fetched(server)

    assert sink.begun == [(0, 1, None)]
    result.content_type.encode("utf-8")


@pytest.mark.wire
@pytest.mark.parametrize(
    "data",
    [
        answer(CONTENT)[:-1],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"",
        b"nonsense\r\n\r\n",
    ],
    ids=lambda data: repr(data[-30:]),
)
async def test_a_cut_body_is_worth_another_try(data: bytes) -> None:
    assert (await failure_of(once(data))).temporary


@pytest.mark.wire
@pytest.mark.parametrize(
    ("status", "kind", "temporary"),
    [(status, LinkDead, False) for status in (401, 403, 404, 410)]
    + [(status, FetchError, True) for status in (408, 425, 429, 500, 502, 503, 504, 520)]
    + [(status, FetchError, False) for status in (204, 300, 304, 400, 418, 451)],
)
async def test_each_status_is_dead_or_worth_another_try_or_final(
    status: int, kind: type[FetchError], temporary: bool
) -> None:
    failure = await failure_of(once(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n".encode()))

    assert type(failure) is kind
    assert (failure.status, failure.temporary) == (status, temporary)
    assert failure.retry_after_s == (None if kind is LinkDead else 7.0)


@pytest.mark.wire
@pytest.mark.parametrize(
    "headers",
    ["Content-Encoding: gzip\r\n", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"]
    + [
        f"Content-Encoding: {each}\r\n" for each in ("deflate", "br", "zstd", "x-gzip", "GZIP", "gzip, identity", "new")
    ],
)
async def test_a_compressed_result_is_refused_not_expanded(headers: str) -> None:
    failure = await failure_of(once(answer(gzip.compress(CONTENT), headers=headers)))

    assert not failure.temporary


@pytest.mark.wire
async def test_a_result_announced_larger_than_the_cap_is_not_begun() -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD_BYTES_MAX + 1}\r\n\r\n".encode()
    failure = await failure_of(once(head))

    assert failure.code == "download-too-large"


@pytest.mark.wire
async def test_a_host_that_trickles_is_given_up() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await line.say(b"x")
            await asyncio.sleep(0.01)

    failure = await failure_of(script, deadlines=Deadlines(rate_window_s=0.1, rate_window_bytes=1000))

    assert failure.temporary
    assert "too slowly" in failure.message


@pytest.mark.wire
async def test_a_host_that_is_slow_enough_to_never_end_hits_the_deadline() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await line.say(b"x")
            await asyncio.sleep(0.01)

    failure = await failure_of(script, deadlines=Deadlines(download_s=0.2))

    assert failure.temporary
    assert "took too long" in failure.message


@pytest.mark.wire
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_up_to_three_times(status: int) -> None:
    async def script(line: Line) -> None:
        while asked := await line.hear():
            left = int(asked.target[1:])
            to = f"Location: /{left - 1}\r\n"
            await line.say(answer(CONTENT) if left == 0 else answer(b"", status=f"{status} X", headers=to))

    async with RawServer(script) as server:
        _, sink = await fetched(server, path="/3")

        assert bytes(sink.data) == CONTENT
        with pytest.raises(FetchError, match="more than 3 times"):
            await fetched(server, path="/4")


@pytest.mark.wire
async def test_a_broken_download_goes_on_where_it_ended() -> None:
    async def script(line: Line) -> None:
        while await line.hear():
            headers = 'ETag: "v1"\r\nContent-Range: bytes 1000-10239/10240\r\n'
            await line.say(answer(CONTENT[1000:], status="206 Partial Content", headers=headers))

    async with RawServer(script) as server:
        result, sink = await fetched(server, resume=Resume(start=1000, etag='"v1"'))

        assert (server.asked[0].headers["range"], server.asked[0].headers["if-range"]) == ("bytes=1000-", '"v1"')
        assert sink.begun == [(1000, 10240, '"v1"')]
        assert (bytes(sink.data), result.received_bytes, result.total_bytes) == (CONTENT, 10240, 10240)


@pytest.mark.wire
async def test_a_host_that_starts_over_is_believed() -> None:
    async with RawServer(always(answer(CONTENT, headers='ETag: "v2"\r\n'))) as server:
        _, sink = await fetched(server, resume=Resume(start=1000, etag='"v1"'))

        assert sink.begun == [(0, 10240, '"v2"')]
        assert bytes(sink.data) == CONTENT


@pytest.mark.wire
@pytest.mark.parametrize(
    "content_range", ["bytes 0-9/10", "bytes 999-10238/10240", "bytes */10240", "", "items 1000-1/2"]
)
async def test_a_part_nobody_asked_for_is_refused(content_range: str) -> None:
    headers = f"Content-Range: {content_range}\r\n"
    script = once(answer(CONTENT[1000:], status="206 Partial Content", headers=headers))

    assert (await failure_of(script, resume=Resume(start=1000, etag='"v1"'))).temporary
    assert (await failure_of(script)).temporary


@pytest.mark.wire
async def test_a_part_that_ends_before_the_file_does_is_a_cut() -> None:
    headers = "Content-Range: bytes 1000-1999/10240\r\n"
    script = once(answer(CONTENT[1000:2000], status="206 Partial Content", headers=headers))

    failure = await failure_of(script, resume=Resume(start=1000, etag='"v1"'))

    assert failure.temporary
    assert "2000 of 10240" in failure.message


@pytest.mark.wire
async def test_a_weak_etag_is_no_reason_to_go_on() -> None:
    async with RawServer(always(answer(CONTENT, headers='ETag: W/"v1"\r\n'))) as server:
        _, sink = await fetched(server)

        assert sink.begun == [(0, 10240, None)]


@pytest.mark.wire
async def test_a_host_that_cannot_be_reached_is_worth_another_try() -> None:
    async with RawServer(always(b"")) as server:
        url = server.url
    async with AiohttpFetcher(loopback=True) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(url, sink=Kept())

    assert caught.value.temporary
