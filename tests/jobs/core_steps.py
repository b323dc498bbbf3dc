"""Steps that tests of a whole core take again and again, and histories that its items have behind them."""

from __future__ import annotations

from jobs.answers import SendEnd
from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from jobs.steps import Send, Step, Wait
from tests.jobs.workbench import (
    INTENT,
    MONO,
    at,
    must_poll,
    must_send,
    seen,
)

__all__ = [
    "ACCEPTED",
    "OPENED",
    "SUCCEEDED",
    "bought",
    "poll_ended",
    "state_of",
    "waits_s",
]

OPENED = (EventType.INTENT, INTENT)
ACCEPTED = (EventType.ACCEPTED, {"task_id": "task_1", "reserved_credits": 10})


SUCCEEDED = (EventType.SUCCEEDED, {"charge": 10, "urls": ["u1", "u2"]})


def waits_s(answer: object) -> float | None:
    """The second until which the core has nothing to do; None if only an end can change that."""
    assert isinstance(answer, Wait), answer
    return None if answer.until_s is None else answer.until_s - MONO


def state_of(core: Core, index: int = 0) -> ItemState:
    """Where item number `index` stands."""
    return core.state.records[f"i1-{index}"].state


def bought(core: Core, index: int = 0, *, seconds: float = 0.0, end: SendEnd | None = None) -> Send:
    """A create of item number `index`, sent and ended: with a task, unless `end` says otherwise."""
    send = must_send(core, seconds)
    assert send.identity == f"i1-{index}"
    core.create_ended(send, end or seen(f"task_{index}"), at(seconds))
    return send


def poll_ended(core: Core, end: SendEnd, *, seconds: float = 10.0) -> Step:
    """A poll of whichever task is due, and its end."""
    return core.poll_ended(must_poll(core, seconds), end, at(seconds))
