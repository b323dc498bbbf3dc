"""The control socket of a live run: where it is, what is said over it, and whom to trust.

It lies beside the ledger as `LEDGER.ctl`, mode 0600, from the moment a run has begun until it has ended. One
connection is one question: a line of JSON, at most `LINE_BYTES_MAX` long, and one line of JSON as the answer.

    {"v": 1, "do": "status", "run": "sweep"}
    {"v": 1, "do": "stop"|"pause"|"resume", "run": "sweep", "now": false}          `now` with `stop` only
    {"v": 1, "do": "tune", "run": "sweep", "creates": "30/min", "polls": "5/s", "in_flight": 8, "budget": 500}

    {"v": 1, "ok": true, "run": "sweep", "pid": 4711, "said": ["creates 60/min -> 30/min"], "changes": [...],
     "state": {...}}
    {"v": 1, "ok": false, "code": "steering-refused", "message": "...", "next": "..."}

`run` may be left out, and is refused when it is not the run that lives there. `state` is what `runner.control_helm`
tells of the run at this moment. A key that means nothing is an error; another `v` is another protocol.

A path of a socket is cut at about a hundred bytes by every system, and folders are longer. So a long one is reached
through a link to its folder, in a private folder of short name that is gone a moment later.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runner.ledger.file import resolved

__all__ = ["EXCHANGE_S", "LINE_BYTES_MAX", "distrust", "peer_uid", "reachable", "socket_path"]

LINE_BYTES_MAX: Final = 4096  # a question is some hundred bytes
EXCHANGE_S: Final = 5.0  # to ask, and to take the answer: both happen on this machine

# The room for a socket's name is 104 bytes on macOS and BSD, 108 on Linux, with a zero at the end.
SOCKET_PATH_BYTES_MAX: Final = 103


def socket_path(ledger: Path) -> Path:
    """Where the run that owns this ledger listens. Two links to one ledger lead to one socket."""
    ledger = resolved(ledger)
    return ledger.with_name(ledger.name + ".ctl")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of `path` that fits a socket address. Raises OSError when there is no way to make one."""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="rvb-") as folder:  # 0700, so nobody else can put anything there
        link = Path(folder, "d")
        link.symlink_to(path.parent.absolute(), target_is_directory=True)
        yield str(link / path.name)


def distrust(path: Path) -> str | None:
    """Why what lies at `path` is not ours to use; None for our own socket. Raises FileNotFoundError."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "is a link, and a run makes no links"
    if not stat.S_ISSOCK(found.st_mode):
        return "is no socket"
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}, and this is user {os.geteuid()}"
    return None


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end, as the kernel says; None where it does not tell: there the file's mode decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", told)
    return int(uid)
