"""Identities and keys are content: the same content gives the same name, any change another."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.identity import IdentityOf, _base32, body_bytes, canonical, idempotency_key, identity

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=3), max_leaves=6)
PARAMS = st.dictionaries(TEXTS, VALUES, max_size=5)

WANTED: Mapping[str, object] = {
    "model": "seedance-1-5-pro",
    "prompt": "a shoe",
    "params": {"duration": "8", "seed": 7},
    "reference_digests": ["aa", "bb"],
    "repeat": 1,
    "edition": "",
}
BOUGHT: Mapping[str, object] = {
    "account": "default",
    "edition": "",
    "identity": "i1-x",
    "repeat": 1,
    "epoch": 0,
    "ordinal": 0,
}


def _identity(**changed: object) -> str:
    return identity(**{**WANTED, **changed})  # type: ignore[arg-type]


def _key(**changed: object) -> str:
    return idempotency_key(**{**BOUGHT, **changed})  # type: ignore[arg-type]


def test_the_scheme_is_frozen() -> None:
    assert _identity() == "i1-gbyr4z64pswooaqy6j2inp7rl6ctatne"
    assert _key() == "rvb1-sog4nufqlljv7xrimhg7atw3r7ovud7g"


@given(PARAMS, st.none() | TEXTS, st.lists(TEXTS, max_size=3), st.integers(1, 9), TEXTS)
def test_what_is_spelled_once_for_many_prompts_gives_the_same_name(
    params: dict[str, object], prompt: str | None, digests: list[str], repeat: int, edition: str
) -> None:
    shared = {"model": "m", "params": params, "reference_digests": digests, "repeat": repeat, "edition": edition}

    assert IdentityOf(**shared)(prompt) == identity(prompt=prompt, **shared)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0, 1, 2, 63, 64, 65, 200])
def test_however_many_prompts_are_named_at_once_each_has_its_own_name(number: int) -> None:
    of = IdentityOf(model="m", params={"n": 1}, reference_digests=["d"], repeat=1, edition="")
    prompts = [None, *(f"prompt {nth}" for nth in range(number))][:number]

    assert list(of.each(prompts)) == [of(prompt) for prompt in prompts]


@given(st.sampled_from([1, 2, 64]).flatmap(lambda digests: st.binary(min_size=20 * digests, max_size=20 * digests)))
def test_the_letters_of_a_name_are_base32(digests: bytes) -> None:
    assert _base32(digests) == base64.b32encode(digests).decode().lower()


@given(PARAMS)
def test_the_order_of_keys_is_no_content(params: dict[str, object]) -> None:
    turned = json.loads(json.dumps(dict(reversed(params.items()))))

    assert _identity(params=params) == _identity(params=turned)
    assert canonical(params) == canonical(turned)


@given(PARAMS, PARAMS)
def test_different_params_are_different_items(one: dict[str, object], other: dict[str, object]) -> None:
    assert (_identity(params=one) == _identity(params=other)) == (canonical(one) == canonical(other))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "seedance-2"},
        {"prompt": "a shoe "},
        {"prompt": ""},
        {"prompt": None},
        {"params": {"duration": "8"}},
        {"params": {"duration": 8, "seed": 7}},
        {"params": {"duration": "8", "seed": 7.0}},
        {"params": {"duration": "8", "seed": "7"}},
        {"params": {"duration": "8", "seed": True}},
        {"reference_digests": ["bb", "aa"]},
        {"reference_digests": ["aa"]},
        {"reference_digests": ["aabb"]},
        {"reference_digests": []},
        {"repeat": 2},
        {"edition": "2026-05-11"},
    ],
)
def test_any_change_of_content_is_another_item(changed: dict[str, object]) -> None:
    assert _identity(**changed) != _identity()


def test_look_alikes_are_not_the_same_prompt() -> None:
    assert len({_identity(prompt=prompt) for prompt in ("\u00e9", "e\u0301", "\u00e9 ", "\u00c9")}) == 4


@pytest.mark.parametrize("name", list(BOUGHT))
def test_any_change_of_an_attempt_is_another_key(name: str) -> None:
    value = BOUGHT[name]
    changed = value + 1 if isinstance(value, int) else f"{value}x"

    assert _key(**{name: changed}) != _key()


def test_neighbouring_fields_do_not_run_into_each_other() -> None:
    assert _key(epoch=1, ordinal=11) != _key(epoch=11, ordinal=1)
    assert _key(account="a", edition="b") != _key(account="ab", edition="")


@given(TEXTS, TEXTS, st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_key_is_short_plain_ascii(account: str, edition: str, repeat: int, epoch: int, ordinal: int) -> None:
    key = _key(account=account, edition=edition, repeat=repeat, epoch=epoch, ordinal=ordinal)

    assert len(key) <= 64
    assert key.isascii()
    assert key.removeprefix("rvb1-").isalnum()


def test_nothing_of_the_prompt_or_account_shows_in_a_name() -> None:
    assert "shoe" not in _identity()
    assert "default" not in _key()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
def test_what_is_no_json_has_no_spelling(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(value)


def test_a_body_says_what_was_written_and_nothing_else() -> None:
    body = body_bytes(
        model="m", prompt=" a \u00e9\n", params={"b": "1", "a": 2}, reference_items=[], client_request_id="key"
    )

    assert body == '{"client_request_id":"key","model":"m","params":{"a":2,"b":"1"},"prompt":" a \u00e9\\n"}'.encode()


def test_a_body_without_prompt_and_params_has_neither() -> None:
    body = body_bytes(model="m", prompt=None, params={}, reference_items=[], client_request_id="key")

    assert json.loads(body) == {"model": "m", "client_request_id": "key"}


def test_references_go_into_the_params_in_their_order() -> None:
    body = body_bytes(
        model="m", prompt="p", params={"a": 1}, reference_items=[{"url": "2"}, {"url": "1"}], client_request_id="key"
    )

    assert json.loads(body)["params"] == {"a": 1, "referenceMediaItems": [{"url": "2"}, {"url": "1"}]}


@given(PARAMS)
def test_the_same_create_is_the_same_bytes(params: dict[str, object]) -> None:
    def body(given_params: Mapping[str, object]) -> bytes:
        return body_bytes(model="m", prompt="p", params=given_params, reference_items=[], client_request_id="k")

    assert body(params) == body(dict(reversed(params.items())))
