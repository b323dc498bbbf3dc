"""Chance that can be replayed: every roll is a hash of the seed and of what is being decided.

Nothing is drawn from a running stream, so the answer to one request does not depend on how many others came before
it, and two runs with one seed agree even when their requests arrive in another order.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

__all__ = ["normal", "roll", "token"]

_STANDARD = NormalDist()
_SMALLEST = 2.0**-53  # keeps a roll away from 0 and 1, where the normal quantile is infinite


def _digest(seed: int, parts: tuple[object, ...]) -> bytes:
    return blake2b(repr((seed, parts)).encode(), digest_size=20).digest()


def roll(seed: int, *parts: object) -> float:
    """A number from 0 up to 1, the same for the same seed and parts."""
    return int.from_bytes(_digest(seed, parts)[:7], "big") / 2.0**56


def normal(seed: int, *parts: object) -> float:
    """A draw of the standard normal distribution."""
    return _STANDARD.inv_cdf(min(max(roll(seed, *parts), _SMALLEST), 1.0 - _SMALLEST))


def token(seed: int, *parts: object) -> str:
    """Twenty-four hexadecimal digits: an id or a signature."""
    return _digest(seed, parts)[:12].hex()
