"""The service in the words of the domain: models, credits, uploads, creates, statuses.

Two kinds of calls. A create or a status says how it ended, always, as a `SendEnd`, and is never repeated here: its
repetitions are decisions that the ledger must see. The rest is free to repeat, so it is repeated here a few times and
raises a typed error when that did not help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

import stamina

from jobs.answers import ErrorSeen, Phase, SendEnd, Uploaded
from jobs.escape import for_terminal
from jobs.item import MediaKind
from jobs.verdict import refuses_key
from runner.errors import AuthError, ServiceRefused, TransportError
from runner.exchange import MayLeave, Part, Request, Response, Transport
from runner.wire import credits_from, error_from, http_date, json_from, quota, retry_after, task_from, uploaded_from

__all__ = ["Service"]

# Tries of one free call in all: enough for a restart of the service, too few to hide an outage.
TRIES: Final = 5
FIRST_WAIT_S: Final = 0.5
WAIT_MAX_S: Final = 20.0

# A longer Retry-After is handed to the caller, who can tell people about it; sleeping here would look like a hang.
RETRY_AFTER_MAX_S: Final = 120.0

EXCERPT_CHARS: Final = 200  # of a body that is not what was expected
CLIENT_REQUEST_ID_CHARS_MAX: Final = 128  # documented for uploads
FILENAME_CHARS_MAX: Final = 100  # only a label for the service's own lists

_TEMPORARY: Final = frozenset({408, 425, 429})
_UNSAFE_IN_FILENAME = re.compile(r"[^A-Za-z0-9._-]+")


class Service:
    """The Rivya Public API v1 over any transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def models(self) -> object:
        """The catalogue's JSON as it came; public, needs no key."""
        response = await self._repeated(Request(method="GET", path="/api/v1/models"))
        payload = json_from(response.body)
        if payload is None:
            raise _unreadable(response, "the catalogue")
        return payload

    async def credits(self) -> int:
        """The balance of the account; also the cheapest proof that the key works."""
        response = await self._repeated(Request(method="GET", path="/api/v1/credits"))
        balance = credits_from(response.body)
        if balance is None:
            raise _unreadable(response, "the balance")
        return balance

    async def upload(
        self, content: bytes, *, name: str, kind: MediaKind, mime: str, model: str, client_request_id: str
    ) -> Uploaded:
        """One reference. Uploading is free and makes no task, so a repetition costs nothing but bytes."""
        parts = (
            Part(name="kind", content=kind.encode()),
            Part(name="model", content=model.encode()),
            Part(name="client_request_id", content=client_request_id[:CLIENT_REQUEST_ID_CHARS_MAX].encode()),
            Part(name="file", content=content, filename=_safe_filename(name), mime=mime),
        )
        response = await self._repeated(Request(method="POST", path="/api/v1/files", parts=parts))
        uploaded = uploaded_from(response.body, kind=kind, name=name, mime=mime)
        if uploaded is None:
            raise _unreadable(response, f"the uploaded file {for_terminal(name)}")
        return uploaded

    async def create(self, *, idempotency_key: str, body: bytes, may_leave: MayLeave | None = None) -> SendEnd:
        """One send of one attempt. Raises nothing the world does; a cancelled send may have arrived."""
        assert re.fullmatch(r"[!-~]+", idempotency_key), "a key is a header value"
        headers = {"Idempotency-Key": idempotency_key}
        path = "/api/v1/generations"
        return await self._told(Request(method="POST", path=path, headers=headers, body=body, may_leave=may_leave))

    async def status(self, task_id: str) -> SendEnd:
        """One look at a task. Raises nothing the world does; the poller is its repetition."""
        end = await self._told(Request(method="GET", path=f"/api/v1/generations/{quote(task_id, safe='')}"))
        if end.task is not None and end.task.id != task_id:
            # Answers on one connection are told apart by their order alone, and a proxy that stutters shifts them.
            return replace(end, task=None, reason=f"the answer is about {end.task.id}, which was not asked for")
        return end

    async def look(self) -> SendEnd:
        """One look at the account, for the service's clock in its answer. Raises nothing the world does."""
        return await self._told(Request(method="GET", path="/api/v1/credits"))

    async def _told(self, request: Request) -> SendEnd:
        try:
            response = await self._transport.send(request)
        except TransportError as failure:
            return SendEnd(phase=failure.phase, reason=failure.message)
        task = task_from(response.body) if 200 <= response.status < 300 else None
        error = error_from(response.body) if task is None else None
        return SendEnd(
            phase=Phase.ANSWERED,
            status=response.status,
            task=task,
            error=error,
            retry_after_s=retry_after(response.headers),
            quota=quota(response.headers),
            server_epoch_s=http_date(response.headers.get("date", "")),
            request_id=_request_id(response, error),
            reason="" if task else _reason(response, error),
        )

    async def _repeated(self, request: Request) -> Response:
        """The 2xx answer to a request that is free to repeat; the last failure when no try brought one."""
        attempts = stamina.retry_context(
            on=_worth_another_try, attempts=TRIES, timeout=None, wait_initial=FIRST_WAIT_S, wait_max=WAIT_MAX_S
        )
        async for attempt in attempts:
            with attempt:
                response = await self._transport.send(request)
                if not 200 <= response.status < 300:
                    raise _refusal(response)
                return response
        raise AssertionError("the loop above returns or raises")


def _worth_another_try(error: Exception) -> bool | float:
    if isinstance(error, TransportError):
        return not error.final
    if not isinstance(error, ServiceRefused) or (error.status not in _TEMPORARY and error.status < 500):
        return False
    if error.retry_after_s is None:
        return True
    return error.retry_after_s if error.retry_after_s <= RETRY_AFTER_MAX_S else False


def _refusal(response: Response) -> AuthError | ServiceRefused:
    error = error_from(response.body)
    reason, request_id = _reason(response, error), _request_id(response, error)
    if response.status == 401 or refuses_key(response.status, error):
        return AuthError(
            f"The service refused the key: {reason.removesuffix('.')}.",
            code=error.code if error else None,
            request_id=request_id,
        )
    return ServiceRefused(
        f"The service refused: {reason.removesuffix('.')}.",
        status=response.status,
        code=error.code if error else None,
        request_id=request_id,
        retry_after_s=retry_after(response.headers),
    )


def _unreadable(response: Response, what: str) -> ServiceRefused:
    return ServiceRefused(
        f"The service answered, but {what} cannot be read from it: {_reason(response, None)}.",
        status=response.status,
        code="answer-unreadable",
        next_step="check RIVYA_BASE_URL; if it is right, a proxy or a login page may be in between",
        request_id=_request_id(response, None),
    )


def _reason(response: Response, error: ErrorSeen | None) -> str:
    """One line for people, safe for any terminal."""
    if error is not None:
        return for_terminal(f"HTTP {response.status} {error.code}: {error.message}")
    if 300 <= response.status < 400:
        return f"HTTP {response.status}, a redirect to {_host(response.headers)}, which is never followed"
    if not response.body:
        return f"HTTP {response.status} with an empty body"
    start = response.body[: 4 * EXCERPT_CHARS].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    kind = "HTML" if start.startswith("<") else "unexpected"
    return f"HTTP {response.status}, {kind} body: {for_terminal(start[:EXCERPT_CHARS])}"


def _host(headers: Mapping[str, str]) -> str:
    """Only the host of a redirect: the rest of the address may hold what is not for logs."""
    try:
        return for_terminal(urlsplit(headers.get("location", "")).hostname or "the same host")
    except ValueError:
        return "an unreadable address"


def _request_id(response: Response, error: ErrorSeen | None) -> str | None:
    if error is not None and error.request_id:
        return error.request_id
    return response.headers.get("x-request-id", "")[:CLIENT_REQUEST_ID_CHARS_MAX] or None


def _safe_filename(name: str) -> str:
    """A label without quotes, spaces, line breaks or directories, so that no multipart header can be split."""
    return _UNSAFE_IN_FILENAME.sub("_", name.replace("\\", "/").rpartition("/")[2])[-FILENAME_CHARS_MAX:] or "reference"
