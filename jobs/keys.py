"""Item keys: what people see instead of a hash, such as `reveal/vars.surface=wet asphalt,params.duration=8#2`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from jobs.identity import canonical
from jobs.wording import plain_text

__all__ = ["item_key", "readable"]

# A key is one cell of a table; what is longer is cut and told apart by its hash.
VALUE_CHARS = 60


def item_key(job: str, row: str | None, prompt: int | None, axes: Mapping[str, object], repeat: int) -> str:
    """The key of an item. `prompt` is the place (from 1) in a list of several. The first of several repeats is bare."""
    parts = [row] if row is not None else []
    if prompt is not None:
        parts.append(f"prompt={prompt}")
    parts += [f"{name}={_short(value)}" for name, value in axes.items()]
    key = f"{job}/{','.join(parts)}" if parts else job
    return f"{key}#{repeat}" if repeat > 1 else key


def readable(row: str | None, prompt: int | None, axes: Mapping[str, object]) -> str:
    """The same in values only, for a file name."""
    parts = [row] if row is not None else []
    if prompt is not None:
        parts.append(f"prompt {prompt}")
    return " ".join((*parts, *(_short(value) for value in axes.values())))


def _short(value: object) -> str:
    text = plain_text(value)
    if text is None:
        text = canonical(value).decode()
    if len(text) <= VALUE_CHARS:
        return text
    return f"{text[: VALUE_CHARS - 9]}~{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"
