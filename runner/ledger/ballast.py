"""A file beside the ledger that is there to be deleted: room for what is paid for, when the disk has none left.

A disk fills up while tasks are in flight. What the service says of them must still be written down, so the room for it
is taken when the ledger is opened and given back at the first commit that finds the disk full.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.errors import DiskFull
from runner.ledger.file import failed

__all__ = ["BALLAST_BYTES", "Ballast"]

# Measured with 20,000 items: the rollback journal of the largest commit (256 calls) takes 3.3 MB, and an attempt grows
# the ledger by 2.6 kB from its acceptance to its saved file. So this is room for that journal and 1,900 tasks.
BALLAST_BYTES: Final = 8 * 1024 * 1024

# Noise, because a file system that compresses would keep next to nothing of zeros; repeated, because noise is slow.
_NOISE_BYTES: Final = 1024 * 1024

_STAT_BLOCK_BYTES: Final = 512  # the unit of `st_blocks`, whatever the file system's own blocks are


class Ballast:
    """The ballast of one ledger; only its owner touches it."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._path = ledger.with_name(ledger.name + ".ballast")

    def lay(self) -> None:
        """Have the file whole, its blocks taken. Raises DiskFull with the bytes that are wanted."""
        try:
            if not self._is_whole():
                self._path.unlink(missing_ok=True)
                self._fill()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._no_room() from error
            raise failed(self._ledger, error) from error

    def drop(self) -> bool:
        """Give its room back; False when there was none to give."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def spent(self) -> str:
        """Why nothing more may be bought once the ballast was dropped."""
        return (
            f"the disk (or its quota) of the ledger {self._ledger} is full: what is paid for is still followed and "
            f"saved as far as the reserve of {BALLAST_BYTES:,} bytes goes; free more than that before the next run"
        )

    def _is_whole(self) -> bool:
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        taken_bytes = found.st_blocks * _STAT_BLOCK_BYTES
        return stat.S_ISREG(found.st_mode) and found.st_size == BALLAST_BYTES <= taken_bytes

    def _fill(self) -> None:
        noise = memoryview(os.urandom(min(_NOISE_BYTES, BALLAST_BYTES)))
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, 0o600)
            left = BALLAST_BYTES
            while left:
                left -= os.write(fd, noise[:left])
        except OSError:
            with suppress(OSError):  # half a ballast would only make the disk fuller
                self._path.unlink()
            raise
        finally:
            os.close(fd)

    def _no_room(self) -> DiskFull:
        folder = self._ledger.parent
        with suppress(OSError):
            free_bytes = shutil.disk_usage(folder).free
            return DiskFull(
                f"the ledger {self._ledger} keeps {BALLAST_BYTES:,} bytes in reserve beside it, and there is no room "
                f"for them: {free_bytes:,} bytes are free. Nothing was sent.",
                next_step=f"free {BALLAST_BYTES:,} bytes or more on the disk (or in the quota) of {folder}, then run "
                "the same command again; finished work is kept",
            )
        return DiskFull(f"no room for the reserve of the ledger {self._ledger}")
