"""The files a manifest names, and what was found in them. The runner reads them; the core only says which.

Places go along, so that a missing picture is reported where the manifest names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.findings import Finding, Place
from jobs.item import ReferenceFile
from jobs.manifest import FileText, Manifest
from jobs.yaml12 import Document

__all__ = ["Needed", "Needs", "Sources", "needs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One file, by the path that the manifest gives it, relative to the manifest's folder."""

    path: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Everything to read before a manifest can be expanded. `references` are by name and may be globs."""

    data: tuple[Needed, ...] = ()
    prompts: tuple[Needed, ...] = ()
    references: Mapping[str, Needed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was read: texts by path, files by reference name. What could not be read is a finding instead."""

    texts: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, tuple[ReferenceFile, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def needs(document: Document, manifest: Manifest) -> Needs:
    """The files of all jobs that are enabled, each once, and of every declared reference."""
    data: dict[str, Needed] = {}
    prompts: dict[str, Needed] = {}
    for index, job in enumerate(manifest.jobs):
        if not job.enabled:
            continue
        if job.data is not None:
            place = document.place(("jobs", index, "data", "file"))
            data.setdefault(job.data.file, Needed(path=job.data.file, place=place))
        if isinstance(job.prompt, FileText):
            place = document.place(("jobs", index, "prompt", "file"))
            prompts.setdefault(job.prompt.file, Needed(path=job.prompt.file, place=place))
    references = {
        name: Needed(path=reference.file, place=document.place(("references", name, "file")))
        for name, reference in manifest.references.items()
    }
    return Needs(data=tuple(data.values()), prompts=tuple(prompts.values()), references=references)
