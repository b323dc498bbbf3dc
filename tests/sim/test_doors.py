"""One suite over both doors: the in-memory one and the one on a real port behave alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from runner.sim import server
from runner.sim.core import Simulator
from runner.sim.memory import Answer, MemoryDoor, SimConnectionError
from runner.sim.profile import DEMO_KEY
from runner.sim.server import serve
from tests.sim.conftest import CATALOGUE, Z_IMAGE, form, talk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
KEY = {"Authorization": f"Bearer {DEMO_KEY}"}
CREATE = orjson.dumps(Z_IMAGE)
FAULTS = [
    {"match": {"prompt_contains": "dropped"}, "do": {"drop": "after_effect"}},
    {"match": {"prompt_contains": "cut"}, "do": {"cut_after_bytes": 40}},
    {"match": {"prompt_contains": "silent"}, "do": {"never_answer": "after_effect"}},
    {"match": {"prompt_contains": "late"}, "do": {"delay_s": 0.05}},
    {"match": {"prompt_contains": "proxied"}, "do": {"status": 502, "body": "html"}},
]

Fetch = Callable[[str, Mapping[str, str]], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class Door:
    simulator: Simulator
    request: Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answer]]
    fetch: Fetch
    broken: tuple[type[Exception], ...]

    async def create(self, key: str, prompt: str) -> tuple[int, bytes]:
        headers = {**KEY, "Content-Type": "application/json", "Idempotency-Key": key}
        status, _, body = await self.request(
            "POST", "/api/v1/generations", headers, orjson.dumps({**Z_IMAGE, "prompt": prompt})
        )
        return status, body

    async def finished(self, task_id: str) -> Any:
        while True:
            _, _, body = await self.request("GET", f"/api/v1/generations/{task_id}", KEY, b"")
            task = orjson.loads(body)
            if task["status"] == "succeeded":
                return task
            await asyncio.sleep(0.005)


@pytest.fixture(params=["memory", "server"])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    simulator = talk(FAULTS, durations=(("*", 0.01),), queue_s=0.01).simulator
    if request.param == "memory":
        memory = MemoryDoor(simulator, time.time)

        async def ask(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
            return await memory.request(method, target, headers, body)

        yield Door(simulator=simulator, request=ask, fetch=memory.fetch, broken=(SimConnectionError,))
        return
    async with serve(simulator, fidelity="fast") as running, aiohttp.ClientSession() as client:

        async def call(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
            url = running.base_url + target
            async with client.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
                lowered = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, lowered, await answer.read()

        async def fetch(url: str, headers: Mapping[str, str]) -> Answer:
            assert url.startswith(running.base_url)
            return await call("GET", url.removeprefix(running.base_url), headers, b"")

        yield Door(simulator=simulator, request=call, fetch=fetch, broken=(aiohttp.ClientError,))


async def test_the_catalogue_and_the_schema_need_no_key(door: Door) -> None:
    status, headers, body = await door.request("GET", "/api/v1/models", {}, b"")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert len(orjson.loads(body)["data"]) == len(CATALOGUE["models"]) + 1

    assert (await door.request("GET", "/api/v1/openapi.json", {}, b""))[0] == 200


async def test_a_task_goes_from_create_to_its_medium(door: Door) -> None:
    status, body = await door.create("k", "a cat")
    assert status == 200
    task = await door.finished(orjson.loads(body)["id"])
    status, headers, data = await door.fetch(task["result"]["primary_url"], {})

    assert (status, headers["content-type"]) == (200, "image/png")
    assert data.startswith(b"\x89PNG")


async def test_media_come_in_ranges(door: Door) -> None:
    _, body = await door.create("k", "a cat")
    url = (await door.finished(orjson.loads(body)["id"]))["result"]["primary_url"]
    _, headers, whole = await door.fetch(url, {})

    async def part(asked: str, **more: str) -> tuple[int, str | None, bytes]:
        status, answer, data = await door.fetch(url, {"Range": asked, **more})
        return status, answer.get("content-range"), data

    size = len(whole)
    assert await part("bytes=10-19") == (206, f"bytes 10-19/{size}", whole[10:20])
    assert await part("bytes=90-") == (206, f"bytes 90-{size - 1}/{size}", whole[90:])
    assert await part("bytes=-5") == (206, f"bytes {size - 5}-{size - 1}/{size}", whole[-5:])
    assert await part(f"bytes={size}-") == (416, f"bytes */{size}", b"")
    assert await part("bytes=10-19", **{"If-Range": headers["etag"]}) == (206, f"bytes 10-19/{size}", whole[10:20])
    assert await part("bytes=10-19", **{"If-Range": '"older"'}) == (200, None, whole)


async def test_head_tells_the_length_without_the_medium(door: Door) -> None:
    _, body = await door.create("k", "a cat")
    url = (await door.finished(orjson.loads(body)["id"]))["result"]["primary_url"]
    _, _, whole = await door.fetch(url, {})
    status, headers, data = await door.request("HEAD", "/results/" + url.partition("/results/")[2], {}, b"")

    assert (status, headers["content-length"], data) == (200, str(len(whole)), b"")


async def test_an_upload_goes_through(door: Door) -> None:
    body, headers = form(PNG, kind="image")
    status, _, answer = await door.request("POST", "/api/v1/files", {**KEY, **headers}, body)

    assert (status, orjson.loads(answer)["size"]) == (200, len(PNG))


@pytest.mark.parametrize("prompt", ["dropped", "cut"])
async def test_a_broken_wire_loses_the_answer_but_not_the_task(door: Door, prompt: str) -> None:
    with pytest.raises(door.broken):
        await door.create("k", prompt)

    assert door.simulator.stats().tasks == 1


async def test_an_answer_may_never_come(door: Door) -> None:
    creating = asyncio.create_task(door.create("k", "silent"))
    while not door.simulator.stats().tasks:  # noqa: ASYNC110 - the simulator tells nobody that it made a task
        await asyncio.sleep(0.005)
    await asyncio.wait([creating], timeout=0.1)

    assert not creating.done()
    creating.cancel()
    await asyncio.wait([creating])


async def test_an_answer_may_come_late(door: Door) -> None:
    before = time.monotonic()
    status, _ = await door.create("k", "late")

    assert status == 200
    assert time.monotonic() - before >= 0.05


async def test_the_edge_answers_in_html(door: Door) -> None:
    status, body = await door.create("k", "proxied")

    assert (status, body[:9]) == (502, b"<!doctype")


async def test_a_medium_may_be_cut_in_the_middle() -> None:
    simulator = talk([{"match": {"endpoint": "result"}, "do": {"cut_after_bytes": 10}}]).simulator
    simulator.speed = 1000.0
    moment_s = time.time() - 60.0  # long done when the server is asked
    memory = MemoryDoor(simulator, lambda: moment_s)
    _, _, body = await memory.request(
        "POST", "/api/v1/generations", {**KEY, "Content-Type": "application/json"}, CREATE
    )
    moment_s += 30.0
    _, _, body = await memory.request("GET", f"/api/v1/generations/{orjson.loads(body)['id']}", KEY)
    url = orjson.loads(body)["result"]["primary_url"]
    with pytest.raises(SimConnectionError) as caught:
        await memory.fetch(url)
    assert caught.value.received is not None
    assert len(caught.value.received) == 10

    async with (
        serve(simulator, fidelity="fast") as running,
        aiohttp.ClientSession(running.base_url) as client,
        client.get("/results/" + url.partition("/results/")[2]) as answer,
    ):
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_body_past_all_limits_is_refused_at_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BODY_MAX_BYTES", 100)
    simulator = talk().simulator
    async with (
        serve(simulator, fidelity="fast") as running,
        aiohttp.ClientSession(running.base_url) as client,
        client.post("/api/v1/generations", data=bytes(101)) as answer,
    ):
        assert answer.status == 413

    assert simulator.stats().sends == ()


@pytest.mark.parametrize(
    ("remote", "expected"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False), (None, False), ("unix", False)]
)
def test_the_books_are_shown_to_this_machine_alone(remote: str | None, *, expected: bool) -> None:
    assert server._is_loopback(remote) is expected


async def test_a_broken_memory_wire_says_how_much_came_through() -> None:
    memory = MemoryDoor(talk([{"match": {}, "do": {"cut_after_bytes": 5}}]).simulator, time.time)
    with pytest.raises(SimConnectionError) as caught:
        await memory.request("GET", "/api/v1/models")

    assert caught.value.received == b'{"obj'
