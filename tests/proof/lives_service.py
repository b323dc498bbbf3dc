"""The simulated service, with an eye on what it makes and on which fault met whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import SimRequest, SimResponse
from runner.sim.faults import FaultPlan, parse_faults
from runner.sim.profile import Profile
from runner.sim.task import Task
from tests.proof.lives_judge import Judge
from tests.proof.lives_weather import Strike, name_of

__all__ = ["WatchedService"]

# What the items of the lives are made with; to read more for each would be much of a short life.
USED: Final = frozenset({"z-image", "nano-banana"})
MODELS: Final = {"models": [model for model in packaged_catalogue()["models"] if model["id"] in USED]}


class WatchedService(Simulator):
    """The simulator, and what it tells the judge."""

    def __init__(self, judge: Judge, profile: Mapping[str, Any], seed: int, faults: Sequence[Strike]) -> None:
        rules = [{"match": {"endpoint": at, "share": share}, "do": dict(do)} for at, do, share in faults]
        super().__init__(Profile(**{"windows": (), **profile}), MODELS, seed, parse_faults(rules, seed))
        self._judge = judge
        self._names = [name_of(at, do) for at, do, _ in faults]
        self._fired = (0,) * len(rules)

    @property
    def tasks(self) -> Collection[Task]:
        """All that were ever made."""
        return self._world.tasks.values()

    def heal(self) -> None:
        """No more faults, and money."""
        self._faults = FaultPlan()
        self._names, self._fired = [], ()
        for wallet in self._world.wallets.values():
            wallet.balance += 1000
            wallet.initial += 1000

    def handle(self, request: SimRequest, now_s: float) -> SimResponse:
        answer = super().handle(request, now_s)
        judge = self._judge
        judge.note(request.method, request.path, answer.status, answer.wire)
        if self._names:
            self._count(request)
        if request.method == "POST" and request.path == "/api/v1/generations":
            seen = self._world.sends[-1]
            if seen.born:
                judge.made(seen.key, seen.task_id)
            if answer.status == 409:
                judge.conflicted(seen.key, now_s)
        return answer

    def _count(self, request: SimRequest) -> None:
        fired = self._faults.fired()
        if fired != self._fired:
            for name, before, after in zip(self._names, self._fired, fired, strict=True):
                if after > before:
                    self._judge.counts[f"{name} x {self._state(name, request)}"] += 1
            self._fired = fired

    def _state(self, name: str, request: SimRequest) -> str:
        """Whom a fault met: a create with or without doubt, a task's item as the ledger has it."""
        auditor = self._judge.auditor
        if name.startswith("create"):
            purchase = auditor.purchases.get(request.headers["idempotency-key"])
            return "of no one" if purchase is None else "in doubt" if purchase.in_doubt else "clear"
        if name.startswith("poll"):
            owner = auditor._owners.get(request.path.rpartition("/")[2])
            return auditor.purchases[owner].state if owner else "of no one"
        return "asked"
