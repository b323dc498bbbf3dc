"""The manifest, version 1, as typed values.

These models are both the reader and the JSON Schema (`rivya-batch schema`), so that the two cannot disagree.
Structure only: what needs the catalogue, the data files or the references is checked in `jobs.checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "Budget",
    "Data",
    "Defaults",
    "FileText",
    "Job",
    "Limits",
    "Manifest",
    "Matrix",
    "Notify",
    "Output",
    "Range",
    "Reference",
    "Report",
    "Retries",
    "Sample",
]

Scalar = str | int | float | bool | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Budget(_Strict):
    credits: Annotated[int, Field(ge=0)] | None = None
    per_item: Annotated[int, Field(ge=0)] | None = None
    on_exhausted: Literal["stop", "skip"] = "stop"


class Limits(_Strict):
    """Rates are text such as `50/s` or `60/min` (see `jobs.rates.Rate`); durations such as `20m`, `2s`, `500ms`."""

    creates: str | None = None
    polls: str | None = None
    uploads: str | None = None
    downloads: str | None = None
    in_flight: Annotated[int, Field(ge=1)] | None = None
    timeout: str | None = None
    first_poll: str | None = None
    poll_gap: str | None = None


class Retries(_Strict):
    sends: Annotated[int, Field(ge=0)] | None = None
    resubmit_failed: Annotated[int, Field(ge=0)] = 0


class Reference(_Strict):
    file: str


class FileText(_Strict):
    file: str


class Data(_Strict):
    file: str
    key: str | None = None
    where: dict[str, Scalar | list[Scalar]] = {}
    limit: Annotated[int, Field(ge=1)] | None = None


class Range(_Strict):
    from_: int | float = Field(alias="from")
    to: int | float
    step: int | float = 1


class Sample(_Strict):
    count: Annotated[int, Field(ge=1)]
    seed: int = 0


class Matrix(_Strict):
    grid: dict[str, list[JsonValue] | Range] = {}
    zip: dict[str, list[JsonValue] | Range] = {}
    exclude: list[dict[str, JsonValue]] = []
    sample: Sample | None = None
    include: list[dict[str, JsonValue]] = []


class Report(_Strict):
    x: str | None = None
    y: str | None = None
    pages: list[str] = []
    compare: str | None = None


class Output(_Strict):
    dir: str | None = None
    name: str | None = None
    sidecar: bool = True


class Notify(_Strict):
    on: list[Literal["finished", "failed", "budget", "attention"]] = []
    urls: list[str] = []


class Defaults(_Strict):
    model: str | None = None
    params: dict[str, JsonValue] = {}
    options: dict[str, JsonValue] = {}
    vars: dict[str, JsonValue] = {}
    references: list[str] | None = None
    tags: list[str] | None = None
    output: str | None = None


class Job(_Strict):
    id: str
    prompt: str | list[str] | FileText | None = None
    model: str | None = None
    params: dict[str, JsonValue] = {}
    options: dict[str, JsonValue] = {}
    vars: dict[str, JsonValue] = {}
    references: list[str] | None = None
    data: Data | None = None
    matrix: Matrix | None = None
    repeat: Annotated[int, Field(ge=1)] = 1
    tags: list[str] | None = None
    output: str | None = None
    report: Report | None = None
    enabled: bool = True


class Manifest(_Strict):
    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    description: str = ""
    edition: str = ""
    vars: dict[str, JsonValue] = {}
    budget: Budget = Budget()
    limits: Limits = Limits()
    retries: Retries = Retries()
    references: dict[str, Reference] = {}
    defaults: Defaults = Defaults()
    jobs: list[Job]
    output: Output = Output()
    notify: Notify = Notify()
