"""Results in a bucket: the contract of `runner.blobs` over S3 and its like. The only file that imports obstore.

A result gets its name by one create-only put (`If-None-Match: *`): the store itself refuses what would replace an
object, also when two runs race. A put is whole or absent, so there are no leftovers; a body is spooled to a nameless
file first, because it must be judged before it is published, and what a killed run had spooled is gone with it.

One put and not many parts: a multipart upload cannot be made create-only through obstore, and a copy that could would
lose the content type. The body is handed over as a memory map, so that a file of any size costs no memory.

Whose bucket, and as whom, is said by AWS's own variables and profile (`runner.aws`). What the store answers may quote
parts of a signature, so nothing of it is shown but its status and its code.
"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Self, cast

import obstore
from anyio import to_thread
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from runner.aws import AwsAccess
from runner.blobs import SAME_NAME_MAX, Kept, Writer, numbered, path_parts
from runner.containers import mime_of
from runner.errors import OutputUnusable
from runner.places import split_bucket
from runner.spool import Spool, translated

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["S3Blobs", "open_bucket"]

# Stays in the bucket, so that a run needs no permission to delete. No result can be called so.
MARK: Final = ".rivya-batch"
MARK_TEXT: Final = b"rivya-batch saves results here. By this object it finds out that nothing in here is overwritten.\n"

# S3's own limit for one put; results are a thousandth of it.
PUT_BYTES_MAX: Final = 5 * 1024**3

# A request that moves no bytes is given up after this; one that does has time at the slowest line worth waiting for.
ANSWER_S: Final = 60.0
BYTES_PER_S_MIN: Final = 64 * 1024
CONNECT_S: Final = 10.0

# At the start somebody is watching: a wrong endpoint should not take minutes to be told.
MARK_S: Final = 30.0

# Tries of one request that the store refused with a 5xx or broke off, and how long they may take in all.
RETRIES: Final = 6
RETRY_S: Final = 120.0

# An object that was in the way and then was not: more often than this, somebody plays with us.
VANISHED_MAX: Final = 3

_DIGEST: Final = "sha256"  # as user metadata: `x-amz-meta-sha256`
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_NO_CREDENTIALS: Final = ("169.254.169.254", "/latest/api/token", "/latest/meta-data")  # the last place they are sought


async def open_bucket(place: str, access: AwsAccess) -> S3Blobs:
    """The place `s3://bucket/prefix`, once it is known to take objects and to overwrite none. Raises OutputUnusable."""
    bucket, prefix = split_bucket(place)
    store = S3Store(
        bucket,
        prefix=prefix or None,
        config=cast("S3Config", dict(access.config)),
        client_options={
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "timeout": timedelta(days=1),  # ours depends on the size
            **({"allow_http": True} if access.plain_http else {}),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)},
    )
    blobs = S3Blobs(place, store)
    await blobs.prove()
    return blobs


class S3Blobs:
    """Objects below one prefix."""

    def __init__(self, place: str, store: S3Store) -> None:
        self._place = place
        self._store = store

    async def prove(self) -> None:
        """Write the mark twice: the second time it must be refused. Raises OutputUnusable."""
        for _ in range(2):
            async with self._asking(self._place, MARK_S):
                try:
                    await obstore.put_async(self._store, MARK, MARK_TEXT, mode="create")
                except AlreadyExistsError:
                    return
        raise OutputUnusable(
            f"{self._place} lets objects be overwritten that should not be: it ignores `If-None-Match`. "
            "Nothing was sent.",
            code="bucket-overwrites",
            next_step="use a store that supports conditional writes, as S3 does, or a folder",
        )

    async def create(self, stem: str) -> Writer:
        path_parts(stem)
        with translated(stem):
            spooled = await to_thread.run_sync(_nameless)
        return _S3Writer(self, spooled, stem)

    async def put(self, path: str, content: bytes) -> None:
        path_parts(path)
        async with self._asking(path, ANSWER_S):
            await obstore.put_async(
                self._store, path, content, mode="overwrite", attributes={"Content-Type": "application/json"}
            )

    async def put_new(self, path: str, content: bytes | mmap.mmap, *, mime: str, sha256: str) -> bool:
        """Whether `path` was free, and holds the content now."""
        async with self._asking(path, ANSWER_S + len(content) / BYTES_PER_S_MIN):
            try:
                await obstore.put_async(
                    self._store, path, content, mode="create", attributes={"Content-Type": mime, _DIGEST: sha256}
                )
            except AlreadyExistsError:
                return False
        return True

    async def holds(self, path: str, *, sha256: str, size_bytes: int) -> bool | None:
        """Whether `path` has this content; None when it is free after all."""
        async with self._asking(path, ANSWER_S + size_bytes / BYTES_PER_S_MIN):
            try:
                there = await obstore.get_async(self._store, path, options={"head": True})
                if there.meta["size"] != size_bytes:
                    return False
                said = there.attributes.get(_DIGEST)
                if said is not None:
                    return said == sha256
                digest = hashlib.sha256()  # not ours: only its bytes can tell
                async for chunk in await obstore.get_async(self._store, path):
                    digest.update(chunk)
            except FileNotFoundError:
                return None
            return digest.hexdigest() == sha256

    @asynccontextmanager
    async def _asking(self, what: str, seconds: float) -> AsyncIterator[None]:
        """What the store refuses, as one of our errors; never with its own words, which may quote a signature."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (BaseError, OSError, TimeoutError) as refused:
            problem = _told(refused, place=self._place, what=what, seconds=seconds)
        else:
            return
        raise problem from None


class _S3Writer(Spool):
    """Owns the nameless file. It is gone when closed, whatever happened."""

    def __init__(self, blobs: S3Blobs, spooled: BinaryIO, stem: str) -> None:
        super().__init__(spooled.fileno(), name=stem)
        self._blobs = blobs
        self._spooled = spooled
        self._stem = stem

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spooled.close()

    async def publish(self, suffix: str) -> Kept:
        content = await to_thread.run_sync(self._whole)
        sha256, size_bytes = self._digest.hexdigest(), self._size_bytes
        number, vanished = 1, 0
        while number <= SAME_NAME_MAX and vanished < VANISHED_MAX:
            path = numbered(self._stem, suffix, number)
            if await self._blobs.put_new(path, content, mime=mime_of(suffix), sha256=sha256):
                return Kept(path=path, sha256=sha256, size_bytes=size_bytes)
            match await self._blobs.holds(path, sha256=sha256, size_bytes=size_bytes):
                case True:
                    return Kept(path=path, sha256=sha256, size_bytes=size_bytes, adopted=True)
                case False:
                    number += 1
                case None:
                    vanished += 1
        if vanished:
            raise OutputUnusable(f"{self._stem} could not be saved: an object of its name comes and goes.")
        raise OutputUnusable(f"There are {SAME_NAME_MAX} other objects named like {self._stem} already.")

    def _whole(self) -> bytes | mmap.mmap:
        self._flush()
        if self._size_bytes > PUT_BYTES_MAX:
            raise OutputUnusable(f"{self._stem} has {self._size_bytes} bytes; a bucket takes {PUT_BYTES_MAX} at once.")
        with translated(self._stem):
            return mmap.mmap(self._handle, 0, access=mmap.ACCESS_READ) if self._size_bytes else b""


def _nameless() -> BinaryIO:
    return tempfile.TemporaryFile(prefix="rivya-batch-")


def _told(error: Exception, *, place: str, what: str, seconds: float) -> OutputUnusable:
    text = str(error)
    word = (_CODE.search(text) or _STATUS.search(text) or re.search(r"()", ""))[1]  # type: ignore[index]
    said = f" ({word})" if word else ""
    if isinstance(error, TimeoutError):
        why = f"{place} did not take {what} in {seconds:.0f} s"
        return OutputUnusable(f"{why}.", code="bucket-unreachable", next_step=_NEXT["bucket-unreachable"])
    if any(sign in text for sign in _NO_CREDENTIALS):
        return _refusal("bucket-no-credentials", f"There are no credentials for {place}.")
    if isinstance(error, FileNotFoundError):
        return _refusal("bucket-missing", f"The bucket of {place} does not exist{said}.")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return _refusal("bucket-refused", f"{place} may not be written to{said}.")
    if isinstance(error, NotSupportedError) or word == "NotImplemented":
        return _refusal("bucket-overwrites", f"{place} has no conditional writes{said}: an object could be replaced.")
    if not said and what == place:
        return _refusal("bucket-unreachable", f"{place} cannot be reached.")
    return _refusal("bucket-unreachable", f"{place} did not take {what}{said or ', or cannot be reached'}.")


def _refusal(code: str, message: str) -> OutputUnusable:
    return OutputUnusable(message, code=code, next_step=_NEXT[code])


_NEXT: Final[Mapping[str, str]] = {
    "bucket-missing": "make the bucket, or correct `output.dir`, AWS_REGION or AWS_ENDPOINT_URL",
    "bucket-no-credentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "bucket-overwrites": "use a store that supports conditional writes, as S3 does, or a folder",
    "bucket-refused": "allow s3:PutObject and s3:GetObject there, or use other credentials; then run the same command",
    "bucket-unreachable": "check AWS_ENDPOINT_URL, AWS_REGION and the network, then run the same command again",
}
