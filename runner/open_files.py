"""How many files and connections a process may have open at once, looked at before anything is bought.

Without this a run would find out in the middle, where SQLite can only say that it cannot open its journal.
"""

from __future__ import annotations

import resource
from typing import Final

from runner.errors import UsageError

__all__ = ["make_room_for_files"]

# What a run has open at its busiest: 32 creates, 32 polls and 4 uploads with a connection each, 8 downloads with a
# connection, a folder and a file each, about 20 for the ledger, the streams and the loop; and with --sim the other end
# of every connection.
OPEN_FILES_NEEDED: Final = 256


def make_room_for_files() -> None:
    """Raise this process's own limit to what a run needs; raises UsageError where the system does not let it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_NEEDED:
        return
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES_NEEDED:
        raise UsageError(
            f"This process may have {hard} files open at once (RLIMIT_NOFILE), and a run needs {OPEN_FILES_NEEDED}. "
            "Nothing was bought.",
            code="open-files",
            next_step=f"raise the limit, as with `ulimit -n {OPEN_FILES_NEEDED}`, and run the same command again",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES_NEEDED, hard))
