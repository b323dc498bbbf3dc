"""Is a create valid? Every rule of the catalogue, checked on the parsed body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from runner.sim.catalogue import CHAT_MODEL_ID, ModelSpec, ParamSpec
from runner.sim.problems import Refusal
from runner.sim.profile import Profile

__all__ = ["Order", "UploadedFile", "parse_body", "read_order"]

_BODY_KEYS = frozenset({"model", "prompt", "params", "client_request_id"})
_ITEM_KEYS = frozenset({"url", "kind", "name", "mimeType", "durationSeconds", "durationToken"})
_REFERENCES = "referenceMediaItems"
_STEP_SLACK = 1e-6  # 0.05 steps are no binary fractions


class UploadedFile(Protocol):
    """What a reference check needs to know of an upload."""

    @property
    def kind(self) -> str: ...
    @property
    def mime_type(self) -> str: ...
    @property
    def size(self) -> int: ...


FindFile = Callable[[Mapping[str, Any]], UploadedFile | None]
"""The upload an item names, None for a foreign address; raises Refusal for one that is no longer usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A create that is valid: what will be made."""

    model: ModelSpec
    prompt: str
    params: Mapping[str, Any]


def parse_body(body: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object of a create; Refusal for anything else."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal("validation_failed", "Content-Type must be application/json.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("validation_failed", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal("validation_failed", "The body must be a JSON object.")
    return value


def read_order(
    body: Mapping[str, Any], models: Mapping[str, ModelSpec], profile: Profile, find_file: FindFile
) -> Order:
    """The order a create body stands for. Raises Refusal with all that is wrong in one message."""
    if "files" in body:
        raise Refusal("validation_failed", f"files: not accepted here; put references in params.{_REFERENCES}.")
    model = _model(body.get("model"), models)
    wrong: list[str] = []
    if profile.unknown_keys == "refuse":
        wrong += [f"{key}: unknown field." for key in sorted(body.keys() - _BODY_KEYS)]
    if not isinstance(body.get("client_request_id", ""), str):
        wrong.append("client_request_id: must be a string.")
    prompt = _prompt(body.get("prompt"), model, profile, wrong)
    params = body.get("params")
    if params is None and model.params_required:
        wrong.append(f"params: required by {model.id}.")
    if not isinstance(params, dict | None):
        wrong.append("params: must be an object.")
        params = None
    checked = _params(params or {}, model, profile, wrong, find_file)
    if wrong:
        raise Refusal("validation_failed", " ".join(wrong))
    return Order(model=model, prompt=prompt, params=checked)


def _model(name: object, models: Mapping[str, ModelSpec]) -> ModelSpec:
    if not isinstance(name, str) or not name:
        raise Refusal("validation_failed", "model: required, a public model id.")
    if name == CHAT_MODEL_ID:
        raise Refusal("validation_failed", f"model: {name} is a chat model; use the Chat API.")
    if name not in models:
        raise Refusal("validation_failed", "model: no such model.")
    return models[name]


def _prompt(prompt: object, model: ModelSpec, profile: Profile, wrong: list[str]) -> str:
    if prompt is None or prompt == "":
        if model.prompt_required:
            wrong.append(f"prompt: required by {model.id}.")
        return ""
    if not isinstance(prompt, str):
        wrong.append("prompt: must be a string.")
        return ""
    length = len(prompt.encode("utf-16-le")) // 2 if profile.prompt_counts == "utf16" else len(prompt)
    if model.prompt_max is not None and length > model.prompt_max:
        wrong.append(f"prompt: {length} characters, {model.id} takes at most {model.prompt_max}.")
    return prompt


def _params(
    params: Mapping[str, Any], model: ModelSpec, profile: Profile, wrong: list[str], find_file: FindFile
) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in params.items():
        if key in model.params:
            checked[key] = _param(value, model.params[key], profile, wrong)
        elif key in model.structured:
            checked[key] = _structured(value, key, model.structured[key], wrong)
        elif key == _REFERENCES:
            checked[key] = _references(value, model, profile, wrong, find_file)
        elif profile.unknown_keys == "refuse" and model.whole:
            wrong.append(f"params.{key}: not a parameter of {model.id}.")
    required = [param.key for param in model.params.values() if param.required]
    required += [key for key, rule in model.structured.items() if rule.get("required")]
    wrong += [f"params.{key}: required by {model.id}." for key in required if key not in params]
    return checked


def _param(value: Any, spec: ParamSpec, profile: Profile, wrong: list[str]) -> Any:
    if profile.types == "lenient":
        value = _coerced(value, spec)
    problem = _param_problem(value, spec)
    if problem:
        wrong.append(f"params.{spec.key}: {problem}")
    return value


def _coerced(value: Any, spec: ParamSpec) -> Any:
    if spec.type == "number":
        if isinstance(value, str):
            try:
                value = float(value) if "." in value else int(value)
            except ValueError:
                return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = value if spec.minimum is None else max(value, spec.minimum)
            value = value if spec.maximum is None else min(value, spec.maximum)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _param_problem(value: Any, spec: ParamSpec) -> str:
    if spec.type == "select":
        if not isinstance(value, str):
            return f"must be a string, one of {', '.join(spec.options)}."
        return "" if value in spec.options else f"{value[:40]!r} is not one of {', '.join(spec.options)}."
    if spec.type == "text":
        return "" if isinstance(value, str) else "must be a string."
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number."
    if spec.minimum is not None and value < spec.minimum:
        return f"must be at least {spec.minimum}."
    if spec.maximum is not None and value > spec.maximum:
        return f"must be at most {spec.maximum}."
    if spec.step:
        steps = (value - (spec.minimum or 0)) / spec.step
        if abs(steps - round(steps)) > _STEP_SLACK:
            return f"must go in steps of {spec.step}."
    return ""


def _structured(value: Any, key: str, rule: Mapping[str, Any], wrong: list[str]) -> Any:
    wanted = rule.get("item") or {}
    fits = isinstance(value, list) and bool(value)
    for row in value if fits else ():
        fits = fits and isinstance(row, dict) and all(isinstance(row.get(name), str) for name in wanted)
    if not fits:
        wrong.append(f"params.{key}: must be a list of objects with the texts {', '.join(wanted)}.")
    return value


def _references(value: Any, model: ModelSpec, profile: Profile, wrong: list[str], find_file: FindFile) -> Any:
    where = f"params.{_REFERENCES}"
    if not isinstance(value, list):
        wrong.append(f"{where}: must be a list.")
        return value
    if not model.max_files and value:
        wrong.append(f"{where}: {model.id} takes no references.")
        return value
    if len(value) > model.max_files:
        wrong.append(f"{where}: {len(value)} files, {model.id} takes at most {model.max_files}.")
    counts: dict[str, int] = {}
    for index, item in enumerate(value):
        problem = _reference_problem(item, model, profile, find_file)
        if problem:
            wrong.append(f"{where}[{index}]: {problem}")
        else:
            counts[item["kind"]] = counts.get(item["kind"], 0) + 1
    if model.mixes and not any(all(mix.get(kind, 0) >= n for kind, n in counts.items()) for mix in model.mixes):
        wrong.append(f"{where}: {model.raw['reference']['rule']}.")
    return value


def _reference_problem(item: Any, model: ModelSpec, profile: Profile, find_file: FindFile) -> str:
    if not isinstance(item, dict):
        return "must be an object."
    if unknown := sorted(item.keys() - _ITEM_KEYS):
        return f"unknown {', '.join(unknown)}."
    if not isinstance(item.get("url"), str) or not item["url"]:
        return "url is required."
    kind = item.get("kind")
    if not isinstance(kind, str) or kind not in model.kinds:
        return f"kind must be one of {', '.join(sorted(model.kinds))}."
    if any(not isinstance(item.get(key, ""), str) for key in ("name", "mimeType")):
        return "name and mimeType must be strings."
    try:
        file = find_file(item)
    except Refusal as refusal:
        return refusal.message
    if file is None:
        return "" if profile.foreign_urls == "accept" else "url was not uploaded here; upload the file first."
    rule = model.kinds[kind]
    if file.kind != kind:
        return f"the uploaded file is {file.kind}, not {kind}."
    if file.mime_type not in rule.mime_types:
        return f"{file.mime_type} is not accepted by {model.id}."
    return f"{file.size} bytes is more than {model.id} accepts." if file.size > rule.max_bytes else ""
