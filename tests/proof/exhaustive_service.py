"""The service as an exploration sees it: for every create that arrives, everything that it might do.

A value, not a process: `creates` lists what may become of an arriving create, each with the service afterwards and
the answer. Which of that exists at all is said by the root. Task ids are named after their keys, so that the order
in which tasks were made makes no new states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen

__all__ = [
    "BILLS",
    "GATES",
    "RESET",
    "UNSENT",
    "Bill",
    "Known",
    "Outcome",
    "Service",
    "Task",
    "Vocabulary",
    "refused",
    "shown",
]

Bill = Literal["", "paid", "says 0", "refunded", "charged", "untold"]

UNSENT = SendEnd(phase=Phase.NOT_SENT, reason="refused")
RESET = SendEnd(phase=Phase.SENT, reason="reset")
GARBLED = SendEnd(phase=Phase.ANSWERED, status=201, reason="HTTP 201, HTML body")


def refused(status: int, code: str | None) -> SendEnd:
    """An answer without a task."""
    error = None if code is None else ErrorSeen(code=code, message=code)
    return SendEnd(phase=Phase.ANSWERED, status=status, error=error, reason=f"HTTP {status}")


# What may stand in front of the memory of keys, and say no to a create that was granted before.
GATES: Mapping[str, SendEnd] = {
    "429": refused(429, "rate_limited"),
    "401": refused(401, "api_key_revoked"),
    "400": refused(400, "validation_failed"),
    "402": refused(402, "insufficient_credits"),
    "502": refused(502, "insufficient_credits"),
    "503": refused(503, None),
    "404": refused(404, None),
    "409": refused(409, "idempotency_conflict"),  # somebody used the key before: a ledger that was lost
}

# What the service may say of a new create instead of making a task of it, and whether the key remembers that.
REFUSALS: Mapping[str, tuple[SendEnd, bool]] = {
    "invalid": (refused(400, "validation_failed"), False),
    "invalid, kept": (refused(400, "validation_failed"), True),
    "poor": (refused(402, "insufficient_credits"), False),
    "broken, kept": (refused(500, None), True),
}

# How a task may end: (the word, what is charged as a share of the price, whether the answer says so).
BILLS: Mapping[Bill, tuple[str, int, bool]] = {
    "paid": ("succeeded", 1, True),
    "says 0": ("succeeded", 1, False),
    "refunded": ("failed", 0, True),
    "charged": ("failed", 1, True),
    "untold": ("failed", 1, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What this service may do. Everything named costs one fault of the root's, except how tasks end."""

    gates: tuple[str, ...] = ()  # of `GATES`
    refusals: tuple[str, ...] = ()  # of `REFUSALS`
    breaks: bool = False  # a 500 after the effect
    garbles: bool = False  # a 2xx that cannot be read
    busy: bool = False  # 409 for a key that it knows: the first create is still in flight
    compares: bool = True  # 409 for a known key with another body; else the body is not looked at
    forgets: bool = True  # keys, as soon as the window is over and no copy can arrive
    twins: bool = False  # it answers with another key's task
    figures: bool = True  # the answer to a create names what is reserved
    ends: tuple[Bill, ...] = ("paid",)  # of `BILLS`
    price: int = 10
    loses_tasks: bool = False  # 404 for a task that it made
    poll_faults: tuple[str, ...] = ()  # of `GATES`, and "reset"


@dataclass(frozen=True, slots=True)
class Known:
    """What a remembered key stands for: a task, or the answer that is given again."""

    at_s: float
    body: bytes
    answer: SendEnd | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `bill` is empty while it runs."""

    key: str
    bill: Bill = ""

    def charge(self, price: int) -> int:
        """What the account really pays for it, or will."""
        return price * BILLS[self.bill][1] if self.bill else price


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that the service remembers."""

    keys: Mapping[str, Known] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)

    def creates(self, key: str, body: bytes, now_s: float, may: Vocabulary, *, faults: bool) -> Iterator[Outcome]:
        """What may become of a create that arrives; without `faults` only what a healthy service does."""
        known = self.keys.get(key)
        if known is None:
            yield from self._new(key, body, now_s, may, faults=faults)
        elif may.compares and known.body != body:
            yield Outcome("409 another body", self, refused(409, "idempotency_conflict"))
        elif known.answer is not None:
            yield Outcome("the kept answer", self, known.answer)
        else:
            task_id = next(name for name, task in self.tasks.items() if task.key == key and name.endswith(key))
            yield Outcome("the same task", self, shown(task_id, self.tasks[task_id], may))
            if faults and may.busy:
                yield Outcome("409 busy", self, refused(409, "idempotency_conflict"), faults=1)
        if faults:
            for gate in may.gates:
                yield Outcome(f"{gate} from the gate", self, GATES[gate], faults=1)
            if may.twins:
                for task_id, task in self.tasks.items():
                    if task.key != key:
                        yield Outcome(f"the task {task_id}", self, shown(task_id, task, may), faults=1)

    def _new(self, key: str, body: bytes, now_s: float, may: Vocabulary, *, faults: bool) -> Iterator[Outcome]:
        task_id = self._free_name(key)
        keys = {**self.keys, key: Known(now_s, body)}
        made = Service(keys, {**self.tasks, task_id: Task(key)})
        yield Outcome("a task", made, shown(task_id, made.tasks[task_id], may), made=task_id)
        if not faults:
            return
        if may.breaks:
            yield Outcome("a task, and 500", made, refused(500, None), made=task_id, faults=1)
        if may.garbles:
            yield Outcome("a task, and a garbled 201", made, GARBLED, made=task_id, faults=1)
        for name in may.refusals:
            answer, kept = REFUSALS[name]
            after = Service({**self.keys, key: Known(now_s, body, answer)}, self.tasks) if kept else self
            yield Outcome(name, after, answer, faults=1)

    def _free_name(self, key: str) -> str:
        """`task-KEY`; a second one for the same key has a mark in front."""
        name = f"task-{key}"
        while name in self.tasks:
            name = f"another-{name}"
        return name

    def ended(self, task_id: str, bill: Bill) -> Service:
        """The task came to an end."""
        return Service(self.keys, {**self.tasks, task_id: replace(self.tasks[task_id], bill=bill)})

    def forgetting(self, before_s: float) -> Service:
        """Without the keys that first arrived at `before_s` or earlier."""
        return Service({key: known for key, known in self.keys.items() if known.at_s > before_s}, self.tasks)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that may become of a create: what it is called, the service then, its answer, and what it cost."""

    name: str
    after: Service
    answer: SendEnd
    made: str | None = None
    faults: int = 0


def shown(task_id: str, task: Task, may: Vocabulary) -> SendEnd:
    """A 2xx with the task as it stands."""
    status, final = "processing", 0
    error = None
    reserved = may.price if may.figures else None
    told: int | None = final
    if task.bill:
        status, share, tells = BILLS[task.bill]
        told = may.price * share if tells else (0 if status == "succeeded" else None)
        error = ErrorSeen(code="generation_failed", message="no luck") if status == "failed" else None
    seen = TaskSeen(id=task_id, status=status, reserved_credits=reserved, final_credits=told, error=error)
    return SendEnd(phase=Phase.ANSWERED, status=200, task=seen)
