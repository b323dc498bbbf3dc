"""The run's events once more, in order: how its credits moved, and how long each item took for what.

The fold is the ledger's own, so the last point of the credits is what the books say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.budget import Books, delta
from jobs.lifecycle import EventType, ItemState
from jobs.record import Event, Record, fold
from jobs.report.facts import Happening, LifeSpan

__all__ = ["Course", "Point", "Replay", "replayed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The books of the run at a moment."""

    at_s: float
    settled: int
    reserved: int


@dataclass(slots=True, kw_only=True)
class Course:
    """One item through time. The moments are those of its latest attempt; credits are of all this run bought for it."""

    wanted_s: float | None = None  # since when this life could have bought it
    opened_s: float | None = None
    accepted_s: float | None = None
    finished_s: float | None = None
    saved_s: float | None = None
    polls: int = 0
    unseen_s: float | None = None  # how long its end may have been unseen; None: nobody knows
    settled: int = 0
    reserved: int = 0
    lives: set[int] = field(default_factory=set)  # from its create to its last event

    @property
    def is_timed(self) -> bool:
        """Whether one life saw it from create to end: what lies across a break says nothing about the service."""
        return len(self.lives) <= 1

    @property
    def waited_s(self) -> float | None:
        return _between(self.wanted_s, self.accepted_s)

    @property
    def made_s(self) -> float | None:
        return _between(self.accepted_s, self.finished_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the events add up to."""

    points: tuple[Point, ...]
    courses: Mapping[str, Course]
    heard: Mapping[int, float]  # life -> when it was last heard of


def replayed(events: Iterable[Happening], *, run_id: str, lives: Sequence[LifeSpan]) -> Replay:
    """Play all events of the run's items, in the order they were written."""
    begun = {life.life_id: life.started_s for life in lives}
    records: dict[str, Record] = {}
    courses: dict[str, Course] = {}
    points: list[Point] = []
    heard: dict[int, float] = {}
    books = Books(cap=None)
    for event in events:
        if event.life_id is not None:
            heard[event.life_id] = max(event.at_s, heard.get(event.life_id, event.at_s))
        was = records.get(event.identity)
        told = Event(type=event.type, at_s=event.at_s, identity=event.identity, data=event.data)
        now = records[event.identity] = fold(was, told)
        course = courses.setdefault(event.identity, Course())
        _follow(course, event, now, begun)
        if now.attempt is None or now.attempt.scope != run_id:
            continue  # another run bought it
        change = delta(was, told, now)
        if change.reserved or change.settled:
            course.settled += change.settled
            course.reserved += change.reserved
            books = books.moved(change)
            points.append(Point(at_s=event.at_s, settled=books.settled, reserved=books.reserved))
    return Replay(points=tuple(points), courses=courses, heard=heard)


def _follow(course: Course, event: Happening, now: Record, begun: Mapping[int, float]) -> None:
    life = event.life_id
    match event.type:
        case EventType.PLANNED:
            course.wanted_s = event.at_s
        case EventType.INTENT:
            since = begun.get(life, event.at_s) if life is not None else event.at_s
            ended_s = course.finished_s or 0.0  # the attempt before it
            course.wanted_s = min(max(now.first_at_s, since, ended_s), event.at_s)
            course.opened_s, course.accepted_s, course.finished_s, course.saved_s = event.at_s, None, None, None
            course.polls, course.unseen_s = 0, None
            course.lives = set()
        case EventType.ACCEPTED:
            course.accepted_s = event.at_s
        case EventType.SUCCEEDED | EventType.FAILED | EventType.REJECTED | EventType.WRITTEN_OFF:
            course.finished_s = event.at_s
            polls, unseen_s = event.data.get("polls"), event.data.get("unseen_s")
            if isinstance(polls, int) and isinstance(unseen_s, int | float):
                course.polls, course.unseen_s = polls, unseen_s
        case EventType.SAVED:
            course.saved_s = event.at_s
        case _:
            pass
    if life is not None and event.type is not EventType.REFUNDED and now.state is not ItemState.PLANNED:
        course.lives.add(life)


def _between(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else max(0.0, end_s - start_s)
