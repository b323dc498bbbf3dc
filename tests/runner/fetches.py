"""A download from a host that follows a script, and what was kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from runner.errors import FetchError
from runner.exchange import Fetched, Resume
from runner.transport import AiohttpFetcher
from runner.transport.connections import Deadlines
from tests.runner.raw_server import RawServer, Script

__all__ = [
    "CONTENT",
    "QUICK",
    "Kept",
    "failure_of",
    "fetched",
]

CONTENT = bytes(range(256)) * 40
QUICK = Deadlines(connect_s=2, silence_s=0.3, download_s=2)


@dataclass
class Kept:
    """A sink that keeps everything."""

    data: bytearray = field(default_factory=bytearray)
    begun: list[tuple[int, int | None, str | None]] = field(default_factory=list)

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        self.begun.append((start, total_bytes, etag))
        del self.data[start:]

    async def write(self, chunk: bytes) -> None:
        self.data += chunk


async def fetched(server: RawServer, *, path: str = "/clip.mp4", resume: Resume | None = None) -> tuple[Fetched, Kept]:
    """What comes of one download, after the beginning that `resume` already has."""
    sink = Kept(bytearray(CONTENT[: resume.start]) if resume else bytearray())
    async with AiohttpFetcher(loopback=True, deadlines=QUICK) as fetcher:
        return await fetcher.fetch(server.url + path, sink=sink, resume=resume), sink


async def failure_of(script: Script, *, deadlines: Deadlines = QUICK, resume: Resume | None = None) -> FetchError:
    """How a download from such a host fails."""
    async with RawServer(script) as server, AiohttpFetcher(loopback=True, deadlines=deadlines) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"{server.url}/clip.mp4", sink=Kept(), resume=resume)
    return caught.value
