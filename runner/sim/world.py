"""The state of the toy service, and what time does to it: tasks end, holds become charges, refunds arrive."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from runner.sim.catalogue import ModelSpec
from runner.sim.exchange import Fact
from runner.sim.files import FileShelf, StoredFile
from runner.sim.keybook import KeyBook, Remembered
from runner.sim.profile import ApiKey, Profile
from runner.sim.task import Task, task_from_fact
from runner.sim.wallet import Wallet
from runner.sim.windows import Windows

__all__ = ["SendSeen", "World"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSeen:
    """One POST of a generation as the service met it. `status` 0: it was lost on the way in."""

    at_s: float
    key: str
    body_sha256: str
    status: int
    code: str = ""
    task_id: str = ""
    born: bool = False  # a task was made for it


@dataclass(order=True, slots=True)
class _Due:
    at_s: float
    turn: int
    what: str = field(compare=False)
    task: Task | None = field(compare=False, default=None)
    account: str = field(compare=False, default="")


class World:
    """Everything that is remembered. Plain data and bookkeeping; the endpoints decide."""

    def __init__(self, profile: Profile, models: Mapping[str, ModelSpec], seed: int) -> None:
        self.profile = profile
        self.models = models
        self.seed = seed
        self.speed = 1.0
        self.origin = "https://sim.invalid"
        self.is_open = False
        self.started_s = 0.0
        self.keys: dict[str, ApiKey] = {key.secret: key for key in profile.keys}
        accounts = dict.fromkeys(key.account for key in profile.keys)
        self.wallets = {name: Wallet(account=name, initial=profile.initial_credits) for name in accounts}
        self.tasks: dict[str, Task] = {}
        self.files = FileShelf(profile, seed)
        self.book = KeyBook(profile)
        self.windows = Windows(profile)
        self.sends: list[SendSeen] = []
        self.open_tasks = dict.fromkeys(accounts, 0)
        self._slots: dict[str, list[float]] = {name: [] for name in accounts}
        self._births: dict[tuple[str, str, str], int] = {}
        self._due: list[_Due] = []
        self._turn = 0
        self._now_s = -inf

    def open(self, now_s: float) -> None:
        """The first moment of the world: other users of the wallets begin to spend."""
        assert self.profile.outside_every_s > 0, "outside_every_s is a period"
        self.is_open, self.started_s = True, now_s
        if self.profile.outside_credits:
            for account in self.wallets:
                self._schedule(now_s + self.profile.outside_every_s, "outside", account=account)

    def advance(self, now_s: float) -> None:
        """Let everything happen that is due by now. A clock that steps back changes nothing."""
        self._now_s = max(self._now_s, now_s)
        while self._due and self._due[0].at_s <= self._now_s:
            self._happen(heapq.heappop(self._due))

    def births(self, account: str, key: str, body_sha256: str) -> int:
        """How many tasks this very request has made before."""
        return self._births.get((account, key, body_sha256), 0)

    def slot_from(self, account: str, now_s: float) -> float:
        """When a worker is free for the next task of an account, where tasks queue for workers; inf for never."""
        if self.profile.tasks_at_once is None or self.profile.at_once_excess == "refuse":
            return now_s
        busy = self._slots[account]
        while busy and busy[0] <= now_s:
            heapq.heappop(busy)
        return now_s if len(busy) < self.profile.tasks_at_once else heapq.heappop(busy)

    def add_task(self, task: Task) -> None:
        """A task begins: its price is held, and its end is put into the calendar."""
        self.tasks[task.id] = task
        birth = task.account, task.key, task.body_sha256
        self._births[birth] = self._births.get(birth, 0) + 1
        self.open_tasks[task.account] += 1
        heapq.heappush(self._slots[task.account], inf if task.finish_s is None else task.finish_s)
        self.wallets[task.account].reserve(task.created_s, task.id, task.reserved)
        if task.finish_s is not None:
            self._schedule(task.finish_s, "settle", task=task)

    def restore(self, facts: Iterable[Fact]) -> None:
        """Take up where an earlier life left off: facts in the order in which they were given out."""
        for fact in facts:
            self._restore_one({name: value for name, value in fact.items() if name != "fact"}, fact["fact"])

    def _restore_one(self, values: dict[str, Any], kind: str) -> None:
        if kind == "start":
            self.open(values["at_s"])
        elif kind == "task":
            self.advance(values["created_s"])
            self.add_task(task_from_fact(values))
        elif kind == "key":
            self.book.remember(Remembered(**values))
        elif kind == "file":
            self.files.keep(StoredFile(**values))
        elif kind == "send":
            self.sends.append(SendSeen(**values))

    def _happen(self, due: _Due) -> None:
        if due.what == "outside":
            self.wallets[due.account].spend_outside(due.at_s, self.profile.outside_credits)
            self._schedule(due.at_s + self.profile.outside_every_s, "outside", account=due.account)
            return
        task = due.task
        assert task is not None
        wallet = self.wallets[task.account]
        if due.what == "settle":
            self.open_tasks[task.account] -= 1
            late = task.refund_s is not None
            wallet.settle(due.at_s, task.id, task.reserved, task.final - (0 if late else task.refund))
            if task.refund_s is not None:
                self._schedule(task.refund_s, "refund", task=task)
        else:
            wallet.refund(due.at_s, task.id, task.refund)

    def _schedule(self, at_s: float, what: str, *, task: Task | None = None, account: str = "") -> None:
        self._turn += 1
        heapq.heappush(self._due, _Due(at_s, self._turn, what, task, account))
