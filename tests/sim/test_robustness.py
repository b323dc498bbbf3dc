"""Whatever is sent, the simulator answers: it never falls over, and it never makes a task it should not."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.sim.exchange import request_of
from runner.sim.profile import DEMO_KEY
from tests.sim.conftest import CATALOGUE, form, talk

KEY = {"Authorization": f"Bearer {DEMO_KEY}"}
MODEL_IDS = [model["id"] for model in CATALOGUE["models"]]
PARAM_KEYS = sorted({param["key"] for model in CATALOGUE["models"] for param in model["params"]} | {"dialogue"})

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
items = st.lists(
    anything
    | st.fixed_dictionaries({"url": st.text() | st.just("http://["), "kind": anything}, optional={"name": anything}),
    max_size=4,
)
params = st.dictionaries(st.sampled_from(PARAM_KEYS), anything, max_size=4) | anything
bodies = st.fixed_dictionaries(
    {"model": st.sampled_from(MODEL_IDS) | anything, "prompt": st.text(max_size=20) | anything},
    optional={
        "params": params | st.fixed_dictionaries({"referenceMediaItems": items | anything}),
        "client_request_id": anything,
    },
)


def ask(method: str, target: str, headers: dict[str, str], body: bytes, **switches: Any) -> int:
    simulator = talk(**switches).simulator
    answer = simulator.handle(request_of(method, target, {**KEY, **headers}, body), 1_000_000.0)
    if answer.status >= 400:
        assert set(orjson.loads(answer.body)) == {"error"}
        assert simulator.stats().tasks == 0
    return answer.status


@settings(max_examples=150, deadline=None)
@given(body=bodies | anything, lenient=st.booleans(), canonical=st.booleans())
def test_any_json_gets_an_answer(*, body: object, lenient: bool, canonical: bool) -> None:
    switches = {
        "types": "lenient" if lenient else "strict",
        "unknown_keys": "drop" if lenient else "refuse",
        "foreign_urls": "accept" if lenient else "refuse",
        "body_compare": "canonical" if canonical else "bytes",
        "price_rule": "scaled",
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}

    assert ask("POST", "/api/v1/generations", headers, orjson.dumps(body), **switches) in (200, 400)


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"", b"RIFF1234WAVE", b"\x00\x00\x00\x18ftypisommvhd", b"\xff\xfb"]),
)
def test_any_bytes_can_be_uploaded_or_refused(data: bytes, head: bytes) -> None:
    for kind in ("image", "video", "audio"):
        body, headers = form(head + data, "application/octet-stream", kind=kind)
        assert ask("POST", "/api/v1/files", headers, body) in (200, 400)


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200), content_type=st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_any_form_gets_an_answer(body: bytes, content_type: str) -> None:
    for form_type in (content_type, "multipart/form-data; boundary=b"):
        assert ask("POST", "/api/v1/files", {"Content-Type": form_type}, b"--b\r\n" + body + b"\r\n--b--") in (200, 400)


@settings(max_examples=60, deadline=None)
@given(tail=st.text(), start=st.sampled_from(["", "/results/", "/uploads/", "/api/v1/files/", "/api/v1/generations/"]))
def test_any_path_gets_an_answer(tail: str, start: str) -> None:
    assert ask("GET", start + tail, {}, b"") in (403, 404)
