"""A reference read for upload: the bytes that are sent are the bytes that were planned and priced."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Protocol

from anyio import to_thread

from runner.errors import UsageError
from runner.sources import REFERENCE_BYTES_MAX

__all__ = ["ReadReference", "read_reference"]


class ReadReference(Protocol):
    """Gives the content of a reference that has this digest; raises UsageError when there is none."""

    async def __call__(self, location: str, *, sha256: str) -> bytes: ...


async def read_reference(location: str, *, sha256: str) -> bytes:
    """The file's content; raises UsageError when it is gone, no regular file, or not what the plan was made from.

    Hashing what is sent, not what is on the disk a moment later, leaves no gap for the file to change in.
    """
    try:
        content = await to_thread.run_sync(_read, location)
    except OSError as error:
        raise _changed(location, f"cannot be read: {os.strerror(error.errno or 0)}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _changed(location, "is not the file it was when the plan was made")
    return content


def _read(location: str) -> bytes:
    # Without O_NONBLOCK the opening of a FIFO would wait for a writer, forever.
    handle = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _changed(location, "is no regular file")
        content = file.read(REFERENCE_BYTES_MAX + 1)
    if len(content) > REFERENCE_BYTES_MAX:
        raise _changed(location, f"has more than {REFERENCE_BYTES_MAX} bytes")
    return content


def _changed(location: str, why: str) -> UsageError:
    return UsageError(
        f"The reference {location} {why}. It was not uploaded, and nothing that needs it was bought.",
        code="reference-changed",
        next_step="put the file back, or run `rivya-batch plan` to see what a changed file would buy",
    )
