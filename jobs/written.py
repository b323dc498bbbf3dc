"""One job as its author meant it: with the defaults under it, and with the place of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.findings import Place
from jobs.manifest import Defaults, Job, Manifest, merged
from jobs.yaml12 import Document, Path

__all__ = ["Written", "written_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A job's own values over the defaults'. A null of its own takes a default back."""

    index: int
    job: Job
    model: str | None
    params: Mapping[str, object]
    options: Mapping[str, object]
    vars: Mapping[str, object]  # the manifest's, the defaults', the job's and the command line's
    references: tuple[str, ...]
    tags: tuple[str, ...]
    output: str | None
    axis_names: tuple[str, ...]
    document: Document

    def place(self, path: str, axes: Mapping[str, object] | None = None) -> Place:
        """Where the value of a path such as `params.duration` was written, for a cell with these axis values."""
        if axes is not None and path in axes:
            return self.document.place(self._axis_path(path, axes[path]))
        steps = _steps(path)
        own: Path = ("jobs", self.index, *steps)
        top = ("output", "name") if path == "output" else steps
        for path_to in (own, ("defaults", *steps), top):
            if steps and _stands(self.document.data, path_to):
                return self.document.place(path_to)
        return self.document.place(own)

    def place_of_axis(self, name: str) -> Place:
        """Where an axis is named."""
        matrix = self.job.matrix
        part = "grid" if matrix is not None and name in matrix.grid else "zip"
        return self.document.place(("jobs", self.index, "matrix", part, name), key=True)

    def _axis_path(self, name: str, value: object) -> Path:
        """The value itself in its list; the axis when the values are a range; else what was included."""
        matrix = self.job.matrix
        assert matrix is not None
        for part, axes in (("grid", matrix.grid), ("zip", matrix.zip)):
            values = axes.get(name)
            if values is None:
                continue
            if not isinstance(values, list):
                return ("jobs", self.index, "matrix", part, name)
            for number, other in enumerate(values):
                if other is value or (other == value and type(other) is type(value)):
                    return ("jobs", self.index, "matrix", part, name, number)
        for number, entry in enumerate(matrix.include):
            if entry.get(name) == value:
                return ("jobs", self.index, "matrix", "include", number, name)
        return ("jobs", self.index, "matrix")


def written_job(document: Document, manifest: Manifest, index: int, variables: Mapping[str, str]) -> Written:
    """The job at `index` with everything that stands behind it."""
    job, defaults = manifest.jobs[index], manifest.defaults
    return Written(
        index=index,
        job=job,
        model=_own(job, defaults, "model"),
        params=merged(defaults.params, job.params),
        options=merged(defaults.options, job.options),
        vars=merged(merged(merged(manifest.vars, defaults.vars), job.vars), dict(variables)),
        references=tuple(_own(job, defaults, "references") or ()),
        tags=tuple(_own(job, defaults, "tags") or ()),
        output=_own(job, defaults, "output") or manifest.output.name,
        axis_names=axis_names(job),
        document=document,
    )


def _own(job: Job, defaults: Defaults, name: str) -> Any:
    """What the job says, be it null, which takes a default back; the default when it says nothing."""
    return getattr(job if name in job.model_fields_set else defaults, name)


def axis_names(job: Job) -> tuple[str, ...]:
    """The names of a job's axes in the order they turn: grid, then zip."""
    return (*job.matrix.grid, *job.matrix.zip) if job.matrix is not None else ()


def _steps(path: str) -> Path:
    """`references.0` as the document counts: list places are numbers."""
    head, _, rest = path.partition(".")
    if not rest:
        return (head,) if head else ()
    return (head, int(rest)) if head == "references" and rest.isdigit() else (head, rest)


def _stands(data: object, path: Path) -> bool:
    """Whether the manifest has a value there."""
    for step in path:
        if isinstance(data, list):
            data = dict(enumerate(data))
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True
