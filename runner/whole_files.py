"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import DiskFull, OutputUnusable, RunnerError
from runner.failpoints import failpoint

__all__ = ["whole_file"]

# Readable by its owner only, as prompts are nobody else's business.
PRIVATE = 0o600


@contextmanager
def whole_file(file: Path, *, mode: int = PRIVATE) -> Iterator[Path]:
    """A new file beside `file` to write to; when the block ends well, it is made durable and takes the name.

    Raises OutputUnusable or DiskFull for what the operating system says, also within the block.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}-")
        part = Path(name)
        os.fchmod(handle, mode)
        os.close(handle)
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        failpoint("export.mid_write")
        part.replace(file)
    except OSError as problem:
        raise _told(file, problem) from problem
    finally:
        if part is not None:
            part.unlink(missing_ok=True)  # gone already, if it took the name


def _told(file: Path, problem: OSError) -> RunnerError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"There is no room for {file}. It was not written.")
    return OutputUnusable(
        f"{file} cannot be written: {problem.strerror}.", next_step="name another file, or make its folder"
    )
