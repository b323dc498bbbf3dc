"""What every test stands on: no way out of this machine, no settings of the person who runs it, mocks that fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import aioresponses.core
import pytest
import stamina
from hypothesis import HealthCheck, settings

# How fast this machine is says nothing about a law.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def _is_here(host: object) -> bool:
    if host in {None, "", "localhost", b"localhost"}:
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _refuse_the_world(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook cannot be taken off again, which is the point: no library under test can get around it."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise RuntimeError(f"a test tried to reach {address[0]}")
    elif event == "socket.getaddrinfo" and not _is_here(arguments[0]):
        host = arguments[0]
        try:
            ip_address(str(host))  # reading a literal asks nobody
        except ValueError:
            raise RuntimeError(f"a test tried to look up {host!r}") from None


sys.addaudithook(_refuse_the_world)


class _MockedResponse(aiohttp.ClientResponse):
    """aioresponses 0.7 does not know the argument that aiohttp 3.14 added."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        named.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*arguments, **named)


aioresponses.core.ClientResponse = _MockedResponse  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders to be made. pytest itself would look through the folders of all tests before to find a free one."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def nobody_s_settings(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    """No variable, config or cache of the person who runs the tests reaches the product."""
    for name in list(os.environ):  # noqa: TID251  # to take away, not to read
        if name.startswith(("RIVYA_", "PG")) or name in {"NO_COLOR", "FORCE_COLOR", "CI"}:
            monkeypatch.delenv(name)
    home = next(_homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


def pytest_sessionfinish() -> None:
    """A process of the suite ends without a word, so what it started is stopped here."""
    servers = sys.modules.get("tests.postgres_server")
    if servers is not None:
        servers.end_servers()


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Retries of the free calls follow each other at once; their number stays what the product says."""
    with stamina.set_testing(True, attempts=1000, cap=True):
        yield
