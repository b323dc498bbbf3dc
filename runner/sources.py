"""Reading what a manifest names: itself, data files, prompt files and reference media.

Everything is opened once, without waiting (a FIFO would wait forever), looked at through its handle, and read up to a
limit. A reference is known by its content: the digest names it, the first bytes say what it is. What cannot be used is
a finding at the place that names it, so that `check` reports all of it at once.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, get_args

import filetype  # type: ignore[import-untyped]

from jobs.findings import Finding, Place
from jobs.item import MediaKind, ReferenceFile
from jobs.sources import Needed, Needs, Sources
from jobs.utf8 import BYTE_ORDER_MARK, decode
from runner.containers import media_of

__all__ = ["REFERENCE_BYTES_MAX", "read_manifest", "read_sources"]

MEBIBYTE: Final = 1024 * 1024

MANIFEST_BYTES_MAX: Final = 4 * MEBIBYTE  # what the YAML reader takes; some 25,000 jobs
DATA_BYTES_MAX: Final = 64 * MEBIBYTE  # a million rows of a catalogue; more belongs into several runs
PROMPT_BYTES_MAX: Final = 256 * 1024  # the longest prompt any model takes is 20,000 characters
REFERENCE_BYTES_MAX: Final = 128 * MEBIBYTE  # the largest documented is 95 MB; one is in memory while it is sent
MATCHES_MAX: Final = 1_000  # no model takes more than 16 files; a wider glob is a slip
CHUNK_BYTES: Final = MEBIBYTE


class _Unusable(Exception):  # noqa: N818 - becomes a finding at once
    """Why a file cannot be used: a finding's code, message and help."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    sha256: str
    size_bytes: int
    mime: str


def read_manifest(path: Path) -> tuple[str | None, list[Finding]]:
    """The manifest's text, or None with the finding that says why there is none."""
    place = Place(file=str(path), line=1, column=1, end_column=2)
    try:
        data = _bytes(path, MANIFEST_BYTES_MAX, "manifest")
    except _Unusable as reason:
        return None, [_finding(reason, place)]
    return decode(data, str(path))


def read_sources(manifest_path: Path, needs: Needs) -> Sources:
    """Read everything in `needs`, relative to the manifest's folder. Hashes every file once."""
    return _Reading(manifest_path.parent).all(needs)


class _Reading:
    """One call's reading: its folder, its findings, and the files it has hashed already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._findings: list[Finding] = []
        self._contents: dict[str, _Content] = {}

    def all(self, needs: Needs) -> Sources:
        texts: dict[str, str] = {}
        for kind, limit_bytes, needed in (
            *(("data file", DATA_BYTES_MAX, one) for one in needs.data),
            *(("prompt file", PROMPT_BYTES_MAX, one) for one in needs.prompts),
        ):
            text = self._text(needed, limit_bytes, kind)
            if text is not None:
                texts[needed.path] = text
        references = {name: self._reference(name, needed) for name, needed in needs.references.items()}
        return Sources(texts=texts, references=references, findings=tuple(self._findings))

    def _text(self, needed: Needed, limit_bytes: int, kind: str) -> str | None:
        try:
            data = _bytes(self._folder / needed.path, limit_bytes, kind, needed.path)
        except _Unusable as reason:
            self._findings.append(_finding(reason, needed.place))
            return None
        text, findings = decode(data, needed.path)
        self._findings += findings
        return text.removeprefix(BYTE_ORDER_MARK) if text is not None else None

    def _reference(self, name: str, needed: Needed) -> tuple[ReferenceFile, ...]:
        """The file, or the sorted matches of a glob; only those that can be used."""
        try:
            paths = _matches(self._folder, needed.path)
        except _Unusable as reason:
            self._findings.append(_finding(reason, needed.place))
            return ()
        files = []
        for path in paths:
            try:
                files.append(self._file(name, path))
            except _Unusable as reason:
                self._findings.append(_finding(reason, needed.place))
        return tuple(files)

    def _file(self, name: str, path: str) -> ReferenceFile:
        location = os.path.abspath(self._folder / path)  # noqa: PTH100 - the name is kept, links are not followed
        content = self._contents.get(location)
        if content is None:
            content = self._contents[location] = _hashed(Path(location), path)
        kind = content.mime.partition("/")[0]
        return ReferenceFile(
            name=name,
            path=path,
            location=location,
            sha256=content.sha256,
            bytes=content.size_bytes,
            mime=content.mime,
            kind=_KINDS[kind],
        )


_KINDS: Final[dict[str, MediaKind]] = {kind: kind for kind in get_args(MediaKind)}


def _matches(folder: Path, path: str) -> list[str]:
    """A literal file wins over a glob of the same spelling: brackets are common in file names."""
    if not glob.has_magic(path) or os.path.lexists(folder / path):
        return [path]
    # Not Path.glob: it refuses absolute patterns, and a manifest may name pictures elsewhere.
    found = list(islice(glob.iglob(path, root_dir=folder, recursive=True), MATCHES_MAX + 1))  # noqa: PTH207
    if len(found) > MATCHES_MAX:
        raise _Unusable(
            "reference-too-many",
            f"`{path}` matches more than {MATCHES_MAX:,} files",
            "narrow the pattern; models take at most 16 files",
        )
    files = sorted(match for match in found if not os.path.isdir(folder / match))  # noqa: PTH112 - text paths
    if not files:
        raise _Unusable("reference-no-match", f"`{path}` matches no file", "patterns start at the manifest's folder")
    return files


def _hashed(location: Path, path: str) -> _Content:
    with _opened(location, path, "reference") as (file, before):
        if before.st_size > REFERENCE_BYTES_MAX:
            raise _too_large(path, before.st_size, REFERENCE_BYTES_MAX, "reference")
        if before.st_size == 0:
            raise _Unusable("reference-empty", f"`{path}` is empty", "put the real file in its place")
        mime = _mime(file, before.st_size, path)
        file.seek(0)
        digest, size_bytes = hashlib.sha256(), 0
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
        after = os.fstat(file.fileno())
    if (size_bytes, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise _Unusable(
            "reference-changing", f"`{path}` changed while it was read", "wait until it is written, then check"
        )
    return _Content(sha256=digest.hexdigest(), size_bytes=size_bytes, mime=mime)


def _mime(file: BinaryIO, size_bytes: int, path: str) -> str:
    """What the content is. The shorter list of what may be saved comes first: it also knows a cut file."""
    media = media_of(file, size_bytes)
    if media is not None and media.whole is False:
        raise _Unusable("reference-cut", f"`{path}` ends before its content does", "copy or export the file again")
    if media is not None:
        return media.mime
    file.seek(0)
    found = filetype.guess_mime(file.read(8192))
    if isinstance(found, str) and found.partition("/")[0] in _KINDS:
        return found
    raise _Unusable(
        "reference-not-media",
        f"`{path}` is no image, video or audio file",
        "the content decides, not the name; open it once to see what it is",
    )


def _bytes(location: Path, limit_bytes: int, kind: str, path: str | None = None) -> bytes:
    """A whole small file."""
    named = path if path is not None else str(location)
    with _opened(location, named, kind) as (file, _):
        data = file.read(limit_bytes + 1)
        if data is None:  # a file of the kernel's that would make us wait
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    if len(data) > limit_bytes:
        raise _too_large(named, len(data), limit_bytes, kind)
    return data


@contextmanager
def _opened(location: Path, path: str, kind: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """An ordinary file, open for reading, and what it is. A FIFO, a device or a folder never gets that far."""
    try:
        handle = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unopened(error, path, kind) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
            raise _Unusable("not-a-file", f"`{path}` is {what}, not a file", "name an ordinary file")
        with open(handle, "rb", closefd=False) as file:
            yield file, status
    except OSError as error:
        raise _unopened(error, path, kind) from error
    finally:
        os.close(handle)


def _unopened(error: OSError | ValueError, path: str, kind: str) -> _Unusable:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        remedy = (
            "paths start at the manifest's folder" if kind != "manifest" else "`rivya-batch init` writes a first one"
        )
        return _Unusable(_code(kind, "not-found"), f"the {kind} `{path}` does not exist", remedy)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _Unusable(
        _code(kind, "unreadable"), f"the {kind} `{path}` cannot be read: {reason}", "look at its rights and links"
    )


def _too_large(path: str, size_bytes: int, limit_bytes: int, kind: str) -> _Unusable:
    message = (
        f"the {kind} `{path}` has {size_bytes / MEBIBYTE:,.1f} MiB or more; {limit_bytes / MEBIBYTE:,.1f} are allowed"
    )
    return _Unusable(_code(kind, "too-large"), message, "make it smaller, or split it")


def _code(kind: str, what: str) -> str:
    return f"{'reference' if kind == 'reference' else 'file'}-{what}"


def _finding(reason: _Unusable, place: Place) -> Finding:
    return Finding(code=reason.code, message=str(reason), place=place, help=reason.remedy)
