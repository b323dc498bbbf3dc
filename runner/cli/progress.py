"""What a person or a program sees while a run is under way.

With a terminal: a few bars on stderr that redraw themselves. Without one: a plain line every 30 s, so that a log stays
readable. With `--json`: every event as one line on stdout. All three are reporters; the run does not know which.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jobs.escape import for_terminal
from jobs.item import Item
from jobs.record import Change
from jobs.steps import Notice
from runner.cli.figures import Figures, credits_line, credits_object, duration, figures, size
from runner.cli.voice import Voice
from runner.reporter import Reporter, RunOutcome, RunStarted, RunStatistics

__all__ = ["EventLines", "PlainLines", "Screen", "reporter_for"]

LINE_EVERY_S: Final = 30.0  # a nightly run of an hour is 120 lines of log
SCREEN_EVERY_S: Final = 0.25  # faster is not seen, and costs the run its core

_BARS: Final = ("uploads", "created", "finished", "saved", "credits")

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


# A shorter pause is over before anybody has read of it.
PAUSE_WORTH_TELLING_S = 30.0


def reporter_for(voice: Voice) -> Reporter:
    """The reporter that fits the flags and the terminal."""
    if voice.json:
        return EventLines(voice)
    return Screen(voice) if voice.is_live() else PlainLines(voice)


class _Ticking(Reporter, ABC):
    """Shows the run's figures every so often while it lasts, and at once what cannot wait."""

    def __init__(self, voice: Voice, every_s: float) -> None:
        self._voice = voice
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._run: RunStarted | None = None
        self._finished_before = 0

    def started(self, run: RunStarted) -> None:
        self._run = run
        self._finished_before = figures(run.statistics()).finished
        self._again()

    def noticed(self, notice: Notice) -> None:
        line = told(notice)
        if line:
            self._line(line)

    def stopping(self, why: str, wait_s: float) -> None:
        self._line(f"{why}: nothing new is started; waiting at most {duration(wait_s)} for answers still due")

    def broken(self, last: RunStatistics) -> None:
        seen = figures(last)
        self._line(f"stopped by an error with {seen.finished:,} of {seen.items:,} done; {credits_line(last)}")

    def closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def _tick(self) -> None:
        assert self._run is not None, "a run ticks after it began"
        self._show(self._run.statistics())
        self._again()

    @abstractmethod
    def _show(self, now: RunStatistics) -> None:
        """Tell where the run stands."""

    def _line(self, text: str) -> None:
        self._voice.talk(text)

    def _eta(self, now: RunStatistics, seen: Figures) -> str:
        """How long the rest takes at the speed so far; unknown until something finished."""
        done = seen.finished - self._finished_before
        return duration(now.elapsed_s / done * seen.open) if done > 0 else "?"


class PlainLines(_Ticking):
    """One line every 30 s."""

    def __init__(self, voice: Voice, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()) -> None:
        super().__init__(voice, LINE_EVERY_S)
        self._clock = clock
        self._created_before = 0

    def started(self, run: RunStarted) -> None:
        super().started(run)
        self._created_before = figures(run.statistics()).created

    def _show(self, now: RunStatistics) -> None:
        seen = figures(now)
        per_min = (seen.created - self._created_before) * 60 / self._every_s
        self._created_before = seen.created
        cap = "" if seen.cap is None else f"/{seen.cap}"
        self._line(
            f"created {seen.created}/{seen.items} finished {seen.finished} failed {seen.failed} "
            f"credits {seen.credits}{cap} rate {per_min:.0f}/min eta {self._eta(now, seen)}"
        )

    def _line(self, text: str) -> None:
        self._voice.talk(f"{self._clock():%H:%M:%S} {text}")


class Screen(_Ticking):
    """A few bars; each has beside it the one number that matters."""

    def __init__(self, voice: Voice, *, console: Console | None = None) -> None:
        super().__init__(voice, SCREEN_EVERY_S)
        color = voice.colors()
        self._console = console or Console(stderr=True, no_color=not color, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("{task.description:<9}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:>6,.0f} / {task.total:,.0f}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            auto_refresh=False,  # the run's own loop redraws: a thread would read the figures while they change
        )
        self._bars = {name: self._progress.add_task(name, visible=False, note="") for name in _BARS}

    def started(self, run: RunStarted) -> None:
        super().started(run)
        self._progress.start()
        self._show(run.statistics())

    def ended(self, outcome: RunOutcome) -> None:
        self._show(outcome.statistics)

    def closed(self) -> None:
        """The cursor and stderr are the terminal's again, also when an error is about to be told on it."""
        super().closed()
        self._progress.stop()

    def _show(self, now: RunStatistics) -> None:
        seen = figures(now)
        creates = now.pacers[0] if now.pacers else None
        speed = f"up to {creates.per_s * 60:.0f}/min" if creates is not None else ""
        self._bar("uploads", now.uploads_done, now.uploads_needed, "")
        self._bar("created", seen.created, seen.items, "; ".join([*map(for_terminal, now.pauses.values())]) or speed)
        failed = f"{seen.failed} failed, " if seen.failed else ""
        self._bar("finished", seen.finished, seen.items, f"{failed}eta {self._eta(now, seen)}")
        self._bar("saved", now.saved, sum(now.results.values()), size(now.saved_bytes))
        self._bar("credits", seen.credits, seen.cap, f"{now.credits.reserved:,} held")
        self._progress.refresh()

    def _bar(self, name: str, done: int, total: int | None, note: str) -> None:
        """A bar is seen once there is something to fill it."""
        self._progress.update(self._bars[name], completed=done, total=total, note=note, visible=bool(total))

    def _line(self, text: str) -> None:
        self._console.print(text)


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


def told(notice: Notice) -> str:
    """A notice as one safe line; empty for one that is only for programs."""
    data = {name: for_terminal(str(value)) for name, value in notice.data.items()}
    match notice.name:
        case "paused":
            return f"no new creates: {data['reason']}"
        case "rate":
            before, after, full = (float(str(notice.data[name])) * 60 for name in ("before", "after", "full"))
            if before < after < full:
                return ""  # each step of a recovery is for programs; people want to know when it is over
            wait_s = float(str(notice.data.get("wait_s", 0.0)))
            pause = f" after {duration(wait_s)}" if wait_s >= PAUSE_WORTH_TELLING_S else ""
            return f"{data['limit']} {'slowed' if after < before else 'back'} to {after:.0f}/min{pause}: {data['why']}"
        case "left":
            return f"a result of {data['item']} is left for the next run: {data['why']}"
        case "shut":
            return (
                f"{data['times']} items with {data['what']} were refused alike, the rest is not bought: {data['why']}"
            )
        case "refund":
            return f"{data['credits']} credits came back for {data['item']}"
        case "drift":
            return f"{data['price_class']} cost {data['before']} credits and costs {data['now']} now ({data['item']})"
        case "price":
            return f"{data['item']} cost {data['charged']} credits, {data['expected']} were expected"
        case "ledger":
            return f"warning: {data['why']}"
        case "kept":
            return f"{data['item']}: {data['why']}"
        case _:
            return f"{notice.name}: " + ", ".join(f"{name} {value}" for name, value in data.items())
