"""The models of the service as data: what each takes, and its limits.

The packaged file (`jobs/data/models.json`) is ours and read strictly; the cache has its form. The service's own list is
read over it by `jobs.live_models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from jobs.item import MediaKind

__all__ = [
    "Catalogue",
    "CatalogueError",
    "Category",
    "KindLimit",
    "Model",
    "Param",
    "ParamType",
    "ReferenceRule",
    "parse_packaged",
    "to_json",
]

Category = Literal["image", "video", "audio", "other"]  # "other", such as chat, is listed but cannot be bought here
ParamType = Literal["select", "number", "text"]

MEGABYTE = 1_000_000  # the careful reading of "MB": a service that means 1,048,576 takes these files too


class CatalogueError(ValueError):
    """A model list that cannot be read at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One key of `params`. A select's options and default are strings, booleans and durations included."""

    key: str
    type: ParamType
    required: bool = False
    default: str | float | int | None = None
    min: float | int | None = None
    max: float | int | None = None
    step: float | int | None = None
    options: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindLimit:
    """The largest file, in bytes, and the MIME types one kind of reference may have."""

    kind: MediaKind
    max_bytes: int
    mime_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRule:
    """How many files of which kinds a model takes; `max_files` None means the documentation does not say.

    `kinds` is empty when the documentation does not say either. `mixes` lists the allowed combinations where a plain
    number is not the whole rule: the most files of each kind, one mapping per combination.
    """

    max_files: int | None
    kinds: tuple[MediaKind, ...]
    limits: tuple[KindLimit, ...]
    text: str = ""
    mixes: tuple[Mapping[MediaKind, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. `complete` is False where the documentation was cut: unknown keys are then warnings, not errors."""

    id: str
    display_name: str
    category: Category
    base_credits: int | None
    billing_type: str
    prompt_required: bool
    prompt_max_chars: int | None
    params: tuple[Param, ...]
    structured_params: tuple[str, ...] = ()  # keys of `params` that take lists or objects, such as `dialogue`
    structured_required: tuple[str, ...] = ()  # those of them that every item needs
    reference: ReferenceRule | None = None
    requires_upload: bool = False  # cannot be called without a reference
    callable: bool = True
    complete: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All known models by id. `source` says where they came from: packaged, cached or live."""

    models: Mapping[str, Model]
    source: Literal["packaged", "cached", "live"] = "packaged"
    fetched_at: str | None = None


# The packaged file, which is also the cache's form.


class _File(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _LimitEntry(_File):
    kind: MediaKind
    max_mb: float | int | None = None
    max_bytes: int | None = None
    mime_types: list[str]

    def value(self) -> KindLimit:
        size_bytes = self.max_bytes if self.max_bytes is not None else int((self.max_mb or 0) * MEGABYTE)
        return KindLimit(kind=self.kind, max_bytes=size_bytes, mime_types=tuple(self.mime_types))


class _ReferenceEntry(_File):
    max_files: int | None
    kinds: list[MediaKind]
    rule: str = ""
    mixes: list[dict[MediaKind, int]] = []
    limits: list[_LimitEntry] | None = None

    def value(self, policy: tuple[KindLimit, ...]) -> ReferenceRule:
        own = tuple(limit.value() for limit in self.limits or ())
        limits = own or tuple(limit for limit in policy if limit.kind in self.kinds)
        mixes = tuple(MappingProxyType(mix) for mix in self.mixes)
        return ReferenceRule(
            max_files=self.max_files, kinds=tuple(self.kinds), limits=limits, text=self.rule, mixes=mixes
        )


class _ParamEntry(_File):
    key: str
    type: ParamType
    required: bool = False
    default: str | float | int | None = None
    min: float | int | None = None
    max: float | int | None = None
    step: float | int | None = None
    options: list[str] = []
    note: str = ""

    def value(self) -> Param:
        plain = self.model_dump(exclude={"options", "note"})
        return Param(**plain, options=tuple(self.options), description=self.note)


class _StructuredEntry(_File):
    key: str
    required: bool = False


class _PromptEntry(_File):
    required: bool
    max_chars: int | None


class _ModelEntry(_File):
    id: str
    display_name: str
    category: Category
    base_credits: int | None
    billing_type: str
    prompt: _PromptEntry
    inputs: list[str]
    params: list[_ParamEntry]
    structured_params: list[_StructuredEntry] = []
    reference: _ReferenceEntry | None
    requires_upload: bool = False
    callable: bool = True
    completeness: Literal["full", "partial"]
    missing: list[str] = []
    notes: list[str] = []
    price_variation: str = "undocumented"

    def value(self, policy: tuple[KindLimit, ...]) -> Model:
        reference = self.reference.value(policy) if self.reference else None
        if reference is None and "file" in self.inputs:
            reference = ReferenceRule(max_files=None, kinds=(), limits=policy, text="not documented")
        notes = [*self.notes, *(f"not documented: {gap}" for gap in self.missing)]
        if self.price_variation != "undocumented":
            notes.append(f"price: {self.price_variation}")
        return Model(
            id=self.id,
            display_name=self.display_name,
            category=self.category,
            base_credits=self.base_credits,
            billing_type=self.billing_type,
            prompt_required=self.prompt.required,
            prompt_max_chars=self.prompt.max_chars,
            params=tuple(param.value() for param in self.params),
            structured_params=tuple(param.key for param in self.structured_params),
            structured_required=tuple(param.key for param in self.structured_params if param.required),
            reference=reference,
            requires_upload=self.requires_upload,
            callable=self.callable,
            complete=self.completeness == "full",
            notes=tuple(notes),
        )


class _Policy(_File):
    limits: list[_LimitEntry]


class _CatalogueFile(_File):
    schema_version: Literal[1]
    fetched_at: str | None = None  # only the cache has it
    default_upload_policy: _Policy
    models: list[_ModelEntry]


_FILE = TypeAdapter(_CatalogueFile)


def parse_packaged(text: str) -> Catalogue:
    """Read the packaged file, or what `to_json` wrote. Raises CatalogueError when it is neither."""
    try:
        content = _FILE.validate_json(text)
    except ValueError as error:
        raise CatalogueError(f"not a model list of this version: {error}") from error
    policy = tuple(limit.value() for limit in content.default_upload_policy.limits)
    models = {entry.id: entry.value(policy) for entry in content.models}
    source: Literal["packaged", "cached"] = "cached" if content.fetched_at else "packaged"
    return Catalogue(models=MappingProxyType(models), source=source, fetched_at=content.fetched_at)


def to_json(catalogue: Catalogue) -> str:
    """The catalogue as text that `parse_packaged` reads back."""
    content: dict[str, object] = {
        "schema_version": 1,
        "fetched_at": catalogue.fetched_at,
        "default_upload_policy": {"limits": []},
        "models": [_plain(model) for model in catalogue.models.values()],
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def _plain(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "display_name": model.display_name,
        "category": model.category,
        "base_credits": model.base_credits,
        "billing_type": model.billing_type,
        "prompt": {"required": model.prompt_required, "max_chars": model.prompt_max_chars},
        "inputs": [],
        "params": [
            {"key": spec.key, "type": spec.type, "required": spec.required, "default": spec.default, "min": spec.min}
            | {"max": spec.max, "step": spec.step, "options": list(spec.options), "note": spec.description}
            for spec in model.params
        ],
        "structured_params": [
            {"key": key, "required": key in model.structured_required} for key in model.structured_params
        ],
        "reference": _plain_reference(model.reference) if model.reference else None,
        "requires_upload": model.requires_upload,
        "callable": model.callable,
        "completeness": "full" if model.complete else "partial",
        "notes": list(model.notes),
    }


def _plain_reference(rule: ReferenceRule) -> dict[str, object]:
    return {
        "max_files": rule.max_files,
        "kinds": list(rule.kinds),
        "rule": rule.text,
        "mixes": [dict(mix) for mix in rule.mixes],
        "limits": [
            {"kind": limit.kind, "max_bytes": limit.max_bytes, "mime_types": list(limit.mime_types)}
            for limit in rule.limits
        ],
    }
