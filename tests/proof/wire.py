"""Connections without a network: the real client's bytes, in memory, at a time of our choosing.

`Wire` is one end of a connection, as asyncio's own transports are. A pair of them joins the real client either to the
simulator's real server or to `Recorded`, which answers with bytes it was given. A wire can be made to break after any
number of bytes, with FIN or with RST. Under `runner.testing.VirtualLoop` every play is exactly repeatable, and an
answer that never comes costs no time.

Two methods of aiohttp's connector that are not public are overridden here (`_create_connection`, and what it leans on):
the lock pins the client, and `test_wire.py` says at once when they are gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.tracing import Trace

from runner.secret import Secret
from runner.testing import VirtualLoop
from runner.transport import AiohttpFetcher, AiohttpTransport
from runner.transport.connections import Connector, Deadlines

__all__ = ["KEY", "SERVICE", "Break", "Ending", "Recorded", "Rig", "Script", "Wire", "Wires", "whole_request"]

T = TypeVar("T")

Break = Literal["fin", "rst"]
Ending = Literal["fin", "rst", "open"]

SERVICE = "http://127.0.0.1"
KEY = "rvya_sk_canary0123456789"


class Wire(asyncio.Transport):
    """One end. What is written arrives at the other end on the next turn of the loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._loop = loop
        self._protocol: asyncio.BaseProtocol | None = None
        self._other: Wire | None = None
        self._inbox: deque[bytes | ConnectionResetError | None] = deque()
        self._paused = self._closing = self._gone = False
        self._breaks: Break = "fin"
        self.bytes_left: int | None = None  # what may still be written here before the wire breaks
        self.written = bytearray()

    def join(self, other: Wire, protocol: asyncio.BaseProtocol) -> None:
        """Lay the wire to its other end; the protocol learns of it with `begin`."""
        self._other, self._protocol = other, protocol

    def begin(self) -> None:
        assert self._protocol is not None
        self._protocol.connection_made(self)

    def break_after(self, size_bytes: int, how: Break) -> None:
        """The other end will see so many more bytes of ours and then the end."""
        self.bytes_left, self._breaks = size_bytes, how

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._other is not None
        if self._closing:
            return
        left = len(data) if self.bytes_left is None else self.bytes_left
        arriving = bytes(data[:left])
        self.written += arriving
        if arriving:
            self._loop.call_soon(self._other._arrive, arriving)
        if self.bytes_left is not None:
            self.bytes_left -= len(arriving)
            if not self.bytes_left:
                self.end(self._breaks)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def end(self, how: Break) -> None:
        """FIN, as after a `close`; or RST, which both ends notice."""
        if how == "fin":
            self.close()
            return
        assert self._other is not None
        self._closing = True
        self._loop.call_soon(self._other._arrive, ConnectionResetError(104, "Connection reset by peer"))
        self._loop.call_soon(self._lost, ConnectionResetError(104, "Connection reset by peer"))

    def close(self) -> None:
        if self._closing:
            return
        assert self._other is not None
        self._closing = True
        self._loop.call_soon(self._other._arrive, None)
        self._loop.call_soon(self._lost, None)

    def abort(self) -> None:
        self.end("rst")

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._loop.call_soon(self._read)

    def is_reading(self) -> bool:
        return not self._paused

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever kept back."""

    def _arrive(self, what: bytes | ConnectionResetError | None) -> None:
        self._inbox.append(what)
        self._read()

    def _read(self) -> None:
        assert isinstance(self._protocol, asyncio.Protocol)
        while self._inbox and not self._paused and not self._gone:
            what = self._inbox.popleft()
            if isinstance(what, bytes):
                if not self._closing:
                    self._protocol.data_received(what)
            elif what is not None:
                self._lost(what)
            elif not self._closing and not self._protocol.eof_received():
                self.close()

    def _lost(self, why: Exception | None) -> None:
        if self._gone:
            return
        self._gone = self._closing = True
        assert self._protocol is not None
        self._protocol.connection_lost(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one connection says. `hears`: it breaks when so many bytes of the request have come, and says nothing."""

    says: tuple[bytes, ...] = ()
    ends: Ending = "open"
    early: bool = False  # answer at the first byte, before the request is whole
    hears: int | None = None
    breaks: Break = "rst"


class Recorded(asyncio.Protocol):
    """Answers one request with bytes it was given."""

    def __init__(self, script: Script) -> None:
        self.heard = bytearray()
        self._script = script
        self._answered = False
        self._wire: Wire | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Wire)
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if not self._answered and (self._script.early or whole_request(self.heard)):
            self._answered = True
            self._answer()

    def _answer(self) -> None:
        assert self._wire is not None
        for segment in self._script.says:
            self._wire.write(segment)
        if self._script.ends != "open":
            self._wire.end(self._script.ends)


def whole_request(heard: bytes | bytearray) -> bool:
    """Whether head and body of a request came; the client announces every body's length."""
    head, gap, body = bytes(heard).partition(b"\r\n\r\n")
    if not gap:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return True


Answering = Callable[[], asyncio.BaseProtocol]


class Wires(Connector):
    """A connector whose connections are wires; `answering` makes the far end's protocol."""

    def __init__(self, answering: Answering, *, fresh: bool) -> None:
        # The client ages kept connections on the machine's clock: here they never get old.
        super().__init__(limit=0, **({"force_close": True} if fresh else {"keepalive_timeout": 1e9}))
        self._answering = answering
        self.opened = 0
        self.hears: tuple[int, Break] | None = None
        self.clients: list[Wire] = []
        self.laid: Callable[[Wire, Wire], None] = lambda _ours, _theirs: None

    def forget(self) -> None:
        """Keep nothing of the last play."""
        for kept in self._conns.values():
            for handler, _ in kept:
                handler.close()
        self._conns.clear()
        self.clients.clear()

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # as overridden
    ) -> ResponseHandler:
        loop = asyncio.get_running_loop()
        ours, theirs = Wire(loop), Wire(loop)
        handler = self._factory()
        ours.join(theirs, handler)
        theirs.join(ours, self._answering())
        self.opened += 1
        self.clients.append(ours)
        if self.hears is not None:
            ours.break_after(*self.hears)
        self.laid(ours, theirs)
        theirs.begin()
        ours.begin()
        return handler


class _WiredTransport(AiohttpTransport):
    def __init__(self, rig: Rig) -> None:
        super().__init__(SERVICE, Secret(KEY), deadlines=rig.deadlines)
        self._rig = rig

    def _connector(self, *, fresh: bool) -> aiohttp.BaseConnector:
        return self._rig.wires(fresh=fresh)


class _WiredFetcher(AiohttpFetcher):
    def __init__(self, rig: Rig) -> None:
        super().__init__(loopback=True, deadlines=rig.deadlines)
        self._rig = rig

    def _connector(self) -> aiohttp.BaseConnector:
        return self._rig.wires(fresh=True)


@dataclass
class Rig:
    """The real client on a virtual clock. `scripts` are played in turn, one a connection; the last one stays."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    answering: Answering | None = None
    scripts: list[Script] = field(default_factory=list)
    peers: list[Recorded] = field(default_factory=list)
    unhandled: list[str] = field(default_factory=list)
    connectors: list[Wires] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda _, context: self.unhandled.append(repr(context)))
        self.transport = _WiredTransport(self)
        self.fetcher = _WiredFetcher(self)
        self.run(self._open())
        return self

    async def _open(self) -> None:
        await self.transport.__aenter__()
        await self.fetcher.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._shut())
        self.loop.close()

    async def _shut(self) -> None:
        await self.transport.__aexit__(None, None, None)
        await self.fetcher.__aexit__(None, None, None)
        await asyncio.sleep(0)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(main)

    def wires(self, *, fresh: bool) -> Wires:
        connector = Wires(self._answered, fresh=fresh)
        self.connectors.append(connector)
        return connector

    def play(self, main: Coroutine[Any, Any, T], *scripts: Script) -> T:
        """Run one call against these scripts; what nobody handled raises here."""
        self.scripts = list(scripts)
        self.peers.clear()
        for connector in self.connectors:
            connector.forget()
            connector.hears = None if scripts[0].hears is None else (scripts[0].hears, scripts[0].breaks)
        try:
            return self.run(main)
        finally:
            assert not self.unhandled, self.unhandled

    def serve(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a talk with a server that `answering` makes the protocols of."""
        try:
            return self.run(main)
        finally:
            assert not self.unhandled, self.unhandled

    def _answered(self) -> asyncio.BaseProtocol:
        if self.answering is not None:
            return self.answering()
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        peer = Recorded(script)
        self.peers.append(peer)
        return peer
