"""GET /api/v1/openapi.json: the served endpoints as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.sim.catalogue import ModelSpec
from runner.sim.profile import Profile

__all__ = ["openapi_document"]

_JSON = "application/json"
_KINDS = ["image", "video", "audio"]


def openapi_document(models: Mapping[str, ModelSpec], profile: Profile, origin: str) -> dict[str, Any]:
    """The document, true to this profile's statuses."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rivya Public API (simulated)", "version": "v1"},
        "servers": [{"url": origin}],
        "paths": {
            "/api/v1/models": {"get": _operation("listModels", {"200": _answer("ModelList")}, key=False)},
            "/api/v1/credits": {"get": _operation("getCredits", {"200": _answer("Credits")})},
            "/api/v1/generations": {"post": _create(profile)},
            "/api/v1/generations/{taskId}": {"get": _by_id("getGeneration", "taskId", "Generation")},
            "/api/v1/files": {"post": _upload(profile)},
            "/api/v1/files/{fileId}": {"get": _by_id("getFile", "fileId", "File")},
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(sorted(models)),
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(name: str, description: str = "Success") -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": _ref(name)}}}


def _operation(name: str, answers: dict[str, Any], *, key: bool = True, **more: Any) -> dict[str, Any]:
    statuses = ("401", "403", "429", "503") if key else ()
    refusals = {status: _answer("Error", "Refused") for status in statuses}
    security: list[Any] = [{"bearer": []}] if key else []
    return {"operationId": name, "security": security, "responses": {**refusals, **answers}, **more}


def _by_id(name: str, parameter: str, schema: str) -> dict[str, Any]:
    place = {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
    return _operation(name, {"200": _answer(schema), "404": _answer("Error", "Refused")}, parameters=[place])


def _create(profile: Profile) -> dict[str, Any]:
    answers = {
        str(status): _answer("Generation")
        for status in (profile.create_status, profile.replay_status)
        if status != "first"
    }
    answers |= {status: _answer("Error", "Refused") for status in ("400", "402", "409")}
    header = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": profile.key_required,
        "schema": {"type": "string", "maxLength": profile.key_max_chars},
    }
    body = {"required": True, "content": {_JSON: {"schema": _ref("CreateGeneration")}}}
    return _operation("createGeneration", answers, parameters=[header], requestBody=body)


def _upload(profile: Profile) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["file", "kind"],
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "kind": {"enum": _KINDS},
            "model": {"type": "string"},
            "client_request_id": {"type": "string", "maxLength": 128},
        },
    }
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    answers = {str(profile.upload_status): _answer("File")}
    answers |= {status: _answer("Error", "Refused") for status in ("400", "413")}
    return _operation("createFile", answers, requestBody=body)


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _schemas(model_ids: list[str]) -> dict[str, Any]:
    text, whole, moment = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date-time"}
    maybe_text, maybe_number = {"type": ["string", "null"]}, {"type": ["number", "null"]}
    item = _object(
        {"url": text, "kind": {"enum": _KINDS}},
        {"name": text, "mimeType": text, "durationSeconds": {"type": "number"}, "durationToken": text},
    )
    failure = _object({"code": text, "message": text})
    result = _object({"primary_url": text}, {"urls": {"type": "array", "items": text}})
    nothing = {"type": "null"}
    return {
        "Error": _object({"error": _object({"code": text, "message": text, "requestId": text})}),
        "Credits": _object({"current_credits": whole}),
        "ModelList": _object(
            {"object": {"const": "list"}, "data": {"type": "array", "items": _object({"id": text, "category": text})}}
        ),
        "CreateGeneration": _object(
            {"model": {"type": "string", "enum": model_ids}},
            {
                "prompt": text,
                "params": {
                    "type": "object",
                    "properties": {"referenceMediaItems": {"type": "array", "items": item}},
                    "additionalProperties": True,
                },
                "client_request_id": text,
            },
        ),
        "Generation": _object(
            {
                "id": text,
                "status": {"type": "string", "examples": ["queued", "processing", "succeeded", "failed"]},
                "model": text,
                "reserved_credits": whole,
                "final_credits": whole,
                "created_at": moment,
                "updated_at": moment,
                "result": {"oneOf": [result, nothing]},
                "error": {"oneOf": [failure, nothing]},
            }
        ),
        "File": _object(
            {"id": text, "object": {"const": "file"}, "kind": {"enum": _KINDS}, "name": text, "url": text}
            | {"mime_type": text, "size": whole, "created_at": moment},
            {"duration_seconds": maybe_number, "duration_token": maybe_text, "expires_at": maybe_text},
        ),
    }
