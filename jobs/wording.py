"""Lists, values and numbers as they stand in messages: short, and in the words of the manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

__all__ = ["count", "duration", "listed", "plain_text", "size", "written"]

# Longer lists are cut in messages: nobody reads 200 names.
LISTED_MAX = 12
# A value longer than this hides the sentence around it.
WRITTEN_CHARS = 60


def listed(words: Iterable[object]) -> str:
    """Such as `a`, `b` and 30 more."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) <= LISTED_MAX + 1:
        return ", ".join(quoted)
    return ", ".join(quoted[:LISTED_MAX]) + f" and {len(quoted) - LISTED_MAX} more"


def written(value: object) -> str:
    """A value as JSON, in backquotes, never longer than a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= WRITTEN_CHARS else f"`{text[: WRITTEN_CHARS - 3]}...`"


def plain_text(value: object) -> str | None:
    """A YAML scalar as the text people see: `true`, `8`, `0.5`; 8.0 is `8`. None for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 item`, `2 items`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A length of time in at most two units: `41s`, `8m 41s`, `2h 05m`, `3d 4h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s" if whole % 60 else f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def size(size_bytes: int) -> str:
    """A number of bytes in the largest unit that keeps it readable: `61 MB`, `1.4 GB`."""
    amount, units = float(size_bytes), ["GB", "MB", "KB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.1f} {units[-1]}" if units[-1] != "B" and amount < 10 else f"{amount:.0f} {units[-1]}"
