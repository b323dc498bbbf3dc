"""The models of the service as data: what each takes, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jobs.item import MediaKind

__all__ = ["Catalogue", "KindLimit", "Model", "Param", "ReferenceRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One key of `params`. A select's options and default are strings, booleans and durations included."""

    key: str
    type: Literal["select", "number", "text"]
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
    """How many files of which kinds a model takes; `max_files` None means the documentation does not say."""

    max_files: int | None
    kinds: tuple[MediaKind, ...]
    limits: tuple[KindLimit, ...]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. `complete` is False where the documentation was cut: unknown keys are then warnings, not errors."""

    id: str
    display_name: str
    category: Literal["image", "video", "audio"]
    base_credits: int | None
    billing_type: str
    prompt_required: bool
    prompt_max_chars: int | None
    params: tuple[Param, ...]
    structured_params: tuple[str, ...] = ()  # keys of `params` that take lists or objects, such as `dialogue`
    reference: ReferenceRule | None = None
    callable: bool = True
    complete: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All known models by id. `source` says where they came from: packaged, cached or live."""

    models: Mapping[str, Model]
    source: Literal["packaged", "cached", "live"] = "packaged"
    fetched_at: str | None = None
