"""With `--json`: everything that happens as one line each on stdout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from jobs.item import Item
from jobs.record import Change
from jobs.steps import Notice
from runner.cli.figures import credits_object
from runner.cli.voice import Voice
from runner.reporter import Reporter, RunStarted, RunStatistics

__all__ = ["EventLines"]

# What of an event's data is told: never bodies, tokens or addresses.
_TOLD: Final = (
    "task_id",
    "reserved_credits",
    "final_credits",
    "credits",
    "bound",
    "ordinal",
    "outcome",
    "ambiguous",
    "status",
    "code",
    "message",
    "reason",
    "request_id",
    "n",
    "file",
    "sha256",
    "bytes",
    "type",
    "by",
)


class EventLines(Reporter):
    """Every event as one JSON line on stdout; the verb writes the last, `done`, when everything is closed."""

    def __init__(self, voice: Voice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._voice = voice
        self._clock = clock

    def started(self, run: RunStarted) -> None:
        self._write("started", {"run": run.run_id, "items": run.items, "new": run.new, "cap_credits": run.cap_credits})

    def changed(self, item: Item, change: Change) -> None:
        event = change.event
        data = {name: event.data[name] for name in _TOLD if event.data.get(name) not in (None, "")}
        facts = {"item": item.key, "state": change.record.state, "change": event.type}
        self._write("item", {**facts, **data}, at_s=event.at_s)

    def noticed(self, notice: Notice) -> None:
        self._write("notice", {"name": notice.name, **notice.data})

    def uploaded(self, name: str, size_bytes: int) -> None:
        self._write("uploaded", {"name": name, "bytes": size_bytes})

    def stopping(self, why: str, wait_s: float) -> None:
        self._write("stopping", {"why": why, "wait_s": wait_s})

    def broken(self, last: RunStatistics) -> None:
        self._write("broken", {"counts": dict(last.counts), "credits": credits_object(last)})

    def _write(self, event: str, facts: Mapping[str, object], *, at_s: float | None = None) -> None:
        at = self._clock() if at_s is None else datetime.fromtimestamp(at_s, UTC)
        self._voice.event(event, facts, at=at)
