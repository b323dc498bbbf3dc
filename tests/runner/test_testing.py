"""The stand-ins that are shipped: a clock that jumps, and the service without a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from jobs.answers import Phase
from runner.errors import AuthError, FetchError, LinkDead, TransportError
from runner.exchange import Fetched, Request, Response
from runner.service import Service
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile
from runner.testing import EXCHANGE_S, TURN_S, MemoryTransport, VirtualLoop, run_virtual
from tests.runner.media_samples import SAMPLES

BODY = b'{"model":"z-image","prompt":"a cat"}'


# Virtual time


def test_a_day_passes_in_no_time() -> None:
    async def main() -> float:
        for _ in range(24 * 60):
            await asyncio.sleep(60.0)
        return asyncio.get_running_loop().time()

    began_s = time.process_time()
    assert run_virtual(main()) == pytest.approx(86_400.0, abs=0.01)
    assert time.process_time() - began_s < 5.0


def test_sleepers_wake_in_the_order_of_their_moments() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(sleeper("c", 3.0), sleeper("a", 1.0), sleeper("b", 2.0))

    run_virtual(main())

    assert [name for name, _ in woken] == ["a", "b", "c"]
    assert [at_s for _, at_s in woken] == pytest.approx([1.0, 2.0, 3.0], abs=1e-4)


def test_deadlines_of_both_libraries_follow_the_clock() -> None:
    async def main() -> float:
        with anyio.move_on_after(10.0) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(15.0, abs=1e-4)


def test_tasks_that_wait_for_each_other_for_ever_are_told_instead_of_hanging() -> None:
    with pytest.raises(RuntimeError, match="every task waits for another"):
        run_virtual(asyncio.Event().wait())


def test_a_wait_too_short_to_be_told_from_now_still_ends() -> None:
    async def main() -> int:
        loop, turns = asyncio.get_running_loop(), 0
        await asyncio.sleep(1.0)
        moment_s = loop.time() + 2e-16 + TURN_S
        while loop.time() < moment_s:
            await asyncio.sleep(moment_s - loop.time())
            turns += 1
        return turns

    assert run_virtual(main()) < 10


def test_what_a_coroutine_returns_and_raises_comes_out() -> None:
    async def give() -> str:
        return "value"

    async def fail() -> None:
        raise KeyError("inside")

    assert run_virtual(give()) == "value"
    with pytest.raises(KeyError, match="inside"):
        run_virtual(fail())


def test_two_runs_of_one_program_tell_the_same_times() -> None:
    async def main() -> list[float]:
        stamps: list[float] = []

        async def walker(step_s: float) -> None:
            for _ in range(50):
                await asyncio.sleep(step_s)
                stamps.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(walker(0.1 * n) for n in range(1, 6)))
        return stamps

    assert run_virtual(main()) == run_virtual(main())


def test_every_loop_begins_at_zero() -> None:
    loop = VirtualLoop()
    try:
        assert loop.time() == 0.0
    finally:
        loop.close()


# The service in memory


class Basket:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.content = b""
        self.total_bytes: int | None = None

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        assert start == 0
        self.total_bytes = total_bytes

    async def write(self, chunk: bytes) -> None:
        self.content += chunk


def talk(
    act: Callable[[MemoryTransport], Coroutine[Any, Any, Any]], *faults: dict[str, Any], key: str = DEMO_KEY
) -> Any:
    """What `act` makes of a transport to a service with these faults, under virtual time."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        simulator = Simulator(Profile(windows=()), packaged_catalogue(), 3, parse_faults(list(faults), 3))
        return await act(MemoryTransport(MemoryDoor(simulator, lambda: 1.7e9 + loop.time()), key=key))

    return run_virtual(main())


def create(transport: MemoryTransport) -> Coroutine[Any, Any, Response]:
    headers = {"Idempotency-Key": "k1"}
    return transport.send(Request(method="POST", path="/api/v1/generations", headers=headers, body=BODY))


def rule(endpoint: str, **do: Any) -> dict[str, Any]:
    return {"match": {"endpoint": endpoint}, "do": do}


def test_an_answer_is_whole_with_lower_case_headers() -> None:
    answer = talk(create, rule("create", delay_s=7))

    assert answer.status == 200
    assert b'"reserved_credits":1' in answer.body
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "do",
    [
        {"drop": "before_effect"},
        {"drop": "after_effect"},
        {"cut_after_bytes": 5},
        {"never_answer": "before_effect"},
        {"never_answer": "after_effect"},
    ],
    ids=str,
)
def test_whatever_breaks_on_the_wire_may_have_arrived(do: dict[str, Any]) -> None:
    with pytest.raises(TransportError) as caught:
        talk(create, rule("create", **do))

    assert caught.value.phase is Phase.SENT
    assert "POST /api/v1/generations" in caught.value.message


def test_an_answer_that_never_comes_is_given_up_like_on_a_real_wire() -> None:
    async def act(transport: MemoryTransport) -> float:
        with pytest.raises(TransportError):
            await create(transport)
        return asyncio.get_running_loop().time()

    assert talk(act, rule("create", never_answer="after_effect")) == pytest.approx(EXCHANGE_S, abs=1e-3)


def test_uploads_travel_as_a_form_and_the_key_as_a_header() -> None:
    async def act(transport: MemoryTransport) -> Any:
        service = Service(transport)
        return await service.upload(
            SAMPLES["png"][1],
            name="shoe.png",
            kind="image",
            mime="image/png",
            model="nano-banana",
            client_request_id="r1",
        )

    uploaded = talk(act)
    assert (uploaded.kind, uploaded.name, uploaded.mime_type) == ("image", "shoe.png", "image/png")
    with pytest.raises(AuthError):
        talk(act, key="rvya_sk_nobody")


async def result(transport: MemoryTransport) -> tuple[Fetched, Basket]:
    service = Service(transport)
    end = await service.create(idempotency_key="k1", body=BODY)
    assert end.task is not None
    await asyncio.sleep(60.0)
    done = await service.status(end.task.id)
    assert done.task is not None
    basket = Basket()
    return await transport.fetch(done.task.urls[0], sink=basket), basket


def test_a_download_says_its_length_and_type() -> None:
    fetched, basket = talk(result)

    assert fetched.received_bytes == fetched.total_bytes == basket.total_bytes == len(basket.content) > 0
    assert fetched.content_type == "image/png"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_dead_address_is_told_from_a_host_in_trouble(status: int) -> None:
    with pytest.raises(LinkDead) as dead:
        talk(result, rule("result", status=status))
    assert dead.value.status == status


@pytest.mark.parametrize(
    ("do", "temporary"),
    [
        ({"status": 503}, True),
        ({"status": 400}, False),
        ({"drop": "after_effect"}, True),
        ({"cut_after_bytes": 3}, True),
    ],
    ids=str,
)
def test_a_download_that_fails_says_whether_it_is_worth_another_try(do: dict[str, Any], temporary: bool) -> None:
    with pytest.raises(FetchError) as caught:
        talk(result, rule("result", **do))

    assert not isinstance(caught.value, LinkDead)
    assert caught.value.temporary is temporary
