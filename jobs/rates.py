"""Rates and durations as people write them: `50/s`, `60/min`, `20m`, `1h30m`, `500ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["DURATION_PATTERN", "MAX_PER_SECOND", "RATE_PATTERN", "Rate", "parse_duration_s", "parse_rate", "per_minute"]

MAX_PER_SECOND: Final = 10_000  # three times what one core was seen to send; a higher number is a slip of the finger

_WINDOWS_S: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_UNITS_S: Final = {"d": 86400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# The same two patterns stand in the JSON Schema, so they keep to what every dialect of regular expressions knows.
RATE_PATTERN: Final = r"^[1-9][0-9]{0,6}/(s|min|h)$"
DURATION_PATTERN: Final = r"^([0-9]{1,7}(\.[0-9]{1,3})?(d|h|min|ms|m|s))+$"

_PART: Final = re.compile(r"([0-9.]+)(d|h|min|ms|m|s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `count` in any `window_s` seconds."""

    count: int
    window_s: float

    @property
    def per_second(self) -> float:
        return self.count / self.window_s

    def __str__(self) -> str:
        unit = next((unit for unit, window_s in _WINDOWS_S.items() if window_s == self.window_s), f"{self.window_s:g}s")
        return f"{self.count}/{unit}"


def parse_rate(text: str) -> Rate | None:
    """Read `N/s`, `N/min` or `N/h`; None when it is no rate, or a faster one than anybody can send."""
    if re.fullmatch(RATE_PATTERN, text) is None or text.endswith("\n"):
        return None
    count, _, unit = text.partition("/")
    rate = Rate(count=int(count), window_s=_WINDOWS_S[unit])
    return rate if rate.per_second <= MAX_PER_SECOND else None


def parse_duration_s(text: str) -> float | None:
    """Read `20m`, `2s`, `500ms` or `1h30m` as seconds; None when it is no duration or its units are out of order."""
    if re.fullmatch(DURATION_PATTERN, text) is None or text.endswith("\n"):
        return None
    parts = [(float(number), _UNITS_S[unit]) for number, unit in _PART.findall(text)]
    units = [unit_s for _, unit_s in parts]
    if units != sorted(set(units), reverse=True):
        return None
    return sum(number * unit_s for number, unit_s in parts)


def per_minute(per_s: float) -> str:
    """A rate as people say it: whole, or with one digit where that is a tenth of it or more."""
    per_min = per_s * 60
    return f"{per_min:,.0f}" if per_min >= 9.95 or per_min == round(per_min) else f"{per_min:.1f}"
