"""What the page is made from: a run as the ledger tells it, as plain values. Times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jobs.lifecycle import EventType, ItemState
from jobs.record import ArtifactState, Record

__all__ = ["FileState", "Happening", "LifeSpan", "NoteLine", "ReportFile", "ReportItem", "ReportRun", "Source"]

# Where a result stands: as the ledger says; or `missing`: saved once, and not there when the page was made; or
# `elsewhere`: saved in a bucket, which no page can load it from.
FileState = ArtifactState | Literal["missing", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """One result. `src` is what a page may load, `name` what people call it; `ratio` is width over height."""

    n: int
    state: FileState
    src: str | None = None
    name: str | None = None
    type: str | None = None
    bytes: int | None = None
    poster: str | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportItem:
    """One item of the run: how the run names it, what it is, where it stands."""

    key: str
    job: str
    model: str
    prompt: str | None
    params: Mapping[str, object]
    axes: Mapping[str, object]
    tags: tuple[str, ...]
    repeat: int
    reference_digests: tuple[str, ...]
    record: Record
    files: tuple[ReportFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One row of the event log, of one of the items."""

    at_s: float
    life_id: int | None
    identity: str
    type: EventType
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeSpan:
    """One life of the run; without an end it is alive, or it died."""

    life_id: int
    started_s: float
    ended_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLine:
    """What happened to the run as a whole, in words; what a person did to it, and what a new budget was before."""

    at_s: float
    name: str
    text: str
    is_steering: bool = False
    budget: tuple[int | None, int] | None = None  # before and after; None: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What of the manifest the next step needs: reference files by content; what cannot be had, in words."""

    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # digest -> name, file
    lacking: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRun:
    """The run itself. `state` is `alive`, `ended` or `died`; `settled` and `reserved` are its books."""

    run_id: str
    name: str
    edition: str
    state: str
    exit_code: int | None
    lives: tuple[LifeSpan, ...]
    counts: Mapping[ItemState, int]
    settled: int
    reserved: int
    uncertain: int
    cap_credits: int | None
    made_at_s: float  # when the page was
    layout: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # job -> its `report` block
    notes: tuple[NoteLine, ...] = ()
