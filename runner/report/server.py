"""The live page's door: a small HTTP server on the loopback address, for one person.

Whoever has the address has the page: it holds a token nobody can guess, and no page of another origin can read it or
reach this server under another name (the Host header is looked at, against names that are rebound to this machine).
Only files that the ledger names are given out. Everything is read; there is nothing to post.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import orjson
from aiohttp import web

from jobs.report.document import document, policy
from runner.errors import RunnerError
from runner.report.live_page import LivePage, Moment, media_of, news
from runner.report.parts import page_parts
from runner.report.posters import poster_bytes

__all__ = ["HOST", "METRICS_PATH", "Measure", "PageServer", "serve_page"]

HOST: Final = "127.0.0.1"
LOOK_S: Final = 1.0  # how often the ledger is asked whether anything has happened
# A page is read anew at most this share of the time: a large run must not be read without pause.
READING_SHARE_MAX: Final = 0.1
BEAT_S: Final = 15.0  # a comment in between, so that a browser that is gone is noticed
GOODBYE_S: Final = 0.5  # how long open connections may end by themselves
WATCHERS_MAX: Final = 20  # tabs of one person
POSTERS_BYTES_MAX: Final = 64 * 1024 * 1024
# A browser that was away for longer loads the page anew.
NEWS_KEPT: Final = 200
# One that does not take its news (a tab that sleeps) is let go before they fill the memory; it asks when it wakes.
NEWS_WAITING_MAX: Final = 50

METRICS_PATH: Final = "/metrics"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A result in a tab of its own is somebody else's document at our address: it runs nothing there.
_MEDIA_HEADERS: Final = {**_HEADERS, "Cache-Control": "private, max-age=3600", "Content-Security-Policy": "sandbox"}

Measure = Callable[[], bytes]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageServer:
    """The page of one run, and all who watch it."""

    def __init__(self, page: LivePage, *, token: str, first: Moment, metrics: Measure | None = None) -> None:
        self._page = page
        self._metrics = metrics
        self._token = token
        self._now = first
        self._version = 0  # of what was told
        self._news: deque[tuple[int, bytes]] = deque(maxlen=NEWS_KEPT)
        self._watchers: set[asyncio.Queue[bytes | None]] = set()
        self._posters: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._posters_bytes = 0
        self._drawing = asyncio.Semaphore(2)
        self._looking = asyncio.Lock()  # of two looks at once, the earlier could end last
        self.port = 0

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"http://{HOST}:{self.port}/{self._token}/"

    def application(self) -> web.Application:
        """The routes, behind one guard."""
        application = web.Application(middlewares=[self._guarded])
        if self._metrics is not None:
            application.router.add_get(METRICS_PATH, self._measured)
        application.router.add_get("/{token}/", self._index)
        application.router.add_get("/{token}/events", self._events)
        application.router.add_get("/{token}/media/{identity}/{n:[0-9]{1,4}}", self._media)
        application.router.add_get("/{token}/poster/{identity}/{n:[0-9]{1,4}}", self._poster)
        return application

    async def watch(self) -> None:
        """Look at the ledger for as long as somebody may want to know."""
        while True:
            await asyncio.sleep(LOOK_S)
            began_s = time.monotonic()
            await self._look()
            await asyncio.sleep((time.monotonic() - began_s) * (1 / READING_SHARE_MAX - 1))

    def close(self) -> None:
        """Let everybody go who waits for news."""
        for watcher in self._watchers:
            _let_go(watcher)

    async def _look(self) -> None:
        """Read the run if anything has happened to it, and tell everybody."""
        async with self._looking:
            try:
                read = await asyncio.to_thread(self._news_since, self._now)
            except RunnerError:  # a ledger that is moved or locked for a moment: the next look tells
                return
            if read is None:
                return
            self._now, told = read
            self._version += 1
            line = b"id: %d\nevent: change\ndata: %b\n\n" % (self._version, told)
            self._news.append((self._version, line))
            for watcher in self._watchers:
                if watcher.qsize() < NEWS_WAITING_MAX:
                    watcher.put_nowait(line)
                else:
                    _let_go(watcher)

    def _news_since(self, before: Moment) -> tuple[Moment, bytes] | None:
        """The page as it is now, and what of it is new; None when nothing is. The time of a living run goes on."""
        at = self._page.position()
        if at == before.position and (not before.is_alive or time.time() - before.made_at_s < BEAT_S):
            return None
        now = self._page.moment()
        return now, orjson.dumps(news(before, now))

    def _since(self, request: web.Request) -> bytes:
        """What was told since the browser's page was made, or since it was last here."""
        text = request.headers.get("Last-Event-ID") or request.query.get("from", "")
        seen = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        missed = [line for version, line in self._news if version > seen]
        if seen > self._version or self._version - seen != len(missed):
            return b"event: reload\ndata:\n\n"
        return b"".join(missed)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        known = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        token = request.match_info.get("token", "")
        is_open = request.path == METRICS_PATH and self._metrics is not None  # a scraper cannot know the token
        if request.headers.get("Host") not in known or not (
            is_open or hmac.compare_digest(token.encode(), self._token.encode())
        ):
            raise web.HTTPNotFound(headers=_HEADERS)
        try:
            return await handler(request)
        except web.HTTPException as refused:
            refused.headers.update(_HEADERS)
            raise

    async def _index(self, _: web.Request) -> web.Response:
        await self._look()
        model = {**self._now.model, "version": self._version}
        text = await asyncio.to_thread(document, page_parts(), model, live=True)
        headers = {**_HEADERS, "Content-Security-Policy": policy(page_parts(), live=True)}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _measured(self, _: web.Request) -> web.Response:
        assert self._metrics is not None, "the route is there for metrics only"
        text = await asyncio.to_thread(self._metrics)
        return web.Response(body=text, headers={**_HEADERS, "Content-Type": METRICS_TYPE})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        identity, n = request.match_info["identity"], int(request.match_info["n"])
        path = media_of(self._now, identity, n)
        if path is None:
            raise web.HTTPNotFound
        mime = self._now.files[identity, n].artifact.type or "application/octet-stream"
        return web.FileResponse(path, headers={**_MEDIA_HEADERS, "Content-Type": mime})

    async def _poster(self, request: web.Request) -> web.Response:
        name = request.match_info["identity"], int(request.match_info["n"])
        drawn = self._posters.get(name)
        if drawn is None:
            path = media_of(self._now, *name)
            if path is None:
                raise web.HTTPNotFound
            async with self._drawing:
                drawn = await asyncio.to_thread(poster_bytes, path, self._now.files[name].artifact.type)
            if drawn is None:
                raise web.HTTPNotFound
            self._keep(name, drawn)
        return web.Response(body=drawn, content_type="image/webp", headers=_MEDIA_HEADERS)

    def _keep(self, name: tuple[str, int], drawn: bytes) -> None:
        if name not in self._posters:
            self._posters[name] = drawn
            self._posters_bytes += len(drawn)
        while self._posters_bytes > POSTERS_BYTES_MAX:
            self._posters_bytes -= len(self._posters.popitem(last=False)[1])

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if len(self._watchers) >= WATCHERS_MAX:
            raise web.HTTPServiceUnavailable
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            await response.write(b"retry: 2000\n\n" + self._since(request))
            while True:
                try:
                    line = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    line = b": still here\n\n"
                if line is None:
                    return response
                await response.write(line)
        except ConnectionError:
            return response  # the browser has gone
        finally:
            self._watchers.discard(queue)


def _let_go(watcher: asyncio.Queue[bytes | None]) -> None:
    """The end of a stream, ahead of what waits in it: its browser comes back and is told what it missed."""
    while not watcher.empty():
        watcher.get_nowait()
    watcher.put_nowait(None)


@asynccontextmanager
async def serve_page(
    page: LivePage, *, token: str, port: int, metrics: Measure | None = None
) -> AsyncIterator[PageServer]:
    """Serve the page until the block ends; port 0 takes any free one. Raises OSError and UsageError.

    `metrics` gives figures to whoever scrapes them, without the token: there is nothing private in them.
    """
    first = await asyncio.to_thread(page.moment)
    server = PageServer(page, token=token, first=first, metrics=metrics)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=GOODBYE_S, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        server.port = int(runner.addresses[0][1])
        watching = asyncio.create_task(server.watch())
        try:
            yield server
        finally:
            watching.cancel()
            server.close()
    finally:
        await runner.cleanup()
