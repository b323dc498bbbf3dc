"""Results on disk: a file appears under its final name only when it is whole.

Names come from templates and so from strangers. They are opened component by component, each relative to the handle of
the one before, and a symbolic link is followed nowhere below the root: no race can lead a write out of the folder.
Content goes to a hidden `.<name>.part` first, is synced, and then renamed. An existing file is never overwritten: one
of the same content is adopted, beside any other the new file gets `-2`, `-3` and so on.

Opening is quick and done on the loop; whatever moves many bytes or waits for the disk goes to a thread.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self, TypeVar

from anyio import to_thread

from runner.errors import OutputUnusable
from runner.exchange import Sink
from runner.failpoints import failpoint
from runner.spool import Spool, translated, write_all

__all__ = ["Blobs", "Kept", "LocalBlobs", "Writer", "numbered", "path_parts"]

Seen = TypeVar("Seen")

# Files of one name: more than this and something is wrong with the names, not with the files.
SAME_NAME_MAX: Final = 1000

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A published file. `path` is relative to the root, with slashes; `adopted`: it was there before, byte for byte."""

    path: str
    sha256: str
    size_bytes: int
    adopted: bool = False


class Writer(Sink, Protocol):
    """One file in the making. Leaving the `async with` unpublished removes every trace of it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def examine(self, look: Callable[[BinaryIO, int], Seen]) -> Seen:
        """What `look` makes of the bytes written so far and their count; it may read and seek, not write."""
        ...

    async def publish(self, suffix: str) -> Kept:
        """Makes the file visible as its stem plus `suffix`, such as `.mp4`, once it is safely on the disk."""
        ...


class Blobs(Protocol):
    """A tree of files. Paths are relative POSIX paths; anything that climbs or hides is refused."""

    async def create(self, stem: str) -> Writer:
        """A new file whose suffix is decided when its content is known."""
        ...

    async def put(self, path: str, content: bytes) -> None:
        """Small content under exactly this name, whole or not at all; replaces a regular file."""
        ...


def path_parts(path: str) -> tuple[str, ...]:
    """The components of a path; raises OutputUnusable for what would climb, hide or be cut."""
    parts = PurePosixPath(path).parts
    plain = path == "/".join(parts) and not path.startswith("/") and "\0" not in path and "\\" not in path
    if not parts or not plain or any(part.startswith(".") for part in parts):
        raise OutputUnusable(f"The output name {path!r} is not a plain relative path. The result was not saved.")
    return parts


def numbered(stem: str, suffix: str, number: int) -> str:
    """`clip.mp4`, `clip-2.mp4`, `clip-3.mp4` ..."""
    return f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"


class LocalBlobs:
    """Files below one folder, which is made when the first is written."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.fspath(root)

    async def create(self, stem: str) -> Writer:
        *folders, leaf = path_parts(stem)
        return await to_thread.run_sync(self._create, tuple(folders), leaf)

    def _create(self, folders: tuple[str, ...], leaf: str) -> Writer:
        with translated("/".join((*folders, leaf))):
            folder = _open_folder(self._root, folders)
            try:
                return _LocalWriter(folder, _new_part(folder, leaf), folders=folders, leaf=leaf)
            except BaseException:
                os.close(folder)
                raise

    async def put(self, path: str, content: bytes) -> None:
        *folders, leaf = path_parts(path)
        await to_thread.run_sync(self._put, tuple(folders), leaf, content)

    def _put(self, folders: tuple[str, ...], leaf: str, content: bytes) -> None:
        with translated("/".join((*folders, leaf))):
            folder = _open_folder(self._root, folders)
            try:
                there = _lstat(folder, leaf)
                if there is not None and not stat.S_ISREG(there.st_mode):
                    raise OutputUnusable(f"{leaf} exists and is no regular file, so it was not replaced.")
                part = _new_part(folder, leaf, mode=0o600)  # a sidecar holds the prompt
                try:
                    write_all(part, content, offset=0)
                    failpoint("sidecar.mid_write")
                    os.fsync(part)
                finally:
                    os.close(part)
                os.rename(_part_name(leaf), leaf, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            finally:
                os.close(folder)


class _LocalWriter(Spool):
    """Owns two handles: the folder and the part file. Both are closed on the way out, whatever happened."""

    def __init__(self, folder: int, part: int, *, folders: tuple[str, ...], leaf: str) -> None:
        super().__init__(part, name="/".join((*folders, leaf)))
        self._folder = folder
        self._part = part
        self._folders = folders
        self._leaf = leaf
        self._published = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._published and self._still_ours():
            with suppress(OSError):
                os.unlink(_part_name(self._leaf), dir_fd=self._folder)
        os.close(self._part)
        os.close(self._folder)

    async def publish(self, suffix: str) -> Kept:
        kept = await to_thread.run_sync(self._publish, suffix)
        self._published = True
        return kept

    def _publish(self, suffix: str) -> Kept:
        self._flush()
        sha256 = self._digest.hexdigest()
        with translated(self._spooled_name):
            os.fsync(self._part)
            failpoint("download.after_fsync")
            if not self._still_ours():
                raise OutputUnusable(f"Another process took over {self._spooled_name} while it was written.")
            for number in range(1, SAME_NAME_MAX + 1):
                name = numbered(self._leaf, suffix, number)
                path = "/".join((*self._folders, name))
                there = _lstat(self._folder, name)
                if there is None:
                    os.rename(_part_name(self._leaf), name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                    failpoint("download.after_rename")
                    os.fsync(self._folder)
                    failpoint("download.after_dirsync")
                    return Kept(path=path, sha256=sha256, size_bytes=self._size_bytes)
                if _same_content(self._folder, name, there, sha256=sha256, size_bytes=self._size_bytes):
                    os.unlink(_part_name(self._leaf), dir_fd=self._folder)
                    return Kept(path=path, sha256=sha256, size_bytes=self._size_bytes, adopted=True)
        raise OutputUnusable(f"There are {SAME_NAME_MAX} other files named like {self._spooled_name} already.")

    def _still_ours(self) -> bool:
        there = _lstat(self._folder, _part_name(self._leaf))
        return there is not None and os.path.samestat(there, os.fstat(self._part))


def _open_folder(root: str, folders: tuple[str, ...]) -> int:
    """A handle of the folder, made if need be. The root may be a link: the user named it; nothing below may be one."""
    Path(root).mkdir(parents=True, exist_ok=True)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in folders:
        try:
            inner = _open_or_make(handle, name)
        finally:
            os.close(handle)
        handle = inner
    return handle


def _open_or_make(parent: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another download made it meanwhile
            os.mkdir(name, dir_fd=parent)
        os.fsync(parent)
        return os.open(name, _FOLDER, dir_fd=parent)


def _part_name(leaf: str) -> str:
    return f".{leaf}.part"


def _new_part(folder: int, leaf: str, *, mode: int = 0o666) -> int:
    """A fresh part file. What a killed run left under the name is removed, never continued and never followed."""
    with suppress(FileNotFoundError):
        os.unlink(_part_name(leaf), dir_fd=folder)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(_part_name(leaf), flags, mode, dir_fd=folder)


def _lstat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _same_content(folder: int, name: str, there: os.stat_result, *, sha256: str, size_bytes: int) -> bool:
    if not stat.S_ISREG(there.st_mode) or there.st_size != size_bytes:
        return False
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
