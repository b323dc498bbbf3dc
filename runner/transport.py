"""The network, over aiohttp: the only file that imports its client.

Two sessions that share nothing. `AiohttpTransport` talks to the service and carries the key; `AiohttpFetcher` downloads
results from anywhere and has no key to lose. Both follow no redirect by themselves, keep no cookies, and take neither
proxy nor password from the environment.

What a broken exchange means depends on one question only: may the request have left? aiohttp's trace answers it, just
before the first header is written. Which exception came up afterwards is told to people and decides nothing. aiohttp
repeats a GET once when a kept-alive connection turns out dead; a POST it never repeats (a test counts them).

HTTP/1.1 pairs answers with requests by nothing but their order. A server or proxy that says something twice shifts
every later answer on that connection by one, and somebody else's task id looks as good as ours. So what is paid for or
kept (a create, an upload, a download) has a connection to itself; the rest shares them, and says whom it is about.

No foreign exception travels further, not even as a cause: aiohttp's hold the request's headers, and with them the key.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from jobs.answers import Phase
from runner.addresses import address_allowed, base_url, is_loopback, result_url
from runner.errors import AddressRefused, FetchError, InternalError, LinkDead, TransportError
from runner.exchange import Fetched, Part, Request, Response, Resume, Sink
from runner.failpoints import failpoint
from runner.secret import Secret
from runner.wire import content_range, gunzipped, retry_after, strong_etag

__all__ = ["AiohttpFetcher", "AiohttpTransport", "Deadlines"]

USER_AGENT: Final = "rivya-batch"

# The largest known answer, the catalogue, has about 200 KB; this much of it is kept in memory at once.
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024

# A result larger than this is no clip: the longest the models make has a few hundred megabytes.
DOWNLOAD_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024

REDIRECTS_MAX: Final = 3  # storage hosts need one; each is checked like the first address

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEAD: Final = frozenset({401, 403, 404, 410})  # how storage hosts say that a signed address has expired
_TEMPORARY: Final = frozenset({408, 416, 425, 429})


class AnswerTooLarge(aiohttp.ClientPayloadError):
    """More than `ANSWER_BYTES_MAX`; not read to its end."""


class AnswerEncoded(aiohttp.ClientPayloadError):
    """Compressed by something else than gzip, which is all that was offered."""


# The most specific first. Anything else, our own mistakes included, is a failed exchange whose phase is what counts.
_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, "its certificate does not check out"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientSSLError, "no secure connection came about"),
    (aiohttp.ConnectionTimeoutError, "connecting took too long"),
    (aiohttp.ClientConnectorError, "it cannot be connected to"),
    (aiohttp.ServerTimeoutError, "it kept silent for too long"),
    (aiohttp.ServerDisconnectedError, "it hung up without an answer"),
    (AnswerTooLarge, "its answer is larger than any the API gives"),
    (AnswerEncoded, "its answer is compressed in a way nobody asked for"),
    (aiohttp.ClientPayloadError, "its answer was cut short or garbled"),
    (aiohttp.ClientResponseError, "its answer is not proper HTTP"),
    (aiohttp.ClientOSError, "the connection broke"),
    (TimeoutError, "the whole exchange took too long"),
    (ConnectionError, "the connection broke"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long things may take."""

    connect_s: float = 15.0  # beyond three lost SYN packets nobody is there
    silence_s: float = 60.0  # a create may validate and charge before its first byte
    exchange_s: float = 120.0  # total, against answers that trickle
    upload_s: float = 900.0  # 95 MB, the largest documented reference, at 1 Mbit/s
    download_s: float = 1800.0  # total, against hosts that trickle just fast enough
    rate_window_s: float = 30.0
    rate_window_bytes: int = 30 * 1024  # 1 KiB/s: slower than any line people still use

    def timeout(self, total_s: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total_s, sock_connect=self.connect_s, sock_read=self.silence_s)


class _Progress:
    """Told by aiohttp's trace how far one request got."""

    def __init__(self, request: Request) -> None:
        self.phase = Phase.NOT_SENT
        self.creates = request.body is not None


async def _headers_leave(
    _session: aiohttp.ClientSession, context: object, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    progress = getattr(context, "trace_request_ctx", None)
    assert isinstance(progress, _Progress)
    progress.phase = Phase.SENT
    if progress.creates:
        failpoint("create.headers_sent")


async def _body_leaves(
    _session: aiohttp.ClientSession, context: object, _params: aiohttp.TraceRequestChunkSentParams
) -> None:
    progress = getattr(context, "trace_request_ctx", None)
    assert isinstance(progress, _Progress)
    failpoint("create.body_sent" if progress.creates else "upload.after_send")


class AiohttpTransport:
    """Exchanges with one service. Open it with `async with`; a cap on concurrency is the caller's affair."""

    def __init__(self, service: str, key: Secret | None, *, deadlines: Deadlines | None = None) -> None:
        self._base = base_url(service)
        self._key = key
        self._deadlines = deadlines or Deadlines()
        self._posting: aiohttp.ClientSession | None = None
        self._asking: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_headers_leave)
        trace.on_request_chunk_sent.append(_body_leaves)
        self._posting = _session(self._connector(fresh=True), trace_configs=[trace])
        self._asking = _session(self._connector(fresh=False), trace_configs=[trace])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._posting is not None
        assert self._asking is not None
        await self._posting.close()
        await self._asking.close()

    def _connector(self, *, fresh: bool) -> aiohttp.BaseConnector:
        """Where connections come from; `fresh` ones serve one request. Tests put wires of their own here."""
        return Connector(limit=0, ssl=_tls(), force_close=fresh)

    async def send(self, request: Request) -> Response:
        """One exchange. Raises TransportError when no whole answer came; InternalError for a foreign origin."""
        session = self._posting if request.method == "POST" else self._asking
        assert session is not None, "open the transport with `async with`"
        url = URL(f"{self._base}{request.path}", encoded=True)
        headers = self._headers(url, request)
        deadline_s = self._deadlines.upload_s if request.parts else self._deadlines.exchange_s
        progress = _Progress(request)
        try:
            async with session.request(
                request.method,
                url,
                headers=headers,
                data=_form(request.parts) if request.parts else request.body,
                allow_redirects=False,
                timeout=self._deadlines.timeout(deadline_s),
                trace_request_ctx=progress,
            ) as answer:
                if progress.creates:
                    failpoint("create.in_response")
                body = await _whole_body(answer)
                return Response(status=answer.status, headers=self._unechoed(answer), body=self._scrubbed(body))
        except Exception as error:  # noqa: BLE001  # whatever it was, the phase decides, and that is known
            failure = self._failure(error, progress.phase)
        raise failure

    def _headers(self, url: URL, request: Request) -> dict[str, str]:
        """The only place where the key is unwrapped; it goes to one origin and to no other."""
        if url.origin() != self._base.origin():
            raise InternalError(f"A request was about to leave for {url.host}, which is not the service. Not sent.")
        headers = {**request.headers, "Accept-Encoding": "gzip"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _unechoed(self, answer: aiohttp.ClientResponse) -> Mapping[str, str]:
        """The headers without the key: request ids and redirects of proxies have been seen to repeat it."""
        return {
            name: self._scrubbed(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
            for name, value in _lower(answer).items()
        }

    def _scrubbed(self, body: bytes) -> bytes:
        return self._key.scrub(body) if self._key is not None else body

    def _failure(self, error: Exception, phase: Phase) -> TransportError:
        sent = "The request may have arrived." if phase is Phase.SENT else "Nothing was sent."
        return TransportError(
            f"No answer from {self._base.host}: {_reason(error)}. {sent}",
            phase=phase,
            final=isinstance(error, aiohttp.ClientConnectorCertificateError),
        )


class _Handler(ResponseHandler):
    """A body without a length ends when the host hangs up; the client takes a broken connection for that as well."""

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("the connection broke"))
        super().connection_lost(exc)


class Connector(aiohttp.TCPConnector):
    """Never hands out a kept-alive connection on which something came that nobody had asked for.

    The client keeps such a connection, and takes what came for the answer to the next request.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        handler: type[ResponseHandler] = _Handler
        self._factory = partial(handler, loop=self._loop)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                return kept
            kept.close()
        return None


def _session(
    connector: aiohttp.BaseConnector, *, trace_configs: list[aiohttp.TraceConfig] | None = None
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
        trust_env=False,
        auto_decompress=False,  # the client takes a cut gzip stream for a whole one
        trace_configs=trace_configs,
    )


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _form(parts: tuple[Part, ...]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for part in parts:
        # A file goes through BytesIO so that aiohttp writes it in pieces; a large `bytes` would block the loop.
        value = io.BytesIO(part.content) if part.filename is not None else part.content.decode("utf-8")
        form.add_field(part.name, value, filename=part.filename, content_type=part.mime)
    return form


def _lower(answer: aiohttp.ClientResponse) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        headers.setdefault(name.lower(), _storable(value))
    return headers


def _storable(value: str) -> str:
    """A header as text: bytes that are no UTF-8 come as half characters, which no file and no terminal takes."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _whole_body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, expanded, up to the cap; what is larger is not read to its end."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise AnswerTooLarge
    encoding = _encoding(answer)
    if not body or encoding == "identity":
        return bytes(body)
    if encoding != "gzip":
        raise AnswerEncoded
    expanded = gunzipped(body, ANSWER_BYTES_MAX + 1)
    if expanded is None:
        raise aiohttp.ClientPayloadError
    if len(expanded) > ANSWER_BYTES_MAX:
        raise AnswerTooLarge
    return expanded


def _encoding(answer: aiohttp.ClientResponse) -> str:
    """Every header of that name together: one that says `identity` hides no other."""
    return ", ".join(answer.headers.getall("Content-Encoding", ())).strip(" \t").lower() or "identity"


def _reason(error: BaseException) -> str:
    known = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "the exchange failed")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "")
        known += f", {why.removesuffix('.')}" if why else ""
    return f"{known} ({type(error).__name__})"


class _CheckedResolver(AbstractResolver):
    """Lets only allowed IP addresses through, at the moment of connecting: aiohttp connects to what it returns."""

    def __init__(self, inner: AbstractResolver, *, loopback: bool) -> None:
        self._inner = inner
        self._loopback = loopback

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)  # type: ignore[arg-type]  # stubs differ by platform
        # One address of the user's own network among public ones is reason enough: that is how rebinding looks.
        if not all(address_allowed(each["host"], loopback=self._loopback) for each in found):
            raise AddressRefused(
                f"The result's host {host} leads into a private network, so it was not opened. The item stays paid for."
            )
        return found

    async def close(self) -> None:
        await self._inner.close()


class AiohttpFetcher:
    """Downloads results. `loopback`: the service is on this machine, so results may be as well."""

    def __init__(
        self, *, loopback: bool = False, deadlines: Deadlines | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._loopback = loopback
        self._deadlines = deadlines or Deadlines()
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def beside(cls, service: str, *, deadlines: Deadlines | None = None) -> Self:
        """A fetcher for the results of one service."""
        return cls(loopback=is_loopback(base_url(service).host or ""), deadlines=deadlines)

    async def __aenter__(self) -> Self:
        self._session = _session(self._connector())
        return self

    def _connector(self) -> aiohttp.BaseConnector:
        resolver = _CheckedResolver(self._resolver or aiohttp.ThreadedResolver(), loopback=self._loopback)
        # No cache of names: every new connection is to an address checked for it.
        return Connector(limit=0, ssl=_tls(), force_close=True, resolver=resolver, use_dns_cache=False)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        """The body of `url` into `sink`, through at most three redirects. Raises FetchError and its kinds."""
        try:
            async with asyncio.timeout(self._deadlines.download_s):
                return await self._follow(url, sink, resume)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            final = isinstance(error, aiohttp.ClientConnectorCertificateError)
            failure = FetchError(f"A result was not downloaded: {_reason(error)}.", temporary=not final)
        raise failure

    async def _follow(self, text: str, sink: Sink, resume: Resume | None) -> Fetched:
        assert self._session is not None, "open the fetcher with `async with`"
        url = result_url(text, loopback=self._loopback)
        headers = {"Accept-Encoding": "identity"}
        if resume is not None:
            headers |= {"Range": f"bytes={resume.start}-", "If-Range": resume.etag}
        timeout = self._deadlines.timeout(None)  # the total is over all hops
        for _ in range(REDIRECTS_MAX + 1):
            async with self._session.get(url, headers=headers, allow_redirects=False, timeout=timeout) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._receive(answer, sink, resume)
                target = url.join(URL(answer.headers.get("Location", ""), encoded=True))
                url = result_url(str(target), loopback=self._loopback)
        raise FetchError(f"A result's address was redirected more than {REDIRECTS_MAX} times. The item stays paid for.")

    async def _receive(self, answer: aiohttp.ClientResponse, sink: Sink, resume: Resume | None) -> Fetched:
        _check_status(answer)
        start, total_bytes = _extent(answer, resume)
        if (total_bytes or 0) > DOWNLOAD_BYTES_MAX:
            raise _too_large()
        await sink.begin(start=start, total_bytes=total_bytes, etag=strong_etag(answer.headers.get("ETag", "")))
        received = start
        clock = asyncio.get_running_loop().time
        window_ends, window_floor = clock() + self._deadlines.rate_window_s, start + self._deadlines.rate_window_bytes
        async for chunk in answer.content.iter_any():
            received += len(chunk)
            if received > DOWNLOAD_BYTES_MAX:
                raise _too_large()
            await sink.write(chunk)
            failpoint("download.mid_body")
            if clock() >= window_ends:
                if received < window_floor:
                    raise FetchError("A result was not downloaded: its host sends too slowly.", temporary=True)
                window_ends = clock() + self._deadlines.rate_window_s
                window_floor = received + self._deadlines.rate_window_bytes
        if total_bytes is not None and received != total_bytes:
            raise FetchError(f"A result was cut: {received} of {total_bytes} bytes came.", temporary=True)
        return Fetched(received_bytes=received, total_bytes=total_bytes, content_type=_storable(answer.content_type))


def _check_status(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in _DEAD:
        raise LinkDead(f"A result's address has died (HTTP {status}).", status=status)
    if status not in {200, 206}:
        raise FetchError(
            f"A result was not downloaded: its host answered HTTP {status}.",
            status=status,
            temporary=status in _TEMPORARY or status >= 500,
            retry_after_s=retry_after(_lower(answer)),
        )
    if _encoding(answer) != "identity":
        raise FetchError("A result was not downloaded: its host compressed it though asked not to.", status=status)


def _extent(answer: aiohttp.ClientResponse, resume: Resume | None) -> tuple[int, int | None]:
    """Where the body begins and how many bytes the whole file has, if the host says so."""
    if answer.status == 200:
        return 0, answer.content_length
    part = content_range(answer.headers.get("Content-Range", ""))
    if resume is None or part is None or part[0] != resume.start:
        raise FetchError("A result was not downloaded: its host sent a part nobody asked for.", temporary=True)
    return part


def _too_large() -> FetchError:
    return FetchError(
        f"A result has more than {DOWNLOAD_BYTES_MAX} bytes and was not kept. The item stays paid for.",
        code="download-too-large",
    )
