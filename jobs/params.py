"""A model's own `params`, typed to what the catalogue asks.

People write `8`, `8.0` or `"8"`; the service wants exactly one JSON type per param. What can only mean one thing is
converted, everything else is a problem that says what would be accepted. Nothing is clamped, and nothing that nobody
wrote is sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from jobs.catalogue import Model, Param
from jobs.findings import Severity
from jobs.suggest import did_you_mean, nearest
from jobs.wording import listed, plain_text, written

__all__ = ["Problem", "typed_param", "typed_params"]

REFERENCE_KEY = "referenceMediaItems"  # the runner fills it from the references it uploaded

# A written number inside text, as JSON spells it: no spaces, no `1_000`, no `1e400`.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?")

# The service caps nothing here that we know of; a prompt is at most 20,000 characters and a param is less than that.
MAX_TEXT_CHARS = 20_000
MAX_STRUCTURED_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A mistake in one value. `path` is where it was written below a job, such as `params.duration`."""

    code: str
    path: str
    message: str
    help: str = ""
    severity: Severity = "error"


def typed_params(model: Model, params: Mapping[str, object]) -> tuple[dict[str, object], tuple[Problem, ...]]:
    """The params as they are sent, and what is wrong with them. A value of None was taken back and is not sent."""
    sent: dict[str, object] = {}
    problems: list[Problem] = []
    for key, value in params.items():
        if value is None:
            continue
        outcome = typed_param(model, key, value)
        if isinstance(outcome, Problem):
            problems.append(outcome)
            if outcome.severity == "error":
                continue
            sent[key] = _aswritten(value)
        else:
            sent[key] = outcome
    problems += _missing(model, params)
    return sent, tuple(problems)


def typed_param(model: Model, key: str, value: object) -> object | Problem:
    """One value as it is sent, or what is wrong with it."""
    if key == REFERENCE_KEY:
        return Problem(
            code="param-reference-items",
            path=f"params.{key}",
            message=f"`{REFERENCE_KEY}` cannot be written by hand",
            help="name the files under `references:` and list them in the job's `references`; they are then uploaded",
        )
    if key in model.structured_params:
        return _structured(model, key, value)
    for spec in model.params:
        if spec.key == key:
            return _TYPED[spec.type](model, spec, value)
    return _unknown(model, key)


def _select(model: Model, spec: Param, value: object) -> object | Problem:
    text = plain_text(value)
    if text in spec.options:
        return text
    if isinstance(value, float) and text is not None:
        for option in spec.options:
            if _NUMBER.fullmatch(option) and float(option) == value:
                return option
    close = nearest(text, spec.options) if text is not None else None
    hint = f"did you mean `{close}`? " if close is not None else ""
    return Problem(
        code="param-not-an-option",
        path=f"params.{spec.key}",
        message=f"`{spec.key}` of {model.id} cannot be {written(value)}",
        help=f"{hint}it takes {listed(spec.options)}",
    )


def _number(model: Model, spec: Param, value: object) -> object | Problem:
    number = value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        number = json.loads(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return Problem(
            code="param-not-a-number",
            path=f"params.{spec.key}",
            message=f"`{spec.key}` of {model.id} is a number, not {written(value)}",
            help=_range_help(spec),
        )
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if (spec.min is not None and number < spec.min) or (spec.max is not None and number > spec.max):
        return Problem(
            code="param-out-of-range",
            path=f"params.{spec.key}",
            message=f"`{spec.key}` of {model.id} cannot be {written(value)}",
            help=_range_help(spec),
        )
    return _off_step(model, spec, number) or number


def _off_step(model: Model, spec: Param, number: float) -> Problem | None:
    """Steps count from the minimum, in decimal: 0.15 is three steps of 0.05, whatever binary fractions say."""
    if not spec.step:
        return None
    start, step = Decimal(str(spec.min or 0)), Decimal(str(spec.step))
    steps, rest = divmod(Decimal(str(number)) - start, step)
    if not rest:
        return None
    below = start + steps * step
    around = [below, below + step] if spec.max is None or below + step <= Decimal(str(spec.max)) else [below]
    return Problem(
        code="param-off-step",
        path=f"params.{spec.key}",
        message=f"`{spec.key}` of {model.id} goes in steps of {plain_text(spec.step)}, so it cannot be {number}",
        help="the nearest values are " + " and ".join(f"`{plain_text(float(value))}`" for value in around),
    )


def _text(model: Model, spec: Param, value: object) -> object | Problem:
    text = plain_text(value)
    if text is None or isinstance(value, bool):
        return Problem(
            code="param-not-text",
            path=f"params.{spec.key}",
            message=f"`{spec.key}` of {model.id} is text, not {written(value)}",
            help="write it in quotes if the word itself is meant, or leave it out",
        )
    if len(text) > MAX_TEXT_CHARS:
        return Problem(
            code="param-too-long",
            path=f"params.{spec.key}",
            message=f"`{spec.key}` has {len(text):,} characters; {MAX_TEXT_CHARS:,} are allowed",
            help="shorten it",
        )
    return text


_TYPED = {"select": _select, "number": _number, "text": _text}


def _structured(model: Model, key: str, value: object) -> object | Problem:
    """A list or an object is handed on as written; what is inside is the service's to judge."""
    reason = ""
    if not isinstance(value, list | dict) or not value:
        reason = f"`{key}` of {model.id} is a list or an object with something in it, not {written(value)}"
    else:
        try:
            size_bytes = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        except ValueError:
            reason = f"`{key}` holds a number that JSON cannot carry, such as `.nan`, or text that is not valid Unicode"
        else:
            if size_bytes > MAX_STRUCTURED_BYTES:
                reason = f"`{key}` has {size_bytes:,} bytes; {MAX_STRUCTURED_BYTES:,} are allowed"
    if not reason:
        return value
    help_line = "see `rivya-batch models " + model.id + "` for its shape"
    return Problem(code="param-structure", path=f"params.{key}", message=reason, help=help_line)


def _unknown(model: Model, key: str) -> Problem:
    known = [*(spec.key for spec in model.params), *model.structured_params]
    takes = f"{model.id} takes {listed(known)}" if known else f"{model.id} takes no params"
    if model.complete:
        message, severity = f"{model.id} has no param `{key}`", "error"
    else:
        message, severity = f"{model.id} has no documented param `{key}`; it is sent as written", "warning"
    return Problem(
        code="unknown-param",
        path=f"params.{key}",
        message=message,
        help=did_you_mean(key, known) or takes,
        severity="error" if severity == "error" else "warning",
    )


def _missing(model: Model, params: Mapping[str, object]) -> list[Problem]:
    problems = []
    for spec in model.params:
        if spec.required and params.get(spec.key) is None:
            example = spec.default if spec.default is not None else (spec.options or ("...",))[0]
            problems.append(_required(model, spec.key, f"add it to the job's params, such as `{spec.key}: {example}`"))
    return problems + [
        _required(model, key, f"add `{key}` to the job's params")
        for key in model.structured_required
        if params.get(key) is None
    ]


def _required(model: Model, key: str, help_line: str) -> Problem:
    return Problem(code="missing-param", path="params", message=f"{model.id} needs `params.{key}`", help=help_line)


def _aswritten(value: object) -> object:
    """A value of an undocumented param: booleans travel as strings on every documented model."""
    return plain_text(value) if isinstance(value, bool) else value


def _range_help(spec: Param) -> str:
    low = f"from {plain_text(spec.min)}" if spec.min is not None else ""
    high = f"up to {plain_text(spec.max)}" if spec.max is not None else ""
    step = f"in steps of {plain_text(spec.step)}" if spec.step else ""
    limits = " ".join(part for part in (low, high, step) if part)
    return f"it takes a number {limits}".rstrip()
