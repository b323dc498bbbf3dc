"""A poster in memory and one on the wire, each with an address that answers as it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from jobs.answers import Phase
from runner.errors import TransportError
from runner.exchange import Poster
from runner.testing import MemoryPoster
from runner.transport import AiohttpPoster
from tests.runner.raw_server import Line, RawServer

__all__ = ["STAGES", "Staged"]


@dataclass(slots=True)
class Received:
    headers: Mapping[str, str]
    body: bytes


class Stage(Protocol):
    """A poster, an address that answers as it was told, and what came there."""

    @property
    def poster(self) -> Poster: ...

    @property
    def address(self) -> str: ...

    def received(self) -> Sequence[Received]: ...


@dataclass(slots=True)
class MemoryStage:
    poster: MemoryPoster
    address: str = "http://127.0.0.1:9/hook?token=abc"

    def received(self) -> Sequence[Received]:
        return [Received(headers, body) for _, headers, body in self.poster.posts]


@dataclass(slots=True)
class WireStage:
    server: RawServer
    poster: Poster = field(default_factory=AiohttpPoster)

    @property
    def address(self) -> str:
        return f"{self.server.url}/hook?token=abc"

    def received(self) -> Sequence[Received]:
        return [Received(asked.headers, asked.body) for asked in self.server.asked]


def answering(*statuses: int) -> Callable[[Line], Any]:
    """Each connection gets the next status, the last one for ever; 0 hangs up."""

    async def script(line: Line) -> None:
        status = statuses[min(line.number, len(statuses)) - 1]
        await line.hear()
        if status:
            more = "Location: http://127.0.0.1:9/elsewhere\r\n" if 300 <= status < 400 else ""
            await line.say(f"HTTP/1.1 {status} So\r\n{more}Content-Length: 0\r\n\r\n".encode())

    return script


@asynccontextmanager
async def on_the_wire(*statuses: int) -> AsyncIterator[WireStage]:
    async with RawServer(answering(*statuses)) as server:
        yield WireStage(server)


@asynccontextmanager
async def in_memory(*statuses: int) -> AsyncIterator[MemoryStage]:
    lost = TransportError("No answer.", phase=Phase.SENT)
    yield MemoryStage(MemoryPoster(*(status or lost for status in statuses)))


# With what it answers to the first post, the second, ...
Staged = Callable[..., AbstractAsyncContextManager[Stage]]
STAGES: tuple[Staged, ...] = (in_memory, on_the_wire)
