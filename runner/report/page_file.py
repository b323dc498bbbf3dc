"""The page as a file: media by relative addresses from where it lies, or inside it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jobs.catalogue import Catalogue
from jobs.report.document import document
from jobs.report.facts import FileState, ReportFile, Source
from jobs.report.page_model import page_model
from runner.errors import OutputUnusable, UsageError
from runner.page_data import PageData, ResultFile
from runner.report.parts import page_parts
from runner.report.posters import poster_bytes, poster_name, posters_beside

__all__ = ["EMBED_BYTES_MAX", "PageFile", "embedded_page", "is_shown", "linked_page", "told_file"]

# As text it grows by a third, to what most mail servers take in one message.
EMBED_BYTES_MAX: Final = 15 * 1024 * 1024

# What a browser shows in place; anything else is named, and not loaded.
_SHOWN: Final = ("video/", "image/", "audio/")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """The text of a page, and how many items it shows."""

    text: str
    items: int


def linked_page(
    data: PageData, out: Path, *, catalogue: Catalogue, source: Source, told: Callable[[int], None]
) -> PageFile:
    """A page at `out` that loads media from beside it; posters go into a folder of their own there."""
    base = out.parent.resolve()
    drawable = [file for file in data.files if file.path is not None and file.is_there]
    names = {file: poster_name(file.path, file.artifact.sha256) for file in drawable if file.path is not None}
    wanted = [(name, file.path, file.artifact.type) for file, name in names.items() if file.path is not None]
    try:
        posters = posters_beside(out.with_name(f"{out.stem}-posters"), wanted, told=told)
    except OSError as problem:
        raise OutputUnusable(
            f"The posters of {out} cannot be written: {problem.strerror}.", next_step="name another file with -o"
        ) from problem

    def address(file: ResultFile) -> ReportFile:
        poster = posters.get(names.get(file, ""))
        return told_file(
            file,
            src=_relative(file.path, base) if file.path is not None and file.is_there else None,
            poster=None if poster is None else _relative(poster.path, base),
            ratio=None if poster is None else poster.ratio,
        )

    return _page(data, address, catalogue=catalogue, source=source)


def embedded_page(data: PageData, *, catalogue: Catalogue, source: Source) -> PageFile:
    """A page that carries its media. Raises UsageError when they are too many for a mail."""
    there = [file for file in data.files if file.path is not None and file.is_there]
    total = sum(file.path.stat().st_size for file in there if file.path is not None)
    if total > EMBED_BYTES_MAX:
        raise UsageError(
            f"The {len(there)} results have {total / 1e6:.0f} MB; a page for a mail carries at most "
            f"{EMBED_BYTES_MAX / 1e6:.0f} MB of them. Nothing was written.",
            code="embed-too-large",
            next_step="leave --embed out and send the page together with the results' folder",
        )

    def address(file: ResultFile) -> ReportFile:
        if file.path is None or not file.is_there or not is_shown(file):
            return told_file(file)
        mime = str(file.artifact.type)
        poster = poster_bytes(file.path, mime) if mime.startswith("video/") else None
        return told_file(
            file,
            src=_data(mime, file.path.read_bytes()),
            poster=None if poster is None else _data("image/webp", poster),
        )

    return _page(data, address, catalogue=catalogue, source=_portable(source))


def _page(
    data: PageData, address: Callable[[ResultFile], ReportFile], *, catalogue: Catalogue, source: Source
) -> PageFile:
    items = data.with_files(address)
    model = page_model(data.run, items, data.events, catalogue=catalogue, source=source)
    return PageFile(text=document(page_parts(), model), items=len(items))


def told_file(
    file: ResultFile, *, src: str | None = None, poster: str | None = None, ratio: float | None = None
) -> ReportFile:
    artifact = file.artifact
    is_lost = artifact.file is not None and not file.is_there
    elsewhere: FileState = "missing" if file.bucket is None else "elsewhere"
    return ReportFile(
        n=file.n,
        state=elsewhere if is_lost else artifact.state,
        src=src if is_shown(file) else None,
        name=file.bucket or artifact.file,
        type=artifact.type,
        bytes=artifact.bytes,
        poster=poster,
        ratio=ratio,
    )


def is_shown(file: ResultFile) -> bool:
    return (file.artifact.type or "").startswith(_SHOWN)


def _relative(path: Path, base: Path) -> str:
    """An address from the page's folder on; it begins with a dot, so that no name can be read as a scheme."""
    relative = quote(os.path.relpath(path, base).replace(os.sep, "/"))
    return relative if relative.startswith("../") else f"./{relative}"


def _data(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _portable(source: Source) -> Source:
    """For others, who have the files elsewhere: names without this machine's folders."""
    return Source(
        references={digest: (name, os.path.basename(file)) for digest, (name, file) in source.references.items()},  # noqa: PTH119
        lacking=source.lacking,
    )
