"""Writing a file a person asked for with `-o`: whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from runner.errors import DiskFull, OutputUnusable, RunnerError
from runner.failpoints import failpoint

__all__ = ["write_whole"]


def write_whole(file: Path, text: str) -> None:
    """Put `text` where `file` is, with no moment at which half of it stands there. Raises OutputUnusable, DiskFull."""
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}-")
        part = Path(name)  # readable by its owner only, as prompts are nobody else's business
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        failpoint("export.mid_write")
        part.replace(file)
    except OSError as problem:
        if part is not None:
            part.unlink(missing_ok=True)
        raise _told(file, problem) from problem


def _told(file: Path, problem: OSError) -> RunnerError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"There is no room for {file}. It was not written.")
    return OutputUnusable(
        f"{file} cannot be written: {problem.strerror}.", next_step="name another file with -o, or make its folder"
    )
