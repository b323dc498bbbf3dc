"""What a careless service says back: the key it was sent, in the spellings of real gateways and their error pages."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from runner.sim.exchange import SimRequest, SimResponse
from runner.sim.profile import ApiKey
from tests.security.stage import KEY, Twist, answered

__all__ = ["MODES", "Mode", "b64", "kind_of", "page"]

_KINDS: Final = {
    "POST /api/v1/generations": "create",
    "GET /api/v1/credits": "credits",
    "GET /api/v1/models": "models",
    "POST /api/v1/files": "upload",
}


def kind_of(request: SimRequest) -> str:
    """Which of the service's doors a request knocked at."""
    known = _KINDS.get(f"{request.method} {request.path}")
    return known or ("poll" if request.path.startswith("/api/v1/generations/") else "result")


def _envelope(status: int, code: str) -> Callable[[str], tuple[int, bytes, str]]:
    def say(sent: str) -> tuple[int, bytes, str]:
        error = {"code": code, "message": f"You sent {sent}, which is wrong.", "requestId": f"req-{sent}"}
        return status, json.dumps({"error": error}).encode(), "application/json"

    return say


def page(status: int, spell: Callable[[str], str] = html.escape) -> Callable[[str], tuple[int, bytes, str]]:
    """A gateway's error page, with the header that it got."""

    def say(sent: str) -> tuple[int, bytes, str]:
        return status, f"<html><h1>Oops</h1><pre>Authorization: {spell(sent)}</pre></html>".encode(), "text/html"

    return say


def _text(status: int, spell: Callable[[str], str]) -> Callable[[str], tuple[int, bytes, str]]:
    return lambda sent: (status, spell(sent).encode(), "text/plain")


def _json(status: int, make: Callable[[str], object]) -> Callable[[str], tuple[int, bytes, str]]:
    return lambda sent: (status, json.dumps(make(sent)).encode(), "application/json")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _code_points(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if not char.isalnum() else char for char in text)


SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "as it is": str,
    "for JSON": lambda sent: json.dumps(sent).replace("/", "\\/"),
    "for JSON, in code points": lambda sent: f'{{"error": {{"code": "x", "message": "{_code_points(sent)}"}}}}',
    "for HTML": lambda sent: html.escape(sent).replace("+", "&#43;").replace("/", "&#x2F;").replace("=", "&#061;"),
    "for addresses": lambda sent: quote(sent, safe=""),
    "for addresses, small": lambda sent: quote(sent, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "for addresses, twice": lambda sent: quote(quote(sent, safe=""), safe=""),
    "base64": b64,
    "base64, inside": lambda sent: b64(f"headers: {sent}; and more"),
    "base64, moved by one": lambda sent: b64(f"x{sent}"),
    "base64, moved by two": lambda sent: b64(f"xy{sent} z"),
    "base64 of addresses": lambda sent: base64.urlsafe_b64encode(f"?{sent}?".encode()).decode(),
    "in python": lambda sent: repr({"authorization": sent.encode()}),
    "in a shell": lambda sent: "curl -H Authorization:\\ " + sent.replace("&", "\\&").replace("=", "\\="),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One way to fail: what the service says at one of its doors, and how often."""

    at: str = "create"
    say: Callable[[str], tuple[int, bytes, str]] | None = None
    headers: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    patch: Callable[[str], Mapping[str, Any]] | None = None
    times: int = 1
    faults: object = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    code: int | None = None  # what `run` ends with, where it does not depend on timing

    def twist(self) -> Twist:
        left = [self.times]

        def twisted(request: SimRequest, answer: SimResponse) -> SimResponse:
            if kind_of(request) != self.at or not left[0]:
                return answer
            left[0] -= 1
            sent = request.headers.get("authorization", "nothing")
            if self.say is not None:
                status, body, mime = self.say(sent)
                answer = answered(answer, status, body, content_type=mime)
            if self.patch is not None and answer.media is None:
                answer = replace(answer, body=json.dumps({**json.loads(answer.body), **self.patch(sent)}).encode())
            if "content-encoding" in self.headers:
                answer = replace(answer, body=gzip.compress(answer.body))
            extra = {name: spell(sent) for name, spell in self.headers.items()}
            return replace(answer, headers={**answer.headers, **extra})

        return twisted


EVER: Final = 1_000_000

MODES: Final[dict[str, Mode]] = {
    "nothing fails": Mode(times=0, code=0),
    # a create is refused, with the documented envelope
    "create: 401": Mode(say=_envelope(401, "api_key_invalid"), code=4),
    "create: 403": Mode(say=_envelope(403, "api_scope_denied"), code=4),
    "create: 400": Mode(say=_envelope(400, "validation_failed"), code=3),
    "create: 422": Mode(say=_envelope(422, "validation_failed"), code=3),
    "create: 413": Mode(say=_envelope(413, "validation_failed"), code=3),
    "create: 402": Mode(say=_envelope(402, "insufficient_credits"), code=5),
    "create: 409": Mode(say=_envelope(409, "idempotency_conflict"), code=0),
    "create: 429": Mode(say=_envelope(429, "rate_limited"), code=0),
    "create: 503": Mode(say=_envelope(503, "public_api_disabled")),
    "create: the code is the key": Mode(say=lambda sent: _envelope(400, sent)(sent), code=3),
    "create: 500 without end": Mode(say=page(500), times=EVER, code=7),
    # or with something else
    **{f"create: a page with the key {name}": Mode(say=page(502, spell)) for name, spell in SPELLINGS.items()},
    "create: 404": Mode(say=page(404), times=EVER, code=8),
    "create: 408": Mode(say=_text(408, str)),
    "create: 418": Mode(say=_text(418, str)),
    "create: a page instead of a task": Mode(say=page(200)),
    "create: half a task": Mode(say=lambda sent: (200, f'{{"id": "{sent}'.encode(), "application/json")),
    "create: a task without an id": Mode(say=_json(200, lambda sent: {"status": sent})),
    "create: credits are the key": Mode(patch=lambda sent: {"reserved_credits": sent}),
    "create: a redirect with the key": Mode(
        say=_text(302, str), headers={"location": lambda sent: f"https://{quote(sent)}.example.test/{sent}"}, code=8
    ),
    "create: a redirect to the key": Mode(say=_text(307, str), headers={"location": lambda _: f"https://{KEY}/"}),
    "create: packed": Mode(say=page(500), headers={"content-encoding": lambda _: "gzip"}),
    "create: the request id is the key": Mode(
        say=_text(500, lambda _: "no"), headers={"x-request-id": lambda _: KEY}, times=EVER, code=7
    ),
    "create: every header is the key": Mode(
        headers=dict.fromkeys(("x-request-id", "retry-after", "date", "server", "x-debug"), str), code=0
    ),
    # the task says it
    "poll: 401": Mode(at="poll", say=_envelope(401, "api_key_expired")),
    "poll: 404": Mode(at="poll", say=_envelope(404, "not_found")),
    "poll: 500": Mode(at="poll", say=page(500)),
    "poll: the task failed": Mode(
        at="poll",
        patch=lambda sent: {"status": "failed", "error": {"code": "generation_failed", "message": sent}},
        times=EVER,
        code=3,
    ),
    "poll: an unknown status": Mode(at="poll", patch=lambda sent: {"status": sent}),
    "poll: the result's address holds it": Mode(
        at="poll", patch=lambda _: {"status": "succeeded", "result": {"primary_url": f"http://127.0.0.1:1/{KEY}"}}
    ),
    "poll: the result's query holds it": Mode(
        at="poll",
        patch=lambda _: {"status": "succeeded", "result": {"primary_url": f"http://127.0.0.1:1/x?key={quote(KEY)}"}},
        times=EVER,
    ),
    "poll: a redirect": Mode(at="poll", say=_text(301, str), headers={"location": lambda sent: f"https://x/{sent}"}),
    # the result does: were it ever asked with the key, it would say so
    "result: a page": Mode(at="result", say=page(200), times=EVER, code=3),
    "result: a type": Mode(
        at="result", say=_text(200, str), headers={"content-type": lambda sent: f"x/{sent}"}, times=EVER, code=3
    ),
    "result: 500": Mode(at="result", say=page(500), times=EVER),
    "result: 403": Mode(at="result", say=page(403), times=EVER, code=3),
    "result: a redirect": Mode(
        at="result", say=_text(302, str), headers={"location": lambda sent: f"http://{sent}@x/"}, times=EVER
    ),
    # what comes before a run
    "credits: 401": Mode(at="credits", say=_envelope(401, "api_key_revoked"), times=EVER, code=4),
    "credits: 403 of a proxy": Mode(at="credits", say=page(403), times=EVER, code=8),
    "credits: a login page": Mode(at="credits", say=page(200), times=EVER, code=8),
    "credits: not a number": Mode(at="credits", say=_json(200, lambda sent: {"current_credits": sent}), times=EVER),
    "credits: 500": Mode(at="credits", say=page(500), times=EVER, code=8),
    "upload: 400": Mode(at="upload", say=_envelope(400, "validation_failed"), times=EVER),
    "upload: 401": Mode(at="upload", say=_envelope(401, "api_key_invalid"), times=EVER),
    "upload: 500": Mode(at="upload", say=page(500), times=3, code=0),
    "upload: a page": Mode(at="upload", say=page(200), times=EVER),
    "upload: every field is the key": Mode(
        at="upload",
        patch=lambda _: {"name": KEY, "mime_type": KEY, "kind": KEY, "expires_at": KEY, "duration_token": KEY},
    ),
    "upload: the address holds it": Mode(at="upload", patch=lambda _: {"url": f"https://files.test/{quote(KEY)}"}),
    # wires
    "wire: cut before the create": Mode(faults=[{"match": {"endpoint": "create"}, "do": {"drop": "before_effect"}}]),
    "wire: cut after the create": Mode(
        faults=[{"match": {"endpoint": "create", "nth": 1}, "do": {"drop": "after_effect"}}], code=0
    ),
    "wire: cut in the answer": Mode(
        faults=[{"match": {"endpoint": "create", "nth": 1}, "do": {"cut_after_bytes": 9}}], code=0
    ),
    "wire: cut in a poll": Mode(
        faults=[{"match": {"endpoint": "poll", "nth": 1}, "do": {"cut_after_bytes": 9}}], code=0
    ),
    "wire: cut in a result": Mode(
        faults=[{"match": {"endpoint": "result", "nth": 1}, "do": {"cut_after_bytes": 9}}], code=0
    ),
    "key: revoked": Mode(profile={"keys": (ApiKey(secret=KEY, state="revoked"),)}, code=4),
    "key: expired": Mode(profile={"keys": (ApiKey(secret=KEY, state="expired"),)}, code=4),
    "key: unknown": Mode(profile={"keys": ()}, code=4),
    "key: without the scope to create": Mode(
        profile={"keys": (ApiKey(secret=KEY, scopes=("credits:read", "models:read")),)}, code=4
    ),
}
