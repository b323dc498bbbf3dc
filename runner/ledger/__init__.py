"""The ledger: the durable record of what was wanted, bought, got and paid. It is the truth; everything else is a view.

This file is the seam: what the runner asks of a ledger, in its own words. `runner.ledger.sqlite` is the real one,
`runner.ledger.memory` the shipped in-memory one; both pass `tests/runner/test_ledger_contract.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from jobs.answers import Uploaded
from jobs.item import Item
from jobs.record import Change, Money, Record
from jobs.steps import Notice

__all__ = [
    "ENDS_KEPT",
    "LATE_ATTEMPTS",
    "OVER_CAP",
    "Change",
    "KnownUpload",
    "Ledger",
    "Life",
    "Note",
    "PastItem",
    "RunInfo",
]

# Ends that a run learns from at its start, of each price class: enough for the shape of its times, and what the run
# sees itself soon counts for more.
ENDS_KEPT = 128
# They are looked for among so many of the latest attempts, so that a start costs the same however old the ledger is.
LATE_ATTEMPTS = 20_000

# The code of a `LedgerConflict` about an intent that does not fit its cap.
OVER_CAP = "ledger-over-cap"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run: one manifest name and edition, over all its lives."""

    run_id: str  # `name` or `name@edition`
    name: str
    edition: str
    manifest_path: str
    manifest_sha256: str
    cap_credits: int | None
    out_dir: str
    fingerprint: str = ""  # of everything the items are made from; empty where nobody can tell
    layout: Mapping[str, object] = field(default_factory=dict)  # job -> its `report` block, of jobs that have one


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One execution of a run by one process; `ended_at_s` None means it is alive or died without saying so."""

    life_id: int
    run_id: str
    started_at_s: float
    pid: int
    host: str
    ended_at_s: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What happened to a run as a whole: a change of speed, a pause, a person's steering. Numbered in order."""

    note_id: int
    life_id: int
    at_s: float
    name: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownUpload:
    """A reference the account already holds at the service."""

    sha256: str
    uploaded: Uploaded
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastItem:
    """An item as an earlier life of the run wanted it; what `plan` compares with to say why an item is new."""

    identity: str
    key: str
    job: str
    model: str
    prompt: str | None
    params: Mapping[str, object]
    reference_digests: tuple[str, ...]
    repeat: int
    edition: str
    axes: Mapping[str, object]
    tags: tuple[str, ...]
    output_stem: str
    index: int
    wanted: bool  # False: the manifest no longer has it; what was bought is still polled and saved


T = TypeVar("T")


class Ledger(Protocol):
    """What the runner asks of a ledger. Reads are plain calls; a write returns only once it is durable."""

    async def reading(self, look: Callable[[], T]) -> T:
        """What this gives, which reads: beside the event loop where the ledger is far away, and may be so for long."""

    @property
    def tight(self) -> str | None:
        """Why nothing more may be bought, once a full disk made the ledger use up its reserve; None until then."""

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know of how and where it was opened, in whole sentences."""

    async def begin_life(self, run: RunInfo, items: Sequence[Item], *, at_s: float, pid: int, host: str) -> Life:
        """Write the run and all its items, new ones as `planned`, in one transaction; keep items it no longer wants.

        With the fingerprint of the run's latest life the items are the same, and are not walked over.
        """

    async def end_life(self, life: Life, *, at_s: float, exit_code: int) -> None:
        """Close the life."""

    async def record(self, changes: Sequence[Change]) -> None:
        """Append events and move their items, all or nothing, durably. Concurrent calls share one commit.

        Raises `LedgerConflict` when a row is newer than its writer saw or an intent does not fit its cap, and
        `LedgerUnusable` / `DiskFull` when the file cannot be written: then nothing of the call is in it.
        """

    async def note(self, notices: Sequence[Notice], *, at_s: float, cap_credits: int | None = None) -> None:
        """Keep what happened to the run as a whole in this life; durable when it returns. For people and pages only.

        With `cap_credits` that is the run's budget in the same moment, until its next life says. It is for people too:
        what an intent may reserve is in the intent, and for one of several writers it must fit this as well.
        """

    async def save_upload(self, upload: KnownUpload) -> None:
        """Remember (or refresh) what the account holds for a content hash."""

    def records(self, identities: Sequence[str]) -> dict[str, Record]:
        """The records of those items that the ledger knows."""

    def body(self, key: str) -> bytes:
        """The frozen body of an attempt. KeyError when there is no such attempt."""

    async def frozen(self, key: str) -> bytes:
        """The same while others go on: where a ledger is far away, its answer may take long."""

    async def owner(self, task_id: str) -> str | None:
        """The key of the attempt that this task was made for, in whatever run; None when no attempt has it.

        Waits for its turn beside the writes: a reader would hold up, or be held up by, a commit.
        """

    def books(self, scope: str) -> Money:
        """Credits reserved and settled under one run, over all its lives."""

    def class_prices(self) -> dict[str, int]:
        """The highest price seen for each price class."""

    def ends_seen(self, price_classes: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        """Of the latest tasks of these classes, the oldest first: ages at the last look before the end and after it.

        Only of ends that were seen as they happened. Where nobody noted the look before, a tenth of the age is assumed.
        """

    def uploads(self, digests: Sequence[str]) -> dict[str, KnownUpload]:
        """What the account already holds of these contents."""

    def past_items(self, run_id: str) -> list[PastItem]:
        """All items any life of the run wanted, in order."""

    def unfinished_items(self, run_id: str) -> list[PastItem]:
        """Those of them whose purchase goes on, or whose results may not all be saved, in order."""

    def notes(self, run_id: str, *, after: int = 0) -> list[Note]:
        """What happened to the run as a whole, over all its lives; with `after` only what came after that note."""

    def position(self) -> int:
        """A number that grows with every event: a saved plan is stale when it moved."""

    async def close(self) -> None:
        """Write what is waiting, release the lock."""
