"""Creating tasks and telling how they stand: the two endpoints where the money is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isinf
from typing import Any

import orjson

from runner.sim.access import check_standing
from runner.sim.exchange import JSON_TYPE, Fact, SimRequest, SimResponse, iso_time
from runner.sim.keybook import Remembered, fingerprint
from runner.sim.pricing import final_price, reserved_price
from runner.sim.problems import Refusal, refusal_answer
from runner.sim.profile import ApiKey, Gate
from runner.sim.results import result_urls
from runner.sim.task import Marks, Task, TaskPlace, plan_task, status_at
from runner.sim.validation import Order, parse_body, read_order
from runner.sim.world import World

__all__ = ["Call", "create", "remember_refusal", "task_answer"]

_GATES: tuple[Gate, ...] = ("auth", "limits", "validation", "credits")
_BORN_FAILED_CODE = "insufficient_credits"
_AT_ONCE_WAIT_S = 5.0  # what Retry-After says when a slot, not a window, is full


@dataclass(slots=True, kw_only=True)
class Call:
    """One authenticated request on its way through the service."""

    request: SimRequest
    key: ApiKey
    now_s: float
    request_id: str
    marks: Marks = field(default_factory=Marks)
    headers: dict[str, str] = field(default_factory=dict)  # what the answer carries beside its own
    born: str = ""  # the id of the task that was made

    @property
    def idempotency_key(self) -> str:
        return self.request.headers.get("idempotency-key", "")


class _Draft:
    """A create that is not decided yet: the gates look at it, each paying only for what it needs."""

    def __init__(self, world: World, call: Call) -> None:
        self.call = call
        self.body_sha256 = sha256(call.request.body).hexdigest()
        self.short_of_credits = False
        self._world = world
        self._order: Order | None = None
        self._price = 0
        births = world.births(call.key.account, call.idempotency_key, self.body_sha256)
        self.content = f"{call.key.account}/{call.idempotency_key}/{self.body_sha256}/{births}"

    @property
    def order(self) -> Order:
        if self._order is None:
            world, call = self._world, self.call
            body = parse_body(call.request.body, call.request.headers.get("content-type", ""))
            self._order = read_order(
                body,
                world.models,
                world.profile,
                lambda item: world.files.find(item, call.key.account, call.now_s),
            )
        return self._order

    @property
    def price(self) -> int:
        if not self._price:
            self._price = reserved_price(self.order, self._world.profile, self._world.seed, self.content)
        return self._price


def create(world: World, call: Call) -> SimResponse:
    """POST /api/v1/generations. Raises Refusal."""
    profile = world.profile
    draft = _Draft(world, call)
    key = call.idempotency_key if profile.idempotency else ""
    for gate in profile.gates_first:
        _pass(gate, world, draft)
    if profile.key_required and not key:
        raise Refusal("validation_failed", "Idempotency-Key is required.")
    if len(key) > profile.key_max_chars:
        raise Refusal("validation_failed", f"Idempotency-Key: at most {profile.key_max_chars} characters.")
    scope, print_ = world.book.scope_of(call.key), fingerprint(call.request.body, profile)
    if key and (entry := world.book.look_up(scope, key, print_, call.now_s)):
        return _replayed(world, entry, call)
    try:
        for gate in _GATES:
            if gate not in profile.gates_first:
                _pass(gate, world, draft)
    except Refusal as refusal:
        refused = refusal_answer(refusal, call.request_id)
        return replace(refused, facts=remember_refusal(world, call, refused))
    return _born(world, draft, scope if key else "", print_)


def _pass(gate: Gate, world: World, draft: _Draft) -> None:
    profile, call = world.profile, draft.call
    if gate == "auth":
        check_standing(call.key, "create", public_api=profile.public_api)
    elif gate == "limits":
        cap = profile.tasks_at_once
        if cap is not None and profile.at_once_excess == "refuse" and world.open_tasks[call.key.account] >= cap:
            world.windows.refusals["at_once"] = world.windows.refusals.get("at_once", 0) + 1
            wait = world.windows.retry_after(_AT_ONCE_WAIT_S, call.now_s)
            raise Refusal("rate_limited", f"At most {cap} tasks may run at once.", headers=wait)
        call.headers.update(world.windows.admit("creates", call.key, call.now_s))
    elif gate == "validation":
        _ = draft.order
    elif draft.price > world.wallets[call.key.account].balance:
        if profile.insufficient_as != "born_failed":
            raise Refusal("insufficient_credits", status=int(profile.insufficient_as))
        draft.short_of_credits = True


def _born(world: World, draft: _Draft, scope: str, print_: str) -> SimResponse:
    profile, call = world.profile, draft.call
    slot_s = world.slot_from(call.key.account, call.now_s)
    place = TaskPlace(
        account=call.key.account,
        key=call.idempotency_key,
        body_sha256=draft.body_sha256,
        content=draft.content,
        created_s=call.now_s,
        start_from_s=call.now_s if isinf(slot_s) else slot_s,
        speed=world.speed,
    )
    final = final_price(draft.order, profile, world.seed, draft.content, draft.price)
    task = plan_task(draft.order, place, call.marks, profile, world.seed, (draft.price, final))
    if draft.short_of_credits:
        task = replace(task, error_code=_BORN_FAILED_CODE, start_s=call.now_s, finish_s=call.now_s)
        task = replace(task, reserved=0, final=0, refund=0, refund_s=None)
    elif isinf(slot_s):  # all workers are stuck for good
        task = replace(task, start_s=None, finish_s=None)
    world.add_task(task)
    world.advance(call.now_s)
    call.born = task.id
    body = orjson.dumps(task_answer(world, task, call.now_s))
    facts: tuple[Fact, ...] = (task.as_fact(),)
    if scope:
        entry = Remembered(
            scope=scope,
            key=call.idempotency_key,
            print=print_,
            at_s=call.now_s,
            ready_s=call.now_s + profile.create_takes_s,
            status=profile.create_status,
            body=body.decode(),
            content_type=JSON_TYPE,
            task_id=task.id,
        )
        world.book.remember(entry)
        facts += (entry.as_fact(),)
    headers = {"content-type": JSON_TYPE}
    return SimResponse(
        status=profile.create_status, headers=headers, body=body, delay_s=profile.create_takes_s, facts=facts
    )


def _replayed(world: World, entry: Remembered, call: Call) -> SimResponse:
    profile = world.profile
    status, body = entry.status, entry.body.encode()
    if entry.task_id is not None:
        status = entry.status if profile.replay_status == "first" else profile.replay_status
        if profile.replay_body == "current":
            body = orjson.dumps(task_answer(world, world.tasks[entry.task_id], call.now_s))
    headers = {"content-type": entry.content_type}
    return SimResponse(status=status, headers=headers, body=body, delay_s=max(0.0, entry.ready_s - call.now_s))


def remember_refusal(world: World, call: Call, answer: SimResponse) -> tuple[Fact, ...]:
    """Keep a refusal for the same key, where the profile says the service does; the facts of having done so."""
    key = call.idempotency_key
    if not (world.profile.idempotency and key and world.book.keeps(answer.status)):
        return ()
    entry = Remembered(
        scope=world.book.scope_of(call.key),
        key=key,
        print=fingerprint(call.request.body, world.profile),
        at_s=call.now_s,
        ready_s=call.now_s,
        status=answer.status,
        body=answer.body.decode("utf-8", "replace"),
        content_type=answer.headers["content-type"],
        task_id=None,
    )
    world.book.remember(entry)
    return (entry.as_fact(),)


def task_answer(world: World, task: Task, now_s: float) -> dict[str, Any]:
    """The task object, the same from create and status."""
    profile = world.profile
    status = status_at(task, now_s, profile) or "queued"
    moments = (task.created_s, task.start_s, task.finish_s)
    updated_s = max(moment for moment in moments if moment is not None and moment <= now_s)
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    if status == "succeeded":
        urls = result_urls(task, world.models[task.model], profile, world.origin, world.seed, now_s)
        result = {"primary_url": urls[0], "urls": urls} if profile.urls_field else {"primary_url": urls[0]}
    elif status == "failed":
        error = {"code": task.error_code or "generation_failed", "message": "The generation did not succeed."}
    return {
        "id": task.id,
        "status": status,
        "model": task.model,
        "reserved_credits": task.reserved,
        "final_credits": task.final_credits_at(now_s),
        "created_at": iso_time(task.created_s),
        "updated_at": iso_time(updated_s),
        "result": result,
        "error": error,
    }
