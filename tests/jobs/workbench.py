"""What tests of the core's parts are made from: items, records, ends of requests, and a core to try them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.record import Event, Record, fold, money_of
from jobs.runstate import CoreSettings
from jobs.steps import Now, Poll, Send, Step

__all__ = [
    "AMBIGUOUS",
    "INTENT",
    "MONO",
    "NOT_SENT",
    "START",
    "at",
    "event",
    "events_of",
    "folded",
    "made_core",
    "made_item",
    "must_poll",
    "must_send",
    "refused",
    "seen",
]

START = 1_000_000.0  # when every test's clock on the wall begins
MONO = 5000.0  # and the monotonic one
AT_ONCE = Rate(count=10**9, window_s=1e-6)  # a limit that nobody feels
NOT_SENT = SendEnd(phase=Phase.NOT_SENT, reason="refused")
AMBIGUOUS = SendEnd(phase=Phase.SENT, reason="connection reset")
INTENT: Mapping[str, object] = {
    "epoch": 0,
    "ordinal": 0,
    "key": "key-0",
    "bound": 10,
    "price_class": "m",
    "scope": "run",
    "server_at_s": START,
}


def at(seconds: float) -> Now:
    """A moment of a test."""
    return Now(MONO + seconds, START + seconds)


def made_item(index: int = 0, *, price_class: str = "m", base: int | None = 10, references: int = 0) -> Item:
    """Item number `index`."""
    files = tuple(
        ReferenceFile(
            name=f"r{n}", path="r.png", location="r.png", sha256=f"d{n}", bytes=1, mime="image/png", kind="image"
        )
        for n in range(references)
    )
    return Item(
        identity=f"i1-{index}",
        model="m",
        prompt=f"prompt {index}",
        params={},
        references=files,
        repeat=1,
        edition="",
        index=index,
        key=f"job/{index}",
        job="job",
        output_stem=str(index),
        credits=base,
        price_class=price_class,
    )


def made_core(
    *items: Item,
    settings: Mapping[str, object] | None = None,
    books: Books | None = None,
    prices: Mapping[str, int] | None = None,
    records: Mapping[str, Record] | None = None,
    retry: bool = False,
    again: bool = False,
    creates: Rate | Pacer = AT_ONCE,
) -> Core:
    """A core with these items, new unless `records` knows better, in a life that starts at second 0."""
    plain = CoreSettings(account="default", scope="run", in_flight_max=10)
    held = [money_of(record) for record in (records or {}).values()]
    core = Core(
        replace(plain, **(settings or {})),  # type: ignore[arg-type]
        books=books or Books(cap=1000, reserved=sum(money.reserved for money in held)),
        prices=prices or {},
        creates=creates if isinstance(creates, Pacer) else Pacer("creates", creates),
        polls=Pacer("polls", AT_ONCE),
    )
    for item in items:
        record = (records or {}).get(item.identity) or folded(item.identity)
        core.admit(item, record, at(0), retry=retry, again=again)
    return core


def must_send(core: Core, seconds: float) -> Send:
    """The create that the core gives now."""
    answer = core.next_create(at(seconds))
    assert isinstance(answer, Send), answer
    return answer


def must_poll(core: Core, seconds: float) -> Poll:
    """The poll that the core gives now."""
    answer = core.next_poll(at(seconds))
    assert isinstance(answer, Poll), answer
    return answer


def seen(
    task_id: str = "task_1",
    status: str = "queued",
    *,
    reserved: int | None = 10,
    final: int | None = 0,
    error: str | None = None,
    urls: tuple[str, ...] = (),
) -> SendEnd:
    """A 2xx with a task."""
    told = None if error is None else ErrorSeen(code=error, message="no luck")
    task = TaskSeen(id=task_id, status=status, reserved_credits=reserved, final_credits=final, error=told, urls=urls)
    return SendEnd(phase=Phase.ANSWERED, status=200, task=task)


def refused(status: int, code: str | None = None, *, retry_after_s: float | None = None) -> SendEnd:
    """An answer without a task, with the documented envelope if `code` is given."""
    error = None if code is None else ErrorSeen(code=code, message=f"because {code}")
    return SendEnd(
        phase=Phase.ANSWERED, status=status, error=error, retry_after_s=retry_after_s, reason=f"HTTP {status}"
    )


def event(event_type: EventType, data: Mapping[str, object] | None = None, *, identity: str = "i1-0") -> Event:
    """An event of the item at the start."""
    return Event(type=event_type, at_s=START, identity=identity, data=data or {})


def folded(identity: str = "i1-0", *events: tuple[EventType, Mapping[str, object]]) -> Record:
    """The record after it was planned and these events."""
    record = fold(None, event(EventType.PLANNED, identity=identity))
    for event_type, data in events:
        record = fold(record, event(event_type, data, identity=identity))
    return record


def events_of(step: Step) -> list[str]:
    """The names of a step's events."""
    return [change.event.type.value for change in step.changes]
