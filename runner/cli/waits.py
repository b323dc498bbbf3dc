"""What is waited for, in words: each a few facts, the most important one first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from jobs.escape import for_terminal
from jobs.waiting import On, Queued, Waiting
from jobs.wording import count, duration
from runner.cli.pieces import Note

__all__ = ["due_words", "queued_notes", "waiting_notes", "waiting_words"]

# A shorter wait is over before it is read.
WORTH_TELLING_S = 1.0
# Past this many times the longest that is usual, a generation is late.
LATE_FACTOR = 1.5


# One request of each lane of the engine.
_ONE: Final[Mapping[str, str]] = MappingProxyType(
    {"uploads": "upload", "creates": "create", "polls": "status answer", "downloads": "download"}
)


def waiting_notes(waiting: Waiting) -> list[Note]:
    """An item under way."""
    why = for_terminal(waiting.why)
    match waiting.on:
        case On.ANSWER:
            return [Note("the answer to its create", 0)]
        case On.RESEND:
            return [Note(f"resend{_in(waiting.for_s)}" + (f": {why}" if why else ""), 0, "held")]
        case On.CREATES:
            return [Note(f"create limiter{_left(waiting.for_s)}", 0, "held"), Note(why, 1)]
        case On.GENERATION:
            usual = _usual(waiting.usual_s)
            late = waiting.usual_s is not None and waiting.age_s > LATE_FACTOR * waiting.usual_s[1]
            return [
                Note("generating", 0, "held" if late else ""),
                Note(f"usually {usual}" if usual else "", 1, "held" if late else ""),
                Note("looking now" if waiting.for_s is None else f"next look{_in(waiting.for_s)}", 2, "faint"),
            ]
        case On.POLLS:
            return [Note(f"poll limiter{_left(waiting.for_s)}", 0, "held")]
        case On.DOWNLOAD:
            return [Note("download", 0)]
        case On.STATUS:
            return [Note("an answered status of any task", 0, "held")]
        case _:
            return [Note("the next run, which goes on with it", 0, "held")]


def queued_notes(queued: Queued) -> list[Note]:
    """Items that are not bought yet."""
    why = for_terminal(queued.why)
    match queued.on:
        case On.UPLOAD:
            return [Note("upload of their references", 0)]
        case On.PRICE:
            return [Note("price of their class", 0), Note("the first one shows it", 1, "faint")]
        case On.BUDGET:
            return [Note("budget", 0, "held"), Note(why, 1), Note("and may come back", 2)]
        case On.PLACE:
            return [Note("in-flight place", 0), Note(why, 1, "faint")]
        case On.SAVING:
            return [Note("downloads", 0, "held"), Note(f"{why} wait to be saved", 1)]
        case On.SERVICE:
            return [Note(f"the service, next try{_in(queued.for_s)}", 0, "held"), Note(why, 1)]
        case On.CREATES:
            return [Note(f"create limiter{_left(queued.for_s)}", 0), Note(why, 1, "faint")]
        case On.RESUME:
            return [Note("resume", 0, "held")]
        case On.STATUS:
            return [Note("an answered status", 0, "held"), Note(why, 1)]
        case _:
            return [Note("the next run", 0, "held")]


def waiting_words(waiting: Waiting) -> str:
    """All of it in one line."""
    return ", ".join(note.text for note in waiting_notes(waiting) if note.text)


def due_words(due: Mapping[str, int]) -> str:
    """Requests under way, such as `2 creates, 1 download`."""
    return ", ".join(count(number, _ONE[kind]) for kind, number in due.items() if number)


def _in(seconds: float | None) -> str:
    return "" if seconds is None else f" in {duration(max(1.0, seconds))}"


def _left(seconds: float | None) -> str:
    return "" if seconds is None or seconds < WORTH_TELLING_S else f" {duration(seconds)}"


def _usual(span_s: tuple[float, float] | None) -> str:
    if span_s is None:
        return ""
    low, high = (duration(max(1.0, seconds)) for seconds in span_s)
    return low if low == high else f"{low} to {high}"
