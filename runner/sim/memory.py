"""The door without a network: for simulations under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from runner.sim.core import Simulator
from runner.sim.exchange import SimRequest, SimResponse, request_of
from runner.sim.media import Fidelity, Studio
from runner.sim.ranges import media_answer

__all__ = ["Answer", "MemoryDoor", "SimConnectionError"]

Answer = tuple[int, Mapping[str, str], bytes]


class SimConnectionError(ConnectionResetError):
    """The simulated connection broke. `received` is what came through of the body; None: not even a status."""

    def __init__(self, received: bytes | None = None) -> None:
        super().__init__("the simulated connection was reset")
        self.received = received


class MemoryDoor:
    """Requests by function call. Waits only by `asyncio.sleep`, so a virtual clock drives it."""

    def __init__(self, simulator: Simulator, now: Callable[[], float], *, fidelity: Fidelity = "fast") -> None:
        self._simulator = simulator
        self._now = now
        self._studio = Studio(fidelity)

    async def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send one request to a path with an optional query. Raises SimConnectionError where the wire breaks; an
        answer that never comes is waited for without end, so give it a deadline.
        """
        request = request_of(method, target, headers, body)
        answer = self._simulator.handle(request, self._now())
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        else:
            await asyncio.sleep(0)  # a network call always lets others run
        return await self._delivered(request, answer)

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET an absolute address, such as a result's."""
        parts = urlsplit(url)
        return await self.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers)

    async def _delivered(self, request: SimRequest, answer: SimResponse) -> Answer:
        if answer.wire == "silent":
            await asyncio.Event().wait()
        if answer.wire == "drop":
            raise SimConnectionError
        if answer.media is not None:
            answer = media_answer(request, answer, self._studio.render(answer.media))
        if answer.wire == "cut" and answer.cut_after_bytes < len(answer.body):
            raise SimConnectionError(answer.body[: answer.cut_after_bytes])
        return answer.status, answer.headers, answer.body
