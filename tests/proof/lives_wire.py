"""The way between a life and the service: places to die at, time, and what a wire can do to a create."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from jobs.answers import Phase
from runner.errors import TransportError
from runner.exchange import Fetched, Request, Response, Resume, Sink
from runner.sim.core import Simulator
from runner.sim.exchange import SimRequest, request_of
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY
from runner.testing import MemoryTransport, VirtualLoop
from tests.proof.lives_clocks import Clocks
from tests.proof.lives_judge import Judge

__all__ = ["UnderWay", "Wire"]

# After these a client may take it that nothing was made, so the wire makes no copy of the same request come after them.
DEFINITE: Final = frozenset({400, 402, 403, 413, 422, 429})

# No network holds a request for longer, whatever its sender does meanwhile; it may sleep for days.
UNDER_WAY_S_MAX: Final = 600.0


class UnderWay:
    """Creates that arrive whatever becomes of whoever sent them."""

    def __init__(self, service: Simulator, clocks: Clocks, counts: Counter[str]) -> None:
        self._service = service
        self._clocks = clocks
        self._counts = counts
        self._late: list[tuple[float, SimRequest]] = []  # with the moment of their arrival

    def has(self, key: str) -> bool:
        """Whether one under this key is still to come."""
        return any(request.headers["idempotency-key"] == key for _, request in self._late)

    def sent(self, request: SimRequest, after_s: float) -> tuple[float, SimRequest]:
        """One that its sender waits for; if the process dies now, it arrives all the same."""
        flight = self._clocks.now_s() + after_s, request
        self._late.append(flight)
        return flight

    def landed(self, flight: tuple[float, SimRequest]) -> bool:
        """Its sender sees to the rest, unless it came in while the sender's machine slept."""
        if flight not in self._late:
            return False
        self._late.remove(flight)
        return True

    def send_alone(self, request: SimRequest, after_s: float) -> None:
        """A copy that arrives when nobody waits for it any more."""
        self._counts["create under way alone"] += 1
        flight = self.sent(request, after_s)
        if self._clocks.loop is not None:
            self._clocks.loop.call_later(after_s, self._arrive, flight)

    def begin_life(self, loop: VirtualLoop) -> None:
        """What is still under way comes in during this life."""
        for flight in sorted(self._late, key=_arrival):
            loop.call_later(max(0.0, flight[0] - self._clocks.now_s()), self._arrive, flight)

    def _arrive(self, flight: tuple[float, SimRequest]) -> None:
        with suppress(ValueError):  # it came in between two lives
            self._late.remove(flight)
            self._service.handle(flight[1], self._clocks.now_s())

    def come_in(self) -> None:
        """All that is due, at its own time: the network does not wait for a machine that is off or asleep."""
        for flight in sorted(self._late, key=_arrival):
            if flight[0] <= self._clocks.now_s():
                self._late.remove(flight)
                self._service.handle(flight[1], flight[0])


def _arrival(flight: tuple[float, SimRequest]) -> float:
    return flight[0]


class Wire:
    """Transport and fetcher. `befalls` says how often what befalls a create; `lag_s` is the longest time on the way."""

    def __init__(
        self,
        service: Simulator,
        clocks: Clocks,
        judge: Judge,
        *,
        dice: random.Random,
        befalls: Mapping[str, float],
        lag_s: float,
        pass_point: Callable[[str], None],
    ) -> None:
        self.befalls = befalls
        self.under_way = UnderWay(service, clocks, judge.counts)
        self._clocks = clocks
        self._judge = judge
        self._dice = dice
        self._lag_s = lag_s
        self._pass_point = pass_point
        self._door = MemoryTransport(MemoryDoor(service, clocks.now_s), key=DEMO_KEY)

    async def send(self, request: Request) -> Response:
        kind = _kind(request)
        self._pass_point(f"{kind}.leaves")
        if kind == "create":
            response = await self._create(request)
        else:
            await self._way()
            response = await self._door.send(request)
        self._pass_point(f"{kind}.answered")
        await self._way()
        return response

    async def _create(self, request: Request) -> Response:
        dice, under_way, left_s = self._dice, self.under_way, self._clocks.now_s()
        befalls = [name for name, share in self.befalls.items() if dice.random() < share]
        for name in befalls:
            self._judge.counts[f"wire: {name}"] += 1
        if "not sent" in befalls:
            raise TransportError("no route", phase=Phase.NOT_SENT)
        assert request.body is not None
        self._judge.left(request.headers["Idempotency-Key"], request.body)
        headers, body = self._door._dressed(request)
        copy = request_of(request.method, request.path, headers, body)
        if "late" in befalls:
            under_way.send_alone(copy, dice.uniform(0.0, 90.0))
        flight = under_way.sent(copy, dice.uniform(0.0, self._lag_s))
        await _pause(flight[0] - self._clocks.now_s())
        if not under_way.landed(flight) or "late" in befalls or "lost" in befalls:
            raise TransportError("the connection broke", phase=Phase.SENT)
        response = await self._door.send(request)
        young = self._clocks.now_s() - left_s < UNDER_WAY_S_MAX
        # A copy of what was refused proves nothing to anyone.
        if "twice" in befalls and young and response.status not in DEFINITE:
            under_way.send_alone(copy, dice.uniform(0.0, 90.0))
        return response

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        self._pass_point("result.leaves")
        fetched = await self._door.fetch(url, sink=sink, resume=resume)
        self._pass_point("result.answered")
        return fetched

    async def _way(self) -> None:
        await _pause(self._dice.uniform(0.0, self._lag_s))


def _kind(request: Request) -> str:
    if request.path == "/api/v1/generations":
        return "create"
    if request.path.startswith("/api/v1/generations/"):
        return "poll"
    return {"/api/v1/files": "upload", "/api/v1/credits": "look"}[request.path]


async def _pause(seconds: float) -> None:
    if seconds > 0.0:
        await asyncio.sleep(seconds)
