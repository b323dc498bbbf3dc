"""One post to a host that nobody vouches for: what it gives, where it goes, and how long it may take."""

from __future__ import annotations

import pytest
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from runner.errors import AddressRefused, TransportError
from runner.transport import AiohttpPoster
from runner.transport.connections import Deadlines
from tests.runner.poster_stage import STAGES, Staged
from tests.runner.raw_server import Line, RawServer


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Staged:
    staged: Staged = request.param
    return staged


@pytest.mark.parametrize("status", [200, 204, 302, 307, 404, 429, 500])
async def test_a_post_gives_the_status_whatever_it_is_and_follows_nothing(stage: Staged, status: int) -> None:
    async with stage(status) as there:
        assert await there.poster.post(there.address, headers={"webhook-id": "m"}, body=b"{}") == status

        (came,) = there.received()
        assert (came.headers["webhook-id"], came.body) == ("m", b"{}")


async def test_a_post_that_nobody_answers_is_a_transport_error_without_the_address(stage: Staged) -> None:
    async with stage(0) as there:
        with pytest.raises(TransportError) as failed:
            await there.poster.post(there.address, headers={}, body=b"{}")

    assert "abc" not in str(failed.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/hook",
        "https://2130706433:444/hook",
        "https://example.com:8443/hook",
        "https://me:word@example.com/hook",
        "ftp://example.com/hook",
        "https://192.168.1.1/hook",
    ],
)
async def test_a_post_goes_to_public_https_or_to_this_machine_and_nowhere_else(stage: Staged, address: str) -> None:
    async with stage(200) as there:
        with pytest.raises(AddressRefused) as refused:
            await there.poster.post(address, headers={}, body=b"{}")

        assert there.received() == []
    assert "word" not in str(refused.value)


class Leads(AbstractResolver):
    """Every name leads to one address."""

    def __init__(self, where: str) -> None:
        self._where = where

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await ThreadedResolver().resolve(self._where, port, family)  # type: ignore[arg-type]
        return [{**each, "hostname": host} for each in found]

    async def close(self) -> None: ...


@pytest.mark.parametrize("where", ["127.0.0.1", "10.1.2.3"])
async def test_a_name_that_leads_into_a_private_network_is_refused_when_it_is_connected_to(where: str) -> None:
    poster = AiohttpPoster(resolver=Leads(where))

    with pytest.raises(AddressRefused, match="private network"):
        await poster.post("https://hooks.example.com/token", headers={}, body=b"{}")


async def test_a_host_that_never_answers_is_left_after_some_seconds() -> None:
    async def silent(line: Line) -> None:
        await line.hear()
        await line.hear()

    async with RawServer(silent) as server:
        poster = AiohttpPoster(deadlines=Deadlines(connect_s=1.0, silence_s=0.05, exchange_s=0.1))
        with pytest.raises(TransportError):
            await poster.post(f"{server.url}/hook", headers={}, body=b"{}")
