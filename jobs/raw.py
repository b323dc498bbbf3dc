"""A document's values before anybody knows their shape.

The rules look at what stands in the file, not at the typed manifest, so that one slip in a job's shape does not hide
all other mistakes until it is mended. Where a value has the wrong shape they see nothing; its shape is reported anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from jobs.findings import Finding, Severity
from jobs.yaml12 import Document, Path

__all__ = ["Raw", "entries", "fields", "jobs_of", "note"]

Raw: TypeAlias = Mapping[str, JsonValue]

_NOTHING: Raw = {}


def fields(value: JsonValue) -> Raw:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def entries(value: JsonValue) -> Sequence[JsonValue]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else ()


def jobs_of(data: Raw) -> Iterator[tuple[Path, Raw]]:
    """Return every job that is a mapping, with its path."""
    for index, job in enumerate(entries(data.get("jobs"))):
        if isinstance(job, dict):
            yield ("jobs", index), job


def note(
    document: Document,
    code: str,
    path: Path,
    message: str,
    remedy: str = "",
    *,
    key: bool = False,
    severity: Severity = "error",
) -> Finding:
    """Return the finding about the value at `path`, or about its key."""
    place = document.place(path, key=key)
    return Finding(code=code, message=message, place=place, help=remedy, severity=severity)
