"""The catalogue: packaged data is complete and strict, the live list is read leniently over it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import CatalogueError, Model, parse_packaged, to_json
from jobs.live_models import parse_live
from tests.jobs.expanding import MODELS_FILE, catalogue

RAW = json.loads(MODELS_FILE.read_text(encoding="utf-8"))


def live(*entries: object) -> dict[str, Model]:
    payload = {"object": "list", "data": list(entries)}
    return dict(parse_live(payload, catalogue(), "2026-05-31T00:00:00Z").models)


def test_every_model_of_the_documentation_is_packaged() -> None:
    kinds = [model.category for model in catalogue().models.values()]

    assert (kinds.count("video"), kinds.count("image"), kinds.count("audio")) == (22, 23, 6)


def test_every_default_is_a_value_its_param_takes() -> None:
    wrong = [
        (model.id, spec.key)
        for model in catalogue().models.values()
        for spec in model.params
        if spec.default is not None and spec.type == "select" and spec.default not in spec.options
    ]

    assert wrong == []


def test_every_number_has_its_default_within_its_range() -> None:
    wrong = [
        (model.id, spec.key)
        for model in catalogue().models.values()
        for spec in model.params
        if isinstance(spec.default, int | float)
        and not (spec.min if spec.min is not None else spec.default) <= spec.default <= (spec.max or spec.default)
    ]

    assert wrong == []


def test_a_model_whose_documentation_was_cut_is_not_complete() -> None:
    missing = {entry["id"] for entry in RAW["models"] if "missing" in entry}

    assert {model.id for model in catalogue().models.values() if not model.complete} == missing


def test_a_model_that_takes_files_by_an_unknown_rule_says_so_and_has_the_default_sizes() -> None:
    rule = catalogue().models["seedream-4-5"].reference

    assert rule is not None
    assert (rule.max_files, rule.kinds) == (None, ())
    assert {limit.kind: limit.max_bytes for limit in rule.limits}["video"] == 50_000_000


def test_a_table_that_was_cut_takes_the_default_sizes_of_its_kinds() -> None:
    rule = catalogue().models["flux-kontext-pro"].reference

    assert rule is not None
    assert [limit.kind for limit in rule.limits] == ["image"]


def test_the_cache_reads_back_as_it_was_written() -> None:
    live_list = parse_live({"data": []}, catalogue(), "2026-05-31T00:00:00Z")

    cached = parse_packaged(to_json(live_list))

    assert dict(cached.models) == dict(catalogue().models)
    assert (cached.source, cached.fetched_at) == ("cached", "2026-05-31T00:00:00Z")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2, "models": []}', "nonsense"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(CatalogueError):
        parse_packaged(text)


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"data": {}}, {"models": []}])
def test_an_answer_without_a_list_is_refused(payload: object) -> None:
    with pytest.raises(CatalogueError):
        parse_live(payload, catalogue(), "now")


def test_live_prices_and_limits_win_over_the_packaged_ones() -> None:
    model = live({"id": "z-image", "base_credits": 2, "max_prompt_length": 700})["z-image"]

    assert (model.base_credits, model.prompt_max_chars) == (2, 700)


def test_empty_live_params_leave_the_packaged_ones() -> None:
    assert live({"id": "z-image", "params": []})["z-image"].params == catalogue().models["z-image"].params


def test_live_params_that_cannot_be_read_leave_the_packaged_ones() -> None:
    readable = {"key": "a", "type": "text"}

    model = live({"id": "z-image", "params": [readable, {"key": "b", "type": "slider"}]})["z-image"]

    assert model.params == catalogue().models["z-image"].params


def test_live_params_replace_the_packaged_ones() -> None:
    spec = {"key": "size", "type": "select", "options": [{"value": "s", "label": "Small"}, "l"], "default": "s"}

    (param,) = live({"id": "z-image", "params": [spec]})["z-image"].params

    assert (param.key, param.options, param.default) == ("size", ("s", "l"), "s")


def test_a_live_list_keeps_params_that_take_lists() -> None:
    spec = {"key": "stability", "type": "select", "options": ["0", "1"]}

    model = live({"id": "elevenlabs-dialogue-v3", "params": [spec, {"key": "dialogue", "type": "text"}]})[
        "elevenlabs-dialogue-v3"
    ]

    assert [param.key for param in model.params] == ["stability"]
    assert model.structured_required == ("dialogue",)


@pytest.mark.parametrize(
    ("entry", "callable_"),
    [
        ({"api_status": "available"}, True),
        ({"api_status": "coming_soon"}, False),
        ({"api_status": "studio_only"}, False),
        ({"api_status": "something new"}, False),
        ({}, True),
        ({"runtime": "chat"}, False),
    ],
)
def test_only_available_models_can_be_called(entry: dict[str, object], callable_: bool) -> None:
    assert live({"id": "z-image", **entry})["z-image"].callable is callable_


def test_a_new_model_is_added_with_what_its_entry_says() -> None:
    entry = {
        "id": "z-image-2",
        "display_name": "Z-Image 2",
        "category": "image",
        "base_credits": 2,
        "supported_api_inputs": ["text"],
        "file_kinds": ["image"],
        "reference_media": {"max_files": 3},
        "requires_files_api": True,
    }

    model = live(entry)["z-image-2"]

    assert (model.display_name, model.category, model.base_credits) == ("Z-Image 2", "image", 2)
    assert model.callable
    assert model.prompt_required
    assert model.requires_upload
    assert not model.complete
    assert model.reference is not None
    assert (model.reference.max_files, model.reference.kinds) == (3, ("image",))


def test_a_chat_model_is_known_and_cannot_be_called() -> None:
    model = live({"id": "gpt-5-2-chat", "category": "chat", "api_status": "available"})["gpt-5-2-chat"]

    assert (model.category, model.callable) == ("other", False)


def test_a_model_that_the_live_list_leaves_out_stays() -> None:
    assert "z-image" in live({"id": "other", "category": "image"})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_TEXT_FIELDS = ["id", "category", "display_name", "api_status", "runtime", "billing_type"]
_LIST_FIELDS = ["params", "reference_media", "file_kinds", "notices", "supported_api_inputs"]
_FIELDS = st.sampled_from([*_TEXT_FIELDS, *_LIST_FIELDS, "base_credits", "max_prompt_length", "requires_files_api"])


@given(st.lists(_JSON | st.dictionaries(_FIELDS, _JSON | st.sampled_from(["z-image", "image"]), max_size=6)))
def test_whatever_the_live_list_holds_it_reads_as_models_or_not_at_all(entries: list[object]) -> None:
    models = live(*entries)

    assert catalogue().models.keys() <= models.keys()
    assert all(model.id == name for name, model in models.items())
