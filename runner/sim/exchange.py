"""One HTTP exchange as plain values: what came in, what goes out, and how the wire should misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Literal

import orjson

__all__ = [
    "JSON_TYPE",
    "Fact",
    "MediaOrder",
    "SimRequest",
    "SimResponse",
    "Wire",
    "fact_of",
    "http_date",
    "iso_time",
    "json_answer",
    "request_of",
]

JSON_TYPE = "application/json; charset=utf-8"

Fact = Mapping[str, Any]
"""One thing that must survive a restart. Plain JSON values, `fact` names its kind."""

Wire = Literal["whole", "drop", "cut", "silent"]
"""How the answer travels: whole; the connection drops before it; it is cut in the body; it never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimRequest:
    """A request. Header names are lower case; `query` is the raw text after `?`."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOrder:
    """What one result URL should show. The doors turn it into bytes; the core never draws."""

    task_id: str
    index: int
    kind: Literal["image", "video", "audio"]
    extension: str
    mime_type: str
    width: int
    height: int
    seconds: float
    title: str
    prompt: str
    caption: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimResponse:
    """An answer. `facts` must be durable before the answer leaves; `media` asks the door to render the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    wire: Wire = "whole"
    cut_after_bytes: int = 0
    media: MediaOrder | None = None
    facts: tuple[Fact, ...] = ()


def fact_of(kind: str, value: Any) -> Fact:
    """The fact that a flat slotted dataclass stands for; without the deep copies of `asdict`."""
    return {"fact": kind, **{name: getattr(value, name) for name in value.__slots__}}


def request_of(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> SimRequest:
    """A request from a request target (`/path?query`) and headers of any case."""
    path, _, query = target.partition("?")
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return SimRequest(method=method.upper(), path=path, query=query, headers=lowered, body=body)


def json_answer(status: int, value: object, *, delay_s: float = 0.0, facts: tuple[Fact, ...] = ()) -> SimResponse:
    """An answer with a JSON body."""
    headers = {"content-type": JSON_TYPE}
    return SimResponse(status=status, headers=headers, body=orjson.dumps(value), delay_s=delay_s, facts=facts)


def iso_time(at_s: float) -> str:
    """Seconds since the epoch as the service writes times: UTC, milliseconds, a Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=64)
def http_date(at_s: int) -> str:
    """Whole seconds since the epoch as an HTTP date."""
    return formatdate(at_s, usegmt=True)
