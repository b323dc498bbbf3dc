"""A model of the service: what is documented, what the documents leave open, and what goes wrong on the way.

It shares nothing with the core but the values they exchange, so that it can disagree. Every scenario draws which
faults exist at all, and how common they are: runs then differ in kind, not only in luck. All faults end at `calm_at_s`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen

__all__ = ["FAULTS", "KEY_MEMORY_S", "ModelService", "Task", "ViolationError"]

# How long a key is remembered from its first arrival. A little over the hour that a client may trust, because a copy
# that left within the hour needs a moment to arrive; what arrives after that buys again, as the real one might.
KEY_MEMORY_S = 3600.0 + 120.0

FAULTS = (
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
    "twins",
    "invalid",
    "poor",
    "born_ended",
    "born_poor",
    # tasks
    "stuck",
    "late",
    "vanishing",
    "strange_words",
    "fails",
    "fails_charged",
    "no_figures",
    "final_stays_0",
    "dearer",
    "many_urls",
    "no_urls",
    # polls
    "poll_limited",
    "poll_broken",
    "poll_lost",
    "poll_garbled",
)

# A life that ends at its first request teaches little: what ends lives is rare.
_ENDS_A_LIFE = frozenset({"wrong_key", "redirect", "no_path", "poor", "born_poor"})
_RATES = (0.08, 0.25, 0.6)


class ViolationError(AssertionError):
    """Something that must never happen, happened."""


@dataclass(slots=True)
class Task:
    """One task of the service: what it will come to is settled at its birth."""

    id: str
    key: str
    made_s: float
    ends_s: float
    succeeds: bool
    price: int
    charge: int
    urls: tuple[str, ...] = ()
    code: str = "generation_failed"
    reserved_shown: int | None = None
    final_shown: int | None = None
    hidden_from_s: float = float("inf")
    hidden_until_s: float = float("inf")
    word: str = "processing"


@dataclass(slots=True)
class _Known:
    """What the service remembers of a key."""

    at_s: float
    task: Task | None
    busy_until_s: float = 0.0


@dataclass(slots=True)
class ModelService:
    """`create` and `status` as the service would answer them at a moment; times are true seconds."""

    random: Random
    prices: dict[str, int]  # prompt -> credits
    rates: dict[str, float] = field(default_factory=dict)
    wallet: int = 10**6
    calm_at_s: float = float("inf")
    task_s: tuple[float, float] = (3.0, 40.0)
    dated: bool = True
    keys: dict[str, _Known] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    by_key: dict[str, Task] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)  # faults that struck

    @staticmethod
    def swarm(random: Random) -> dict[str, float]:
        """Which faults exist in a scenario, and how often they strike."""
        share = random.choice((0.1, 0.2, 0.3, 0.5))
        rates = {fault: random.choice(_RATES) for fault in FAULTS if random.random() < share}
        return {fault: 0.06 if fault in _ENDS_A_LIFE else rate for fault, rate in rates.items()}

    def hits(self, fault: str, now_s: float) -> bool:
        """Whether a fault strikes now."""
        rate = self.rates.get(fault)
        if rate is None or now_s >= self.calm_at_s or self.random.random() >= rate:
            return False
        self.seen.add(fault)
        return True

    def hello(self, now_s: float) -> SendEnd:
        """The answer to any free question."""
        return self._end(now_s, 200)

    def create(self, now_s: float, key: str, body: bytes) -> SendEnd:
        """A create arrived."""
        self.posts[key] = self.posts.get(key, 0) + 1
        if self.bodies.setdefault(key, body) != body:
            raise ViolationError(f"{key} came with two bodies")
        return self._gate(now_s) or self._remembered(now_s, key) or self._new(now_s, key, body)

    def _gate(self, now_s: float) -> SendEnd | None:
        """What stands before the memory of keys, and may say no to a request that was granted before."""
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
        return self._answer(now_s, known.task)

    def _new(self, now_s: float, key: str, body: bytes) -> SendEnd:
        if self.hits("poisoned", now_s):
            self.keys[key] = _Known(now_s, None)
            return self._end(now_s, 500)
        if self.hits("broken_before", now_s):
            return self._broken(now_s)
        if self.hits("invalid", now_s):
            return self._refusal(now_s, self.random.choice((400, 422)), "validation_failed")
        prompt = json.loads(body)["prompt"]
        price = self.prices[prompt]
        if price > self.wallet or self.hits("poor", now_s):
            return self._refusal(now_s, self.random.choice((402, 400)), "insufficient_credits")
        if self.hits("dearer", now_s):
            price = self.prices[prompt] = price * 2
        if self.tasks and self.hits("twins", now_s):
            self.keys[key] = _Known(now_s, self.random.choice(list(self.tasks.values())))
            return self._answer(now_s, self.keys[key].task)  # type: ignore[arg-type]
        if key in self.by_key:
            raise ViolationError(f"{key} has two tasks: its copy came after the key was forgotten")
        task = self._task(now_s, key, price)
        self.keys[key] = known = _Known(now_s, task)
        if self.hits("busy_409", now_s):
            known.busy_until_s = now_s + self.random.choice((5.0, 60.0, 600.0))
        if self.hits("broken_after", now_s):
            return self._broken(now_s)
        return self._answer(now_s, task)

    def _task(self, now_s: float, key: str, price: int) -> Task:
        dice = self.random
        short_s, long_s = self.task_s
        task = Task(
            id=f"task_{len(self.tasks)}",
            key=key,
            made_s=now_s,
            ends_s=now_s + short_s + (long_s - short_s) * dice.random(),
            succeeds=True,
            price=price,
            charge=price,
            urls=(f"https://cdn.example.test/{len(self.tasks)}.png",),
        )
        if self.hits("born_poor", now_s):
            task.succeeds, task.charge, task.ends_s, task.code = False, 0, now_s, "insufficient_credits"
        elif self.hits("fails_charged", now_s):
            task.succeeds = False
        elif self.hits("fails", now_s):
            task.succeeds, task.charge = False, 0
        if self.hits("born_ended", now_s):
            task.ends_s = now_s
        elif self.hits("stuck", now_s):
            task.ends_s = float("inf")
        if self.hits("late", now_s):
            task.hidden_from_s, task.hidden_until_s = now_s, now_s + dice.choice((3.0, 50.0, 100.0))
        elif self.hits("vanishing", now_s):
            task.hidden_from_s = now_s + dice.choice((2.0, 20.0))
            task.hidden_until_s = dice.choice((now_s + 90.0, float("inf")))
        task.word = (
            dice.choice(("queued", "processing", "paused", "")) if self.hits("strange_words", now_s) else "queued"
        )
        if self.hits("many_urls", now_s):
            task.urls = tuple(f"{task.urls[0]}?{n}" for n in range(3))
        elif self.hits("no_urls", now_s):
            task.urls = ()
        shown = not self.hits("no_figures", now_s)
        task.reserved_shown = price if shown else None
        task.final_shown = None if not shown else task.charge
        if task.succeeds and self.hits("final_stays_0", now_s):
            task.final_shown = 0
        self.wallet -= task.charge
        self.tasks[task.id] = self.by_key[key] = task
        return task

    def status(self, now_s: float, task_id: str) -> SendEnd:
        """A status request arrived."""
        if self.hits("poll_limited", now_s):
            return self._refusal(now_s, 429, "rate_limited", retry_after_s=self._retry_after())
        if self.hits("poll_broken", now_s):
            return self._broken(now_s)
        if self.hits("poll_garbled", now_s):
            return self._end(now_s, 200)
        task = self.tasks[task_id]
        if task.hidden_from_s <= now_s < task.hidden_until_s:
            return self._refusal(now_s, 404, "not_found")
        return self._answer(now_s, task, garble=False)

    def _answer(self, now_s: float, task: Task, *, garble: bool = True) -> SendEnd:
        if garble and self.hits("garbled", now_s):
            return self._end(now_s, 200)
        if now_s < task.ends_s:
            seen = TaskSeen(id=task.id, status=task.word, reserved_credits=task.reserved_shown, final_credits=0)
            return self._end(now_s, 200, task=seen)
        error = None if task.succeeds else ErrorSeen(code=task.code, message="no luck")
        seen = TaskSeen(
            id=task.id,
            status="succeeded" if task.succeeds else "failed",
            reserved_credits=task.reserved_shown,
            final_credits=task.final_shown,
            urls=task.urls if task.succeeds else (),
            error=error,
        )
        return self._end(now_s, 200, task=seen)

    def _broken(self, now_s: float) -> SendEnd:
        status = self.random.choice((500, 502, 503, 408, 499, 400, 413))  # without an envelope even 400 says nothing
        return self._end(now_s, status, retry_after_s=self._retry_after() if status == 503 else None)

    def _retry_after(self) -> float | None:
        return self.random.choice((None, None, 0.0, 2.0, 30.0, 5000.0, 1e9))

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
            reason=f"HTTP {status}",
        )
