"""One ledger file for all houses of a process, and the connection that most lives take over from the one before.

A life that begins with the file costs more than what it then does: a lock, the checks, the schema, and forty statements
to prepare. So only every few lives close it and open it again by the product's own way, and write to it under the
shipped settings. The others take over what the life before them left, as it was left: rolled back to its last commit,
with nothing else of that life. No power goes there, so the journal of theirs is in memory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

from runner.ledger import ballast, place
from runner.ledger.group import GroupCommit
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.secret import Secret
from runner.settings import Settings
from runner.sim.profile import DEMO_KEY
from tests.proof.lives_judge import Witness

__all__ = ["SETTINGS", "Shelf", "shelf"]

SETTINGS: Final = Settings(key=Secret(DEMO_KEY))

# Of so many ends of lives one closes the file.
CLOSED_EVERY: Final = 8

# A file whose content is noise and whose size only matters on a full disk: 8 MiB of it would be most of the time.
BALLAST_BYTES: Final = 4096

# Where a database says how often it was changed, and for which of these changes its size is right: who has read another
# figure reads the file anew. https://www.sqlite.org/fileformat2.html, 1.3
CHANGES_AT: Final = (24, 92)
CHANGES_BYTES: Final = 4

# Where it says whether there is more than the file, which then cannot be written over.
WAL_AT: Final = 18
WAL: Final = 2

# What no ledger's mark is. The mark of another story would be taken for this ledger's own future.
NO_MARK: Final = "nothing yet"


class Shelf:
    """Where the ledger lies. `counts` is told how each life came by it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=_memory_disk(), prefix="lives-")
        Finalize(None, self._folder.cleanup, exitpriority=1)  # a forked worker ends without any other
        self.path = Path(self._folder.name) / "ledger.db"
        self._kept: SqliteLedger | None = None
        self._eased = False  # whether the open connection keeps its journal in memory
        self._ends = 0
        self.counts: Counter[str] = Counter()

    def renew(self, number: int, counts: Counter[str]) -> None:
        """A ledger in which nothing was written yet, for a house of this number."""
        self._ends = number
        self.counts = counts
        if self._kept is None or self._closes or _new_ledger()[WAL_AT] == WAL:
            self.drop()
            for file in self.path.parent.iterdir():
                file.unlink()
            self.path.write_bytes(_new_ledger())
        else:
            self._kept._lock.note(NO_MARK)
            _write_over(self.path, _new_ledger())

    @property
    def _closes(self) -> bool:
        """Whether the next life to end closes the file."""
        return self._ends % CLOSED_EVERY == 0

    def open(self, wall_s: Callable[[], float]) -> SqliteLedger:
        """The ledger for a life that begins."""
        kept, self._kept = self._kept, None
        if kept is None:
            self.counts["ledger opened"] += 1
            self._eased = False
            with _cheap_start():
                return open_ledger(
                    self.path, account=SETTINGS.account, base_url=SETTINGS.service, in_thread=False, now=wall_s
                )
        self.counts["ledger taken over"] += 1
        if not self._eased:
            kept._writer.execute("PRAGMA journal_mode = MEMORY")
            self._eased = True
        return SqliteLedger(
            self.path,
            writer=kept._writer,
            reader=kept._reader,
            lock=kept._lock,
            ballast=kept._ballast,
            in_thread=False,
        )

    def attend(self, ledger: SqliteLedger, witness: Witness) -> None:
        """All that is committed goes by the witness."""
        finish = ledger._finish if self._closes else _nothing
        ledger._group = GroupCommit(witness.commit, finish=finish, in_thread=False)

    async def close(self, ledger: SqliteLedger) -> None:
        """A life ends well."""
        if self._closes:
            await ledger.close()
        else:
            await ledger._group.close()
        self._take_back(ledger)

    def bury(self, ledger: SqliteLedger) -> None:
        """A life is dead: what the kernel does with its files, or what somebody does who has only the file."""
        if self._closes:
            ledger._writer.close()
            ledger._lock.release()
        self._take_back(ledger)

    def put_back(self, ledger: SqliteLedger) -> None:
        """Whoever wrote without a life is done."""
        if self._closes:
            ledger._finish()
        self._take_back(ledger)

    def _take_back(self, ledger: SqliteLedger) -> None:
        self._ends += 1
        if ledger._lock.held:
            assert ledger._trouble is None, "a file in trouble is not used again"
            assert not ledger._writer.in_transaction, "what the dead had not committed is gone"
            self._kept = ledger

    def drop(self) -> None:
        """Close what is open."""
        if self._kept is not None:
            self._kept._writer.close()
            self._kept._lock.release()
            self._kept = None

    def lose(self) -> None:
        """The file is gone."""
        self.drop()
        self.path.unlink(missing_ok=True)

    def copy(self) -> Path | None:
        """What a backup holds; None while there is no ledger."""
        if not self.path.exists():
            return None
        return Path(shutil.copyfile(self.path, self.path.with_name("copy.db")))

    def restore(self, copy: Path) -> None:
        """A copy takes its place."""
        self.drop()
        copy.replace(self.path)


def shelf() -> Shelf:
    """The one of this process: a fork has its own."""
    return _shelf_of(os.getpid())


@cache
def _shelf_of(_: int) -> Shelf:
    return Shelf()


def _nothing() -> None:
    """A life ends, and the file stays open."""


def _write_over(path: Path, content: bytes) -> None:
    """Another program gives the database another content while nobody reads or writes it."""
    with path.open("r+b", buffering=0) as file:
        file.seek(CHANGES_AT[0])
        changes = int.from_bytes(file.read(CHANGES_BYTES), "big") + 1
        changed = bytearray(content)
        for at in CHANGES_AT:
            changed[at : at + CHANGES_BYTES] = changes.to_bytes(CHANGES_BYTES, "big")
        file.seek(0)
        file.write(changed)
        file.truncate()


@cache
def _new_ledger() -> bytes:
    """A ledger in which nothing was written yet: copied, because making one takes longer than a life."""
    with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder, _cheap_start():
        path = Path(folder) / "ledger.db"
        ledger = open_ledger(path, account=SETTINGS.account, base_url=SETTINGS.service, in_thread=False)
        ledger._finish()
        return path.read_bytes()


@cache
def _memory_disk() -> str | None:
    """Where a flush costs nothing: what is proven here is the order of commits, not the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def _cheap_start() -> Iterator[None]:
    """Opening a ledger without what only matters on other disks, and would be most of the time of a short life."""
    usual = ballast.BALLAST_BYTES, place.MOUNTS
    ballast.BALLAST_BYTES, place.MOUNTS = BALLAST_BYTES, Path(os.devnull)  # type: ignore[misc]
    try:
        yield
    finally:
        ballast.BALLAST_BYTES, place.MOUNTS = usual  # type: ignore[misc]
