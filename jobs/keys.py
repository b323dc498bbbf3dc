"""Item keys: what people see instead of a hash, such as `reveal/vars.surface=wet asphalt,params.duration=8#2`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from jobs.identity import canonical
from jobs.wording import plain_text

__all__ = ["item_key", "joined_key", "readable", "short"]

# A key is one cell of a table; what is longer is cut and told apart by its hash.
VALUE_CHARS = 60


def item_key(job: str, row: str | None, prompt: int | None, axes: Mapping[str, object], repeat: int) -> str:
    """The key of an item. `prompt` is the place (from 1) in a list of several. The first of several repeats is bare."""
    return joined_key(job, row, prompt, [f"{name}={short(value)}" for name, value in axes.items()], repeat)


def joined_key(job: str, row: str | None, prompt: int | None, named: Iterable[str], repeat: int) -> str:
    """The same of `name=value` parts that are written already."""
    parts = [] if row is None else [row]
    if prompt is not None:
        parts.append(f"prompt={prompt}")
    parts += named
    key = f"{job}/{','.join(parts)}" if parts else job
    return f"{key}#{repeat}" if repeat > 1 else key


def readable(row: str | None, prompt: int | None, values: Iterable[str]) -> str:
    """The same in values only, for a file name."""
    parts = [] if row is None else [row]
    if prompt is not None:
        parts.append(f"prompt {prompt}")
    return " ".join((*parts, *values))


def short(value: object) -> str:
    """A value as it stands in a key."""
    text = plain_text(value)
    if text is None:
        text = canonical(value).decode()
    if len(text) <= VALUE_CHARS:
        return text
    return f"{text[: VALUE_CHARS - 9]}~{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"
