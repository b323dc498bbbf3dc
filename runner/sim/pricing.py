"""What a task costs in the toy service: reserved when it begins, final when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from runner.sim.catalogue import ParamSpec
from runner.sim.dice import roll
from runner.sim.profile import Profile
from runner.sim.validation import Order

__all__ = ["final_price", "reserved_price"]

# How price follows params under `price_rule=scaled`. The real rule is undocumented; this one is simple and steep enough
# to be noticed. Every factor is relative to the param's default, so default params cost the base price under any rule.
_PROPORTIONAL = frozenset({"duration", "n_frames", "duration_seconds", "max_images"})
_WEIGHTS: Mapping[str, Mapping[str, int]] = {
    "resolution": {"480p": 2, "512P": 2, "720p": 4, "768P": 4, "1080p": 9, "1K": 4, "2K": 8, "4K": 16},
    "image_resolution": {"1K": 4, "2K": 8, "4K": 16},
    "quality": {"basic": 2, "medium": 2, "high": 4, "720p": 4, "1080p": 9},
    "size": {"standard": 2, "high": 4},
    "generate_audio": {"false": 4, "true": 5},
    "sound": {"false": 4, "true": 5},
}


def reserved_price(order: Order, profile: Profile, seed: int, content: str) -> int:
    """Whole credits held when the task begins; at least 1."""
    price = Fraction(order.model.base_credits)
    if profile.price_rule == "scaled":
        for key, value in order.params.items():
            if key in order.model.params:
                price *= _factor(order.model.params[key], value)
    if profile.surprise_share and roll(seed, "surprise", content) < profile.surprise_share:
        price *= Fraction(profile.surprise_factor)
    return max(1, ceil(price))


def _factor(spec: ParamSpec, value: object) -> Fraction:
    if spec.default is None:
        return Fraction(1)
    if spec.key in _PROPORTIONAL:
        return Fraction(str(value)) / Fraction(str(spec.default))
    weights = _WEIGHTS.get(spec.key, {})
    return Fraction(weights.get(str(value), 1), weights.get(str(spec.default), 1))


def final_price(order: Order, profile: Profile, seed: int, content: str, reserved: int) -> int:
    """Whole credits charged when the task succeeds; differs from the reserved ones for METERED models only."""
    if not order.model.metered or profile.metered_final == "same":
        return reserved
    off = roll(seed, "metered", content) * profile.metered_spread
    higher = profile.metered_final == "higher"
    if profile.metered_final == "either":
        higher = roll(seed, "metered side", content) < 0.5
    return ceil(reserved * (1 + off)) if higher else max(0, floor(reserved * (1 - off)))
