"""S-03, S-04: one key, every way to fail that we could think of, and then a search through all that was written.

The service of these tests is a careless one: it says back what it was sent, in every spelling that real gateways,
frameworks and error pages use. The search is over both streams, every log record of every library, and every byte of
every file: ledger, journals, sidecars, exports, plans, caches.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

import runner.engine
import runner.saving
from runner.sim.exchange import SimRequest, SimResponse
from runner.sim.profile import ApiKey
from tests.security.leak_search import found_in, spellings
from tests.security.stage import KEY, Desk, Twist, answered, manifest

SOUGHT: Final = spellings(KEY, "Kanarienvogel")
ROOT: Final = Path(__file__).parents[2]

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


# --- what the service says back ---------------------------------------------------------------------------------------


def _envelope(status: int, code: str) -> Callable[[str], tuple[int, bytes, str]]:
    def say(sent: str) -> tuple[int, bytes, str]:
        error = {"code": code, "message": f"You sent {sent}, which is wrong.", "requestId": f"req-{sent}"}
        return status, json.dumps({"error": error}).encode(), "application/json"

    return say


def _page(status: int, spell: Callable[[str], str] = html.escape) -> Callable[[str], tuple[int, bytes, str]]:
    def say(sent: str) -> tuple[int, bytes, str]:
        return status, f"<html><h1>Oops</h1><pre>Authorization: {spell(sent)}</pre></html>".encode(), "text/html"

    return say


def _text(status: int, spell: Callable[[str], str]) -> Callable[[str], tuple[int, bytes, str]]:
    return lambda sent: (status, spell(sent).encode(), "text/plain")


def _json(status: int, make: Callable[[str], object]) -> Callable[[str], tuple[int, bytes, str]]:
    return lambda sent: (status, json.dumps(make(sent)).encode(), "application/json")


def _b64(text: str) -> str:
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
    "base64": _b64,
    "base64, inside": lambda sent: _b64(f"headers: {sent}; and more"),
    "base64, moved by one": lambda sent: _b64(f"x{sent}"),
    "base64, moved by two": lambda sent: _b64(f"xy{sent} z"),
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
    "create: 500 without end": Mode(say=_page(500), times=EVER, code=7),
    # or with something else
    **{f"create: a page with the key {name}": Mode(say=_page(502, spell)) for name, spell in SPELLINGS.items()},
    "create: 404": Mode(say=_page(404), times=EVER, code=8),
    "create: 408": Mode(say=_text(408, str)),
    "create: 418": Mode(say=_text(418, str)),
    "create: a page instead of a task": Mode(say=_page(200)),
    "create: half a task": Mode(say=lambda sent: (200, f'{{"id": "{sent}'.encode(), "application/json")),
    "create: a task without an id": Mode(say=_json(200, lambda sent: {"status": sent})),
    "create: credits are the key": Mode(patch=lambda sent: {"reserved_credits": sent}),
    "create: a redirect with the key": Mode(
        say=_text(302, str), headers={"location": lambda sent: f"https://{quote(sent)}.example.test/{sent}"}, code=8
    ),
    "create: a redirect to the key": Mode(say=_text(307, str), headers={"location": lambda _: f"https://{KEY}/"}),
    "create: packed": Mode(say=_page(500), headers={"content-encoding": lambda _: "gzip"}),
    "create: the request id is the key": Mode(
        say=_text(500, lambda _: "no"), headers={"x-request-id": lambda _: KEY}, times=EVER, code=7
    ),
    "create: every header is the key": Mode(
        headers=dict.fromkeys(("x-request-id", "retry-after", "date", "server", "x-debug"), str), code=0
    ),
    # the task says it
    "poll: 401": Mode(at="poll", say=_envelope(401, "api_key_expired")),
    "poll: 404": Mode(at="poll", say=_envelope(404, "not_found")),
    "poll: 500": Mode(at="poll", say=_page(500)),
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
    "result: a page": Mode(at="result", say=_page(200), times=EVER, code=3),
    "result: a type": Mode(
        at="result", say=_text(200, str), headers={"content-type": lambda sent: f"x/{sent}"}, times=EVER, code=3
    ),
    "result: 500": Mode(at="result", say=_page(500), times=EVER),
    "result: 403": Mode(at="result", say=_page(403), times=EVER, code=3),
    "result: a redirect": Mode(
        at="result", say=_text(302, str), headers={"location": lambda sent: f"http://{sent}@x/"}, times=EVER
    ),
    # what comes before a run
    "credits: 401": Mode(at="credits", say=_envelope(401, "api_key_revoked"), times=EVER, code=4),
    "credits: 403 of a proxy": Mode(at="credits", say=_page(403), times=EVER, code=8),
    "credits: a login page": Mode(at="credits", say=_page(200), times=EVER, code=8),
    "credits: not a number": Mode(at="credits", say=_json(200, lambda sent: {"current_credits": sent}), times=EVER),
    "credits: 500": Mode(at="credits", say=_page(500), times=EVER, code=8),
    "upload: 400": Mode(at="upload", say=_envelope(400, "validation_failed"), times=EVER),
    "upload: 401": Mode(at="upload", say=_envelope(401, "api_key_invalid"), times=EVER),
    "upload: 500": Mode(at="upload", say=_page(500), times=3, code=0),
    "upload: a page": Mode(at="upload", say=_page(200), times=EVER),
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


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that anybody logs, down to the last detail."""
    written, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(written), root.level
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r %(exc_text)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def everything(desk: Desk, logs: io.StringIO, *, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All that was written while a test ran; `but` names files that the test itself wrote the key into."""
    places = {f"command {n}": f"{told.out}\0{told.err}".encode() for n, told in enumerate(desk.said)}
    places["logs"] = logs.getvalue().encode()
    for folder in (desk.folder, desk.home):
        for file in folder.rglob("*"):
            if file.is_file() and str(file.relative_to(folder)) not in but:
                places[str(file.relative_to(folder))] = file.read_bytes()
            places[f"the name of {file.name[:20]}"] = os.fsencode(file.name)
    return places


LOOKS: Final = (("show", "j", "-v"), ("results", "--json", "-o", "r.json"), ("results", "--format", "csv"))
ALL_LOOKS: Final = (
    ("status",),
    ("status", "--json"),
    ("show", "j"),
    ("show", "j", "--json", "-v"),
    ("results",),
    ("results", "--format", "jsonl", "-o", "r.jsonl"),
    ("results", "--format", "csv", "-o", "r.csv"),
    ("plan", "m.yaml", "-o", "plan.json"),
    ("plan", "m.yaml", "--explain"),
    ("run", "m.yaml", "--yes"),
    ("retry", "--failed", "--yes"),
    ("doctor", "-vv"),
    ("doctor", "--json"),
    ("credits", "-vv"),
    ("credits", "--json"),
    ("models", "z-image"),
    ("ls",),
    ("ls", "--json"),
    ("explain", "key-refused"),
    ("check", "m.yaml", "-vv"),
    ("schema",),
)

_JOB: Final = "{id: j, model: nano-banana-2, prompt: a boat, references: [shoe]}"
_TOP: Final = {"references": "{shoe: {file: shoe.png}}", "retries": "{sends: 2}"}


def set_out(desk: Desk) -> None:
    desk.write("shoe.png", (ROOT / "manifests/assets/shoe.png").read_bytes())
    desk.write("m.yaml", manifest(_JOB, top=_TOP))


@pytest.mark.parametrize("name", MODES)
def test_the_key_is_nowhere_whatever_the_service_says(name: str, desk: Desk, logs: io.StringIO) -> None:
    mode = MODES[name]
    desk.stage.play(twist=mode.twist(), faults=mode.faults, **mode.profile)
    set_out(desk)

    told = desk.run("run", "m.yaml", "--yes", "-vv", *(["--json"] if len(name) % 2 else []))
    for look in LOOKS:
        desk.run(*look)

    assert told.code in ({mode.code} if mode.code is not None else {0, 3, 4, 7, 8})
    asked = {kind_of(request) for request in desk.stage.requests}
    assert mode.at in asked or mode.faults or mode.profile, "what should fail was never asked"
    assert all("authorization" not in one.headers for one in desk.stage.requests if kind_of(one) == "result")
    assert all(KEY not in request.path + request.query for request in desk.stage.requests)
    assert found_in(everything(desk, logs), SOUGHT) == []


def test_the_key_is_nowhere_whatever_is_asked(desk: Desk, logs: io.StringIO) -> None:
    desk.stage.play(twist=Mode(at="poll", say=_page(500)).twist())
    set_out(desk)
    assert desk.run("run", "m.yaml", "--yes", "-vv").code == 0
    for look in ALL_LOOKS:
        told = desk.run(*look)
        assert told.code in {0, 2}, (look, told.err)

    assert found_in(everything(desk, logs), SOUGHT) == []


# --- what the command itself runs into --------------------------------------------------------------------------------


def _manifest_with(job: str, **top: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        desk.write("m.yaml", manifest(job, top=top))

    return set_up


def _settings_with(text: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        set_out(desk)
        desk.write("rivya-batch.toml", text)

    return set_up


def _rows_with(job: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        desk.write("rows.csv", f'a,b\n"{KEY}",boat\n')
        desk.write("m.yaml", manifest(job))

    return set_up


def _nothing(desk: Desk) -> None:
    set_out(desk)


def _damaged(desk: Desk) -> None:
    set_out(desk)
    desk.run("run", "m.yaml", "--yes")
    ledger = desk.folder / ".rivya/ledger.db"
    ledger.write_bytes(ledger.read_bytes()[:3000] + os.urandom(2000))


def _foreign(desk: Desk) -> None:
    set_out(desk)
    desk.write(".rivya/ledger.db", b"")
    (desk.folder / ".rivya/ledger.db").unlink()
    with sqlite3.connect(desk.folder / ".rivya/ledger.db") as other:
        other.execute("create table strange (x)")
    other.close()


def _in_the_way(desk: Desk) -> None:
    set_out(desk)
    desk.write("out", "a file where a folder should be")


def _linked(desk: Desk) -> None:
    set_out(desk)
    (desk.folder / "out").mkdir()
    (desk.folder / "out/m").symlink_to(desk.folder / "nowhere")


# name -> (what is set out, the environment, the command lines, the exit codes they may have)
_Local = tuple[Callable[[Desk], None], Mapping[str, str], tuple[tuple[str, ...], ...], set[int]]

_RUN: Final = ("run", "m.yaml", "--yes", "-vv")
_CHECKS: Final = (
    ("check", "m.yaml", "-vv"),
    ("check", "m.yaml", "--json"),
    ("plan", "m.yaml", "--json"),
    _RUN,
    (*_RUN, "--json"),
)

LOCAL: Final[dict[str, _Local]] = {
    # where a key must not stand
    "in a prompt": (_manifest_with(f"{{id: j, model: z-image, prompt: 'a {KEY} b'}}"), {}, _CHECKS, {2}),
    "in a header of a prompt": (
        _manifest_with(f"{{id: j, model: z-image, prompt: 'Authorization: Bearer {KEY}'}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a var": (_manifest_with("{id: j, model: z-image, prompt: a}", vars=f"{{a: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in the name of a var": (
        _manifest_with("{id: j, model: z-image, prompt: a}", vars=f"{{'{KEY}': a}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a tag": (_manifest_with(f"{{id: j, model: z-image, prompt: a, tags: ['{KEY}']}}"), {}, _CHECKS, {2}),
    "in a param": (
        _manifest_with(f"{{id: j, model: z-image, prompt: a, params: {{aspect_ratio: '{KEY}'}}}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in the name of a param": (
        _manifest_with(f"{{id: j, model: z-image, prompt: a, params: {{'{KEY}': 1}}}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a model": (_manifest_with(f"{{id: j, model: '{KEY}', prompt: a}}"), {}, _CHECKS, {2}),
    "in an id": (_manifest_with(f"{{id: '{KEY}', model: z-image, prompt: a}}"), {}, _CHECKS, {2}),
    "in a reference": (
        _manifest_with(
            "{id: j, model: nano-banana-2, prompt: a, references: [x]}", references=f"{{x: {{file: '{KEY}'}}}}"
        ),
        {},
        _CHECKS,
        {2},
    ),
    "in an axis": (
        _manifest_with(
            f"{{id: j, model: z-image, prompt: '{{{{ vars.a }}}}', matrix: {{grid: {{vars.a: [x, '{KEY}']}}}}}}"
        ),
        {},
        _CHECKS,
        {2},
    ),
    "in an output name": (_manifest_with(f"{{id: j, model: z-image, prompt: a, output: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in an output folder": (
        _manifest_with("{id: j, model: z-image, prompt: a}", output=f"{{dir: '{KEY}'}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in an edition": (_manifest_with("{id: j, model: z-image, prompt: a}", edition=f"'{KEY}'"), {}, _CHECKS, {2}),
    "in a description": (
        _manifest_with("{id: j, model: z-image, prompt: a}", description=f"'{KEY}'"),
        {},
        _CHECKS,
        {2},
    ),
    "in a free key": (
        _manifest_with("{id: j, model: z-image, prompt: a}", **{"x-keys": f"['{KEY}']"}),
        {},
        _CHECKS,
        {2},
    ),
    "under its name": (_manifest_with("{id: j, model: z-image, prompt: a}", api_key=f"'{KEY}'"), {}, _CHECKS, {2}),
    "in a name of the file": (
        _manifest_with("{id: j, model: z-image, prompt: a}", **{f"'{KEY}'": "x"}),
        {},
        _CHECKS,
        {2},
    ),
    "in broken YAML": (_manifest_with(f"{{id: j, model: z-image, prompt: 'a {KEY} b, x: ]"), {}, _CHECKS, {2}),
    "beside a mistake": (_manifest_with(f"{{id: j, modle: z-image, prompt: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in a setting of the project": (
        _settings_with(f"api_key = '{KEY}'\n"),
        {},
        (_RUN, ("doctor", "--json"), ("plan", "m.yaml")),
        {2},
    ),
    "in an unknown setting": (
        _settings_with(f"'{KEY}' = 1\n"),
        {},
        (_RUN, ("doctor",)),
        {2},
    ),
    "in a broken setting": (
        _settings_with(f"account = {KEY}\n"),
        {},
        (_RUN, ("doctor",)),
        {2},
    ),
    # where a key is looked for
    "a key with a line break": (
        _nothing,
        {"RIVYA_API_KEY": f"{KEY}\nX-Evil: 1"},
        (_RUN, ("credits",), ("doctor",)),
        {2, 4},
    ),
    "a key with a space": (_nothing, {"RIVYA_API_KEY": f"{KEY} {KEY}"}, (_RUN, ("doctor", "--json")), {2, 4}),
    "a key with an umlaut": (_nothing, {"RIVYA_API_KEY": f"{KEY}ü"}, (_RUN, ("doctor",)), {2, 4}),
    "a key in quotes": (_nothing, {"RIVYA_API_KEY": f'"{KEY}"'}, (_RUN, ("credits", "-vv")), {4}),
    "a key with its scheme": (_nothing, {"RIVYA_API_KEY": f"Bearer {KEY}"}, (_RUN, ("credits",)), {4}),
    "a key without end": (_nothing, {"RIVYA_API_KEY": KEY * 1000}, (_RUN, ("doctor",)), {2, 4}),
    "a key for a file": (
        _nothing,
        {"RIVYA_API_KEY": "", "RIVYA_API_KEY_FILE": KEY},
        (_RUN, ("doctor",), ("credits", "--json", "-vv")),
        {2, 4},
    ),
    "a key for an account": (_nothing, {"RIVYA_BATCH_ACCOUNT": f"{KEY}\n"}, (_RUN, ("doctor",)), {2}),
    "a key for a budget": (_nothing, {"RIVYA_BATCH_BUDGET": KEY}, (_RUN, ("doctor",)), {2}),
    "a key in the address": (
        _nothing,
        {"RIVYA_BASE_URL": f"https://{KEY.replace('/', '')}@rivya.test"},
        (_RUN, ("doctor",), ("credits", "-vv")),
        {2},
    ),
    "a key as the address": (_nothing, {"RIVYA_BASE_URL": KEY}, (_RUN, ("doctor",)), {2}),
    "nobody listens": (_nothing, {"RIVYA_BASE_URL": "http://127.0.0.1:1"}, (_RUN, ("credits", "-vv")), {8}),
    # where it was typed
    "as a flag": (_nothing, {}, (("run", "m.yaml", "--api-key", KEY), ("run", "m.yaml", f"--api-key={KEY}")), {2}),
    "as another flag": (_nothing, {}, (("run", "m.yaml", f"--{KEY}"), ("run", "m.yaml", "--budget", KEY)), {2}),
    "as a verb": (_nothing, {}, ((KEY,), (KEY, "--json"), ("explain", KEY), ("explain", KEY, "--json")), {2}),
    "as a file": (_nothing, {}, (("check", KEY), ("plan", KEY), ("run", KEY, "--yes"), ("run", f"{KEY}.json")), {2}),
    "as an item": (_nothing, {}, (_RUN, ("show", KEY), ("results", KEY), ("retry", KEY), ("status", KEY)), {0, 2}),
    "as a model": (_nothing, {}, (("models", KEY), ("models", KEY, "--json")), {2}),
    "as a choice": (_nothing, {}, (("plan", "m.yaml", "--select", KEY), ("results", "--format", KEY)), {2}),
    "as a date": (_nothing, {}, (("plan", "m.yaml", "--date", KEY), ("plan", "m.yaml", "--creates", KEY)), {2}),
    "as a var": (_nothing, {}, (("plan", "m.yaml", "--var", KEY), ("plan", "m.yaml", "--var", f"a={KEY}")), {0, 2}),
    **{
        f"as a var in {place}": (
            _manifest_with(f"{{id: j, model: z-image, {job}}}", vars="{a: x}"),
            {},
            (
                ("check", "m.yaml", "--var", f"a={KEY}"),
                (*_RUN, "--var", f"a={KEY}"),
                (*_RUN, "--json", "--var", f"a={KEY}"),
            ),
            {2},
        )
        for place, job in (
            ("a prompt", "prompt: 'b {{ vars.a }}'"),
            ("a tag", "prompt: a, tags: ['{{ vars.a }}']"),
            ("an output name", "prompt: a, output: 'b-{{ vars.a }}'"),
        )
    },
    **{
        f"in a row, for {place}": (_rows_with(f"{{id: j, model: z-image, {job}}}"), {}, _CHECKS, {2})
        for place, job in (
            ("a prompt", "prompt: '{{ row.a }}', data: {file: rows.csv}"),
            ("a tag", "prompt: '{{ row.b }}', tags: ['{{ row.a }}'], data: {file: rows.csv}"),
            ("an output name", "prompt: '{{ row.b }}', output: '{{ row.a }}', data: {file: rows.csv}"),
            ("the name of an item", "prompt: '{{ row.b }}', data: {file: rows.csv, key: a}"),
        )
    },
    # what is in the way
    "a damaged ledger": (_damaged, {}, (_RUN, ("status", "-vv"), ("doctor", "--json"), ("ls",)), {0, 1, 2, 9}),
    "somebody else's ledger": (_foreign, {}, (_RUN, ("status", "-vv"), ("show", "j")), {9}),
    "a file in the way": (_in_the_way, {}, (_RUN, ("results",)), {0, 9}),
    "a link in the way": (_linked, {}, (_RUN, ("results",)), {0, 3, 9}),
}

# What a test wrote the key into, or was told as a name; everything else is the command's.
_TYPED: Final = ("m.yaml", "rows.csv", "rivya-batch.toml")


@pytest.mark.parametrize("name", LOCAL)
def test_the_key_is_nowhere_wherever_it_was_put(
    name: str, desk: Desk, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up, environment, lines, codes = LOCAL[name]
    set_up(desk)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    for line in lines:
        told = desk.run(*line)
        assert told.code in codes, (line, told.text)
        assert "Traceback" not in told.err or told.code != 1, told.err

    assert found_in(everything(desk, logs, but=_TYPED), SOUGHT) == []
    assert desk.stage.creates() == [] or codes & {0, 1, 9}


# --- what is our own fault --------------------------------------------------------------------------------------------


def _break_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: object, *_: object) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        raise ValueError(f"cannot send {headers}") from KeyError(KEY)

    monkeypatch.setattr(runner.engine.Engine, "_create", broken)


def _break_saver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"Bearer {KEY}")

    monkeypatch.setattr(runner.saving, "download", broken)


def _break_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError(f"{_b64(KEY)} {quote(KEY)} {KEY}")

    monkeypatch.setattr("runner.service.task_from", broken)


def _break_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(f"disk I/O error {KEY}")

    monkeypatch.setattr("runner.ledger.sqlite.SqliteLedger.record", broken, raising=True)


def _interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt(KEY)

    monkeypatch.setattr("runner.service.Service.credits", broken)


FAULTS: Final = {
    "in the engine": (_break_engine, 1),
    "while saving": (_break_saver, 1),
    "while reading an answer": (_break_wire, 1),
    "in the ledger": (_break_ledger, 1),
    "an interruption": (_interrupt, 130),
}


@pytest.mark.parametrize("flags", [(), ("-vv",), ("-vv", "--json")], ids=str)
@pytest.mark.parametrize("name", FAULTS)
def test_the_key_is_nowhere_when_we_break(
    name: str, flags: tuple[str, ...], desk: Desk, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it, code = FAULTS[name]
    set_out(desk)
    break_it(monkeypatch)
    told = desk.run("run", "m.yaml", "--yes", *flags)

    assert told.code == code, told.err
    assert ("Traceback" in told.err) is (bool(flags) and code == 1)
    assert found_in(everything(desk, logs), SOUGHT) == []


# --- a process of its own ---------------------------------------------------------------------------------------------


@pytest.fixture
def _cores_are_kept() -> Iterator[None]:
    """As on machines that keep what crashed, as far as the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("_cores_are_kept")
def test_the_process_shows_its_key_to_nobody(desk: Desk) -> None:
    """As others on the machine see it: its command line, its children, what it leaves behind when it is killed."""
    desk.stage.play(faults=[{"match": {"endpoint": "create"}, "do": {"delay_s": 20}}])
    set_out(desk)
    environment = {
        **{name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")},  # noqa: TID251 - its home
        "PYTHONPATH": str(ROOT),
        "PYTHONASYNCIODEBUG": "1",
        "RIVYA_API_KEY": KEY,
        "RIVYA_BASE_URL": desk.stage.origin,
    }
    line = [sys.executable, "-X", "dev", "-W", "default", "-m", "runner", "run", "m.yaml", "--yes", "-vv"]
    with subprocess.Popen(
        line,
        cwd=desk.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as life:
        wait_until_s = time.monotonic() + 40
        while not desk.stage.creates() and time.monotonic() < wait_until_s:
            time.sleep(0.02)
        process = Path(f"/proc/{life.pid}")
        seen = {f"{name} of the process": (process / name).read_bytes() for name in ("cmdline", "comm", "status")}
        children = [child.read_text() for child in process.glob("task/*/children")]
        limits = (process / "limits").read_text()
        life.send_signal(signal.SIGABRT)  # a crash, as an assertion in a library ends a process
        out, err = life.communicate(timeout=30)
    seen |= {"stdout": out, "stderr": err}
    seen |= {str(file): file.read_bytes() for file in desk.folder.rglob("*") if file.is_file()}

    assert desk.stage.creates(), "it never came to a create"
    assert [child for child in children if child.strip()] == [], "it has children, who inherit its environment"
    core = next(one for one in limits.splitlines() if one.startswith("Max core file size"))
    assert core.split()[4] == "0", "a core dump would hold the key"
    assert found_in(seen, SOUGHT) == []
