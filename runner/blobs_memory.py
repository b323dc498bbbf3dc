"""`Blobs` without a disk, for simulation and tests. It passes the contract suite that `LocalBlobs` passes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from runner.blobs import Kept, Writer, numbered, path_parts

__all__ = ["MemoryBlobs"]

Seen = TypeVar("Seen")


class MemoryBlobs:
    """Files in a dictionary. Unlike a disk it is never full."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def create(self, stem: str) -> Writer:
        path_parts(stem)
        return _MemoryWriter(self.files, stem)

    async def put(self, path: str, content: bytes) -> None:
        path_parts(path)
        self.files[path] = content


class _MemoryWriter:
    def __init__(self, files: dict[str, bytes], stem: str) -> None:
        self._files = files
        self._stem = stem
        self._content = bytearray()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._content.clear()

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        if start == 0:
            self._content.clear()
        assert start == len(self._content), "a body may only go on where the last one ended"

    async def write(self, chunk: bytes) -> None:
        self._content += chunk

    async def examine(self, look: Callable[[BinaryIO, int], Seen]) -> Seen:
        return look(io.BytesIO(self._content), len(self._content))

    async def publish(self, suffix: str) -> Kept:
        content = bytes(self._content)
        number = 1
        while self._files.get(numbered(self._stem, suffix, number), content) != content:
            number += 1
        path = numbered(self._stem, suffix, number)
        adopted = path in self._files
        self._files[path] = content
        return Kept(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), adopted=adopted)
