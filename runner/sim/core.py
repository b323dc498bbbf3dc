"""The simulator: requests in, answers out. No clock, no I/O, no chance but the seed's.

`handle` takes the time as an argument and finishes at once; an answer that should come late, never, or in half says so
and leaves it to the door. Two simulators with one profile, catalogue, seed and fault file give the same answers to the
same requests at the same times, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from runner.sim.access import SCOPES, check_standing, identify
from runner.sim.catalogue import read_models
from runner.sim.dice import token
from runner.sim.exchange import Fact, SimRequest, SimResponse, Wire, fact_of, http_date, json_answer
from runner.sim.faults import BODIES, Fault, FaultPlan
from runner.sim.generations import Call, create, remember_refusal, task_answer
from runner.sim.listing import model_listing
from runner.sim.openapi import openapi_document
from runner.sim.problems import Refusal, refusal_answer
from runner.sim.profile import Profile
from runner.sim.results import signed_order
from runner.sim.task import Marks, status_at
from runner.sim.wallet import Move
from runner.sim.world import SendSeen, World

__all__ = ["Simulator", "Stats"]

_FIXED_ROUTES: Mapping[str, Mapping[str, str]] = {
    "/api/v1/models": {"GET": "models"},
    "/api/v1/openapi.json": {"GET": "openapi"},
    "/api/v1/generations": {"POST": "create"},
    "/api/v1/files": {"POST": "upload"},
    "/api/v1/credits": {"GET": "credits"},
}
_PREFIX_ROUTES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("/api/v1/generations/", {"GET": "poll"}),
    ("/api/v1/files/", {"GET": "file"}),
    ("/results/", {"GET": "result", "HEAD": "result"}),
    ("/uploads/", {"GET": "uploaded", "HEAD": "uploaded"}),
)
_WINDOW_OF = {"poll": "polls", "upload": "uploads"}  # a create is counted by its own gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the service saw and what it charged: the truth a test compares a client's books with."""

    requests: Mapping[str, int]  # by endpoint
    sends: tuple[SendSeen, ...]  # every POST of a generation, in order
    tasks: int
    tasks_open: int
    tasks_failed: int
    duplicate_tasks: int  # made for an idempotency key that already had one
    same_body_tasks: int  # made for a body that already had one, whatever the key
    conflicts: int
    uploads: int
    refused_429: Mapping[str, int]  # by the window that was full
    moves: tuple[Move, ...]
    balance: Mapping[str, int]  # by account
    held_total: int
    charged_total: int  # settled, less refunds
    outside_total: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Simulator:
    """A whole service in memory. `origin` and `speed` belong to the door that serves it."""

    def __init__(
        self, profile: Profile, catalogue: Mapping[str, Any], seed: int = 0, faults: FaultPlan | None = None
    ) -> None:
        self._world = World(profile, read_models(catalogue), seed)
        self._faults = faults or FaultPlan()
        self._counts: dict[str, int] = {}
        self._request = 0
        self._models_body = orjson.dumps(
            model_listing(self._world.models.values(), bare=profile.models_detail == "bare")
        )

    @property
    def profile(self) -> Profile:
        return self._world.profile

    @property
    def seed(self) -> int:
        return self._world.seed

    @property
    def origin(self) -> str:
        """Scheme, host and port that result and upload URLs begin with."""
        return self._world.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._world.origin = origin

    @property
    def speed(self) -> float:
        """How many times faster tasks work. Rate windows, lifetimes and refunds stay in real time."""
        return self._world.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._world.speed = speed

    def restore(self, facts: Iterable[Fact]) -> None:
        """Remember an earlier life: the facts of its answers, in order."""
        self._world.restore(facts)

    def handle(self, request: SimRequest, now_s: float) -> SimResponse:
        """Answer one request at `now_s`, seconds since the epoch."""
        world = self._world
        facts: tuple[Fact, ...] = ()
        if not world.is_open:
            world.open(now_s)
            facts = ({"fact": "start", "at_s": now_s},)
        world.advance(now_s)
        self._request += 1
        request_id = f"req_{token(world.seed, 'request', self._request, now_s)}"
        endpoint = _route(request)
        self._counts[endpoint] = self._counts.get(endpoint, 0) + 1
        fault = self._faults.strike(endpoint, request, now_s - world.started_s)
        born = ""
        if fault.drop == "before_effect" or fault.never_answer == "before_effect":
            answer = SimResponse(status=0)
        elif fault.refuses and not fault.after_effect:
            answer = self._struck(fault, request, now_s, request_id, endpoint)
        else:
            answer, born = self._answered(endpoint, request, now_s, request_id, fault)
            answer = _bent(answer, fault, request_id)
        facts += answer.facts
        if endpoint == "create":
            facts += (self._seen(request, answer, born, now_s),)
        headers = {"date": http_date(int(now_s)), "x-request-id": request_id, **answer.headers}
        return replace(
            answer,
            headers=headers,
            delay_s=answer.delay_s + fault.delay_s,
            wire=_wire(fault),
            cut_after_bytes=fault.cut_after_bytes or 0,
            facts=facts,
        )

    def stats(self) -> Stats:
        """A record of everything up to the last request."""
        world = self._world
        tasks, wallets = world.tasks.values(), world.wallets.values()
        keys = [(task.account, task.key) for task in tasks if task.key]
        bodies = [(task.account, task.body_sha256) for task in tasks]
        moves = sorted((move for wallet in wallets for move in wallet.moves), key=lambda move: move.at_s)
        return Stats(
            requests=dict(self._counts),
            sends=tuple(world.sends),
            tasks=len(tasks),
            tasks_open=sum(world.open_tasks.values()),
            tasks_failed=sum(task.error_code is not None for task in tasks),
            duplicate_tasks=len(keys) - len(set(keys)),
            same_body_tasks=len(bodies) - len(set(bodies)),
            conflicts=world.book.conflicts,
            uploads=len(world.files),
            refused_429=dict(world.windows.refusals),
            moves=tuple(moves),
            balance={wallet.account: wallet.balance for wallet in wallets},
            held_total=sum(wallet.held for wallet in wallets),
            charged_total=sum(wallet.charged for wallet in wallets),
            outside_total=sum(wallet.outside for wallet in wallets),
        )

    def _answered(
        self, endpoint: str, request: SimRequest, now_s: float, request_id: str, fault: Fault
    ) -> tuple[SimResponse, str]:
        extra: dict[str, str] = {}
        born = ""
        try:
            if endpoint in SCOPES:
                marks = Marks(stuck=fault.stuck, fail=fault.fail)
                key = identify(request.headers, self._world.keys)
                call = Call(request=request, key=key, now_s=now_s, request_id=request_id, marks=marks, headers=extra)
                answer = self._private(endpoint, call)
                born = call.born
            else:
                answer = self._public(endpoint, request, now_s)
        except Refusal as refusal:
            answer = refusal_answer(refusal, request_id)
        return (replace(answer, headers={**extra, **answer.headers}) if extra else answer), born

    def _private(self, endpoint: str, call: Call) -> SimResponse:
        world = self._world
        if endpoint == "create":
            return create(world, call)
        check_standing(call.key, endpoint, public_api=world.profile.public_api)
        call.headers.update(world.windows.admit(_WINDOW_OF.get(endpoint, "other"), call.key, call.now_s))
        account, last = call.key.account, call.request.path.rpartition("/")[2]
        if endpoint == "poll":
            task = world.tasks.get(last)
            if task is None or task.account != account or status_at(task, call.now_s, world.profile) is None:
                raise Refusal("not_found")
            return json_answer(200, task_answer(world, task, call.now_s))
        if endpoint == "credits":
            return json_answer(200, {"current_credits": world.wallets[account].balance})
        if endpoint == "file":
            return json_answer(200, world.files.get(last, account, call.now_s).answer(world.origin))
        content_type = call.request.headers.get("content-type", "")
        file = world.files.upload(call.request.body, content_type, account, world.models, call.now_s)
        return json_answer(world.profile.upload_status, file.answer(world.origin), facts=(file.as_fact(),))

    def _public(self, endpoint: str, request: SimRequest, now_s: float) -> SimResponse:
        world = self._world
        if endpoint == "models":
            return SimResponse(status=200, headers={"content-type": "application/json"}, body=self._models_body)
        if endpoint == "openapi":
            return json_answer(200, openapi_document(world.models, world.profile, world.origin))
        if endpoint == "uploaded":
            raise Refusal("api_scope_denied", "Uploaded references are private.")
        if endpoint == "wrong_method":
            raise Refusal("method_not_allowed")
        if endpoint != "result":
            raise Refusal("not_found")
        if world.profile.results_need_key:
            identify(request.headers, world.keys)
        task_id, _, name = request.path.removeprefix("/results/").partition("/")
        task = world.tasks.get(task_id)
        if task is None or status_at(task, now_s, world.profile) != "succeeded":
            raise Refusal("not_found")
        order = signed_order(task, world.models[task.model], name, request.query, world.seed, now_s)
        return SimResponse(status=200, headers={"content-type": order.mime_type}, media=order)

    def _struck(self, fault: Fault, request: SimRequest, now_s: float, request_id: str, endpoint: str) -> SimResponse:
        answer = _fault_answer(fault, request_id)
        if endpoint != "create" or answer.status < 500:
            return answer
        try:
            key = identify(request.headers, self._world.keys)
        except Refusal:
            return answer
        call = Call(request=request, key=key, now_s=now_s, request_id=request_id)
        return replace(answer, facts=remember_refusal(self._world, call, answer))

    def _seen(self, request: SimRequest, answer: SimResponse, born: str, now_s: float) -> Fact:
        said = _object(answer) or {}
        seen = SendSeen(
            at_s=now_s,
            key=request.headers.get("idempotency-key", ""),
            body_sha256=sha256(request.body).hexdigest(),
            status=answer.status,
            code=(said.get("error") or {}).get("code", ""),
            task_id=born or str(said.get("id", "")),
            born=bool(born),
        )
        self._world.sends.append(seen)
        return fact_of("send", seen)


def _route(request: SimRequest) -> str:
    methods = _FIXED_ROUTES.get(request.path)
    if methods is None:
        methods = next((table for start, table in _PREFIX_ROUTES if request.path.startswith(start)), None)
    return "nowhere" if methods is None else methods.get(request.method, "wrong_method")


def _fault_answer(fault: Fault, request_id: str) -> SimResponse:
    if fault.code is not None:
        answer = refusal_answer(Refusal(fault.code, status=fault.status or 0), request_id)
    else:
        assert fault.status is not None
        content_type, body = BODIES[fault.body or ("html" if fault.status >= 500 else "empty")]
        answer = SimResponse(status=fault.status, headers={"content-type": content_type}, body=body)
    return replace(answer, headers={**answer.headers, **_fault_headers(fault)})


def _fault_headers(fault: Fault) -> dict[str, str]:
    named = {"retry-after": fault.retry_after, "location": fault.location}
    return {name: value for name, value in named.items() if value is not None}


def _bent(answer: SimResponse, fault: Fault, request_id: str) -> SimResponse:
    """A real answer after the faults that leave its effect alone."""
    if fault.refuses:
        return replace(_fault_answer(fault, request_id), facts=answer.facts)
    if fault.body is not None:
        content_type, body = BODIES[fault.body]
        return replace(answer, headers={**answer.headers, "content-type": content_type}, body=body, media=None)
    value = _object(answer) if fault.patch or fault.remove else None
    if value is not None:  # an error that is answered again may be no JSON
        kept = {name: item for name, item in value.items() if name not in fault.remove}
        answer = replace(answer, body=orjson.dumps({**kept, **fault.patch}))
    extra = _fault_headers(fault)
    return replace(answer, headers={**answer.headers, **extra}) if extra else answer


def _object(answer: SimResponse) -> dict[str, Any] | None:
    """The JSON object that an answer holds, if it does."""
    if not answer.headers.get("content-type", "").startswith("application/json") or answer.body[:1] != b"{":
        return None
    try:
        value: dict[str, Any] = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return value


def _wire(fault: Fault) -> Wire:
    if fault.drop is not None:
        return "drop"
    if fault.never_answer is not None:
        return "silent"
    return "whole" if fault.cut_after_bytes is None else "cut"
