"""Short ways to an expansion, for tests: manifests as text or data in, items and findings out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jobs.catalogue import Catalogue, parse_packaged
from jobs.expand import Context, Expansion, expand
from jobs.findings import Finding
from jobs.item import MediaKind, ReferenceFile
from jobs.manifest import parse
from jobs.sources import Sources
from jobs.yaml12 import load

MODELS_FILE = Path(__file__).parents[2] / "jobs/data/models.json"


@cache
def catalogue() -> Catalogue:
    return parse_packaged(MODELS_FILE.read_text(encoding="utf-8"))


def picture(
    name: str, content: str = "", *, mime: str = "image/png", kind: MediaKind = "image", size: int = 9
) -> ReferenceFile:
    digest = hashlib.sha256((content or name).encode()).hexdigest()
    return ReferenceFile(
        name=name, path=f"{name}.png", location=f"/{name}.png", sha256=digest, bytes=size, mime=mime, kind=kind
    )


def expanded(
    text: str,
    *,
    texts: Mapping[str, str] | None = None,
    references: Mapping[str, tuple[ReferenceFile, ...]] | None = None,
    models: Catalogue | None = None,
    variables: Mapping[str, str] | None = None,
    allow_large: bool = False,
) -> Expansion:
    """Expand a manifest that is sound as far as its text goes; `version` and `name` are written for it."""
    head = "" if text.startswith("{") else "version: 1\nname: test\n"
    document, found = load(head + text, "test.yaml")
    assert document is not None, found
    manifest, found = parse(document)
    assert manifest is not None, found
    sources = Sources(texts=texts or {}, references=references or {})
    context = Context(date="2026-05-31", variables=variables or {}, allow_large=allow_large)
    return expand(document, manifest, sources, models or catalogue(), context)


def of_data(data: Mapping[str, object], **more: Any) -> Expansion:
    """The same for a manifest as plain data; JSON is YAML."""
    return expanded(json.dumps({"version": 1, "name": "test", **data}, ensure_ascii=False), **more)


def told(expansion: Expansion) -> list[str]:
    """The codes that were found."""
    return [finding.code for finding in expansion.findings]


def only(expansion: Expansion) -> Finding:
    """The one thing that was found."""
    assert len(expansion.findings) == 1, expansion.findings
    return expansion.findings[0]
