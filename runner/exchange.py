"""The seam to the network: one exchange with the service, one download, as plain values.

Whoever implements `Transport` or `Fetcher` (`runner.transport` over real sockets, the simulator in memory) says how far
a failed exchange got. That answer decides whether a create may have been charged, so it comes from what was written,
never from an exception's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = [
    "Fetched",
    "Fetcher",
    "MayLeave",
    "Part",
    "Permit",
    "Poster",
    "Request",
    "Response",
    "Resume",
    "Sink",
    "Transport",
]


class Permit(Protocol):
    """What lets creates leave, for the sake of others who may have their items by now."""

    @property
    def is_held(self) -> bool: ...

    async def held(self) -> None:
        """Wait until it is."""


# Whether a request may leave now, for the sake of others who may have its place by then.
MayLeave = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a multipart form. `filename` and `mime` are for files; the name is plain ASCII."""

    name: str
    content: bytes
    filename: str | None = None
    mime: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the service. `path` begins with `/api/` and is quoted already. The key is the transport's affair.

    Either `body` (sent byte for byte, as JSON) or `parts` (a multipart form), or neither. A POST that `may_leave` no
    more once its connection stands, however long that took, is not sent.
    """

    method: Literal["GET", "POST"]
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    parts: tuple[Part, ...] = ()
    may_leave: MayLeave | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer: nothing is missing from `body`. Header names are lower-case; of equal ones the first counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends one request once, follows nothing, and keeps no cookies."""

    async def send(self, request: Request) -> Response:
        """The whole answer, whatever its status; raises `runner.errors.TransportError` when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Where a broken download may go on: `etag` is the strong one of the first answer."""

    start: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A finished download. `total_bytes` is what the host said the whole file has; None when it said nothing."""

    received_bytes: int
    total_bytes: int | None
    content_type: str = ""


class Sink(Protocol):
    """Takes a download's bytes in order."""

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        """The body begins at `start`: 0 means afresh, else exactly where the earlier bytes end.

        `etag` is strong or None.
        """
        ...

    async def write(self, chunk: bytes) -> None: ...


class Fetcher(Protocol):
    """Downloads results. Knows nothing of the key."""

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        """Raises `runner.errors.FetchError` and its kinds, nothing else."""
        ...


class Poster(Protocol):
    """Brings one notification to where a manifest says. Knows nothing of the key, and follows nothing."""

    async def post(self, address: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer, whatever it is; raises AddressRefused or TransportError, without the address."""
        ...
