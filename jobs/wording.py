"""Lists and values as they stand in messages: short, quoted, in the words of the manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

__all__ = ["listed", "plain_text", "written"]

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
