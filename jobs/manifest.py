"""The manifest, version 1, as typed values.

These models are both the reader and the JSON Schema (`rivya-batch schema`), so that the two cannot disagree; the
descriptions are what an editor shows. Structure only: what holds beyond the shape of a value stands in `jobs.rules`,
what needs the catalogue, the data files or the references in `jobs.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, ValidationError

from jobs.axes import range_size, range_values
from jobs.findings import Finding
from jobs.rates import DURATION_PATTERN, RATE_PATTERN
from jobs.rules import FINDINGS_MAX, rule_findings
from jobs.shape import shape_findings
from jobs.yaml12 import Document

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
    "axis_size",
    "axis_values",
    "merged",
    "parse",
]

MAX_CREDITS: Final = 1_000_000_000  # a budget beyond it is a slip of the finger
MAX_IN_FLIGHT: Final = 100_000  # what one process was measured to hold: a kilobyte each beyond the item itself
MAX_SENDS: Final = 100  # each waits longer than the one before; a hundred are hours
MAX_RESUBMITS: Final = 10  # every one pays again
MAX_REPEAT: Final = 10_000  # more items need `--allow-large` anyway
MAX_SAMPLE: Final = 1_000_000
MAX_NAME_CHARS: Final = 64  # the name becomes a folder

Scalar = str | int | float | bool | None
Text = Annotated[str, Field(min_length=1)]
Rate = Annotated[str, Field(json_schema_extra={"pattern": RATE_PATTERN})]
Duration = Annotated[str, Field(json_schema_extra={"pattern": DURATION_PATTERN})]
Credits = Annotated[int, Field(ge=0, le=MAX_CREDITS)]
Params = dict[str, JsonValue]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def _branch(value: object) -> str | None:
    """Name the one branch of a union that a value's own type asks for, so that only its mistakes are reported."""
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, list):
        return "<list>"
    if isinstance(value, dict | BaseModel):
        return "<mapping>"
    return "<number>" if isinstance(value, int | float) else None


class Budget(_Strict):
    """What the run may spend."""

    credits: Credits | None = Field(
        None, description="Hard cap in credits for everything bought under this name and edition."
    )
    per_item: Credits | None = Field(None, description="Items that cost more than this are refused.")
    on_exhausted: Literal["stop", "skip"] = Field(
        "stop", description="When the next item does not fit: `stop` the run, or `skip` to cheaper ones."
    )


class Limits(_Strict):
    """Ceilings. Rates are text such as `50/s` or `60/min`; durations such as `20m`, `2s`, `500ms`."""

    creates: Rate | None = Field(None, description="New generations per time, such as `60/min`.")
    polls: Rate | None = Field(None, description="Status requests per time, such as `10/s`.")
    uploads: Rate | None = Field(None, description="Reference uploads per time, such as `30/min`.")
    downloads: Rate | None = Field(None, description="Result downloads per time, such as `5/s`.")
    in_flight: Annotated[int, Field(ge=1, le=MAX_IN_FLIGHT)] | None = Field(
        None, description="How many generations may be open at the service at once."
    )
    timeout: Duration | None = Field(None, description="How long one item may take before it is stalled: `20m`.")
    first_poll: Duration | None = Field(None, description="Shortest wait before the first status request: `2s`.")
    poll_gap: Duration | None = Field(None, description="Shortest gap between two status requests of a task: `1s`.")


class Retries(_Strict):
    """What is tried again."""

    sends: Annotated[int, Field(ge=0, le=MAX_SENDS)] | None = Field(
        None, description="Further sends of one attempt under the same key; they cost nothing."
    )
    resubmit_failed: Annotated[int, Field(ge=0, le=MAX_RESUBMITS)] = Field(
        0, description="How often a failed item is bought again. Each one pays again."
    )


class Reference(_Strict):
    """A local file that is given to models."""

    file: Text = Field(
        description="Path from the manifest's folder; a glob such as `shots/*.png` gives an ordered list."
    )


class FileText(_Strict):
    """A prompt in a file of its own."""

    file: Text = Field(description="Path of a UTF-8 text file from the manifest's folder; it may be a template.")


_Cell = Annotated[Scalar, Tag("<text>")] | Annotated[Scalar, Tag("<number>")] | Annotated[list[Scalar], Tag("<list>")]


class Data(_Strict):
    """Rows of a table: every row makes the job's items once."""

    file: Text = Field(description="CSV (`.csv`) or JSON lines (`.jsonl`, `.ndjson`) from the manifest's folder.")
    key: Text | None = Field(None, description="Column whose value names each row; values must differ.")
    where: dict[str, Annotated[_Cell, Discriminator(_branch)] | None] = Field(
        {}, description="Keep rows whose columns equal these values; a list means any of them."
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(None, description="Keep the first so many rows.")


class Range(_Strict):
    """Evenly spaced numbers, both ends included."""

    from_: int | float = Field(alias="from", description="First value.")
    to: int | float = Field(description="Last value, if the steps meet it.")
    step: int | float = Field(1, description="Distance between values; below 0 to count down.")


class Sample(_Strict):
    """A stable part of the combinations."""

    count: Annotated[int, Field(ge=1, le=MAX_SAMPLE)] = Field(description="How many combinations to keep.")
    seed: int = Field(0, description="Another seed picks others; the same seed always picks the same.")


Axis = Annotated[
    Annotated[list[JsonValue], Field(min_length=1), Tag("<list>")] | Annotated[Range, Tag("<mapping>")],
    Discriminator(_branch),
]


class Matrix(_Strict):
    """Axes that are combined. An axis is named by what it replaces, such as `params.duration` or `vars.style`."""

    grid: dict[str, Axis] = Field({}, description="Every value of every axis with every other.")
    zip: dict[str, Axis] = Field({}, description="Axes that step together; all equally long.")
    exclude: list[Params] = Field([], description="Combinations to leave out; an entry may name some axes only.")
    sample: Sample | None = Field(None, description="Keep only some of the combinations.")
    include: list[Params] = Field([], description="Whole combinations to add; each names every axis.")


class Report(_Strict):
    """How the results are laid out. Each entry names an axis of the job."""

    x: Text | None = Field(None, description="The axis across.")
    y: Text | None = Field(None, description="The axis down.")
    pages: list[Text] = Field([], description="Axes to page through.")
    compare: Text | None = Field(None, description="The axis whose values are shown side by side.")


class Output(_Strict):
    """Where results go."""

    dir: Text | None = Field(None, description="Folder, or `s3://bucket/prefix`; `out/<name>` if left out.")
    name: Text | None = Field(None, description="Template of file names, such as `{{ item.key }}{{ ext }}`.")
    sidecar: bool = Field(True, description="Write a JSON file with the item's story beside each result.")


class Notify(_Strict):
    """Who hears about it."""

    on: list[Literal["finished", "failed", "budget", "attention"]] = Field([], description="What to tell about.")
    urls: list[Text] = Field([], description="`https://` addresses that get a message.")


class Defaults(_Strict):
    """What jobs have unless they say otherwise. `params`, `options` and `vars` are merged key by key."""

    model: Text | None = Field(None, description="Model id; `rivya-batch models` lists them.")
    params: Params = Field({}, description="The model's own parameters.")
    options: Params = Field({}, description="Portable options, translated for each model.")
    vars: Params = Field({}, description="Values for templates, read as `{{ vars.NAME }}`.")
    references: list[Text] | None = Field(None, description="Names of references, in the order the model gets them.")
    tags: list[str] | None = Field(None, description="Labels for results.")
    output: Text | None = Field(None, description="Template of file names.")


_Prompt = (
    Annotated[Text, Tag("<text>")]
    | Annotated[list[Text], Field(min_length=1), Tag("<list>")]
    | Annotated[FileText, Tag("<mapping>")]
)


class Job(_Strict):
    """A template for items: one without matrix, data and repeat is one item."""

    id: Text = Field(description="Name of the job, unique in the manifest.")
    prompt: Annotated[_Prompt, Discriminator(_branch)] | None = Field(
        None, description="What to generate: a text, a list of texts, or `{file: PATH}`. Texts are templates."
    )
    model: Text | None = Field(None, description="Model id; `rivya-batch models` lists them.")
    params: Params = Field(
        {}, description="The model's own parameters; `rivya-batch models ID` lists them. `null` removes a default."
    )
    options: Params = Field(
        {}, description="Portable options: `aspect`, `duration`, `resolution`, `seed`, `sound`, `format`."
    )
    vars: Params = Field({}, description="Values for templates, read as `{{ vars.NAME }}`.")
    references: list[Text] | None = Field(None, description="Names of references, in the order the model gets them.")
    data: Data | None = Field(None, description="A CSV or JSON lines file; templates read it as `{{ row.COLUMN }}`.")
    matrix: Matrix | None = Field(None, description="Axes whose values are combined.")
    repeat: Annotated[int, Field(ge=1, le=MAX_REPEAT)] = Field(1, description="Buy each combination so many times.")
    tags: list[str] | None = Field(None, description="Labels for results; they never buy again.")
    output: Text | None = Field(None, description="Template of this job's file names.")
    report: Report | None = Field(None, description="How this job's results are laid out.")
    enabled: bool = Field(True, description="`false` leaves the job out.")


class Manifest(_Strict):
    """One file is one run. Keys that start with `x-` are free space for anchors."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=MAX_NAME_CHARS)] = Field(
        description="Name of the run and of its folder: lowercase letters, digits and `-`."
    )
    description: str = Field("", description="What this run is for.")
    edition: str = Field("", description="Free text in every identity; a new one buys everything again on purpose.")
    vars: Params = Field({}, description="Values for templates, read as `{{ vars.NAME }}`; `--var` overrides them.")
    budget: Budget = Field(Budget(), description="What the run may spend.")
    limits: Limits = Field(Limits(), description="Ceilings on rates and times.")
    retries: Retries = Field(Retries(), description="What is tried again.")
    references: dict[str, Reference] = Field({}, description="Local files for models, by name.")
    defaults: Defaults = Field(Defaults(), description="What jobs have unless they say otherwise.")
    jobs: Annotated[list[Job], Field(min_length=1)] = Field(description="What to generate.")
    output: Output = Field(Output(), description="Where results go.")
    notify: Notify = Field(Notify(), description="Who hears about it.")


def parse(document: Document) -> tuple[Manifest | None, list[Finding]]:
    """Return the manifest in `document`, or None and why not. Warnings may come with a manifest.

    What `load` found is not repeated; a document with findings gives further findings, never a manifest.
    """
    if not isinstance(document.data, dict):
        place = document.place(())
        remedy = "start with `version: 1` and `name: ...`, each on a line of its own"
        return None, [
            Finding(code="not-a-mapping", message="a manifest is a mapping of keys", place=place, help=remedy)
        ]
    data = {key: value for key, value in document.data.items() if not key.startswith("x-")}
    manifest: Manifest | None = None
    findings: list[Finding] = []
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        findings += islice(shape_findings(document, error, _KEYS), FINDINGS_MAX)
    findings += rule_findings(document, data)
    findings = _without_echoes(document, findings)
    is_sound = not document.findings and all(one.severity == "warning" for one in findings)
    return (manifest if is_sound else None), findings


def _without_echoes(document: Document, findings: list[Finding]) -> list[Finding]:
    """Drop what only follows from a worse mistake: on a line YAML was misread, or in a value that is a key."""
    misread = {found.place.line for found in document.findings if found.place is not None}
    secrets = [found for found in findings if found.code == "secret-in-manifest"]
    marked = {found.place for found in secrets}
    return [
        one for one in findings if one.place is None or (one.place.line not in misread and one.place not in marked)
    ] + [one for one in secrets if one.place is not None and one.place.line not in misread]


def axis_values(axis: list[JsonValue] | Range) -> list[JsonValue]:
    """Return the values of an axis. Whole numbers stay whole; steps of 0.1 are exact."""
    if isinstance(axis, Range):
        return list[JsonValue](range_values(axis.from_, axis.to, axis.step))
    return axis


def axis_size(axis: list[JsonValue] | Range) -> int:
    """Return how many values an axis has, without making them."""
    return range_size(axis.from_, axis.to, axis.step) if isinstance(axis, Range) else len(axis)


def merged(defaults: Mapping[str, JsonValue], own: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return `defaults` with `own` laid over them key by key; a null of its own removes a default."""
    return {key: value for key, value in {**defaults, **own}.items() if value is not None}


_HOLDERS: Final[tuple[tuple[tuple[str, ...], type[BaseModel]], ...]] = (
    ((), Manifest),
    (("budget",), Budget),
    (("limits",), Limits),
    (("retries",), Retries),
    (("references", "*"), Reference),
    (("defaults",), Defaults),
    (("jobs", "*"), Job),
    (("jobs", "*", "prompt"), FileText),
    (("jobs", "*", "data"), Data),
    (("jobs", "*", "matrix"), Matrix),
    (("jobs", "*", "matrix", "grid", "*"), Range),
    (("jobs", "*", "matrix", "zip", "*"), Range),
    (("jobs", "*", "matrix", "sample"), Sample),
    (("jobs", "*", "report"), Report),
    (("output",), Output),
    (("notify",), Notify),
)

# Where which keys may stand, for suggestions.
_KEYS: Final = {
    path: tuple(info.alias or name for name, info in model.model_fields.items()) for path, model in _HOLDERS
}
