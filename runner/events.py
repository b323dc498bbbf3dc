"""What a program hears of a run: one small value for each thing that happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jobs.item import Item
from jobs.lifecycle import EventType, ItemState
from jobs.record import Change
from jobs.steps import Notice
from runner.reporter import Reporter, RunOutcome, RunStarted, RunStatistics

__all__ = ["Ended", "EventReporter", "ItemChanged", "Noticed", "RunEvent", "Started", "Stopping", "Uploaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first request is about to leave. `statistics` may be called at any time until the run ended."""

    run: str
    items: int
    new: int
    cap_credits: int | None
    statistics: Callable[[], RunStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChanged:
    """One thing happened to one item, and is in the ledger. `change` is what, `state` where that leaves the item."""

    item: str  # its key, such as `reveal/params.duration=8`
    identity: str
    job: str
    change: EventType
    state: ItemState
    task_id: str | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A reference is at the service."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something worth a line: `paused`, `rate`, `price`, `notify` and others, with what belongs to each."""

    name: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The run was told to stop: nothing new is started, and what was sent is waited for, at most `wait_s`."""

    why: str
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Everything is saved."""

    outcome: RunOutcome


RunEvent: TypeAlias = Started | ItemChanged | Uploaded | Noticed | Stopping | Ended


class EventReporter(Reporter):
    """Hands every event to one function.

    What the function raises is kept in `failure`, and `failed` is called: a program's mistake must not end a run in the
    middle of a step.
    """

    def __init__(self, on_event: Callable[[RunEvent], object], *, failed: Callable[[], None]) -> None:
        self.failure: Exception | None = None
        self._on_event = on_event
        self._failed = failed

    def started(self, run: RunStarted) -> None:
        self.tell(
            Started(
                run=run.run_id,
                items=run.items,
                new=run.new,
                cap_credits=run.cap_credits,
                statistics=run.statistics,
            )
        )

    def changed(self, item: Item, change: Change) -> None:
        record = change.record
        self.tell(
            ItemChanged(
                item=item.key,
                identity=item.identity,
                job=item.job,
                change=change.event.type,
                state=record.state,
                task_id=None if record.attempt is None else record.attempt.task_id,
                error_code=record.error_code,
                error_message=record.error_message,
            )
        )

    def uploaded(self, name: str, size_bytes: int) -> None:
        self.tell(Uploaded(name=name, size_bytes=size_bytes))

    def noticed(self, notice: Notice) -> None:
        self.tell(Noticed(name=notice.name, data=notice.data))

    def stopping(self, why: str, wait_s: float) -> None:
        self.tell(Stopping(why=why, wait_s=wait_s))

    def ended(self, outcome: RunOutcome) -> None:
        self.tell(Ended(outcome=outcome))

    def tell(self, event: RunEvent) -> None:
        """One event; nothing more once the function has failed."""
        if self.failure is not None:
            return
        try:
            self._on_event(event)
        except Exception as failure:  # noqa: BLE001 - it is raised again when the run has ended
            self.failure = failure
            self._failed()
