"""Purchases at random, as the core would tell them to the ledger: real events, legal moves, derived keys.

The service in here answers by the key alone: asked again under one key it says the same again. So a client that forgot
everything, and derives the same keys again, ends with the same tasks.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from jobs.budget import delta
from jobs.identity import body_bytes, idempotency_key
from jobs.item import Item
from jobs.lifecycle import EventType, ItemState
from jobs.record import Change, Event, Record, fold
from tests.proof.audit import Auditor
from tests.runner.ledger_cases import ACCOUNT

__all__ = ["BOUND", "Shop"]

BOUND = 10
PURCHASES_MAX = 3  # of one item
SENDS_MAX = 3

Told = tuple[EventType, Mapping[str, object]]


class Shop:
    """Says what happens next to an item. `auditor`, while there is one, hears of every create and every task."""

    def __init__(self, items: Iterable[Item], *, scope: str, cap: int, dice: random.Random, auditor: Auditor) -> None:
        self.items = {one.identity: one for one in items}
        self.auditor: Auditor | None = auditor
        self.tasks: dict[str, str] = {}  # key -> the task the service made for it
        self.bodies: dict[str, bytes] = {}  # by key, as first frozen
        self.doubted: set[str] = set()  # keys found open by a later life
        self._scope = scope
        self._cap = cap
        self._dice = dice

    def next(self, record: Record, at_s: float) -> Change | None:
        """The next event of an item, with what it leads to; None when nothing more happens to it."""
        told = self._told(record)
        if told is None:
            return None
        event = Event(type=told[0], at_s=at_s, identity=record.identity, data=told[1])
        after = fold(record, event)
        intent = event.type is EventType.INTENT
        return Change(
            event=event,
            record=after,
            delta=delta(record, event, after),
            scope=self._scope,
            body=self._frozen(record.identity, str(told[1]["key"])) if intent else None,
            cap_credits=self._cap if intent else None,
        )

    def tasks_owed(self, identity: str) -> dict[str, str]:
        """By key, the tasks that an item comes to, with a ledger that never failed and all the credits it takes."""
        owed: dict[str, str] = {}
        for ordinal in range(PURCHASES_MAX):
            key = self._key(self.items[identity], ordinal)
            if not _rejects(key):
                owed[key] = _task(key)
                if not _fails(key):
                    break
        return owed

    def _told(self, record: Record) -> Told | None:
        dice, attempt, state = self._dice, record.attempt, record.state
        match state:
            case ItemState.PLANNED | ItemState.SKIPPED:
                skips = state is ItemState.PLANNED and dice.random() < 0.1
                return (EventType.SKIPPED, {"code": "budget_exhausted"}) if skips else self._intent(record)
            case ItemState.SUBMITTING:
                return self._sent(record)
            case ItemState.UNCERTAIN:
                return self._resolved(record)
            case ItemState.REJECTED:
                return self._intent(record)
            case ItemState.FAILED | ItemState.SUCCEEDED:
                return self._later(record)
        assert attempt is not None
        if dice.random() < 0.3:
            return self._delayed(state)
        charge = _charge(attempt.key)
        if _fails(attempt.key):
            return EventType.FAILED, {"final_credits": 0, "charge": 0, "assumed": False, "code": "generation_failed"}
        urls = [f"https://cdn.example/{attempt.task_id}.mp4"]
        return EventType.SUCCEEDED, {"final_credits": charge, "charge": charge, "assumed": False, "urls": urls}

    def _intent(self, record: Record) -> Told | None:
        ordinal = record.attempt.ordinal + 1 if record.attempt else 0
        if ordinal >= PURCHASES_MAX:
            return None
        data = {
            "epoch": 0,
            "ordinal": ordinal,
            "key": self._key(self.items[record.identity], ordinal),
            "bound": BOUND,
            "price_class": self.items[record.identity].price_class,
            "scope": self._scope,
            "server_at_s": float(ordinal),
        }
        return EventType.INTENT, data

    def _sent(self, record: Record) -> Told:
        """One send. Its answer may be lost, and then the task it made is known to nobody."""
        dice, attempt = self._dice, record.attempt
        assert attempt is not None
        key, in_doubt = attempt.key, attempt.ambiguous or attempt.key in self.doubted
        if in_doubt and attempt.sends >= SENDS_MAX:
            return EventType.UNCERTAIN, {"reason": "no answer"}
        if dice.random() < 0.1:
            return EventType.SEND_ENDED, {"outcome": "not_sent", "ambiguous": in_doubt, "reason": "no route"}
        self._reach_the_service(key)
        if dice.random() < 0.25:
            return EventType.SEND_ENDED, {"outcome": "ambiguous", "ambiguous": True, "reason": "HTTP 502"}
        if key in self.tasks:
            return EventType.ACCEPTED, {"task_id": self.tasks[key], "reserved_credits": BOUND, "by": "service"}
        if in_doubt:
            return EventType.SEND_ENDED, {"outcome": "rejected", "ambiguous": True, "reason": "HTTP 400"}
        return EventType.REJECTED, {"code": "validation_failed", "message": "no", "by": "service"}

    def _reach_the_service(self, key: str) -> None:
        if self.auditor is not None:
            self.auditor.left(key, self.bodies[key])
        if _rejects(key):
            return
        self.tasks[key] = _task(key)
        if self.auditor is not None:
            self.auditor.made(key, self.tasks[key])

    def _resolved(self, record: Record) -> Told:
        """A person looks the key up."""
        assert record.attempt is not None
        task = self.tasks.get(record.attempt.key)
        if task is not None:
            return EventType.ACCEPTED, {"task_id": task, "reserved_credits": None, "by": "ann"}
        return EventType.REJECTED, {"code": "resolved", "message": "there is no task", "by": "ann"}

    def _later(self, record: Record) -> Told | None:
        if record.state is ItemState.FAILED:
            return self._intent(record)
        assert record.attempt is not None
        url, settled = record.artifacts[0].url, record.attempt.settled
        if record.artifacts[0].state == "wanted":
            file = f"{record.identity}.mp4"
            return EventType.SAVED, {"n": 1, "url": url, "state": "verified", "file": file, "bytes": 9}
        if settled and self._dice.random() < 0.1:
            return EventType.REFUNDED, {"credits": settled}
        return None

    def _delayed(self, state: ItemState) -> Told:
        if state is ItemState.VANISHED:
            return EventType.SEEN, {"status": "processing"}
        if state is ItemState.STALLED:
            return EventType.VANISHED, {"reason": "404"}
        return self._dice.choice(
            (
                (EventType.SEEN, {"status": "queued", "reserved_credits": BOUND + 1}),
                (EventType.VANISHED, {"reason": "404"}),
                (EventType.STALLED, {"reason": "20 min"}),
            )
        )

    def _key(self, one: Item, ordinal: int) -> str:
        return idempotency_key(
            account=ACCOUNT, edition=one.edition, identity=one.identity, repeat=one.repeat, epoch=0, ordinal=ordinal
        )

    def _frozen(self, identity: str, key: str) -> bytes:
        one = self.items[identity]
        body = body_bytes(
            model=one.model, prompt=one.prompt, params=one.params, reference_items=(), client_request_id=key
        )
        assert self.bodies.setdefault(key, body) == body, "a key has one body, also when its intent was forgotten"
        return body


def _dice(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=3).digest()


def _rejects(key: str) -> bool:
    return _dice(key)[0] < 50


def _fails(key: str) -> bool:
    return _dice(key)[1] < 50


def _charge(key: str) -> int:
    return 1 + _dice(key)[2] % BOUND


def _task(key: str) -> str:
    return f"task_{key[-12:]}"
