"""Where a ledger lies, and whether it is still the one that lay there: what people should know before it is used.

Neither stops a run. A network file system often works; it is only that nobody can promise it. And keys are derived, so
a ledger that was copied or put back sends the same keys again; but a service forgets keys, and then pays twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from runner.ledger.statements import QUERIES, Connection

__all__ = ["BOOT", "MOUNTS", "Mark", "changes", "doubts", "file_system", "is_as_left"]

# Where Linux says what is mounted, and names the time since it was started; other systems have no such files, and are
# not asked.
MOUNTS = Path("/proc/self/mountinfo")
BOOT = Path("/proc/sys/kernel/random/boot_id")

# File systems of other machines, by the kernel's names: their locks and flushes depend on the other end.
_REMOTE: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"}
    | {"prl_fs", "smb3", "smbfs", "vboxsf"}
    | {f"fuse.{name}" for name in ("gcsfuse", "glusterfs", "grpcfuse", "osxfs", "rclone", "s3fs", "sshfs")}
)

# Folders that a program copies to other machines behind our back, by the names those programs give them.
_SYNCED: Final = frozenset(
    {"CloudStorage", "Dropbox", "Google Drive", "GoogleDrive", "Mobile Documents", "Nextcloud", "OneDrive", "ownCloud"}
)
_SYNC_MARKER: Final = ".stfolder"  # Syncthing's folders have any name, and this in them

_UNKNOWN: Final = "unknown"

_OCTAL = re.compile(r"\\([0-7]{3})")  # how the kernel writes a space in a mount's name


@dataclass(frozen=True, slots=True)
class Mark:
    """What a runner leaves beside the ledger, to know it again: which ledger, which file, how far it had come."""

    instance_id: str
    inode: int
    events: int
    boot: str  # the time since the machine was started; "unknown" where nobody can tell

    @classmethod
    def now(cls, db: Connection, ledger: Path) -> Mark:
        """That of the ledger as it is."""
        (meta,), (events,) = db.execute(QUERIES["meta"]).fetchall(), db.execute(QUERIES["position"]).fetchall()
        return cls(meta["instance_id"], ledger.stat().st_ino, events["position"], _boot())

    @property
    def text(self) -> str:
        return f"ledger {self.instance_id} file {self.inode} events {self.events} boot {self.boot}"

    @property
    def doubted(self) -> Mark:
        """The same of a file that may be broken."""
        return replace(self, boot=_UNKNOWN)

    @classmethod
    def of(cls, text: str) -> Mark | None:
        """None for anything but a mark. Older releases said nothing of the machine's start."""
        with suppress(ValueError):
            _, instance_id, _, inode, _, events, *boot = text.split()
            return cls(instance_id, int(inode), int(events), boot[1] if len(boot) == 2 else _UNKNOWN)
        return None


def _boot() -> str:
    with suppress(OSError):
        return BOOT.read_text(encoding="utf-8").strip() or _UNKNOWN
    return _UNKNOWN


def is_as_left(db: Connection, ledger: Path, left: str | None) -> bool:
    """Whether this is the very file that our last runner had, on a local disk of a machine that was never down since.

    Then no page of it can be broken by anything this program stands up for: what a process leaves when it dies, SQLite
    mends, and only a machine that goes down can lose what a disk had promised. `left`: the text of the mark.
    """
    before, now = Mark.of(left or ""), Mark.now(db, ledger)
    if before is None or before.boot == _UNKNOWN or before.events > now.events:
        return False
    same = (before.instance_id, before.inode, before.boot) == (now.instance_id, now.inode, now.boot)
    return same and _file_system(ledger) not in _REMOTE


def changes(db: Connection, ledger: Path, left: str | None) -> Iterator[str]:
    """What became of a ledger that was used before. `left`: the text of the mark; None: not even a lock was there."""
    if not db.execute(QUERIES["lives"]).fetchall()[0]["lives"]:
        return
    now = Mark.now(db, ledger)
    before = Mark.of(left) if left else None
    if before is not None and before.instance_id == now.instance_id and before.events > now.events:
        yield (
            f"the ledger {ledger} has {now.events:,} events and had {before.events:,}: it was put back from a backup. "
            "What was bought since is not in it: for about an hour the service still knows its keys and it is found "
            "again, later it would be bought again"
        )
    elif left is None or (before is not None and (before.instance_id, before.inode) != (now.instance_id, now.inode)):
        yield (
            f"the ledger {ledger} was moved or copied since it was last used. If another copy of it is in use too, "
            "neither knows what the other buys, and both may pay for the same items"
        )


def doubts(ledger: Path) -> Iterator[str]:
    """What speaks against this place."""
    kind = _file_system(ledger)
    if kind in _REMOTE:
        yield (
            f"the ledger {ledger} lies on a network file system ({kind}), whose locks and flushes may not hold; "
            "keep it on a local disk (--store), or at least let one machine use it"
        )
    for folder in ledger.parents:
        if folder.name.partition(" - ")[0] in _SYNCED or (folder / _SYNC_MARKER).exists():
            yield (
                f"the ledger {ledger} lies in a folder that is copied to other machines ({folder}): a copy taken while "
                "it is written may be damaged, and an old one put back loses purchases; keep it elsewhere (--store)"
            )
            return


def _file_system(ledger: Path) -> str | None:
    with suppress(OSError):
        return file_system(ledger, MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    return None


def file_system(file: Path, mounts: str) -> str | None:
    """The type of the file system that a file is on, by the kernel's list of mounts."""
    best, kind = "", None
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        with suppress(IndexError):
            mounted = _OCTAL.sub(lambda escape: chr(int(escape[1], 8)), fields.split(" ")[4])
            if len(mounted) >= len(best) and file.is_relative_to(mounted):
                best, kind = mounted, rest.split(" ")[0]
    return kind
