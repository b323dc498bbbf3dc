"""The small JSON file beside each result: what it is, what made it, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from jobs.escape import json_text
from runner.blobs import Blobs

__all__ = ["Sidecar", "write_sidecar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What somebody who finds the file in a year wants to know. No address: those are signed, and die."""

    item: str
    identity: str
    run: str
    model: str
    prompt: str | None
    params: Mapping[str, object]
    axes: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    task_id: str | None = None
    credits: int | None = None
    file: str
    sha256: str
    bytes: int
    type: str | None
    state: str
    finished_at: str | None = None


async def write_sidecar(blobs: Blobs, sidecar: Sidecar) -> str:
    """Writes `<file>.json` whole or not at all, and returns its path below the output folder."""
    path = f"{sidecar.file}.json"
    # Not `asdict`, which copies every value deeply: this is done for every result.
    content = {one.name: getattr(sidecar, one.name) for one in fields(sidecar)}
    await blobs.put(path, (json_text(content, indent=2) + "\n").encode())
    return path
