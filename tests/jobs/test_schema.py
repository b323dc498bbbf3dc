"""The JSON Schema that editors read says what the models read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from jobs.manifest import parse
from jobs.schema import manifest_schema
from jobs.yaml12 import load

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"
SCHEMA = manifest_schema()
VALIDATOR = Draft7Validator(SCHEMA)

# What the models and the schema can both see: the shape of one value.
SHAPE_CODES = {
    "unknown-key",
    "missing-key",
    "wrong-type",
    "unknown-choice",
    "number-out-of-range",
    "bad-name",
    "no-jobs",
}


def parts(schema: object, path: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, inner in schema.items():
            yield from parts(inner, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from parts(inner, f"{path}/{index}")


def test_it_is_a_draft_7_schema_without_what_only_later_drafts_know() -> None:
    Draft7Validator.check_schema(SCHEMA)
    later = {"$defs", "prefixItems", "unevaluatedProperties", "dependentRequired", "discriminator", "oneOf"}

    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert [path for path, part in parts(SCHEMA) if later & set(part)] == []


def test_every_reference_in_it_leads_somewhere() -> None:
    definitions = SCHEMA["definitions"]
    assert isinstance(definitions, dict)
    wanted = {str(part["$ref"]) for _, part in parts(SCHEMA) if isinstance(part.get("$ref"), str)}

    assert wanted == {f"#/definitions/{name}" for name in definitions}


def test_every_key_has_words_for_the_editor_to_show() -> None:
    definitions = json.loads(json.dumps(SCHEMA["definitions"]))
    silent = []
    for path, part in parts(SCHEMA):
        properties = part.get("properties")
        if isinstance(properties, dict) and part.get("type") == "object":
            for name, inner in properties.items():
                words = inner.get("description") or definitions[inner["$ref"].rpartition("/")[2]]["description"]
                silent += [] if words else [f"{path}/{name}"]

    assert silent == []


def test_it_is_written_the_same_every_time() -> None:
    assert json.dumps(manifest_schema()) == json.dumps(SCHEMA)


def test_the_copy_beside_the_examples_is_current() -> None:
    """Editors find it by the first line of each example; `rivya-batch schema` prints the same."""
    copy = (MANIFESTS / "manifest.schema.json").read_text(encoding="utf-8")

    assert json.loads(copy) == SCHEMA
    assert list(json.loads(copy)["properties"]) == list(json.loads(json.dumps(SCHEMA))["properties"])


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_fit_it(path: Path) -> None:
    document, _ = load(path.read_text(encoding="utf-8"), path.name)
    assert document is not None

    assert [error.message for error in VALIDATOR.iter_errors(document.data)] == []


@pytest.mark.parametrize("path", sorted((MANIFESTS / "broken").glob("*.yaml")), ids=lambda path: path.stem)
def test_it_refuses_what_the_models_refuse(path: Path) -> None:
    document, _ = load(path.read_text(encoding="utf-8-sig", errors="replace"), path.name)
    codes = {finding.code for finding in parse(document)[1]} if document is not None else set()
    errors = list(VALIDATOR.iter_errors(document.data)) if document is not None else []

    if document is not None and not document.findings and codes & SHAPE_CODES:
        assert errors
    if codes == set() and document is not None and not document.findings:
        assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    ("rate", "fits"), [("5/s", True), ("60/min", True), ("0/s", False), ("5", False), ("5 per s", False)]
)
def test_a_rate_has_its_pattern(rate: str, fits: bool) -> None:
    manifest = {"version": 1, "name": "a", "jobs": [{"id": "a"}], "limits": {"creates": rate}}

    assert VALIDATOR.is_valid(manifest) is fits


def test_free_space_at_the_top_fits_it() -> None:
    assert VALIDATOR.is_valid({"version": 1, "name": "a", "jobs": [{"id": "a"}], "x-anything": [1, {"a": None}]})
    assert not VALIDATOR.is_valid({"version": 1, "name": "a", "jobs": [{"id": "a", "x-inside": 1}]})
