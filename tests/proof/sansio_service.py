"""A model of the service: what is documented, what the documents leave open, and what goes wrong on the way.

It shares nothing with the core but the values they exchange, so that it can disagree. Every scenario draws which
faults exist at all, and how common they are: runs then differ in kind, not only in luck. All faults end at `calm_at_s`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen
from tests.proof.audit import ViolationError

__all__ = ["CREATE_FAULTS", "FAULTS", "KEY_MEMORY_S", "POLL_FAULTS", "ModelService", "Task", "swarm"]

# How long a key is remembered from its first arrival. A little over the hour that a client may trust, because a copy
# that left within the hour needs a moment to arrive; what arrives after that buys again, as the real one might.
KEY_MEMORY_S = 3600.0 + 120.0

CREATE_FAULTS = (
    # on the way
    "not_sent",
    "lost_before",
    "lost_after",
    # in front of the service: limiters, the key's check and validation may stand before the memory of keys
    "limited",
    "gate_invalid",
    "wrong_key",
    "redirect",
    "no_path",
    # in it
    "broken_before",
    "broken_after",
    "poisoned",
    "garbled",
    "busy_409",
    "foreign_409",
    "twins",
    "invalid",
    "poor",
    # tasks
    "born_ended",
    "born_poor",
    "stuck",
    "late",
    "vanishing",
    "strange_words",
    "fails",
    "fails_charged",
    "refunds_late",
    "no_figures",
    "figures_late",
    "final_stays_0",
    "dearer",
    "many_urls",
    "no_urls",
)
POLL_FAULTS = (
    "poll_limited",
    "poll_broken",
    "poll_lost",
    "poll_garbled",
    "poll_goes_back",
    "poll_other",
    "poll_wrong_key",
)
FAULTS = CREATE_FAULTS + POLL_FAULTS
_GATE = frozenset({"limited", "wrong_key", "redirect", "no_path", "gate_invalid"})
_TROUBLE = frozenset({"foreign_409", "poisoned", "broken_before", "invalid"})
_BAD_ENDS = frozenset(CREATE_FAULTS[CREATE_FAULTS.index("born_ended") : CREATE_FAULTS.index("no_figures")])
_BAD_SHOWS = frozenset({"strange_words", "no_figures", "figures_late", "final_stays_0", "many_urls", "no_urls"})
_POLLS = frozenset(POLL_FAULTS)

# A life that ends at its first request teaches little: what ends lives is rarer.
_ENDS_A_LIFE = frozenset({"wrong_key", "redirect", "no_path", "poor", "born_poor"})
_TROUBLES = ("vanishing", "stuck", "fails_charged", "refunds_late")
_RATES = (0.1, 0.3, 0.6)
_MOST_FAULTS = (0, 1, 2, 2, 3, 3, 4, 6, 9, 14)  # of one scenario

NEVER_S = float("inf")
_T = TypeVar("_T")


def swarm(dice: Random) -> dict[str, float]:
    """Which faults exist in a scenario, and how often they strike."""
    rates = {}
    for _ in range(_MOST_FAULTS[int(dice.random() * len(_MOST_FAULTS))]):
        fault = FAULTS[int(dice.random() * len(FAULTS))]
        rates[fault] = 0.3 if fault in _ENDS_A_LIFE else _RATES[int(dice.random() * len(_RATES))]
    if not rates.keys().isdisjoint(POLL_FAULTS) and dice.random() < 0.7:  # they should meet tasks in trouble, too
        rates[_TROUBLES[int(dice.random() * len(_TROUBLES))]] = 0.6
    return rates


@dataclass(slots=True)
class Task:
    """One task of the service: what it will come to is settled at its birth."""

    id: str
    ends_s: float
    charge: int
    succeeds: bool
    urls: tuple[str, ...]
    code: str = "generation_failed"
    reserved_shown: int | None = None
    final_shown: int | None = None
    hidden_from_s: float = NEVER_S
    hidden_until_s: float = NEVER_S
    word: str = "queued"
    refund: int = 0
    refund_s: float = NEVER_S
    figures_from_s: float = 0.0


@dataclass(slots=True)
class _Known:
    """What the service remembers of a key. `task` None: it remembers a stored 500."""

    at_s: float
    task: Task | None
    busy_until_s: float = 0.0


@dataclass(slots=True)
class ModelService:
    """`create` and `status` as the service would answer them at a moment; times are true seconds.

    `made` is told of every task at its birth. `struck` collects the faults that struck, until its reader clears it.
    """

    dice: Random
    prices: dict[str, int]  # prompt -> credits
    rates: dict[str, float]
    made: Callable[[str, str], None]
    calm_at_s: float
    dated: bool
    wallet: int
    keys: dict[str, _Known] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    by_key: dict[str, Task] = field(default_factory=dict)
    struck: list[str] = field(default_factory=list)

    def hits(self, fault: str, now_s: float) -> bool:
        """Whether a fault strikes now."""
        rate = self.rates.get(fault)
        if rate is None or now_s >= self.calm_at_s or self.dice.random() >= rate:
            return False
        self.struck.append(fault)
        return True

    def hello(self, now_s: float) -> SendEnd:
        """The answer to any free question."""
        return self._end(now_s, 200)

    def create(self, now_s: float, key: str, body: bytes) -> SendEnd:
        """A create arrived."""
        return self._gate(now_s) or self._remembered(now_s, key) or self._new(now_s, key, body)

    def _gate(self, now_s: float) -> SendEnd | None:
        """What stands before the memory of keys, and may say no to a request that was granted before."""
        if _GATE.isdisjoint(self.rates):
            return None
        if self.hits("limited", now_s):
            return self._refusal(now_s, 429, "rate_limited", retry_after_s=self._retry_after())
        if self.hits("wrong_key", now_s):
            return self._refusal(now_s, 401, "api_key_revoked")
        if self.hits("redirect", now_s):
            return self._end(now_s, 302)
        if self.hits("no_path", now_s):
            return self._end(now_s, 404)
        if self.hits("gate_invalid", now_s):
            return self._refusal(now_s, 400, "validation_failed")
        return None

    def _remembered(self, now_s: float, key: str) -> SendEnd | None:
        known = self.keys.get(key)
        if known is None:
            return None
        if now_s - known.at_s >= KEY_MEMORY_S:
            del self.keys[key]
            return None
        if now_s < known.busy_until_s:
            return self._refusal(now_s, 409, "idempotency_conflict")
        if known.task is None:
            return self._end(now_s, 500)
        self.struck.append("replay")
        return self._answer(now_s, known.task)

    def _new(self, now_s: float, key: str, body: bytes) -> SendEnd:
        prompt = body.partition(b'"prompt":"')[2].partition(b'"')[0].decode()
        price = self.prices[prompt]
        refusal = None if _TROUBLE.isdisjoint(self.rates) else self._trouble(now_s, key, price)
        if refusal is not None:
            return refusal
        if price > self.wallet or self.hits("poor", now_s):
            return self._refusal(now_s, self._one_of(402, 400, 502), "insufficient_credits")
        if self.hits("dearer", now_s):
            price = self.prices[prompt] = price * 2
        if self.tasks and self.hits("twins", now_s):
            twin = next(iter(self.tasks.values()))
            self.keys[key] = _Known(now_s, twin)
            return self._answer(now_s, twin)
        task = self._bought(now_s, key, price)
        self.keys[key] = known = _Known(now_s, task)
        if self.hits("busy_409", now_s):
            known.busy_until_s = now_s + self._one_of(5.0, 60.0, 600.0)
        if self.hits("broken_after", now_s):
            return self._broken(now_s)
        return self._answer(now_s, task)

    def _bought(self, now_s: float, key: str, price: int) -> Task:
        task = self._task(now_s, price)
        self.wallet -= task.charge
        self.tasks[task.id] = task
        if self.by_key.setdefault(key, task) is not task:
            raise ViolationError(f"{key} has two tasks: its copy came after the key was forgotten")
        self.made(key, task.id)
        return task

    def _trouble(self, now_s: float, key: str, price: int) -> SendEnd | None:
        """What keeps a create from making a task, though nothing stands before it."""
        if self.hits("foreign_409", now_s):  # a ledger that was lost bought it under this key, with other bytes
            self._bought(now_s, key, price)
            self.keys[key] = _Known(now_s, None, busy_until_s=NEVER_S)
            return self._refusal(now_s, 409, "idempotency_conflict")
        if self.hits("poisoned", now_s):
            self.keys[key] = _Known(now_s, None)
            return self._end(now_s, 500)
        if self.hits("broken_before", now_s):
            return self._broken(now_s)
        if self.hits("invalid", now_s):
            return self._refusal(now_s, self._one_of(400, 422), "validation_failed")
        return None

    def _task(self, now_s: float, price: int) -> Task:
        count = len(self.tasks)
        task = Task(
            id=f"task_{count}",
            ends_s=now_s + 3.0 + 37.0 * self.dice.random(),
            charge=price,
            succeeds=True,
            urls=(f"https://cdn.example.test/{count}.png",),
            reserved_shown=price,
            final_shown=price,
        )
        if self.rates and now_s < self.calm_at_s:
            if not _BAD_ENDS.isdisjoint(self.rates):
                self._ends_badly(now_s, task)
            self._shows_badly(now_s, task)
        return task

    def _ends_badly(self, now_s: float, task: Task) -> None:
        if self.hits("born_poor", now_s):
            task.succeeds, task.charge, task.ends_s, task.code = False, 0, now_s, "insufficient_credits"
        elif self.hits("fails_charged", now_s):
            task.succeeds = False
        elif self.hits("refunds_late", now_s):
            task.succeeds, task.refund = False, self._one_of(task.charge, 1)
            task.refund_s = task.ends_s + self._one_of(30.0, 100.0, 1000.0)
        elif self.hits("fails", now_s):
            task.succeeds, task.charge = False, 0
        if self.hits("born_ended", now_s):
            task.ends_s = now_s
        elif self.hits("stuck", now_s):
            task.ends_s = self._one_of(now_s + 300.0, NEVER_S)
        if self.hits("late", now_s):
            task.hidden_from_s, task.hidden_until_s = now_s, now_s + self._one_of(3.0, 50.0, 100.0)
        elif self.hits("vanishing", now_s):
            task.hidden_from_s = now_s + self._one_of(2.0, 20.0)
            task.hidden_until_s = self._one_of(now_s + 90.0, now_s + 300.0, NEVER_S)

    def _shows_badly(self, now_s: float, task: Task) -> None:
        task.final_shown = task.charge
        if _BAD_SHOWS.isdisjoint(self.rates):
            return
        if self.hits("strange_words", now_s):
            task.word = ("processing", "paused", "")[int(self.dice.random() * 3)]
        if self.hits("many_urls", now_s):
            task.urls = tuple(f"{task.urls[0]}?{n}" for n in range(3))
        elif self.hits("no_urls", now_s):
            task.urls = ()
        if self.hits("no_figures", now_s):
            task.reserved_shown = task.final_shown = None
        elif self.hits("figures_late", now_s):
            task.figures_from_s = now_s + 10.0
        if task.succeeds and self.hits("final_stays_0", now_s):
            task.final_shown = 0

    def status(self, now_s: float, task_id: str) -> SendEnd:
        """A status request arrived."""
        if not _POLLS.isdisjoint(self.rates):
            if self.hits("poll_limited", now_s):
                return self._refusal(now_s, 429, "rate_limited", retry_after_s=self._retry_after())
            if self.hits("poll_wrong_key", now_s):
                return self._refusal(now_s, 401, "api_key_revoked")
            if self.hits("poll_broken", now_s):
                return self._broken(now_s)
            if self.hits("poll_garbled", now_s):
                return self._end(now_s, 200)
            if len(self.tasks) > 1 and self.hits("poll_other", now_s):  # answers that changed places on the way
                task_id = next(other for other in self.tasks if other != task_id)
        task = self.tasks[task_id]
        if task.hidden_from_s <= now_s < task.hidden_until_s:
            self.struck.append("hidden")
            return self._refusal(now_s, 404, "not_found")
        return self._shown(now_s, task)

    def _answer(self, now_s: float, task: Task) -> SendEnd:
        return self._end(now_s, 200) if self.hits("garbled", now_s) else self._shown(now_s, task)

    def _shown(self, now_s: float, task: Task) -> SendEnd:
        if now_s >= task.refund_s:
            self._refund(task)
        reserved = task.reserved_shown if now_s >= task.figures_from_s else None
        if now_s < task.ends_s or self.hits("poll_goes_back", now_s):
            seen = TaskSeen(id=task.id, status=task.word, reserved_credits=reserved, final_credits=0)
            return self._end(now_s, 200, task=seen)
        seen = TaskSeen(
            id=task.id,
            status="succeeded" if task.succeeds else "failed",
            reserved_credits=reserved,
            final_credits=task.final_shown,
            urls=task.urls if task.succeeds else (),
            error=None if task.succeeds else ErrorSeen(code=task.code, message="no luck"),
        )
        return self._end(now_s, 200, task=seen)

    def _refund(self, task: Task) -> None:
        """Credits of a failure came back: its final figure says so from now on."""
        task.charge -= task.refund
        task.refund_s = NEVER_S
        if task.final_shown is not None:
            task.final_shown = task.charge
            self.struck.append("refund shown")

    def _broken(self, now_s: float) -> SendEnd:
        # without an envelope even 400 says nothing
        status = (500, 502, 503, 408, 499, 400, 413)[int(self.dice.random() * 7)]
        return self._end(now_s, status, retry_after_s=self._retry_after() if status == 503 else None)

    def _retry_after(self) -> float | None:
        return (None, None, 0.0, 2.0, 30.0, 5000.0, 1e9)[int(self.dice.random() * 7)]

    def _one_of(self, *values: _T) -> _T:
        return values[int(self.dice.random() * len(values))]

    def _refusal(self, now_s: float, status: int, code: str, *, retry_after_s: float | None = None) -> SendEnd:
        return self._end(now_s, status, error=ErrorSeen(code=code, message=code), retry_after_s=retry_after_s)

    def _end(
        self,
        now_s: float,
        status: int,
        *,
        task: TaskSeen | None = None,
        error: ErrorSeen | None = None,
        retry_after_s: float | None = None,
    ) -> SendEnd:
        return SendEnd(
            phase=Phase.ANSWERED,
            status=status,
            task=task,
            error=error,
            retry_after_s=retry_after_s,
            server_epoch_s=float(int(now_s)) if self.dated else None,
            reason="answered",
        )
