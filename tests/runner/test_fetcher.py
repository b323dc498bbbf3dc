"""The fetcher: no key, no private network, no trust in the host."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from runner.addresses import address_allowed, result_url
from runner.errors import AddressRefused, FetchError, LinkDead
from runner.exchange import Fetched, Resume
from runner.transport import AiohttpFetcher
from runner.transport.connections import Deadlines
from runner.transport.fetching import DOWNLOAD_BYTES_MAX
from tests.runner.raw_server import Line, RawServer, Script, always, answer, once

CONTENT = bytes(range(256)) * 40
QUICK = Deadlines(connect_s=2, silence_s=0.3, download_s=2)


@dataclass
class Kept:
    """A sink that keeps everything."""

    data: bytearray = field(default_factory=bytearray)
    begun: list[tuple[int, int | None, str | None]] = field(default_factory=list)

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        self.begun.append((start, total_bytes, etag))
        del self.data[start:]

    async def write(self, chunk: bytes) -> None:
        self.data += chunk


async def fetched(server: RawServer, *, path: str = "/clip.mp4", resume: Resume | None = None) -> tuple[Fetched, Kept]:
    sink = Kept(bytearray(CONTENT[: resume.start]) if resume else bytearray())
    async with AiohttpFetcher(loopback=True, deadlines=QUICK) as fetcher:
        return await fetcher.fetch(server.url + path, sink=sink, resume=resume), sink


async def failure_of(script: Script, *, deadlines: Deadlines = QUICK, resume: Resume | None = None) -> FetchError:
    async with RawServer(script) as server, AiohttpFetcher(loopback=True, deadlines=deadlines) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"{server.url}/clip.mp4", sink=Kept(), resume=resume)
    return caught.value


REFUSED_URLS = (
    # not https
    "http://cdn.test/a",
    "ftp://cdn.test/a",
    "file:///etc/passwd",
    "data:video/mp4;base64,AAAA",
    "javascript:alert(1)",
    "//cdn.test/a",
    "cdn.test/a",
    "/a",
    "",
    "https:",
    "https://",
    "https:///a",
    "https:cdn.test/a",
    # this machine
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    # the same in disguise
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://1.2.3/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://0x/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    # the network around it
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    # nobody in particular
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://203.0.113.1/",
    "https://192.88.99.1/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[100::1]/",
    # who is the host?
    "https://cdn.test@127.0.0.1/",
    "https://user:pass@cdn.test/a",
    "https://@cdn.test/a",
    "https://cdn.test\\@127.0.0.1/",
    "https://127.0.0.1\\.cdn.test/",
    "https://cdn.test%2f@evil.test/",
    "https://127.0.0.1%00.cdn.test/",
    "https://%31%32%37.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://c\u0501n.test/",
    "https://cdn..test/",
    "https://.cdn.test/",
    "https://-cdn.test/",
    "https://cdn.test../",
    "https://cdn test/",
    "https://cdn\t.test/",
    "https://cdn.test/\r\nHost: evil.test",
    "https://cdn.test/a b",
    "https://cdn.test/\x00",
    "https://[::1]evil.test/",
    "https://[cdn.test]/",
    "https://[::1/",
    "https://[v1.x]/",
    # which door?
    "https://cdn.test:22/",
    "https://cdn.test:8443/",
    "https://cdn.test:80/",
    "https://cdn.test:0/",
    "https://cdn.test:65536/",
    "https://cdn.test:-1/",
    "https://cdn.test:x/",
    "https://cdn.test/" + "x" * 8192,
)


@pytest.mark.parametrize(
    "url",
    REFUSED_URLS,
)
async def test_an_address_off_the_public_internet_is_refused_before_anything_is_asked(url: str) -> None:
    async with AiohttpFetcher() as fetcher:
        with pytest.raises(AddressRefused) as caught:
            await fetcher.fetch(url, sink=Kept())

    assert "pass" not in str(caught.value).replace("passwd", "")
    assert not caught.value.temporary


TAKEN_URLS = (
    "https://cdn.test/a.mp4",
    "HTTPS://CDN.test/a.mp4",
    "https://cdn.test:443/a",
    "https://cdn.test./a",
    "https://xn--bcher-kva.test/a",
    "https://a_b.cdn.test/a",
    "https://8.8.8.8/a",
    "https://[2606:4700::1111]/a",
    "https://[64:ff9b::8.8.8.8]/a",
    "https://1.2.3.4.test/a",
    "https://cdn.test/a?X-Amz-Signature=0a%2Fb%7E&e=1%202#t=1",
    "https://cdn.test/sch\u00f6n.mp4",
    "https://cdn.test",
)


@pytest.mark.parametrize(
    "url",
    TAKEN_URLS,
)
def test_an_address_on_the_public_internet_is_taken(url: str) -> None:
    result_url(url, loopback=False)


def test_a_signed_address_goes_out_exactly_as_written() -> None:
    url = "https://cdn.test/a%2Fb%7e/../c?sig=%2b%7E+=&x"

    assert str(result_url(url, loopback=False)) == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1234/a", "http://localhost:1/a", "https://[::1]:1/a", "https://cdn.test/a"]
)
def test_beside_a_service_on_this_machine_its_results_are_taken_too(url: str) -> None:
    result_url(url, loopback=True)


REFUSED_BESIDE = (
    "http://cdn.test/a",
    "http://10.0.0.1/a",
    "https://10.0.0.1/a",
    "http://169.254.169.254/",
    "https://cdn.test:8443/",
)


@pytest.mark.parametrize(
    "url",
    REFUSED_BESIDE,
)
def test_beside_a_service_on_this_machine_the_rest_of_the_network_stays_closed(url: str) -> None:
    with pytest.raises(AddressRefused):
        result_url(url, loopback=True)


@pytest.mark.parametrize("literal", ["", "cdn.test", "1.2.3", "1.2.3.4/8", "::1%lo", "01.2.3.4"])
def test_what_is_no_ip_address_is_not_allowed(literal: str) -> None:
    assert not address_allowed(literal, loopback=True)


class Names(AbstractResolver):
    """Answers every name with the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        pass


REBINDINGS = (
    ["127.0.0.1"],
    ["10.0.0.1"],
    ["169.254.169.254"],
    ["::1"],
    ["fe80::1%lo"],
    ["8.8.8.8", "127.0.0.1"],
    ["::ffff:7f00:1"],
)


@pytest.mark.parametrize(
    "addresses",
    REBINDINGS,
)
async def test_a_public_name_that_leads_inside_is_refused_at_the_door(addresses: list[str]) -> None:
    async with AiohttpFetcher(resolver=Names(*addresses)) as fetcher:
        with pytest.raises(AddressRefused):
            await fetcher.fetch("https://rebinding.test/a", sink=Kept())


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


HOPS = (
    "http://10.0.0.1/",
    "https://10.0.0.1/",
    "//10.0.0.1/",
    "http://cdn.test/",
    "file:///etc/passwd",
    "https://u:p@cdn.test/",
    "https://169.254.169.254/",
    "https://cdn.test:22/",
    "http://[::ffff:10.0.0.1]/",
    "https://2130706433/",
    "https://",
)


@pytest.mark.wire
@pytest.mark.parametrize(
    "location",
    HOPS,
)
async def test_each_hop_is_checked_like_the_first(location: str) -> None:
    failure = await failure_of(once(answer(b"", status="302 Found", headers=f"Location: {location}\r\n")))

    assert isinstance(failure, AddressRefused)


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


@pytest.mark.parametrize(("service", "open_"), [("http://127.0.0.1:1", True), ("https://rivya.test", False)])
async def test_a_fetcher_beside_a_service_knows_whether_that_is_here(service: str, open_: bool) -> None:
    async with AiohttpFetcher.beside(service) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://127.0.0.1:1/a", sink=Kept())

    assert isinstance(caught.value, AddressRefused) is not open_
