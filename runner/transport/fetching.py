"""Downloads of results from hosts that nobody vouches for: no key, checked addresses, bounds on size and time."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from runner.addresses import base_url, is_loopback, result_url
from runner.errors import FetchError, LinkDead
from runner.exchange import Fetched, Resume, Sink
from runner.failpoints import failpoint
from runner.transport.connections import CheckedResolver, Connector, Deadlines, new_session, tls_context
from runner.transport.reading import Headers, encoding_of, reason_of, storable
from runner.wire import content_range, retry_after, strong_etag

__all__ = ["DOWNLOAD_BYTES_MAX", "AiohttpFetcher"]

# A result larger than this is no clip: the longest the models make has a few hundred megabytes.
DOWNLOAD_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024

REDIRECTS_MAX: Final = 3  # storage hosts need one; each is checked like the first address

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEAD: Final = frozenset({401, 403, 404, 410})  # how storage hosts say that a signed address has expired
_TEMPORARY: Final = frozenset({408, 416, 425, 429})


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
        self._session = new_session(self._connector())
        return self

    def _connector(self) -> aiohttp.BaseConnector:
        resolver = CheckedResolver(self._resolver or aiohttp.ThreadedResolver(), loopback=self._loopback)
        # No cache of names: every new connection is to an address checked for it.
        return Connector(limit=0, ssl=tls_context(), force_close=True, resolver=resolver, use_dns_cache=False)

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
            failure = FetchError(f"A result was not downloaded: {reason_of(error)}.", temporary=not final)
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
        return Fetched(received_bytes=received, total_bytes=total_bytes, content_type=storable(answer.content_type))


def _check_status(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in _DEAD:
        raise LinkDead(f"A result's address has died (HTTP {status}).", status=status)
    if status not in {200, 206}:
        raise FetchError(
            f"A result was not downloaded: its host answered HTTP {status}.",
            status=status,
            temporary=status in _TEMPORARY or status >= 500,
            retry_after_s=retry_after(Headers(answer)),
        )
    if encoding_of(answer) != "identity":
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
