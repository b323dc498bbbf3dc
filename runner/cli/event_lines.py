"""With `--json`: everything that happens as one line each on stdout, and where the run stands every 30 s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from jobs.item import Item
from jobs.record import Change
from jobs.steps import Notice
from jobs.waiting import On
from runner.cli.figures import credits_object
from runner.cli.ticking import Ticking
from runner.cli.voice import Voice
from runner.reporter import RunStarted, RunStatistics

__all__ = ["EventLines"]

EVENT_EVERY_S: Final = 30.0  # as often as the plain lines

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


class EventLines(Ticking):
    """Every event as one JSON line on stdout; the verb writes the last, `done`, when everything is closed."""

    def __init__(self, voice: Voice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(EVENT_EVERY_S)
        self._voice = voice
        self._clock = clock

    def started(self, run: RunStarted) -> None:
        super().started(run)
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
        self._write("stopping", {"why": why, "wait_s": wait_s, "due": dict(self._look().due)})

    def cut_short(self) -> None:
        self._write("cut_short", {})

    def broken(self, last: RunStatistics) -> None:
        self._write("broken", {"counts": dict(last.counts), "credits": credits_object(last)})

    def _show(self, now: RunStatistics) -> None:
        self._write("progress", {**_standing(now), "created_per_min": _per_min(self._created.per_s)})

    def _write(self, event: str, facts: Mapping[str, object], *, at_s: float | None = None) -> None:
        at = self._clock() if at_s is None else datetime.fromtimestamp(at_s, UTC)
        self._voice.event(event, facts, at=at)


def _standing(now: RunStatistics) -> dict[str, object]:
    """Where the run stands, for programs."""
    return {
        "counts": dict(now.counts),
        "credits": credits_object(now),
        "in_flight": now.in_flight,
        "in_flight_max": now.in_flight_max,
        "limits_per_min": {limit.name: _per_min(limit.per_s) for limit in now.pacers},
        "results": dict(now.results),
        "saved_bytes": now.saved_bytes,
        "elapsed_s": round(now.elapsed_s, 3),
        "eta_s": None if now.eta_s is None else round(now.eta_s, 1),
        "pauses": dict(now.pauses),
        "slowest": [
            {"item": one.item, "age_s": round(one.age_s, 1), **_wait(one.on, one.for_s, one.why)} for one in now.slowest
        ],
        "queued": [{"items": one.items, **_wait(one.on, one.for_s, one.why)} for one in now.queued],
    }


def _wait(on: On, for_s: float | None, why: str) -> dict[str, object]:
    return {"waits_for": on, "wait_s": None if for_s is None else round(for_s, 1), "why": why}


def _per_min(per_s: float | None) -> float | None:
    return None if per_s is None else round(60 * per_s, 2)
