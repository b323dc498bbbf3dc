"""The box templates are evaluated in: plain data, a list of filters, and a size on everything that can grow.

Jinja's own sandbox forbids the known ways out of it and has no limit on memory. This one allows known ways in:
attributes are keys of plain data and never Python attributes, a filter is on the list or does not exist, and no value
grows past the text it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from jobs.suggest import did_you_mean
from jobs.wording import listed, plain_text

__all__ = ["ENVIRONMENT", "MAX_TEXT_CHARS", "STEPS", "BadTemplateError", "joined", "new_steps"]

# Twice the longest prompt any model takes, so that only a mistake meets it.
MAX_TEXT_CHARS: Final = 40_000
# A list of a thousand things is no prompt. Counted over all loops of one text, so that nesting wins nothing.
MAX_STEPS: Final = 1_000
# Whole numbers in a template are counts and seeds; 256 bits are far beyond both and still cheap.
MAX_INT_BITS: Final = 256

STEPS: Final = "_steps"  # no template can write a name that begins with an underscore

_TEXT_FILTERS: Final = ("capitalize", "lower", "string", "title", "trim", "upper", "wordcount")
_FILTERS: Final = frozenset(
    {"abs", "count", "d", "default", "first", "float", "int", "items", "last", "length", "list", "max", "min"}
    | {"reverse", "sort", "unique"}
)
_LOOP_FIELDS: Final = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class BadTemplateError(Exception):
    """A template that cannot be compiled or rendered; `line` counts from 1 in the template's own text."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def new_steps() -> Iterator[int]:
    """What the loops of one rendering may take."""
    return iter(range(MAX_STEPS))


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with attributes that are keys of plain data, and arithmetic that minds its size."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            known = attribute in _LOOP_FIELDS
            return getattr(obj, attribute) if known else self.undefined(f"a loop has no `{attribute}`")
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, Mapping):
            key = str(argument) if isinstance(argument, int) else argument
            if isinstance(key, str) and key in obj:
                return obj[key]
            return self.undefined(_no_key(obj, str(key)))
        if isinstance(obj, str | list | tuple | range) and isinstance(argument, int | slice):
            try:
                return obj[argument]
            except (LookupError, ValueError):
                return self.undefined(f"there is no place {argument} in it")
        return self.undefined(f"`{argument}` cannot be looked up in {_kind(obj)}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise BadTemplateError("`%` is for numbers; write the values into the text")
        if operator == "+" and isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
            _mind(len(left) + len(right))
        if operator == "*":
            _mind_product(left, right)
        return super().call_binop(context, operator, left, right)


def _no_key(obj: Mapping[str, object], key: str) -> str:
    known = sorted(name for name in obj if "." not in name)
    return f"there is no `{key}`; " + (
        did_you_mean(key, known) or (f"there is {listed(known)}" if known else "it is empty")
    )


def _mind(size: int) -> None:
    if size > MAX_TEXT_CHARS:
        raise BadTemplateError(f"a value would grow to {size:,}; {MAX_TEXT_CHARS:,} are allowed")


def _mind_product(left: object, right: object) -> None:
    for value, times in ((left, right), (right, left)):
        if isinstance(value, list | tuple):
            raise BadTemplateError("a list cannot be multiplied")
        if isinstance(value, str) and isinstance(times, int):
            _mind(len(value) * times)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_INT_BITS:
        raise BadTemplateError("a product is too large")


def joined(parts: Iterable[str]) -> str:
    """The rendered text, given up as soon as it is too long."""
    texts, size = [], 0
    for part in parts:
        size += len(part)
        _mind(size)
        texts.append(part)
    return "".join(texts)


def _finalized(value: object) -> object:
    """Values as people write them: `true`, not `True`; what is no text is a mistake that would cost money."""
    text = plain_text(value)
    if text is not None or isinstance(value, Undefined):
        return text if text is not None else value
    if value is None:
        raise BadTemplateError("a value is empty (null); say what to write instead: `{{ x | default('...', true) }}`")
    raise BadTemplateError(f"a value is {_kind(value)}, not text; pick from it, or join it: `{{{{ x | join(', ') }}}}`")


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a set of keys"
    return "a list" if isinstance(value, list | tuple | range) else "a plain value"


def _range(*limits: Any) -> range:
    if not all(isinstance(limit, int) for limit in limits):
        raise BadTemplateError("`range` counts in whole numbers")
    numbers = range(*limits)
    if len(numbers) > MAX_STEPS:
        raise BadTemplateError(f"`range` of {len(numbers):,} steps; {MAX_STEPS:,} are allowed")
    return numbers


@pass_context
def _steps(context: Context, values: Iterable[object]) -> Iterator[object]:
    """A loop's values, until all loops of this text together took too many steps."""
    steps: Iterator[int] = context.parent[STEPS]
    for value in values:
        if next(steps, None) is None:
            raise BadTemplateError(f"the loops take more than {MAX_STEPS:,} steps")
        yield value


def _on_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """A text filter that takes plain values only: the text of a nested list can be gigabytes."""
    return lambda value, *rest: function(str(_finalized(value)), *rest)


def _sum(numbers: Iterable[float]) -> float:
    return sum(numbers)


def _join(values: Iterable[object], between: str = "") -> str:
    texts = [str(_finalized(value)) for value in values]
    _mind(sum(len(text) for text in texts) + len(between) * max(len(texts) - 1, 0))
    return str(between).join(texts)


def _replace(text: object, old: str, new: str) -> str:
    whole = str(_finalized(text))
    _mind(len(whole) + whole.count(old) * max(len(new) - len(old), 0))
    return whole.replace(old, new)


def _round(number: float, digits: int = 0) -> float:
    if not 0 <= digits <= 15:
        raise BadTemplateError("`round` takes from 0 to 15 digits")
    return round(number, digits)


def _environment() -> _Environment:
    made = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_finalized)
    own: dict[str, Callable[..., Any]] = {
        "join": _join,
        "replace": _replace,
        "round": _round,
        "sum": _sum,
        STEPS: _steps,
    }
    text = {name: _on_text(FILTERS[name]) for name in _TEXT_FILTERS}
    made.filters = {name: FILTERS[name] for name in _FILTERS} | text | own
    made.tests = {name: test for name, test in TESTS.items() if name not in {"filter", "test", "callable", "escaped"}}
    made.globals = {"range": _range}
    return made


ENVIRONMENT: Final = _environment()
