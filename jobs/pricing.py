"""What an item may cost. The catalogue knows base prices only; what was charged is the one truth.

A price class is a set of items assumed to cost the same: the model plus every param that may move its price. A param
left at its documented default is the same as one nobody wrote. Free text and seeds never make a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from jobs.catalogue import Model

__all__ = ["Estimate", "estimate", "is_base_class", "price_class"]

# Params that are documented as numbers but only ever choose another random draw.
_SEEDS = frozenset({"seed", "seeds"})

# Documentation gives no scaling rule. For "likely" nothing is assumed; for "high": the dearest combination (longest
# clip, best resolution) of comparable services costs up to about six times the base.
HIGH_FACTOR = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Credits of one item before it is bought. `known` is True when the class's price was really seen."""

    low: int
    likely: int
    high: int
    known: bool


def price_class(model: Model, params: Mapping[str, object], *, reference_count: int = 0) -> str:
    """A readable name of the class, such as `seedance-1-5-pro?duration=12`."""
    priced = [
        f"{quote(spec.key, safe='')}={quote(str(params[spec.key]), safe=':.')}"
        for spec in sorted(model.params, key=lambda spec: spec.key)
        if spec.key in params and spec.type != "text" and spec.key not in _SEEDS and params[spec.key] != spec.default
    ]
    if model.billing_type == "METERED" or model.structured_params:
        priced.append("metered")
    if reference_count:
        priced.append("references")
    return model.id + ("?" + "&".join(priced) if priced else "")


def is_base_class(name: str) -> bool:
    """True when every param that may matter is at its default, so that the documented base price is meant."""
    return "?" not in name


def estimate(*, price_class: str, base: int | None, seen: int | None) -> Estimate:
    """The range for one item: exact for a class whose charge was seen, otherwise around the base price."""
    if seen is not None:
        return Estimate(low=seen, likely=seen, high=seen, known=True)
    guess = base if base is not None else 0
    if base is not None and is_base_class(price_class):
        return Estimate(low=guess, likely=guess, high=guess, known=False)
    return Estimate(low=guess, likely=guess, high=guess * HIGH_FACTOR, known=False)
