"""Where connections come from, how long they may take, and which addresses they may lead to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from runner.addresses import address_allowed
from runner.errors import AddressRefused

__all__ = ["CheckedResolver", "Connector", "Deadlines", "new_session", "tls_context"]

USER_AGENT: Final = "rivya-batch"


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

    @cache  # noqa: B019  # a handful of frozen values
    def timeout(self, total_s: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total_s, sock_connect=self.connect_s, sock_read=self.silence_s)


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


def new_session(
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
def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class CheckedResolver(AbstractResolver):
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
