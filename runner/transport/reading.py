"""What an answer says, as plain text and bytes, and what a broken exchange is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import aiohttp

from runner.wire import gunzipped

__all__ = ["ANSWER_BYTES_MAX", "Headers", "encoding_of", "reason_of", "storable", "whole_body"]

# The largest known answer, the catalogue, has about 200 KB; this much of it is kept in memory at once.
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024


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


class Headers(Mapping[str, str]):
    """An answer's headers, lower-case, of equal ones the first; each as text once somebody wants it.

    Most have a dozen that nobody asks for. `scrub` takes out what must not be kept.
    """

    def __init__(self, answer: aiohttp.ClientResponse, scrub: Callable[[bytes], bytes] = bytes) -> None:
        self._raw = answer.headers
        self._scrub = scrub

    def __getitem__(self, name: str) -> str:
        if not name.islower():
            raise KeyError(name)
        return self._scrub(storable(self._raw[name]).encode()).decode()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name in self._raw))

    def __len__(self) -> int:
        return len(set(self))


def storable(value: str) -> str:
    """A header as text: bytes that are no UTF-8 come as half characters, which no file and no terminal takes."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def whole_body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, expanded, up to the cap; what is larger is not read to its end."""
    body = bytearray()
    while chunk := await answer.content.readany():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise AnswerTooLarge
    encoding = encoding_of(answer)
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


def encoding_of(answer: aiohttp.ClientResponse) -> str:
    """Every header of that name together: one that says `identity` hides no other."""
    return ", ".join(answer.headers.getall("Content-Encoding", ())).strip(" \t").lower() or "identity"


def reason_of(error: BaseException) -> str:
    known = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "the exchange failed")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "")
        known += f", {why.removesuffix('.')}" if why else ""
    return f"{known} ({type(error).__name__})"
