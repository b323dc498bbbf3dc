"""The ledger's file before anything is read from it: where it lives, who may open it, what must not be there.

Nothing here opens an existing ledger. On POSIX, closing *any* descriptor of a file drops all of the process's locks on
it, also those that SQLite holds through another descriptor; so only SQLite opens a ledger.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from runner.errors import DiskFull, LedgerUnusable, RunnerError

__all__ = ["born", "condition", "discard", "failed", "prepare_folder", "resolved", "unborn", "unusable"]

_FOLDER_MODE = 0o700  # prompts, result links and upload tokens are nobody else's business
_FILE_MODE = 0o600

# SQLite's smallest page; it takes shorter files for new databases.
_SIZE_BYTES_MIN = 512

# What SQLite keeps beside a ledger while something is not yet in it.
_JOURNALS = ("-journal", "-wal")


def resolved(path: Path) -> Path:
    """One ledger, one name: two links to it must not have two locks."""
    try:
        leads_nowhere = path.is_symlink() and not path.exists()
    except OSError as error:
        raise failed(path, error) from error
    if leads_nowhere:
        raise unusable(
            path, "is a link to nothing: perhaps a disk is not mounted", way_out="mount it, or mend the link"
        )
    return Path(os.path.realpath(path))


def prepare_folder(ledger: Path) -> None:
    """Make the folders that are missing, private whatever the umask."""
    try:
        missing = [folder for folder in ledger.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(_FOLDER_MODE)
            _sync_folder(folder.parent)
    except OSError as error:
        raise failed(ledger, error) from error


def condition(ledger: Path) -> str:
    """`missing`, or `there`; anything that is neither a ledger nor the place for one is refused."""
    try:
        found = ledger.stat()
    except (FileNotFoundError, NotADirectoryError):
        _refuse_orphans(ledger)
        return "missing"
    except OSError as error:
        raise failed(ledger, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise unusable(ledger, "is no file", way_out="name another ledger with --store")
    if found.st_size == 0:
        raise unusable(ledger, "is empty: its content was lost, or another program made it")
    if found.st_size < _SIZE_BYTES_MIN:
        raise unusable(ledger, "is damaged, or not a ledger at all: it is too short", code="ledger-damaged")
    return "there"


def _refuse_orphans(ledger: Path) -> None:
    for ending in _JOURNALS:
        journal = ledger.with_name(ledger.name + ending)
        if journal.exists() and journal.stat().st_size > 0:
            raise unusable(
                ledger,
                f"is missing, but {journal.name} is there: the ledger was moved or deleted without it",
                way_out="put the ledger back beside it, or move that file away to begin a new ledger",
            )


def unborn(ledger: Path) -> Path:
    """An empty private file in which a new ledger is made. It gets its name only once it is whole."""
    path = ledger.with_name(ledger.name + ".new")
    try:
        discard(path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        os.fchmod(fd, _FILE_MODE)
        os.close(fd)
    except OSError as error:
        raise failed(ledger, error) from error
    return path


def born(path: Path, ledger: Path) -> None:
    """Give the finished file its name, durably."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    path.rename(ledger)
    _sync_folder(ledger.parent)


def discard(path: Path) -> None:
    """Remove what was begun under this name, if anything was."""
    for leftover in (path, *(path.with_name(path.name + ending) for ending in _JOURNALS)):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unusable(ledger: Path, what: str, *, code: str = "ledger-unusable", way_out: str | None = None) -> LedgerUnusable:
    """The refusal, with the file's name and the way out."""
    otherwise = (
        "put back a copy of the file, or move it away to begin a new ledger: keys are derived, so what was sent within "
        "the last hour is found again, and what is older would be bought again"
    )
    return LedgerUnusable(f"the ledger {ledger} {what}", code=code, next_step=way_out or otherwise)


def failed(ledger: Path, error: OSError) -> RunnerError:
    """What the operating system said, as our error."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no room to write the ledger {ledger}")
    return unusable(
        ledger,
        f"cannot be opened: {error.strerror or error}",
        way_out="make its folder writable, or name another ledger with --store",
    )
