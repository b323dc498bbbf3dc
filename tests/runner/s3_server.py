"""A small strict S3 on the loopback address, to write results to.

It checks every signature (version 4, header form) and every payload digest, keeps `If-None-Match: *`, and can be told
to refuse, to break off, or to be one of those that ignore conditions. What it does not know is a 501.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import unquote

from aiohttp import web
from obstore.store import S3Store

from runner.blobs_s3 import MARK, S3Blobs
from runner.places import split_bucket

__all__ = ["KEY_ID", "SECRET", "S3Server", "Stored", "bucket_blobs", "s3_server"]

KEY_ID = "AKIALOOPBACKEXAMPLE0"
SECRET = "secret/of+the/loopback/bucket/0123456789"  # guards nothing

_CODES = {500: "InternalError", 501: "NotImplemented", 503: "SlowDown"}

Fault = Callable[[str, str], int | None]  # method and key -> a status to answer with, 0 to break off, None to go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object."""

    body: bytes
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


class S3Server:
    """Buckets of objects. Use `s3_server()`."""

    def __init__(self, *buckets: str, keeps_conditions: bool = True) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {bucket: {} for bucket in buckets}
        self.requests: list[tuple[str, str, int]] = []  # method, path, status
        self.fault: Fault = lambda method, key: None
        self.keeps_conditions = keeps_conditions
        self.overwritten: list[str] = []  # objects that got another content than they had
        self.url = ""

    def below(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """The results below a prefix, without the mark that every run leaves."""
        start = f"{prefix}/" if prefix else ""
        return {
            key.removeprefix(start): stored.body
            for key, stored in sorted(self.buckets[bucket].items())
            if key.startswith(start) and not key.endswith(MARK)
        }

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to write here, and to look nowhere else."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        bucket, _, key = unquote(request.raw_path.partition("?")[0]).removeprefix("/").partition("/")
        answer = self._answer(request, body, bucket, key)
        self.requests.append((request.method, f"{bucket}/{key}", answer.status if answer else 0))
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    def _answer(self, request: web.Request, body: bytes, bucket: str, key: str) -> web.Response | None:
        fault = self.fault(request.method, key)
        if fault is not None:
            return _refused(fault, _CODES.get(fault, "AccessDenied")) if fault else None
        problem = _unsigned(request, body)
        if problem:
            return _refused(403, problem)
        if bucket not in self.buckets:
            return _refused(404, "NoSuchBucket")
        if request.query_string:
            return _refused(501, "NotImplemented")
        return self._do(request, body, self.buckets[bucket], key)

    def _do(self, request: web.Request, body: bytes, objects: dict[str, Stored], key: str) -> web.Response:
        there = objects.get(key)
        match request.method:
            case "PUT":
                if request.headers.get("If-None-Match") == "*" and there is not None and self.keeps_conditions:
                    return _refused(412, "PreconditionFailed")
                stored = Stored(
                    body=body, content_type=request.headers.get("Content-Type", ""), metadata=_metadata(request)
                )
                if there is not None and there.body != body:
                    self.overwritten.append(key)
                objects[key] = stored
                return web.Response(headers={"ETag": stored.etag})
            case "GET" | "HEAD":
                if there is None:
                    return _refused(404, "NoSuchKey")
                headers = {
                    "ETag": there.etag,
                    "Last-Modified": "Mon, 11 May 2026 00:00:00 GMT",
                    "Content-Type": there.content_type,
                    **{f"x-amz-meta-{name}": value for name, value in there.metadata.items()},
                }
                return web.Response(body=there.body, headers=headers)
            case "DELETE":
                objects.pop(key, None)
                return web.Response(status=204)
            case _:
                return _refused(501, "NotImplemented")


def _metadata(request: web.Request) -> dict[str, str]:
    start = "x-amz-meta-"
    return {
        name.lower().removeprefix(start): value
        for name, value in request.headers.items()
        if name.lower().startswith(start)
    }


def _refused(status: int, code: str) -> web.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def _unsigned(request: web.Request, body: bytes) -> str:
    """Why a request is refused: the code of the error; empty when its signature fits."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return "AccessDenied"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key_id, *scope = parts["Credential"].split("/")
    digest = request.headers.get("x-amz-content-sha256", "")
    if digest != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    if key_id != KEY_ID:
        return "InvalidAccessKeyId"
    names = parts["SignedHeaders"].split(";")
    lines = [f"{name}:{' '.join(request.headers[name].split())}" for name in names]
    path, _, query = request.raw_path.partition("?")
    canonical = "\n".join([request.method, path, query, *lines, "", ";".join(names), digest])
    named = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], "/".join(scope)])
    signed = f"{named}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for word in scope:
        key = hmac.digest(key, word.encode(), "sha256")
    fits = hmac.compare_digest(hmac.digest(key, signed.encode(), "sha256").hex(), parts["Signature"])
    return "" if fits else "SignatureDoesNotMatch"


def bucket_blobs(server: S3Server, place: str, *, retries: int = 2) -> S3Blobs:
    """A place on the server, without having proved it first."""
    bucket, prefix = split_bucket(place)
    store = S3Store(
        bucket,
        prefix=prefix,
        config={"access_key_id": KEY_ID, "secret_access_key": SECRET, "endpoint": server.url, "region": "us-east-1"},
        client_options={"allow_http": True},
        retry_config={"max_retries": retries, "backoff": {"init_backoff": timedelta(milliseconds=1)}},
    )
    return S3Blobs(place, store)


@contextmanager
def s3_server(*buckets: str, keeps_conditions: bool = True) -> Iterator[S3Server]:
    """A server in a thread of its own, so that commands and event loops of tests may come and go."""
    server = S3Server(*buckets, keeps_conditions=keeps_conditions)
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", server.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        over = asyncio.Event()
        ready.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=[serve()], daemon=True)
    thread.start()
    loop, over = ready.result(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        assert not thread.is_alive(), "the server does not end"
