"""The JSON Schema of a manifest, for editors. It comes from the models that read manifests, so it cannot disagree.

Draft 7, because that is what editors understand. Pydantic writes a later draft; what differs for our models is put
right here.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from jobs.manifest import Manifest

__all__ = ["manifest_schema"]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
TITLE: Final = "rivya-batch manifest, version 1"


def manifest_schema() -> dict[str, JsonValue]:
    """Return the schema; its keys stand in the order of the models, so that two versions can be compared."""
    generated = Manifest.model_json_schema(by_alias=True)
    definitions = generated.pop("$defs")
    root = _draft7(generated)
    assert isinstance(root, dict), "the manifest is an object"
    root.pop("title", None)
    return {
        "$schema": DIALECT,
        "title": TITLE,
        **root,
        "patternProperties": {"^x-": {"description": "Free space for anchors; it is not read."}},
        "definitions": {name: _draft7(part) for name, part in definitions.items()},
    }


def _draft7(part: JsonValue) -> JsonValue:
    if isinstance(part, list):
        return [_draft7(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not _is_noise(key, value)}
    schema = {_keyword(key): _draft7(value) for key, value in kept.items()}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema["$ref"] = reference.replace("#/$defs/", "#/definitions/")
        if len(schema) > 1:
            # Draft 7 reads nothing beside a reference, so the hover text would be lost.
            return {
                **{key: value for key, value in schema.items() if key != "$ref"},
                "allOf": [{"$ref": schema["$ref"]}],
            }
    return schema


def _is_noise(key: str, value: JsonValue) -> bool:
    """Titles repeat their keys, empty defaults say nothing; a property called `title` would be a mapping."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and not isinstance(value, str | bool | int))


def _keyword(key: str) -> str:
    # Branches of a union never overlap; editors explain `anyOf` better when none of them fits.
    return "anyOf" if key == "oneOf" else key
