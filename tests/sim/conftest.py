"""A toy service to talk to, at times the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import SimResponse, request_of
from runner.sim.faults import parse_faults
from runner.sim.profile import DEMO_KEY, Profile

CATALOGUE = packaged_catalogue()
Z_IMAGE: dict[str, Any] = {"model": "z-image", "prompt": "a cat on a hill"}


@dataclass(kw_only=True)
class Talk:
    """A conversation with one simulator."""

    simulator: Simulator
    secret: str | None = DEMO_KEY
    now_s: float = 1_000_000.0
    last: SimResponse = field(default_factory=lambda: SimResponse(status=0))

    def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        access = {} if self.secret is None else {"Authorization": f"Bearer {self.secret}"}
        self.last = self.simulator.handle(request_of(method, target, {**access, **(headers or {})}, body), self.now_s)
        try:
            return self.last.status, orjson.loads(self.last.body)
        except orjson.JSONDecodeError:
            return self.last.status, self.last.body

    def create(self, key: str = "", content_type: str = "application/json", **body: Any) -> tuple[int, Any]:
        named = {"Idempotency-Key": key} if key else {}
        data = orjson.dumps(body or Z_IMAGE)
        return self.send("POST", "/api/v1/generations", data, {"Content-Type": content_type, **named})

    def status(self, task_id: str) -> Any:
        return self.send("GET", f"/api/v1/generations/{task_id}")[1]

    def balance(self) -> int:
        return int(self.send("GET", "/api/v1/credits")[1]["current_credits"])

    def upload(self, data: bytes, mime_type: str = "image/png", **fields: str) -> tuple[int, Any]:
        return self.send("POST", "/api/v1/files", *form(data, mime_type, **fields))

    def code(self, answer: tuple[int, Any]) -> tuple[int, str]:
        return answer[0], answer[1]["error"]["code"]


def form(data: bytes, mime_type: str = "image/png", **fields: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body and its headers."""
    parts = [f'--edge\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: {mime_type}\r\n\r\n'
    return b"".join([*parts, head.encode(), data, b"\r\n--edge--\r\n"]), {
        "Content-Type": "multipart/form-data; boundary=edge"
    }


def talk(faults: object = None, *, seed: int = 7, **switches: Any) -> Talk:
    """A simulator with some switches of the profile thrown."""
    profile = Profile(**{"windows": (), **switches})
    return Talk(simulator=Simulator(profile, CATALOGUE, seed, parse_faults(faults, seed)))


@pytest.fixture
def service() -> Talk:
    """A simulator at its defaults, without rate limits."""
    return talk()
