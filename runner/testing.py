"""In-memory stand-ins for the network, for tests of your own: the simulator without a socket, and a clock that jumps.

    door = MemoryDoor(Simulator(Profile(), packaged_catalogue()), now)
    transport = MemoryTransport(door, key="rvya_sk_sim_demo")

`run_virtual` runs a coroutine on a loop whose clock jumps to the next timer: an hour of waiting takes a millisecond.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from jobs.answers import Phase
from runner.errors import FetchError, LinkDead, TransportError
from runner.exchange import Fetched, Request, Response, Resume, Sink
from runner.sim.memory import MemoryDoor, SimConnectionError

__all__ = ["MemoryTransport", "VirtualLoop", "run_virtual"]

T = TypeVar("T")

BOUNDARY = "rivya-batch-form"

# An answer that never comes is given up after this long, as the real transport does.
EXCHANGE_S = 120.0


class MemoryTransport:
    """Transport and fetcher over the simulator's in-memory door."""

    def __init__(self, door: MemoryDoor, *, key: str) -> None:
        self._door = door
        self._key = key

    async def send(self, request: Request) -> Response:
        """One exchange; a broken wire is SENT, because the simulator saw the request."""
        headers, body = self._dressed(request)
        try:
            async with asyncio.timeout(EXCHANGE_S):
                status, answered, content = await self._door.request(request.method, request.path, headers, body)
        except (SimConnectionError, TimeoutError) as error:
            raise TransportError(f"{request.method} {request.path}: {error}", phase=Phase.SENT) from error
        lower = {name.lower(): value for name, value in answered.items()}
        return Response(status=status, headers=lower, body=content)

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        """One download; what breaks is worth another try, what died is not."""
        try:
            status, headers, content = await self._door.fetch(url)
        except SimConnectionError as error:
            raise FetchError("the connection broke", temporary=True) from error
        if status in (403, 404, 410):
            raise LinkDead(f"HTTP {status}", status=status)
        if status != 200:
            raise FetchError(f"HTTP {status}", status=status, temporary=status >= 500)
        await sink.begin(start=0, total_bytes=len(content), etag=None)
        await sink.write(content)
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        return Fetched(received_bytes=len(content), total_bytes=len(content), content_type=kind)

    def _dressed(self, request: Request) -> tuple[Mapping[str, str], bytes]:
        headers = {**request.headers, "Authorization": f"Bearer {self._key}"}
        if request.parts:
            headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
            return headers, _form(request)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers, request.body or b""


def _form(request: Request) -> bytes:
    lines = []
    for part in request.parts:
        name = f'; filename="{part.filename}"' if part.filename else ""
        kind = f"\r\nContent-Type: {part.mime}" if part.mime else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part.name}"{name}{kind}\r\n\r\n'
        lines.append(head.encode() + part.content + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


# What a turn of the loop takes. Were it nothing, a timer that fires a rounding error early would be set again for the
# same moment for ever: real time never stands still.
TURN_S = 1e-7


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: what it should have waited is added to the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again: every task waits for another")
        self.now_s += TURN_S if ready else max(TURN_S, timeout or 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop under virtual time. Threads have no place in it: they would be a second clock."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jump.now_s


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end under virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
