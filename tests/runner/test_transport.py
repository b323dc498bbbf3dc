"""The transport against servers that misbehave, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.answers import Phase
from runner.errors import InternalError, TransportError, UsageError
from runner.exchange import Part, Request, Response
from runner.secret import MASK, Secret
from runner.transport import AiohttpTransport
from runner.transport.connections import Deadlines
from tests.runner.raw_server import Line, RawServer, always, answer, once

KEY = "rvya_sk_canary0123456789"
TASK = json.dumps({"id": "task_1", "status": "queued", "reserved_credits": 4}).encode()
CREATE = Request(
    method="POST", path="/api/v1/generations", headers={"Idempotency-Key": "k1"}, body=b'{"model":"z-image"}'
)
STATUS = Request(method="GET", path="/api/v1/generations/task_1")
QUICK = Deadlines(connect_s=2, silence_s=0.3, exchange_s=0.6, upload_s=2)

pytestmark = pytest.mark.wire


async def failure_of(server: RawServer, request: Request = CREATE, deadlines: Deadlines = QUICK) -> TransportError:
    async with AiohttpTransport(server.url, Secret(KEY), deadlines=deadlines) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(request)
    return caught.value


async def test_a_whole_answer_comes_back_with_its_status_headers_and_bytes() -> None:
    async with (
        RawServer(
            always(answer(TASK, status="202 Accepted", headers="X-Request-Id: r1\r\nX-Request-Id: r2\r\n"))
        ) as server,
        AiohttpTransport(server.url, Secret(KEY)) as transport,
    ):
        response = await transport.send(CREATE)

        assert (response.status, response.body, response.headers["x-request-id"]) == (202, TASK, "r1")
        asked = server.asked[0]
        assert (asked.method, asked.target, asked.body) == ("POST", "/api/v1/generations", b'{"model":"z-image"}')
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.headers["idempotency-key"] == "k1"
        assert asked.headers["content-type"] == "application/json"


async def test_a_goodbye_that_is_cancelled_still_shuts_every_connection() -> None:
    heard = asyncio.Event()

    async def silent(line: Line) -> None:
        await line.hear()
        heard.set()
        await asyncio.Event().wait()

    async with RawServer(silent) as server:
        transport = await AiohttpTransport(server.url, Secret(KEY)).__aenter__()
        create = asyncio.create_task(transport.send(CREATE))
        await heard.wait()
        goodbye = asyncio.create_task(transport.__aexit__(None, None, None))
        await asyncio.sleep(0)  # it waits for the create's connection now
        goodbye.cancel()
        ended = await asyncio.gather(goodbye, create, return_exceptions=True)

    assert [type(end) for end in ended] == [asyncio.CancelledError, TransportError]
    with pytest.raises(TransportError, match="the exchange failed"):  # its session is closed
        await transport.send(STATUS)


async def test_a_path_in_the_base_url_is_kept() -> None:
    async with RawServer(always(answer(TASK))) as server, AiohttpTransport(f"{server.url}/proxy/", None) as transport:
        await transport.send(STATUS)

        assert server.asked[0].target == "/proxy/api/v1/generations/task_1"
        assert "authorization" not in server.asked[0].headers


async def test_nothing_was_sent_when_nobody_listens() -> None:
    async with RawServer(always(b"")) as server:
        url = server.url
    async with AiohttpTransport(url, Secret(KEY)) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(CREATE)

    assert caught.value.phase is Phase.NOT_SENT
    assert not caught.value.final


async def test_a_create_that_may_leave_no_more_once_its_connection_stands_is_not_sent() -> None:
    said = [True, False]
    async with RawServer(always(answer(TASK))) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        request = replace(CREATE, may_leave=lambda: said.pop(0))
        assert (await transport.send(request)).status == 200
        with pytest.raises(TransportError) as caught:
            await transport.send(request)

        assert caught.value.phase is Phase.NOT_SENT
        assert "Nothing was sent" in caught.value.message
        assert len(server.asked) == 1


async def test_a_reset_before_any_answer_may_have_arrived() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        line.reset()

    async with RawServer(script) as server:
        failure = await failure_of(server)

        assert failure.phase is Phase.SENT
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + TASK,
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{"id"\r\n0\r\n\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
    ],
    ids=lambda data: repr(data[:60]),
)
async def test_half_an_answer_is_no_answer(data: bytes) -> None:
    async with RawServer(once(data)) as server:
        failure = await failure_of(server)

        assert failure.phase is Phase.SENT
        assert len(server.asked) == 1


async def test_an_answer_cut_at_any_byte_is_never_taken_for_a_whole_one() -> None:
    whole = answer(TASK, headers="Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")

    async def script(line: Line) -> None:
        if await line.hear():
            await line.say(whole[: line.number - 1])

    async with RawServer(script) as server, AiohttpTransport(server.url, Secret(KEY), deadlines=QUICK) as transport:
        for _ in range(len(whole)):
            with pytest.raises(TransportError) as caught:
                await transport.send(CREATE)
            assert caught.value.phase is Phase.SENT
        response = await transport.send(CREATE)

        assert response.body == TASK
        assert len(server.asked) == len(whole) + 1


@pytest.mark.parametrize("broken", [False, True], ids=["closed", "reset"])
async def test_a_broken_connection_is_not_the_end_of_a_body_without_a_length(broken: bool) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 OK\r\n\r\n" + TASK)
        if broken:
            line.reset()

    async with RawServer(script) as server, AiohttpTransport(server.url, Secret(KEY), deadlines=QUICK) as transport:
        if not broken:
            assert (await transport.send(CREATE)).body == TASK
            return
        with pytest.raises(TransportError) as caught:
            await transport.send(CREATE)
        assert caught.value.phase is Phase.SENT


@pytest.mark.parametrize("raw", [b"\xff", b"caf\xe9", b"\xed\xa0\x80", b"\xc3\xa9", "\u202e".encode()])
async def test_a_header_of_any_bytes_is_text_that_can_be_stored(raw: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\nX-Request-Id: " + raw + b"\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(once(said)) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        request_id = (await transport.send(STATUS)).headers["x-request-id"]

    assert request_id == raw.decode("utf-8", "replace") or "\ufffd" in request_id
    request_id.encode("utf-8")


async def test_silence_ends_with_the_deadline() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await asyncio.Event().wait()

    async with RawServer(script) as server:
        assert (await failure_of(server)).phase is Phase.SENT


async def test_an_answer_that_trickles_ends_with_the_deadline() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            await line.say(b" ")
            await asyncio.sleep(0.01)

    async with RawServer(script) as server:
        failure = await failure_of(server)

        assert failure.phase is Phase.SENT
        assert "took too long" in failure.message


@pytest.mark.parametrize(
    "head", ["Content-Length: 99999999999\r\n", "Transfer-Encoding: chunked\r\n"], ids=["announced", "endless"]
)
async def test_an_answer_larger_than_the_cap_is_not_read(head: str) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        while True:
            await line.say(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    async with RawServer(script) as server:
        failure = await failure_of(server, deadlines=Deadlines(exchange_s=30))

        assert failure.phase is Phase.SENT


async def test_a_compressed_answer_within_the_cap_is_expanded() -> None:
    async with (
        RawServer(once(answer(gzip.compress(TASK), headers="Content-Encoding: gzip\r\n"))) as server,
        AiohttpTransport(server.url, Secret(KEY)) as transport,
    ):
        assert (await transport.send(STATUS)).body == TASK


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", [CREATE, STATUS], ids=["create", "status"])
async def test_a_redirect_is_an_answer_and_nothing_goes_to_the_other_host(status: int, request_: Request) -> None:
    async with RawServer(always(answer(TASK))) as elsewhere:
        to = f"Location: {elsewhere.url}/steal\r\n"
        async with (
            RawServer(always(answer(b"", status=f"{status} Moved", headers=to))) as server,
            AiohttpTransport(server.url, Secret(KEY)) as transport,
        ):
            assert (await transport.send(request_)).status == status
            assert (await transport.send(request_)).status == status

            assert elsewhere.connections == 0


async def test_no_cookie_is_kept() -> None:
    async with RawServer(always(answer(TASK, headers="Set-Cookie: session=1; Path=/\r\n"))) as server:
        named = server.url.replace("127.0.0.1", "localhost")  # clients keep no cookies of bare addresses anyway
        async with AiohttpTransport(named, Secret(KEY)) as transport:
            await transport.send(STATUS)
            await transport.send(STATUS)

        assert [asked.headers.get("cookie") for asked in server.asked] == [None, None]


async def test_a_create_has_a_connection_to_itself_so_none_can_have_died_meanwhile() -> None:
    """The client repeats a GET by itself on a dead connection; for a POST that would be a second purchase."""

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(answer(TASK))
        await line.hear()
        line.reset()

    async with RawServer(script) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        await transport.send(STATUS)
        for _ in range(3):
            assert (await transport.send(CREATE)).body == TASK

        assert [asked.method for asked in server.asked] == ["GET", "POST", "POST", "POST"]
        assert [asked.headers.get("connection") for asked in server.asked] == [None, "close", "close", "close"]
        assert server.connections == 4


async def test_a_status_on_a_connection_that_died_meanwhile_is_asked_again_by_the_client_itself() -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(answer(TASK))
        await line.hear()
        line.reset()

    async with RawServer(script) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        assert [(await transport.send(STATUS)).body for _ in range(3)] == [TASK] * 3

        assert (len(server.asked), server.connections) == (5, 3)


async def test_what_a_server_does_after_answering_early_does_not_hang_the_upload() -> None:
    async def script(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(answer(b"", status="413 Too Large", headers="Connection: close\r\n"))

    upload = Request(
        method="POST",
        path="/api/v1/files",
        parts=(Part(name="file", content=b"x" * 8_000_000, filename="a.png", mime="image/png"),),
    )
    async with RawServer(script) as server, AiohttpTransport(server.url, Secret(KEY), deadlines=QUICK) as transport:
        ends = await asyncio.gather(transport.send(upload), return_exceptions=True)

        # Which of the two it is depends on how much the kernel took before the host hung up.
        assert [
            end.status == 413
            if isinstance(end, Response)
            else isinstance(end, TransportError) and end.phase is Phase.SENT
            for end in ends
        ] == [True]


async def test_a_form_is_sent_whole() -> None:
    content = bytes(range(256)) * 300
    upload = Request(
        method="POST",
        path="/api/v1/files",
        parts=(
            Part(name="kind", content=b"image"),
            Part(name="file", content=content, filename="shoe.png", mime="image/png"),
        ),
    )
    async with RawServer(always(answer(b"{}"))) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        await transport.send(upload)

        asked = server.asked[0]
        assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="kind"\r\n' in asked.body
        assert b'name="file"; filename="shoe.png"\r\n' in asked.body
        assert content in asked.body


@pytest.mark.parametrize("path", ["@evil.test/x", ".evil.test/x", ":1/x", "//evil.test"])
async def test_the_key_leaves_for_one_origin_only(path: str) -> None:
    async with RawServer(always(answer(TASK))) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        try:
            await transport.send(Request(method="GET", path=path))
        except (InternalError, ValueError):
            assert server.asked == []
        else:
            assert server.asked[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_an_echoed_key_is_masked_before_anybody_reads_the_answer() -> None:
    echo = json.dumps({"error": {"code": "api_key_invalid", "message": f"Bearer {KEY} is unknown"}}).encode()
    async with RawServer(always(answer(echo))) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
        body = (await transport.send(STATUS)).body

        assert KEY.encode() not in body
        assert MASK.encode() in body


async def test_no_failure_and_no_log_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")) as server:
        failure = await failure_of(server)

    shown = [caplog.text, repr(failure), str(failure), repr(failure.__dict__)]
    assert failure.__cause__ is None
    assert failure.__context__ is None
    assert not any(KEY in text for text in shown)


@pytest.fixture(scope="module")
def strangers_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "both.pem"
    subprocess.run(  # noqa: PLW1510
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(folder / "cert.pem"),
        ],
        capture_output=True,
    ).check_returncode()
    file.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return file


async def test_a_certificate_nobody_vouches_for_ends_it_before_anything_is_sent(strangers_certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(strangers_certificate)
    async with RawServer(always(answer(TASK)), tls=tls) as server:
        failure = await failure_of(server)

        assert failure.phase is Phase.NOT_SENT
        assert failure.final
        assert "certificate" in failure.message
        assert server.asked == []


async def test_plain_http_where_tls_is_expected_is_not_sent() -> None:
    async with (
        RawServer(always(answer(TASK))) as server,
        AiohttpTransport(server.url.replace("http:", "https:"), Secret(KEY), deadlines=QUICK) as transport,
    ):
        with pytest.raises(TransportError) as caught:
            await transport.send(CREATE)

        assert caught.value.phase is Phase.NOT_SENT


REFUSED_BASE_URLS = (
    "http://rivya.ai",
    "http://10.0.0.1",
    "http://localhost.evil.test",
    "ftp://localhost",
    "rivya.ai",
    "",
    "https://",
    "https://user:hunter2@rivya.ai",
    "https://rivya.ai?x=1",
    "https://rivya.ai#x",
    "https://[::1",
    "https://rivya.ai:99999",
    "https://rivya.ai\\@evil.test",
    "https://riv ya.ai",
)


@pytest.mark.parametrize(
    "url",
    REFUSED_BASE_URLS,
)
def test_a_base_url_that_could_betray_the_key_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        AiohttpTransport(url, None)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://rivya.ai", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1/"])
def test_a_base_url_that_keeps_the_key_safe_is_taken(url: str) -> None:
    AiohttpTransport(url, None)
