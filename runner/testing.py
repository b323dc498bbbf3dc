"""In-memory stand-ins for the network, for tests of your own: the simulator without a socket, and a clock that jumps.

    door = MemoryDoor(Simulator(Profile(), packaged_catalogue()), now)
    transport = MemoryTransport(door, key="rvya_sk_sim_demo")

`run_virtual` runs a coroutine on a loop whose clock jumps to the next timer: an hour of waiting takes a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, Unpack

from jobs.answers import Phase
from runner.addresses import hook_url
from runner.errors import FetchError, LinkDead, TransportError
from runner.exchange import Fetched, Request, Response, Resume, Sink
from runner.sim.memory import MemoryDoor, SimConnectionError

__all__ = ["MemoryPoster", "MemoryTransport", "VirtualLoop", "run_virtual"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

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


class _Jump:
    """Stands where a loop has its selector, and waits for nothing: what it should have waited is added to the clock."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: every task waits for another")
        self.now_s += max(TURN_S, timeout)
        return ()


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop under virtual time. Threads and sockets have no place in it: they would be a second clock.

    Signals come by hand: `loop.signal(SIGINT)` calls the handler that was added for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump()  # where BaseEventLoop looks for news
        self._handlers: dict[int, Callable[[], object]] = {}

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._selector.now_s

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Remember whom a signal concerns; the process is not told."""
        self._handlers[sig] = partial(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget it; whether there was one."""
        return self._handlers.pop(sig, None) is not None

    def signal(self, sig: int) -> bool:
        """Let a signal come; whether anybody heard it."""
        handler = self._handlers.get(sig)
        if handler is not None:
            handler()
        return handler is not None

    def _process_events(self, _: object) -> None:
        """There are none but timers."""

    def _write_to_self(self) -> None:
        """Nobody waits in another thread's stead."""


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end under virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class MemoryPoster:
    """Takes notifications and answers with what it was told, the last one for ever. `posts` is what came."""

    def __init__(self, *answers: int | TransportError) -> None:
        self.posts: list[tuple[str, Mapping[str, str], bytes]] = []
        self._answers = answers or (200,)

    async def post(self, address: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """The rules for addresses are those of the real one."""
        hook_url(address)
        answer = self._answers[min(len(self.posts), len(self._answers) - 1)]
        self.posts.append((address, headers, body))
        if isinstance(answer, TransportError):
            raise answer
        return answer
