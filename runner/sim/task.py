"""A task: its whole life is decided at birth, so asking for its status is a look-up by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

from runner.sim.dice import normal, roll, token
from runner.sim.exchange import Fact, fact_of
from runner.sim.profile import Profile
from runner.sim.validation import Order

__all__ = ["Marks", "Task", "TaskPlace", "status_at", "task_from_fact", "work_seconds"]

# Median seconds of work, by the start of the model's id, most telling first. Read off what such models usually take;
# the documentation gives no figures.
_MEDIANS: tuple[tuple[str, float], ...] = (
    ("z-image", 3.0),
    ("seedance-2-fast", 75.0),
    ("seedance-2", 120.0),
    ("seedance", 60.0),
    ("grok-imagine-video", 35.0),
    ("kling", 90.0),
    ("veo3", 80.0),
    ("sora-watermark", 20.0),
    ("sora", 110.0),
    ("hailuo", 70.0),
    ("happyhorse", 65.0),
    ("runway", 45.0),
    ("wan-2-7-image", 7.0),
    ("wan-", 65.0),
    ("gpt-image", 8.0),
    ("suno", 30.0),
)
_CATEGORY_MEDIANS: Mapping[str, float] = {"image": 5.0, "video": 60.0, "audio": 6.0}

# Shares of the working time between which odd statuses show.
_ODD_FROM, _ODD_UNTIL = 0.4, 0.7
_FINAL_SLIP_S = 2.0  # with goes_back=final, the end is taken back for this long ...
_FINAL_SEEN_S = 1.0  # ... after it was shown for this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the fault rules want of the task that is born now."""

    stuck: bool = False
    fail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlace:
    """Where and when a task is born: what does not depend on the order itself."""

    account: str
    key: str  # the idempotency key, "" without one
    body_sha256: str
    content: str  # tells this birth from every other one, and is the same in a replay
    created_s: float
    start_from_s: float  # the earliest moment a worker is free
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. Times are seconds since the epoch; `start_s` and `finish_s` None mean never."""

    id: str
    account: str
    model: str
    prompt: str
    params: Mapping[str, Any]
    key: str
    body_sha256: str
    created_s: float
    start_s: float | None
    finish_s: float | None
    error_code: str | None
    reserved: int
    final: int  # charged at the end, before any refund
    refund: int
    refund_s: float | None  # the refund arrives; None: with the end

    def as_fact(self) -> Fact:
        return fact_of("task", self)

    def final_credits_at(self, now_s: float) -> int:
        """What `final_credits` shows: 0 while open, then the charge less what was given back by now."""
        if self.finish_s is None or now_s < self.finish_s:
            return 0
        refunded = self.refund_s is None or now_s >= self.refund_s
        return self.final - (self.refund if refunded else 0)


def task_from_fact(fact: Mapping[str, Any]) -> Task:
    """The task a fact describes."""
    return Task(**{name: value for name, value in fact.items() if name != "fact"})


def work_seconds(order: Order, profile: Profile, seed: int, content: str) -> float:
    """How long the work takes before the simulator's speed: lognormal around the model's median."""
    overrides = dict(profile.durations)
    model = order.model
    builtin = next((s for start, s in _MEDIANS if model.id.startswith(start)), _CATEGORY_MEDIANS[model.category])
    median = overrides.get(model.id, overrides.get("*", builtin))
    return median * exp(profile.duration_sigma * normal(seed, "work", content))


def plan_task(
    order: Order, place: TaskPlace, marks: Marks, profile: Profile, seed: int, prices: tuple[int, int]
) -> Task:
    """The life a new task will have. `prices` are the reserved and the final one of a success."""
    reserved, final = prices
    queue_s = profile.queue_s * exp(profile.duration_sigma * normal(seed, "queue", place.content))
    start_s = max(place.created_s, place.start_from_s) + queue_s / place.speed
    finish_s: float | None = start_s + work_seconds(order, profile, seed, place.content) / place.speed
    if marks.stuck or (marks.fail is None and roll(seed, "stuck", place.content) < profile.stuck_share):
        finish_s = None
    error_code = marks.fail
    if error_code is None and roll(seed, "fail", place.content) < profile.fail_share:
        error_code = profile.fail_code
    refund, refund_s = 0, None
    if error_code is not None:
        final = reserved
        refund = {"immediate": reserved, "late": reserved, "partial": int(reserved * profile.refund_share), "none": 0}[
            profile.refund
        ]
        refund_s = finish_s + profile.refund_delay_s if profile.refund == "late" and finish_s is not None else None
    return Task(
        id=f"task_{token(seed, 'task', place.account, place.content)}",
        account=place.account,
        model=order.model.id,
        prompt=order.prompt,
        params=order.params,
        key=place.key,
        body_sha256=place.body_sha256,
        created_s=place.created_s,
        start_s=start_s,
        finish_s=finish_s,
        error_code=error_code,
        reserved=reserved,
        final=final,
        refund=refund,
        refund_s=refund_s,
    )


def status_at(task: Task, now_s: float, profile: Profile) -> str | None:
    """The status shown now; None where the service says `not_found`."""
    if now_s < task.created_s + profile.lag_s:
        return None
    if task.finish_s is not None and now_s >= task.finish_s:
        if profile.retention_s is not None and now_s >= task.finish_s + profile.retention_s:
            return None
        after_s = now_s - task.finish_s
        if profile.goes_back == "final" and _FINAL_SEEN_S <= after_s < _FINAL_SEEN_S + _FINAL_SLIP_S:
            return "processing"
        return "succeeded" if task.error_code is None else "failed"
    if task.start_s is None or now_s < task.start_s:
        return "queued"
    if task.finish_s is not None:
        done = (now_s - task.start_s) / (task.finish_s - task.start_s)
        if _ODD_FROM <= done < _ODD_UNTIL:
            if profile.unknown_status:
                return profile.unknown_status
            if profile.goes_back == "open":
                return "queued"
    return "processing"
