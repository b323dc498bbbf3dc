"""Faults on order: rules that say which requests go wrong, and how.

A fault file is a list of rules (or an object with the list under `faults`):

    - match: {endpoint: create, nth: 3}
      do: {status: 502, body: html}
    - match: {endpoint: create, prompt_contains: stuck}
      do: {stuck: true}
    - match: {endpoint: poll, share: 0.05}
      do: {code: rate_limited, retry_after: 2}
      times: 10

All of `match` must hold; `model` and `prompt_contains` hold for creates alone, `from_s` and `until_s` count from the
first request. `nth` and `every` count the requests for which the rest of `match` holds. All rules that fire
for one request are joined; where two say the same thing, the first one's word counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

import orjson

from runner.sim.dice import roll
from runner.sim.exchange import SimRequest

__all__ = ["NO_FAULT", "Fault", "FaultError", "FaultPlan", "parse_faults"]

ENDPOINTS = ("any", "create", "poll", "upload", "file", "credits", "models", "openapi", "result")
BODIES: Mapping[str, tuple[str, bytes]] = {
    "html": ("text/html", b"<!doctype html><html><title>Bad gateway</title><body><h1>Bad gateway</h1></body></html>"),
    "empty": ("application/json", b""),
    "text": ("text/plain", b"upstream connect error or disconnect/reset before headers"),
    "half_json": ("application/json", b'{"id":"task_'),
    "not_json": ("application/json", b"<<oops>>"),
}


class FaultError(ValueError):
    """A fault rule cannot be understood; the message names the rule and what is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one request. All fields at rest: nothing does."""

    status: int | None = None  # answer with this status instead; with `after_effect` the request was still obeyed
    body: str | None = None  # a name in BODIES; with `status` absent it replaces the body of a real answer
    code: str | None = None  # answer with the documented envelope of this code
    retry_after: str | None = None
    location: str | None = None
    after_effect: bool = False
    delay_s: float = 0.0  # the answer comes this much later; its effect does not
    drop: str | None = None  # before_effect, after_effect
    cut_after_bytes: int | None = None
    never_answer: str | None = None  # before_effect, after_effect
    stuck: bool = False  # the task born of this create never ends
    fail: str | None = None  # the task born of this create fails with this code
    patch: Mapping[str, Any] = field(default_factory=dict)  # put into the JSON answer
    remove: tuple[str, ...] = ()  # taken out of the JSON answer

    @property
    def refuses(self) -> bool:
        """The service gives an answer that is not the endpoint's own."""
        return self.status is not None or self.code is not None


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    index: int
    endpoint: str = "any"
    model: str | None = None
    prompt_contains: str | None = None
    from_s: float | None = None
    until_s: float | None = None
    nth: int | None = None
    every: int | None = None
    share: float | None = None
    times: int | None = None
    fault: Fault = NO_FAULT


class FaultPlan:
    """The rules, and how often each was met and fired."""

    def __init__(self, rules: tuple[_Rule, ...] = (), seed: int = 0) -> None:
        self._rules = rules
        self._seed = seed
        self._reads_bodies = any(rule.model is not None or rule.prompt_contains is not None for rule in rules)
        self._met = [0] * len(rules)
        self._fired = [0] * len(rules)
        self._seen: dict[tuple[int, bytes], int] = {}

    def fired(self) -> tuple[int, ...]:
        """How often each rule has fired."""
        return tuple(self._fired)

    def strike(self, endpoint: str, request: SimRequest, since_start_s: float) -> Fault:
        """What goes wrong with this request; call it once per request."""
        struck = NO_FAULT
        wanted = _wanted(request) if endpoint == "create" and self._reads_bodies else {}
        for rule in self._rules:
            if _matches(rule, endpoint, wanted, since_start_s) and self._fires(rule, request):
                struck = rule.fault if struck is NO_FAULT else _joined(struck, rule.fault)
        return struck

    def _fires(self, rule: _Rule, request: SimRequest) -> bool:
        self._met[rule.index] += 1
        if rule.times is not None and self._fired[rule.index] >= rule.times:
            return False
        met = self._met[rule.index]
        if (rule.nth is not None and met != rule.nth) or (rule.every is not None and met % rule.every):
            return False
        if rule.share is not None and self._roll(rule, request) >= rule.share:
            return False
        self._fired[rule.index] += 1
        return True

    def _roll(self, rule: _Rule, request: SimRequest) -> float:
        key = request.headers.get("idempotency-key", "")
        content = blake2b(f"{request.method}\n{request.path}\n{key}\n".encode() + request.body, digest_size=12).digest()
        turn = self._seen.get((rule.index, content), 0)
        self._seen[rule.index, content] = turn + 1
        return roll(self._seed, "fault", rule.index, content, turn)


def _wanted(request: SimRequest) -> Mapping[str, Any]:
    """The body of a create, {} where it is none."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _matches(rule: _Rule, endpoint: str, wanted: Mapping[str, Any], since_start_s: float) -> bool:
    if rule.endpoint not in ("any", endpoint):
        return False
    if rule.from_s is not None and since_start_s < rule.from_s:
        return False
    if rule.until_s is not None and since_start_s >= rule.until_s:
        return False
    if rule.model is not None and rule.model != wanted.get("model"):
        return False
    return rule.prompt_contains is None or rule.prompt_contains in str(wanted.get("prompt", ""))


def _joined(first: Fault, second: Fault) -> Fault:
    chosen = {
        item.name: getattr(first if getattr(first, item.name) != getattr(NO_FAULT, item.name) else second, item.name)
        for item in fields(Fault)
    }
    return Fault(**chosen)


def parse_faults(data: object, seed: int = 0) -> FaultPlan:
    """The plan a fault file's parsed content stands for. Raises FaultError with the number of the rule at fault."""
    rules = data.get("faults", data) if isinstance(data, Mapping) else data  # a wrong name is not an empty list
    if rules is None or rules == {}:
        rules = []
    if not isinstance(rules, list):
        raise FaultError("a fault file is a list of rules, or an object with that list under `faults`")
    return FaultPlan(tuple(_rule(index, rule) for index, rule in enumerate(rules)), seed)


_MATCH: Mapping[str, tuple[type, ...]] = {
    "endpoint": (str,),
    "model": (str,),
    "prompt_contains": (str,),
    "from_s": (int, float),
    "until_s": (int, float),
    "nth": (int,),
    "every": (int,),
    "share": (int, float),
}
_DO: Mapping[str, tuple[type, ...]] = {
    "status": (int,),
    "body": (str,),
    "code": (str,),
    "retry_after": (int, float, str),
    "location": (str,),
    "after_effect": (bool,),
    "delay_s": (int, float),
    "drop": (str,),
    "cut_after_bytes": (int,),
    "never_answer": (bool, str),
    "stuck": (bool,),
    "fail": (str,),
    "patch": (dict,),
    "remove": (list,),
}
_MOMENTS = ("before_effect", "after_effect")


def _rule(index: int, rule: object) -> _Rule:
    where = f"rule {index + 1}"
    table = _table(where, rule, {"match": (dict,), "do": (dict,), "times": (int,)})
    match = _table(f"{where}, match", table.get("match", {}), _MATCH)
    do = _table(f"{where}, do", table.get("do", {}), _DO)
    if not do:
        raise FaultError(f"{where}: `do` is empty; possible: {', '.join(_DO)}")
    _choice(f"{where}, match.endpoint", match.get("endpoint", "any"), ENDPOINTS)
    for name in ("nth", "every"):
        if match.get(name, 1) < 1:
            raise FaultError(f"{where}, match.{name}: counts from 1")
    if not 0 <= match.get("share", 0) <= 1:
        raise FaultError(f"{where}, match.share: a share lies between 0 and 1")
    return _Rule(index=index, times=table.get("times"), fault=_fault(where, do), **match)


def _fault(where: str, do: dict[str, Any]) -> Fault:
    if do.get("never_answer") is True:
        do["never_answer"] = "before_effect"
    elif do.get("never_answer") is False:
        del do["never_answer"]
    for name, choices in (("body", tuple(BODIES)), ("drop", _MOMENTS), ("never_answer", _MOMENTS)):
        if name in do:
            _choice(f"{where}, do.{name}", do[name], choices)
    if not 200 <= do.get("status", 200) <= 599:
        raise FaultError(f"{where}, do.status: a final HTTP status lies between 200 and 599")
    if "retry_after" in do:
        do["retry_after"] = str(do["retry_after"])
    if "remove" in do:
        do["remove"] = tuple(str(name) for name in do["remove"])
    return Fault(**do)


def _table(where: str, value: object, known: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FaultError(f"{where}: expected an object with {', '.join(known)}")
    for name, item in value.items():
        if name not in known:
            raise FaultError(f"{where}: unknown {name!r}; possible: {', '.join(known)}")
        types = known[name]
        if not isinstance(item, types) or (isinstance(item, bool) and bool not in types):
            raise FaultError(f"{where}.{name}: expected {' or '.join(kind.__name__ for kind in types)}, got {item!r}")
    return dict(value)


def _choice(where: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise FaultError(f"{where}: {value!r} is not one of {', '.join(choices)}")
