"""The engine tells, it does not print. A screen, JSON lines and a test's spy are reporters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.item import Item
from jobs.paces import PacerStatistics
from jobs.polling import Noticed
from jobs.record import Change, Money
from jobs.steps import Notice
from jobs.waiting import Queued, Waiting

__all__ = ["Reporter", "Reporters", "RunOutcome", "RunStarted", "RunStatistics", "Trouble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatistics:
    """The run at this moment. `counts` is items by state; credits are this run's, over all its lives."""

    counts: Mapping[str, int]
    items: int
    results: Mapping[str, int]  # results known, by download state
    saved_bytes: int
    uploads_done: int
    uploads_needed: int
    credits: Money
    doubted_credits: int  # of the reserved ones: held for items whose outcome is unknown
    cap_credits: int | None
    pacers: tuple[PacerStatistics, ...]
    pauses: Mapping[str, str]
    elapsed_s: float
    in_flight: int = 0
    in_flight_max: int = 0
    accepted: int = 0  # tasks that this life got
    eta_s: float | None = None  # until the last result is saved; None: nobody knows
    slowest: tuple[Waiting, ...] = ()  # of the items under way
    queued: tuple[Queued, ...] = ()  # items that nothing was bought for yet
    due: Mapping[str, int] = field(default_factory=dict)  # requests under way, by kind
    drain_left_s: float | None = None  # after the first signal: how long they are still waited for

    @property
    def saved(self) -> int:
        """Results on disk and of use."""
        return self.results.get("verified", 0) + self.results.get("unverified", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began. `statistics` may be called at any time until it ended."""

    run_id: str
    items: int
    new: int
    cap_credits: int | None
    statistics: Callable[[], RunStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One item that did not succeed, for the summary."""

    key: str
    identity: str
    wanted: bool  # whether the manifest still has it: only then does its key find it, and no other
    state: str
    code: str | None
    message: str | None
    task_id: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a life of a run ended. `done_before` items had succeeded in earlier lives."""

    run_id: str
    exit_code: int
    statistics: RunStatistics
    done_before: int
    creates: int  # POSTs of creates that left in this life
    downloads: Mapping[str, int]  # results by download state
    pauses: Mapping[str, str]
    troubles: tuple[Trouble, ...] = field(default=())  # the first ones of each state
    out_dir: str = ""
    interrupted: int | None = None  # the signal's number
    noticed: Noticed = field(default_factory=Noticed)  # how the ends of this life's tasks were
    enough_credits: int | None = None  # the cap that would have done, if the budget left anything out


class Reporter:
    """Override what you want to know. Every method returns at once; an exception from one is a fault of ours."""

    def started(self, run: RunStarted) -> None:
        """The ledger is open and the first request is about to leave."""

    def changed(self, item: Item, change: Change) -> None:
        """One event of one item is durable."""

    def noticed(self, notice: Notice) -> None:
        """Something worth a line: a pause, a change of speed, a price that was not expected."""

    def uploaded(self, name: str, size_bytes: int) -> None:
        """A reference is at the service."""

    def stopping(self, why: str, wait_s: float) -> None:
        """A signal came: nothing new is started; what was sent is waited for, at most `wait_s`."""

    def cut_short(self) -> None:
        """A second signal came: the run ends now, and what is under way is left as it is."""

    def broken(self, last: RunStatistics) -> None:
        """An error ends the run; it is told elsewhere. These are the last figures that were known."""

    def ended(self, outcome: RunOutcome) -> None:
        """Everything is saved."""

    def closed(self) -> None:
        """Nothing more will be told, whether the run ended or an error ended it: give back what was taken."""


class Reporters(Reporter):
    """Tells several, in order."""

    def __init__(self, *each: Reporter) -> None:
        self._each = each

    def started(self, run: RunStarted) -> None:
        for one in self._each:
            one.started(run)

    def changed(self, item: Item, change: Change) -> None:
        for one in self._each:
            one.changed(item, change)

    def noticed(self, notice: Notice) -> None:
        for one in self._each:
            one.noticed(notice)

    def uploaded(self, name: str, size_bytes: int) -> None:
        for one in self._each:
            one.uploaded(name, size_bytes)

    def stopping(self, why: str, wait_s: float) -> None:
        for one in self._each:
            one.stopping(why, wait_s)

    def cut_short(self) -> None:
        for one in self._each:
            one.cut_short()

    def broken(self, last: RunStatistics) -> None:
        for one in self._each:
            one.broken(last)

    def ended(self, outcome: RunOutcome) -> None:
        for one in self._each:
            one.ended(outcome)

    def closed(self) -> None:
        for one in self._each:
            one.closed()
