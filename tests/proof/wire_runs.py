"""Campaign `wires`: whole runs of the real engine over the real client, to the simulator's real server, in memory.

Every connection may break after any number of bytes, in either direction. A number is one run: a few lives on bad wires
and one on good ones. At the end each item has been bought exactly once, whatever was cut.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp import web

from runner.exchange import Fetched, Request, Response, Resume, Sink
from runner.secret import Secret
from runner.sim import server as sim_server
from runner.sim.media import Studio
from runner.transport import AiohttpFetcher, AiohttpTransport
from tests.proof.wire import SERVICE, Wire, Wires
from tests.runner.world import World
from tests.runner.world_items import items

__all__ = ["MUST_MEET", "play"]

BAD_LIVES: Final = 2
logging.getLogger("stamina").setLevel(logging.ERROR)  # here most downloads are tried again

MUST_MEET: Final = ("requests cut", "answers cut", "wires whole", "runs that needed another send", "runs")


class _Wired:
    """The real transport and fetcher, opened when first used."""

    def __init__(self, world: WiredWorld, key: str) -> None:
        self._world = world
        self._key = key
        self._transport: _Transport | None = None
        self._fetcher: _Fetcher | None = None
        self._server: web.Server | None = None
        self.connectors: list[Wires] = []

    async def send(self, request: Request) -> Response:
        if self._transport is None:
            self._transport = _Transport(self, self._key)
            await self._transport.__aenter__()
        return await self._transport.send(request)

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        if self._fetcher is None:
            self._fetcher = _Fetcher(self)
            await self._fetcher.__aenter__()
        return await self._fetcher.fetch(url, sink=sink, resume=resume)

    def wires(self, *, fresh: bool) -> Wires:
        connector = Wires(self._answering, fresh=fresh)
        connector.laid = self._world.cut
        self.connectors.append(connector)
        return connector

    def _answering(self) -> asyncio.BaseProtocol:
        if self._server is None:
            asyncio.get_running_loop().set_exception_handler(self._world.caught)
            behind = sim_server.SimServer(self._world.simulator, Studio("fast"), None)
            behind._epoch_s = 0.0
            self._server = web.Server(behind.answer, handler_cancellation=True, access_log=None)
        return self._server()

    def drop(self) -> None:
        """The loop is over; sessions must not complain that nobody closed them."""
        for session in (self._transport and self._transport._posting, self._transport and self._transport._asking):
            if session:
                session.detach()
        if self._fetcher and self._fetcher._session:
            self._fetcher._session.detach()
        for connector in self.connectors:
            connector._conns.clear()
            connector._acquired.clear()
            connector._closed = True


class _Transport(AiohttpTransport):
    def __init__(self, wired: _Wired, key: str) -> None:
        super().__init__(SERVICE, Secret(key))
        self._wired = wired

    def _connector(self, *, fresh: bool) -> aiohttp.BaseConnector:
        return self._wired.wires(fresh=fresh)


class _Fetcher(AiohttpFetcher):
    def __init__(self, wired: _Wired) -> None:
        super().__init__(loopback=True)
        self._wired = wired

    def _connector(self) -> aiohttp.BaseConnector:
        return self._wired.wires(fresh=True)


class WiredWorld(World):
    """A trial world whose network is made of wires."""

    def __init__(self, number: int, dice: random.Random, **switches: Any) -> None:
        super().__init__(items(dice.randrange(2, 9)), seed=number, **switches)
        self.simulator.origin = SERVICE
        self.dice = dice
        self.counts: Counter[str] = Counter()
        self.unhandled: list[str] = []
        self.bad_share = 0.0
        self._wired: _Wired | None = None

    def network(self, key: str) -> _Wired:
        self._wired = _Wired(self, key)
        return self._wired

    def life(self) -> int | None:
        """One life, and what its command would exit with."""
        real = sim_server.time  # type: ignore[attr-defined]
        sim_server.time = SimpleNamespace(time=self.now_s, monotonic=self.now_s)  # type: ignore[attr-defined,assignment]
        try:
            return self.live().exit_code
        finally:
            sim_server.time = real  # type: ignore[attr-defined]  # servers of other tests in this process tell the real time
            assert self._wired is not None
            self._wired.drop()
            assert not self.unhandled, self.unhandled

    def caught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled.append(repr(context))

    def cut(self, ours: Wire, theirs: Wire) -> None:
        """Decide what becomes of a new connection."""
        fate = self.dice.random()
        if fate < self.bad_share / 3:
            ours.break_after(self.dice.randrange(0, 500), self.dice.choice(("fin", "rst")))
            self.counts["requests cut"] += 1
        elif fate < self.bad_share:
            theirs.break_after(self.dice.randrange(0, 700), self.dice.choice(("fin", "rst")))
            self.counts["answers cut"] += 1
        else:
            self.counts["wires whole"] += 1


def play(number: int) -> Counter[str]:
    """One run."""
    dice = random.Random(number)
    world = WiredWorld(
        number,
        dice,
        create_status=dice.choice((200, 201, 202)),
        in_flight=dice.choice(("wait", "conflict")),
        body_compare=dice.choice(("bytes", "canonical")),
    )
    world.bad_share = dice.choice((0.1, 0.3, 0.5))
    codes = []
    for _ in range(BAD_LIVES):
        codes.append(world.life())
        world.check()
    world.bad_share = 0.0
    codes.append(world.life())
    world.check()
    unsure = world.states["uncertain"]
    if not unsure:
        assert codes[-1] == 0, (codes, world.states)
        world.check_all_bought_once()
    sends = Counter(sent.key for sent in world.stats.sends)
    world.counts["runs"] += 1
    world.counts["runs that needed another send"] += max(sends.values()) > 1
    world.counts["runs with a purchase in doubt"] += unsure > 0
    return world.counts
