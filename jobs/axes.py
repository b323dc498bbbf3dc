"""What an axis may be called, and the values of a `{from, to, step}` one."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

__all__ = ["AXIS_HELP", "is_axis_name", "range_size", "range_values"]

_NAME: Final = re.compile(r"prompt|model|(?:params|options)\.[\w-]+|vars\.[^\W\d]\w*|references\.(?:0|[1-9]\d?)")

AXIS_HELP: Final = (
    "an axis is `prompt`, `model`, `params.NAME`, `options.NAME`, `vars.NAME` or `references.N`, counted from 0"
)


def is_axis_name(name: str) -> bool:
    """Tell whether `name` is the path of something an axis can replace."""
    return _NAME.fullmatch(name) is not None


def range_size(first: float, last: float, step: float) -> int:
    """Return how many values lie from `first` to `last`, both included: 0 for no step, or one that leads away."""
    if step == 0:
        return 0
    return max((_exact(last) - _exact(first)) // _exact(step) + 1, 0)


def range_values(first: float, last: float, step: float) -> list[int | float]:
    """Return the values themselves: whole numbers where all three are, else exact decimals, so 0.3 is 0.3."""
    size = range_size(first, last, step)
    if all(isinstance(number, int) for number in (first, last, step)):
        return [int(first) + place * int(step) for place in range(size)]
    return [float(_exact(first) + place * _exact(step)) for place in range(size)]


def _exact(number: float) -> Fraction:
    """The number as written: 0.1 is a tenth, not the nearest binary fraction."""
    return Fraction(repr(number))
