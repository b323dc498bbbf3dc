"""Exchanges with the service: a request, the key, and how far the request got."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from jobs.answers import Phase
from runner.addresses import base_url
from runner.errors import InternalError, TransportError
from runner.exchange import Part, Request, Response
from runner.failpoints import failpoint
from runner.secret import Secret
from runner.transport.connections import Connector, Deadlines, new_session, tls_context
from runner.transport.reading import Headers, reason_of, whole_body

__all__ = ["AiohttpTransport"]


class _KeptBackError(Exception):
    """A request must not leave any more."""


class _Progress:
    """How far one request got: told by aiohttp's trace for what may cost something, else supposed to have left."""

    def __init__(self, request: Request) -> None:
        self.phase = Phase.NOT_SENT if request.method == "POST" else Phase.SENT
        self.creates = request.body is not None
        self.may_leave = request.may_leave


async def _headers_leave(
    _session: aiohttp.ClientSession, context: object, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    progress = getattr(context, "trace_request_ctx", None)
    assert isinstance(progress, _Progress)
    if progress.may_leave is not None and not progress.may_leave():
        raise _KeptBackError
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
        self._origin = self._base.origin()
        self._key = key
        self._deadlines = deadlines or Deadlines()
        self._posting: aiohttp.ClientSession | None = None
        self._asking: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_headers_leave)
        trace.on_request_chunk_sent.append(_body_leaves)
        self._posting = new_session(self._connector(fresh=True), trace_configs=[trace])
        self._asking = new_session(self._connector(fresh=False))  # a trace costs as much as half of a small request
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._posting is not None
        assert self._asking is not None
        try:
            await self._posting.close()
        finally:  # whoever cancels the goodbye of one session still shuts the other
            await self._asking.close()

    def _connector(self, *, fresh: bool) -> aiohttp.BaseConnector:
        """Where connections come from; `fresh` ones serve one request. Tests put wires of their own here."""
        return Connector(limit=0, ssl=tls_context(), force_close=fresh)

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
                body = await whole_body(answer)
                return Response(
                    status=answer.status, headers=Headers(answer, self._scrubbed), body=self._scrubbed(body)
                )
        except Exception as error:  # noqa: BLE001  # whatever it was, the phase decides, and that is known
            failure = self._failure(error, request, progress.phase)
        raise failure

    def _headers(self, url: URL, request: Request) -> dict[str, str]:
        """The only place where the key is unwrapped; it goes to one origin and to no other."""
        if url.origin() != self._origin:
            raise InternalError(f"A request was about to leave for {url.host}, which is not the service. Not sent.")
        headers = {**request.headers, "Accept-Encoding": "gzip"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _scrubbed(self, body: bytes) -> bytes:
        """Without the key: bodies, request ids and redirects of proxies have been seen to repeat it."""
        return self._key.scrub(body) if self._key is not None else body

    def _failure(self, error: Exception, request: Request, phase: Phase) -> TransportError:
        told = f"No answer from {self._base.host}: {reason_of(error)}."
        if isinstance(error, _KeptBackError):
            told = f"What let this request leave ended while {self._base.host} was being connected to."
        if request.method == "POST":
            told += " The request may have arrived." if phase is Phase.SENT else " Nothing was sent."
        return TransportError(
            told,
            phase=phase,
            final=isinstance(error, aiohttp.ClientConnectorCertificateError),
        )


def _form(parts: tuple[Part, ...]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for part in parts:
        # A file goes through BytesIO so that aiohttp writes it in pieces; a large `bytes` would block the loop.
        value = io.BytesIO(part.content) if part.filename is not None else part.content.decode("utf-8")
        form.add_field(part.name, value, filename=part.filename, content_type=part.mime)
    return form
