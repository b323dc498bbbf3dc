"""The models the toy service knows, read from the packaged data file as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

__all__ = ["CHAT_MODEL_ID", "KindRule", "ModelSpec", "ParamSpec", "packaged_catalogue", "read_models"]

PACKAGED = Path(__file__).resolve().parents[2] / "jobs" / "data" / "models.json"

CHAT_MODEL_ID = "gpt-5-2-chat"  # listed by the service, but no model of POST /generations

_MB = 1_000_000  # the documentation says MB; the larger reading, 1,048,576, would let a client off

_DEFAULT_LIMITS: tuple[Mapping[str, Any], ...] = (
    {"kind": "image", "max_mb": 10, "mime_types": ["image/jpeg", "image/png", "image/webp"]},
    {"kind": "video", "max_mb": 50, "mime_types": ["video/mp4", "video/quicktime", "video/webm"]},
    {
        "kind": "audio",
        "max_mb": 10,
        "mime_types": ["audio/mpeg", "audio/mp4", "audio/wav", "audio/x-wav", "audio/aac", "audio/ogg"],
    },
)
_UNSTATED_MAX_FILES = 10  # where a page was cut before its reference rule, only gross mistakes are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamSpec:
    """One key of `params`."""

    key: str
    type: str
    required: bool
    default: str | float | None
    minimum: float | None
    maximum: float | None
    step: float | None
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """What one kind of reference may be."""

    max_bytes: int
    mime_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model, ready for checking requests against. `raw` is its entry in the data file."""

    id: str
    display_name: str
    category: str
    base_credits: int
    metered: bool
    prompt_required: bool
    prompt_max: int | None
    params_required: bool
    params: Mapping[str, ParamSpec]
    structured: Mapping[str, Mapping[str, Any]]
    whole: bool  # the documentation of its params was read to the end
    max_files: int  # 0: takes no references
    mixes: tuple[Mapping[str, int], ...]  # allowed most files per kind; empty: any mix
    kinds: Mapping[str, KindRule]
    raw: Mapping[str, Any]


def packaged_catalogue() -> dict[str, Any]:
    """The catalogue that ships beside this package."""
    data: dict[str, Any] = orjson.loads(PACKAGED.read_bytes())
    return data


def read_models(catalogue: Mapping[str, Any]) -> dict[str, ModelSpec]:
    """Every model of the catalogue by its id."""
    return {entry["id"]: _model(entry) for entry in catalogue["models"]}


def default_kinds() -> dict[str, KindRule]:
    """What an upload without a model may be."""
    return {limit["kind"]: _kind(limit) for limit in _DEFAULT_LIMITS}


def _kind(limit: Mapping[str, Any]) -> KindRule:
    return KindRule(max_bytes=int(limit["max_mb"] * _MB), mime_types=tuple(limit["mime_types"]))


def _model(entry: Mapping[str, Any]) -> ModelSpec:
    missing = entry.get("missing") or []
    reference = entry.get("reference")
    if reference is None and "file" in entry["inputs"]:
        reference = {"max_files": _UNSTATED_MAX_FILES, "kinds": ["image"]}
    defaults = default_kinds()
    stated = {limit["kind"]: _kind(limit) for limit in (reference or {}).get("limits") or []}
    kinds = {kind: stated.get(kind, defaults[kind]) for kind in (reference or {}).get("kinds") or []}
    return ModelSpec(
        id=entry["id"],
        display_name=entry["display_name"],
        category=entry["category"],
        base_credits=int(entry.get("base_credits") or 1),
        metered=entry["billing_type"] == "METERED",
        prompt_required=bool(entry["prompt"]["required"]),
        prompt_max=entry["prompt"].get("max_chars"),
        params_required=bool(entry.get("params_object_required")),
        params={param["key"]: _param(param) for param in entry["params"]},
        structured={param["key"]: param for param in entry.get("structured_params") or []},
        whole=not any(text.startswith("params") for text in missing),
        max_files=int((reference or {}).get("max_files") or (_UNSTATED_MAX_FILES if reference else 0)),
        mixes=tuple((reference or {}).get("mixes") or ()),
        kinds=kinds,
        raw=entry,
    )


def _param(entry: Mapping[str, Any]) -> ParamSpec:
    return ParamSpec(
        key=entry["key"],
        type=entry["type"],
        required=bool(entry.get("required")),
        default=entry.get("default"),
        minimum=entry.get("min"),
        maximum=entry.get("max"),
        step=entry.get("step"),
        options=tuple(entry.get("options") or ()),
    )
