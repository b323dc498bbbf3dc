"""Where a result may be fetched from: the public internet, and nothing near this machine, at every hop."""

from __future__ import annotations

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from runner.addresses import address_allowed, result_url
from runner.errors import AddressRefused, FetchError
from runner.transport import AiohttpFetcher
from tests.runner.fetches import Kept, failure_of
from tests.runner.raw_server import answer, once

REFUSED_URLS = (
    # not https
    "http://cdn.test/a",
    "ftp://cdn.test/a",
    "file:///etc/passwd",
    "data:video/mp4;base64,AAAA",
    "javascript:alert(1)",
    "//cdn.test/a",
    "cdn.test/a",
    "/a",
    "",
    "https:",
    "https://",
    "https:///a",
    "https:cdn.test/a",
    # this machine
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    # the same in disguise
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://1.2.3/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://0x/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    # the network around it
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    # nobody in particular
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://203.0.113.1/",
    "https://192.88.99.1/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[100::1]/",
    # who is the host?
    "https://cdn.test@127.0.0.1/",
    "https://user:pass@cdn.test/a",
    "https://@cdn.test/a",
    "https://cdn.test\\@127.0.0.1/",
    "https://127.0.0.1\\.cdn.test/",
    "https://cdn.test%2f@evil.test/",
    "https://127.0.0.1%00.cdn.test/",
    "https://%31%32%37.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://c\u0501n.test/",
    "https://cdn..test/",
    "https://.cdn.test/",
    "https://-cdn.test/",
    "https://cdn.test../",
    "https://cdn test/",
    "https://cdn\t.test/",
    "https://cdn.test/\r\nHost: evil.test",
    "https://cdn.test/a b",
    "https://cdn.test/\x00",
    "https://[::1]evil.test/",
    "https://[cdn.test]/",
    "https://[::1/",
    "https://[v1.x]/",
    # which door?
    "https://cdn.test:22/",
    "https://cdn.test:8443/",
    "https://cdn.test:80/",
    "https://cdn.test:0/",
    "https://cdn.test:65536/",
    "https://cdn.test:-1/",
    "https://cdn.test:x/",
    "https://cdn.test/" + "x" * 8192,
)


@pytest.mark.parametrize(
    "url",
    REFUSED_URLS,
)
async def test_an_address_off_the_public_internet_is_refused_before_anything_is_asked(url: str) -> None:
    async with AiohttpFetcher() as fetcher:
        with pytest.raises(AddressRefused) as caught:
            await fetcher.fetch(url, sink=Kept())

    assert "pass" not in str(caught.value).replace("passwd", "")
    assert not caught.value.temporary


TAKEN_URLS = (
    "https://cdn.test/a.mp4",
    "HTTPS://CDN.test/a.mp4",
    "https://cdn.test:443/a",
    "https://cdn.test./a",
    "https://xn--bcher-kva.test/a",
    "https://a_b.cdn.test/a",
    "https://8.8.8.8/a",
    "https://[2606:4700::1111]/a",
    "https://[64:ff9b::8.8.8.8]/a",
    "https://1.2.3.4.test/a",
    "https://cdn.test/a?X-Amz-Signature=0a%2Fb%7E&e=1%202#t=1",
    "https://cdn.test/sch\u00f6n.mp4",
    "https://cdn.test",
)


@pytest.mark.parametrize(
    "url",
    TAKEN_URLS,
)
def test_an_address_on_the_public_internet_is_taken(url: str) -> None:
    result_url(url, loopback=False)


def test_a_signed_address_goes_out_exactly_as_written() -> None:
    url = "https://cdn.test/a%2Fb%7e/../c?sig=%2b%7E+=&x"

    assert str(result_url(url, loopback=False)) == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1234/a", "http://localhost:1/a", "https://[::1]:1/a", "https://cdn.test/a"]
)
def test_beside_a_service_on_this_machine_its_results_are_taken_too(url: str) -> None:
    result_url(url, loopback=True)


REFUSED_BESIDE = (
    "http://cdn.test/a",
    "http://10.0.0.1/a",
    "https://10.0.0.1/a",
    "http://169.254.169.254/",
    "https://cdn.test:8443/",
)


@pytest.mark.parametrize(
    "url",
    REFUSED_BESIDE,
)
def test_beside_a_service_on_this_machine_the_rest_of_the_network_stays_closed(url: str) -> None:
    with pytest.raises(AddressRefused):
        result_url(url, loopback=True)


@pytest.mark.parametrize("literal", ["", "cdn.test", "1.2.3", "1.2.3.4/8", "::1%lo", "01.2.3.4"])
def test_what_is_no_ip_address_is_not_allowed(literal: str) -> None:
    assert not address_allowed(literal, loopback=True)


class Names(AbstractResolver):
    """Answers every name with the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        pass


REBINDINGS = (
    ["127.0.0.1"],
    ["10.0.0.1"],
    ["169.254.169.254"],
    ["::1"],
    ["fe80::1%lo"],
    ["8.8.8.8", "127.0.0.1"],
    ["::ffff:7f00:1"],
)


@pytest.mark.parametrize(
    "addresses",
    REBINDINGS,
)
async def test_a_public_name_that_leads_inside_is_refused_at_the_door(addresses: list[str]) -> None:
    async with AiohttpFetcher(resolver=Names(*addresses)) as fetcher:
        with pytest.raises(AddressRefused):
            await fetcher.fetch("https://rebinding.test/a", sink=Kept())


HOPS = (
    "http://10.0.0.1/",
    "https://10.0.0.1/",
    "//10.0.0.1/",
    "http://cdn.test/",
    "file:///etc/passwd",
    "https://u:p@cdn.test/",
    "https://169.254.169.254/",
    "https://cdn.test:22/",
    "http://[::ffff:10.0.0.1]/",
    "https://2130706433/",
    "https://",
)


@pytest.mark.wire
@pytest.mark.parametrize(
    "location",
    HOPS,
)
async def test_each_hop_is_checked_like_the_first(location: str) -> None:
    failure = await failure_of(once(answer(b"", status="302 Found", headers=f"Location: {location}\r\n")))

    assert isinstance(failure, AddressRefused)


@pytest.mark.parametrize(("service", "open_"), [("http://127.0.0.1:1", True), ("https://rivya.test", False)])
async def test_a_fetcher_beside_a_service_knows_whether_that_is_here(service: str, open_: bool) -> None:
    async with AiohttpFetcher.beside(service) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://127.0.0.1:1/a", sink=Kept())

    assert isinstance(caught.value, AddressRefused) is not open_
