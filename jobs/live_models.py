"""The service's own list of models, read over the packaged one.

Its entries are only partly documented, so it is read leniently: what it says plainly wins, what it leaves out or says
in an unknown shape is taken from the packaged data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeGuard, get_args

from jobs.catalogue import Catalogue, CatalogueError, Category, Model, Param, ParamType, ReferenceRule
from jobs.item import MediaKind

__all__ = ["parse_live"]

# Untrusted text that ends up in tables and messages: ten times what the largest model has today.
MAX_MODELS = 2_000
MAX_PARAMS = 200
MAX_OPTIONS = 500
MAX_TEXT_CHARS = 2_000


def parse_live(payload: object, fallback: Catalogue, fetched_at: str) -> Catalogue:
    """Read the answer of GET /api/v1/models over the packaged data. Raises CatalogueError when it holds no list.

    A model the answer does not name stays as packaged: whether the list is ever cut into pages is not documented.
    """
    entries = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(entries, list):
        raise CatalogueError("the model list has no `data` list in it")
    models = dict(fallback.models)
    for entry in entries[:MAX_MODELS]:
        if isinstance(entry, Mapping) and (model_id := _text(entry, "id")):
            models[model_id] = _live_model(entry, model_id, models.get(model_id))
    return Catalogue(models=MappingProxyType(models), source="live", fetched_at=fetched_at)


def _live_model(entry: Mapping[str, object], model_id: str, packaged: Model | None) -> Model:
    """What the entry says over what is packaged; a model that is not packaged starts from nothing known."""
    known = packaged or _unknown_model(entry, model_id)
    params = _live_params(entry.get("params"))
    if params and not known.structured_params:
        known = replace(known, params=params, complete=True)
    elif params:
        known = replace(known, params=tuple(spec for spec in params if spec.key not in known.structured_params))
    base = entry.get("base_credits")
    limit = entry.get("max_prompt_length")
    return replace(
        known,
        display_name=_text(entry, "display_name") or known.display_name,
        base_credits=base if _is_count(base) else known.base_credits,
        billing_type=_text(entry, "billing_type") or known.billing_type,
        prompt_max_chars=limit if _is_count(limit) and limit else known.prompt_max_chars,
        reference=_live_reference(entry, known.reference),
        requires_upload=known.requires_upload or entry.get("requires_files_api") is True,
        callable=_is_callable(entry, known),
        notes=known.notes + tuple(note for note in _texts(entry.get("notices")) if note not in known.notes),
    )


def _unknown_model(entry: Mapping[str, object], model_id: str) -> Model:
    category = _text(entry, "category")
    named: Category = category if category in get_args(Category) else "other"  # type: ignore[assignment]
    return Model(
        id=model_id,
        display_name=model_id,
        category=named,
        base_credits=None,
        billing_type="unknown",
        prompt_required=_texts(entry.get("supported_api_inputs")) == ("text",),
        prompt_max_chars=None,
        params=(),
        callable=named != "other",
        complete=False,
    )


def _is_callable(entry: Mapping[str, object], known: Model) -> bool:
    status, runtime = _text(entry, "api_status"), _text(entry, "runtime")
    if known.category == "other" or runtime == "chat":
        return False
    return status == "available" if status else known.callable


def _live_params(value: object) -> tuple[Param, ...]:
    """The specs, or nothing when even one of them cannot be read: half a list would refuse good manifests."""
    if not isinstance(value, list) or len(value) > MAX_PARAMS:
        return ()
    specs = [_live_param(entry) for entry in value]
    return tuple(spec for spec in specs if spec) if all(specs) else ()


def _live_param(entry: object) -> Param | None:
    if not isinstance(entry, Mapping):
        return None
    key, kind = _text(entry, "key"), _text(entry, "type")
    options = _live_options(entry.get("options"))
    if not key or kind not in get_args(ParamType) or (kind == "select" and not options):
        return None
    default = entry.get("default")
    return Param(
        key=key,
        type=kind,  # type: ignore[arg-type]
        required=entry.get("required") is True,
        default=default if isinstance(default, str | int | float) and not isinstance(default, bool) else None,
        min=_number(entry.get("min")),
        max=_number(entry.get("max")),
        step=_number(entry.get("step")),
        options=options,
        description=_text(entry, "description"),
    )


def _live_options(value: object) -> tuple[str, ...]:
    """Options are strings, or objects with a `value`; both are seen in the wild for such lists."""
    if not isinstance(value, list) or len(value) > MAX_OPTIONS:
        return ()
    plain = [item.get("value") if isinstance(item, Mapping) else item for item in value]
    return tuple(item for item in plain if isinstance(item, str)) if all(isinstance(i, str) for i in plain) else ()


def _live_reference(entry: Mapping[str, object], known: ReferenceRule | None) -> ReferenceRule | None:
    """The number of files and their kinds, where the entry says them; sizes stay as packaged."""
    rule = entry.get("reference_media")
    kinds: tuple[MediaKind, ...] = tuple(
        kind for kind in get_args(MediaKind) if kind in _texts(entry.get("file_kinds"))
    )
    most = rule.get("max_files") if isinstance(rule, Mapping) else None
    if known is None and not kinds and most is None:
        return None
    base = known or ReferenceRule(max_files=None, kinds=kinds, limits=(), text="not documented")
    return replace(base, max_files=most if _is_count(most) else base.max_files, kinds=kinds or base.kinds)


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) and len(value) <= MAX_TEXT_CHARS else ""


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(item for item in value[:MAX_OPTIONS] if isinstance(item, str) and len(item) <= MAX_TEXT_CHARS)


def _number(value: object) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
