"""A network that means harm: redirects, proxies, passwords lying about, certificates, names that lie.

The tables are module-level tuples in capitals; `cases()` counts them, with those of `test_hostile_answers.py`.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from jobs.answers import Phase
from jobs.verdict import VerdictKind, judge
from runner.errors import AddressRefused, FetchError, TransportError
from runner.exchange import Part, Request
from runner.secret import Secret
from runner.service import Service
from runner.transport import AiohttpFetcher, AiohttpTransport
from runner.transport.connections import tls_context
from tests.runner.fetches import Kept
from tests.runner.raw_server import Line, RawServer, always, answer, once
from tests.runner.test_hostile_answers import (
    BOMBS,
    HEADER_BOMBS,
    IDEMPOTENCY,
    KEY,
    PROMPT,
    SLOW_ANSWERS,
    SLOW_RESULTS,
    TASK,
)

CALLS: Final = (
    Request(method="POST", path="/api/v1/generations", headers={"Idempotency-Key": IDEMPOTENCY}, body=PROMPT),
    Request(method="GET", path="/api/v1/generations/task_1"),
    Request(method="GET", path="/api/v1/credits"),
    Request(
        method="POST", path="/api/v1/files", parts=(Part(name="file", content=PROMPT, filename="a", mime="image/png"),)
    ),
)
CREATE: Final = CALLS[0]

REDIRECTS: Final = (301, 302, 303, 307, 308)
LOCATIONS: Final = (
    "{url}/steal",
    "//{host}/steal",
    "http://user:word@{host}/",
    "{url}/\t",
    "/elsewhere",
    "",
    "\x01",
    "https://[",
)

# What an environment may hold that sends traffic, or credentials, somewhere else.
PROXIES: Final = (
    *("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "ws_proxy", "WSS_PROXY"),
    *("ftp_proxy", "socks_proxy", "SOCKS5_PROXY"),
)

# certificate name, what it is for, when it is good, who vouches for it; what is wrong is in the name.
_DAY = dt.timedelta(days=1)
CERTIFICATES: Final = (
    ("expired", "127.0.0.1", -30, -1, "known", "has expired"),
    ("not yet good", "127.0.0.1", 5, 30, "known", "not yet valid"),
    ("for another name", "rivya.test", -1, 30, "known", "mismatch"),
    ("for another address", "127.0.0.2", -1, 30, "known", "mismatch"),
    ("for a name, not the address", "localhost", -1, 30, "known", "mismatch"),
    ("of a stranger", "127.0.0.1", -1, 30, "stranger", "unable to get local issuer"),
    ("of itself", "127.0.0.1", -1, 30, "itself", "self-signed certificate"),
    ("expired, of a stranger", "127.0.0.1", -30, -1, "stranger", "unable to get local issuer"),
)

OLD_TLS: Final = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


def cases() -> int:
    """How many cases all these tables hold."""
    redirects = len(REDIRECTS) * len(LOCATIONS) * len(CALLS)
    rows = (PROXIES, CERTIFICATES, OLD_TLS, BOMBS, HEADER_BOMBS, SLOW_ANSWERS, SLOW_RESULTS, BROKEN_NAMES)
    return redirects + sum(len(table) for table in rows)


# Redirects


@pytest.mark.wire
@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_call_of_the_api_follows_a_redirect_and_nothing_reaches_the_other_host(status: int) -> None:
    async with RawServer(always(answer(TASK))) as elsewhere:
        for location in LOCATIONS:
            to = location.format(url=elsewhere.url, host=elsewhere.url.removeprefix("http://"))
            said = answer(TASK, status=f"{status} X", headers=f"Location: {to}\r\n")
            async with RawServer(always(said)) as server, AiohttpTransport(server.url, Secret(KEY)) as transport:
                for request in CALLS:
                    assert (await transport.send(request)).status == status
                end = await Service(transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT)
                assert judge(end).kind is VerdictKind.MISROUTED
                assert "steal" not in end.reason
                assert "word" not in end.reason
                assert len(server.asked) == len(CALLS) + 1

        assert (elsewhere.connections, elsewhere.asked) == (0, [])


@pytest.mark.wire
async def test_a_hop_leaves_the_answer_before_it_unread() -> None:
    """A redirect's own body may be endless."""

    async def script(line: Line) -> None:
        asked = await line.hear()
        assert asked is not None
        if asked.target == "/clip":
            await line.say(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n" + b"x" * 10_000)
            await line.hear()
        else:
            await line.say(answer(TASK))

    async with RawServer(script) as server, AiohttpFetcher(loopback=True) as fetcher:
        assert (await fetcher.fetch(f"{server.url}/clip", sink=Kept())).received_bytes == len(TASK)


# Proxies and passwords of the environment


@pytest.fixture
def passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\ndefault login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(netrc.read_text())


@pytest.mark.wire
@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize("variable", PROXIES)
async def test_no_proxy_and_no_password_of_the_environment_is_used(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer(always(answer(TASK))) as proxy, RawServer(always(answer(TASK))) as server:
        monkeypatch.setenv(variable, proxy.url)
        async with AiohttpTransport(server.url, None) as transport, AiohttpFetcher(loopback=True) as fetcher:
            for request in CALLS:
                await transport.send(request)
            await fetcher.fetch(f"{server.url}/clip", sink=Kept())

        assert proxy.connections == 0
        assert len(server.asked) == len(CALLS) + 1
        assert not any("authorization" in asked.headers for asked in server.asked)


# Certificates


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[trustme.CA]:
    """An authority that this machine trusts while the test lasts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls_context.cache_clear()
    yield authority
    tls_context.cache_clear()


def _serving(authority: trustme.CA, name: str, since_days: int = -1, until_days: int = 30) -> ssl.SSLContext:
    now = dt.datetime.now(dt.UTC)
    issued = authority.issue_cert(name, not_before=now + since_days * _DAY, not_after=now + until_days * _DAY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def _of_itself(tmp_path: Path) -> ssl.SSLContext:
    """Served by an authority as its own certificate: signed by nobody else."""
    itself = trustme.CA()
    itself.cert_pem.write_to_path(tmp_path / "own.pem")
    itself.private_key_pem.write_to_path(tmp_path / "own.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
    return context


@pytest.mark.wire
async def test_a_certificate_that_is_vouched_for_is_taken(vouched: trustme.CA) -> None:
    async with RawServer(always(answer(TASK)), tls=_serving(vouched, "127.0.0.1")) as server:
        async with AiohttpTransport(server.url, Secret(KEY)) as transport:
            assert (await transport.send(CREATE)).body == TASK
        async with AiohttpFetcher(loopback=True) as fetcher:
            assert (await fetcher.fetch(server.url, sink=Kept())).received_bytes == len(TASK)


@pytest.mark.wire
@pytest.mark.parametrize(("name", "host", "since", "until", "voucher", "why"), CERTIFICATES)
async def test_a_bad_certificate_ends_it_before_anything_is_sent_and_says_why(
    name: str, host: str, since: int, until: int, voucher: str, why: str, vouched: trustme.CA, tmp_path: Path
) -> None:
    tls = (
        _of_itself(tmp_path)
        if voucher == "itself"
        else _serving(vouched if voucher == "known" else trustme.CA(), host, since, until)
    )
    handshakes = []
    tls.sni_callback = lambda *_: handshakes.append(1)
    async with RawServer(always(answer(TASK)), tls=tls) as server:
        async with AiohttpTransport(server.url, Secret(KEY)) as transport:
            end = await Service(transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT)
            with pytest.raises(TransportError) as sent:
                await Service(transport).credits()
        async with AiohttpFetcher(loopback=True) as fetcher:
            with pytest.raises(FetchError) as fetched:
                await fetcher.fetch(server.url, sink=Kept())

        assert server.asked == []
        assert (judge(end).kind, end.phase, sent.value.final) == (VerdictKind.NOT_SENT, Phase.NOT_SENT, True)
        assert not fetched.value.temporary
        for message in (end.reason, sent.value.message, fetched.value.message):
            assert why in message
        assert "127.0.0.1" in end.reason
        assert len(handshakes) == 3, "a bad certificate is not tried again"


@pytest.mark.wire
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", OLD_TLS)
async def test_a_host_that_speaks_only_an_old_tls_is_not_spoken_to(
    version: ssl.TLSVersion, vouched: trustme.CA
) -> None:
    tls = _serving(vouched, "127.0.0.1")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, version
    async with (
        RawServer(always(answer(TASK)), tls=tls) as server,
        AiohttpTransport(server.url, Secret(KEY)) as transport,
        AiohttpFetcher(loopback=True) as fetcher,
    ):
        with pytest.raises(TransportError) as caught:
            await transport.send(CREATE)
        with pytest.raises(FetchError):
            await fetcher.fetch(server.url, sink=Kept())

        assert caught.value.phase is Phase.NOT_SENT
        assert server.asked == []


# Names

BROKEN_NAMES: Final = (
    ("no such name", socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    ("nobody to ask", socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")),
    ("a broken resolver", OSError(5, "Input/output error")),
    ("a slow resolver", TimeoutError()),
)


@pytest.mark.parametrize(("name", "failure"), BROKEN_NAMES, ids=[row[0] for row in BROKEN_NAMES])
async def test_a_name_that_cannot_be_resolved_means_that_nothing_was_sent(
    name: str, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    async with AiohttpTransport("http://localhost:1", Secret(KEY)) as transport:
        end = await Service(transport).create(idempotency_key=IDEMPOTENCY, body=PROMPT)
    async with AiohttpFetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("https://cdn.test/a", sink=Kept())

    assert judge(end).kind is VerdictKind.NOT_SENT
    assert caught.value.temporary


class TwoFaced(AbstractResolver):
    """A name that is public when asked first, and leads inside afterwards."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        self._addresses = list(addresses)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        address, port = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@pytest.mark.wire
async def test_a_name_is_resolved_once_for_a_connection_which_goes_to_the_address_that_was_checked(
    vouched: trustme.CA,
) -> None:
    async with RawServer(always(answer(TASK)), tls=_serving(vouched, "cdn.test")) as server:
        names = TwoFaced(("127.0.0.1", server.port), ("10.0.0.1", 443))
        async with AiohttpFetcher(loopback=True, resolver=names) as fetcher:
            await fetcher.fetch("https://cdn.test/a", sink=Kept())
            assert (names.asked, server.connections) == (["cdn.test"], 1)

            with pytest.raises(AddressRefused):
                await fetcher.fetch("https://cdn.test/a", sink=Kept())
            assert (names.asked, server.connections) == (["cdn.test"] * 2, 1)


@pytest.mark.wire
async def test_a_redirect_to_a_name_that_leads_inside_is_refused_at_the_door() -> None:
    names = TwoFaced(("169.254.169.254", 443))
    said = answer(b"", status="302 Found", headers="Location: https://cdn.test/latest/meta-data/\r\n")
    async with RawServer(once(said)) as server, AiohttpFetcher(loopback=True, resolver=names) as fetcher:
        with pytest.raises(AddressRefused):
            await fetcher.fetch(f"{server.url}/clip", sink=Kept())

    assert names.asked == ["cdn.test"]


def test_the_tables_are_long() -> None:
    assert cases() >= 200
