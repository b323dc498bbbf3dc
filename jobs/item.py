"""The item: one generation wanted, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jobs.findings import Place

__all__ = ["Item", "MediaKind", "ReferenceFile"]

MediaKind = Literal["image", "video", "audio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFile:
    """A local file given to a model, as it was when it was read.

    `path` is how the manifest names it, `location` where the runner can open it. `mime` and `kind` come from the
    content, never from the name; what is no known media is refused before there is one of these.
    """

    name: str
    path: str
    location: str
    sha256: str
    bytes: int
    mime: str
    kind: MediaKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One generation wanted: model, rendered prompt, params as sent, references and repeat number.

    `identity` is the content hash; everything below it is presentation and never changes what is bought.
    """

    identity: str
    model: str
    prompt: str | None
    params: Mapping[str, object]  # as sent: selects are strings, numbers are numbers; no references in here
    references: tuple[ReferenceFile, ...]
    repeat: int  # 1-based
    edition: str
    # presentation
    index: int  # 0-based place in the run
    key: str  # unique in the run, such as `reveal/vars.surface=wet asphalt,params.duration=8`
    job: str
    axes: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    output_stem: str  # relative POSIX path below the output folder, without extension
    credits: int | None  # catalogue's base price; None when it has none
    price_class: str  # items of one class are assumed to cost the same: model + params that may matter
    place: Place | None = None
