"""The door on a real port: the simulator behind aiohttp, for people, for `--sim`, and for tests on the wire."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import MediaOrder, SimRequest, SimResponse
from runner.sim.faults import parse_faults
from runner.sim.journal import Journal, open_journal
from runner.sim.media import Fidelity, Studio
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.ranges import media_answer

__all__ = ["SimOptions", "SimServer", "serve", "serve_forever"]

_BODY_MAX_BYTES = 128 * 1024 * 1024  # the largest documented upload is 95 MB
_PAINTERS = 2  # clips drawn at a time; painting holds a core
_GOODBYE_S = 0.2  # how long open connections may end by themselves at the end

_HINT = b"A simulator of the Rivya Public API v1. GET /api/v1/models lists models, /__sim__/stats shows the books.\n"


class SimServer:
    """A running simulator. `base_url` is where it listens."""

    def __init__(self, simulator: Simulator, studio: Studio, journal: Journal | None) -> None:
        self.simulator = simulator
        self.base_url = ""
        self._studio = studio
        self._journal = journal
        self._painters = asyncio.Semaphore(_PAINTERS)
        self._painting: dict[tuple[str, int], asyncio.Task[bytes]] = {}
        # Wall time read once, then counted on the monotonic clock: a clock that is set does not move tasks.
        self._epoch_s = time.time() - time.monotonic()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request through the core and back onto the wire."""
        if request.path.startswith("/__sim__/"):
            return self._backstage(request)
        try:
            body = await _body(request)
        except ValueError:
            return web.Response(status=413, text="Request Entity Too Large")
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = SimRequest(
            method=request.method, path=request.path, query=request.query_string, headers=headers, body=body
        )
        answer = self.simulator.handle(asked, self._epoch_s + time.monotonic())
        if answer.facts and self._journal is not None:
            self._journal.write(answer.facts)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        if answer.media is not None:
            answer = media_answer(asked, answer, await self._rendered(answer.media))
        return await _sent(request, answer)

    async def _rendered(self, order: MediaOrder) -> bytes:
        data = self._studio.ready(order)
        if data is not None:
            return data
        name = order.task_id, order.index
        painting = self._painting.get(name)
        if painting is None:
            painting = asyncio.create_task(self._painted(order))
            self._painting[name] = painting
            painting.add_done_callback(lambda _: self._painting.pop(name))
        return await asyncio.shield(painting)  # one reader who leaves does not stop the others' picture

    async def _painted(self, order: MediaOrder) -> bytes:
        async with self._painters:
            return await asyncio.to_thread(self._studio.render, order)

    def _backstage(self, request: web.BaseRequest) -> web.Response:
        if not _is_loopback(request.remote):
            return web.Response(status=404)
        if request.path == "/__sim__/stats":
            stats = orjson.dumps(self.simulator.stats().as_json(), option=orjson.OPT_INDENT_2)
            return web.Response(body=stats, content_type="application/json")
        return web.Response(body=_HINT, content_type="text/plain")


@asynccontextmanager
async def serve(
    simulator: Simulator,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: float = 1.0,
    journal: Path | None = None,
    fidelity: Fidelity = "real",
) -> AsyncIterator[SimServer]:
    """Serve on a port until the block ends. Port 0 takes the one of the journal's last life, else any free one.

    `speed` makes tasks work so many times faster; rate windows, lifetimes, refunds and delays stay in real time.
    """
    # It is closed also when somebody has no patience for the goodbyes.
    with nullcontext() if journal is None else closing(open_journal(journal, simulator.seed)) as notes:
        server = SimServer(simulator, Studio(fidelity), notes)
        simulator.speed = speed
        if notes is not None:
            simulator.restore(notes.facts)
        # A client that hangs up ends its handler, so an answer that never comes leaves nothing behind.
        runner = web.ServerRunner(
            web.Server(server.answer, handler_cancellation=True, access_log=None), shutdown_timeout=_GOODBYE_S
        )
        await runner.setup()
        try:
            bound = await _listen(runner, host, port, notes.port if notes is not None else 0)
            server.base_url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
            simulator.origin = server.base_url
            if notes is not None:
                notes.write([{"fact": "served", "port": bound}])
            yield server
        finally:
            await runner.cleanup()


async def _listen(runner: web.ServerRunner, host: str, port: int, remembered: int) -> int:
    """Bind, at the port of the last life if it is still free: addresses handed out then keep working."""
    if port == 0 and remembered:
        try:
            await web.TCPSite(runner, host, remembered).start()
        except OSError:
            await web.TCPSite(runner, host, 0).start()
    else:
        await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])


async def _body(request: web.BaseRequest) -> bytes:
    """The whole body; ValueError when it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > _BODY_MAX_BYTES:
            raise ValueError(size)
        chunks.append(chunk)
    return b"".join(chunks)


async def _sent(request: web.BaseRequest, answer: SimResponse) -> web.StreamResponse:
    if answer.wire == "silent":
        await asyncio.Event().wait()
    if answer.wire == "drop":
        return _abort(request)
    if answer.wire == "cut" and answer.cut_after_bytes < len(answer.body):
        return await _cut(request, answer)
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _abort(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut(request: web.BaseRequest, answer: SimResponse) -> web.StreamResponse:
    """Promise the whole length, send a part, and close."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: answer.cut_after_bytes])
    if request.transport is not None:
        request.transport.close()
    return response


def _is_loopback(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """How a simulator is to be run by a person. `faults` is the parsed content of a fault file."""

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    seed: int = 0
    faults: object = None
    state: Path | None = None
    profile: Profile = field(default_factory=Profile)
    fidelity: Fidelity = "real"
    catalogue: Mapping[str, Any] | None = None  # None: the packaged one


async def serve_forever(options: SimOptions, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises FaultError, JournalError, MediaMissingError or OSError at the start."""
    catalogue = packaged_catalogue() if options.catalogue is None else options.catalogue
    faults = parse_faults(options.faults, options.seed)
    simulator = Simulator(options.profile, catalogue, options.seed, faults)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with serve(
            simulator,
            host=options.host,
            port=options.port,
            speed=options.speed,
            journal=options.state,
            fidelity=options.fidelity,
        ) as server:
            announce(server.base_url)
            announce(f"RIVYA_BASE_URL={server.base_url} RIVYA_API_KEY={DEMO_KEY}")
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
