"""What must hold whatever happens, written once and apart from the code that it judges.

An `Auditor` watches a run from outside: what became durable, which creates left, which tasks the service made of them.
From that it keeps its own books, by its own rules: it imports nothing of the core's and looks nothing up in it. Every
simulation feeds it as things happen; after a real kill it is fed from the ledger's event log and the simulator's
journal. What must never be raises `ViolationError`, at the first moment at which it can be seen.

    auditor = Auditor(caps={"run": 100})
    auditor.committed("i1-...", "intent", {...}, key="rvb1-...", body=b"...")      an event is durable
    auditor.left("rvb1-...", b"...")                                               a create leaves
    auditor.made("rvb1-...", "task_1")                                             the service has made a task
    auditor.finished()                                                             nothing more will happen
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Auditor", "Purchase", "ViolationError"]

HOLDING = frozenset({"submitting", "accepted", "uncertain", "vanished", "stalled"})
ENDED = frozenset({"succeeded", "failed", "rejected"})

# Which state an event may find the item's purchase in; `None` is an item that was never bought.
MAY_FOLLOW: Mapping[str, frozenset[str | None]] = {
    "planned": frozenset({None, *ENDED}),
    "skipped": frozenset({None, "rejected", "failed"}),
    "intent": frozenset({None, *ENDED}),
    "send_ended": frozenset({"submitting"}),
    "accepted": frozenset({"submitting", "uncertain"}),
    "rejected": frozenset({"submitting", "uncertain"}),
    "uncertain": frozenset({"submitting"}),
    "seen": frozenset({"accepted", "vanished", "stalled"}),
    "vanished": frozenset({"accepted", "stalled"}),
    "stalled": frozenset({"accepted", "vanished"}),
    "succeeded": frozenset({"accepted", "vanished", "stalled"}),
    "failed": frozenset({"accepted", "vanished", "stalled"}),
    "written_off": frozenset({"uncertain", "vanished", "stalled"}),
    "refunded": frozenset({"succeeded", "failed"}),
    "saved": frozenset({"succeeded"}),
}


class ViolationError(AssertionError):
    """Something that must never happen, happened."""


@dataclass(slots=True)
class Purchase:
    """One attempt as the auditor sees it. Credits are whole; `in_doubt` never goes back to False by itself."""

    key: str
    identity: str
    scope: str
    bound: int
    order: tuple[int, int]
    body: bytes | None
    state: str = "submitting"
    reserved: int = 0
    settled: int = 0
    in_doubt: bool = False
    task_id: str | None = None
    by_a_person: bool = False
    sends: int = 0
    heard: int = 0  # sends whose end is durable


class Auditor:
    """Judges one account over any number of lives. `caps`: the budget of each scope, None for no budget.

    `where` tells the place of a violation (seed, life, moment) in whatever words its user can replay.
    """

    def __init__(self, *, caps: Mapping[str, int | None], where: Callable[[], str] = lambda: "") -> None:
        self.purchases: dict[str, Purchase] = {}
        self.latest: dict[str, Purchase] = {}  # by identity
        self.reserved: Counter[str] = Counter()  # by scope
        self.settled: Counter[str] = Counter()
        self.surprises: Counter[str] = Counter()  # credits by which charges went above what was held for them
        self.tasks: dict[str, str] = {}  # key -> the task that the service made for it
        self._owners: dict[str, str] = {}  # task id -> the key whose purchase claims it
        self._caps = dict(caps)
        self._lowered: dict[str, int] = {}  # what was counted when the cap was set anew
        self._where = where

    def fail(self, what: str) -> ViolationError:
        """The error to raise, with its place."""
        return ViolationError(f"{self._where()}: {what}" if self._where() else what)

    def allowed(self, scope: str, cap: int | None) -> None:
        """From now on a scope has this budget: a person may raise or lower it between two lives."""
        self._caps[scope] = cap
        self._lowered[scope] = self.reserved[scope] + self.settled[scope]  # nobody can take back what is spent

    # The ledger

    def committed(
        self,
        identity: str,
        event: str,
        data: Mapping[str, object],
        *,
        key: str | None = None,
        body: bytes | None = None,
    ) -> None:
        """An event is durable. `data` is the event's own; `key` and `body` come with an intent."""
        purchase = self.latest.get(identity)
        state = purchase.state if purchase else None
        if state not in MAY_FOLLOW[event]:
            raise self.fail(f"{event} of {identity} while it is {state or 'not bought'}")
        if event == "intent":
            self._intent(identity, purchase, data, key, body)
        elif purchase is not None and event not in ("planned", "skipped", "saved"):
            self._moved(purchase, event, data)

    def _intent(
        self, identity: str, last: Purchase | None, data: Mapping[str, object], key: str | None, body: bytes | None
    ) -> None:
        """A new purchase: never while one may still be charged, never under a key of old, never above the budget."""
        scope, bound = str(data["scope"]), _whole(data["bound"])
        order = (_whole(data["epoch"]), _whole(data["ordinal"]))
        if key is None or key in self.purchases:
            raise self.fail(f"an intent of {identity} under the key of another: {key}")
        if last is not None:
            if order <= last.order:
                raise self.fail(f"purchase {order} of {identity} follows {last.order}")
            if last.state == "rejected" and last.key in self.tasks and not last.by_a_person:
                raise self.fail(f"{identity} is bought again although {last.key} has a task")
            if last.state == "succeeded" and order[0] == last.order[0]:
                raise self.fail(f"{identity} is bought again after a success, and nobody asked for it")
        cap = self._caps.get(scope)
        if cap is not None and self.reserved[scope] + self.settled[scope] + bound > cap:
            held, spent = self.reserved[scope], self.settled[scope]
            raise self.fail(f"an intent of {bound} above the cap of {cap}: {held} held, {spent} settled")
        bought = Purchase(key, identity, scope, bound, order, body, reserved=bound)
        self.purchases[key] = self.latest[identity] = bought
        self.reserved[scope] += bound

    def _moved(self, purchase: Purchase, event: str, data: Mapping[str, object]) -> None:
        counted = purchase.reserved + purchase.settled
        scope, was = purchase.scope, (purchase.reserved, purchase.settled)
        _MOVES[event](self, purchase, data)
        self.reserved[scope] += purchase.reserved - was[0]
        self.settled[scope] += purchase.settled - was[1]
        more = purchase.reserved + purchase.settled - counted
        if more > 0:
            if event not in ("accepted", "seen", "succeeded", "failed"):
                raise self.fail(f"{event} of {purchase.key} made it {more} credits dearer")
            self.surprises[scope] += more
        if purchase.reserved and purchase.state not in HOLDING:
            raise self.fail(f"{purchase.key} is {purchase.state} and still holds {purchase.reserved}")
        if purchase.state in HOLDING and purchase.reserved < purchase.bound:
            raise self.fail(f"{purchase.key} is {purchase.state} and holds only {purchase.reserved}")
        self._within_budget(scope)

    def _within_budget(self, scope: str) -> None:
        """Above the cap only by what charges exceeded their bounds: nothing that a client could have known."""
        cap = self._caps.get(scope)
        if cap is None:
            return
        counted = self.reserved[scope] + self.settled[scope]
        if min(self.reserved[scope], self.settled[scope]) < 0:
            raise self.fail(f"{scope} gave back more than it had")
        if counted > max(cap, self._lowered.get(scope, 0)) + self.surprises[scope]:
            raise self.fail(f"{counted} credits of {scope} are held or spent, and its cap is {cap}")

    def _send_ended(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        purchase.heard += data.get("outcome") != "not_sent"
        if data.get("ambiguous"):
            purchase.in_doubt = True
        elif purchase.in_doubt:
            pass  # once in doubt, always: the next events are judged by it
        elif purchase.key in self.tasks and purchase.heard >= purchase.sends:  # else a later send may have made it
            raise self.fail(f"{purchase.key} counts as never arrived although it has a task")

    def _accepted(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        person = data.get("by", "service") != "service"
        if purchase.state == "uncertain" and not person:
            raise self.fail(f"{purchase.key} came out of doubt without a person's word")
        task_id = str(data["task_id"])
        owner = self._owners.setdefault(task_id, purchase.key)
        if owner != purchase.key:
            raise self.fail(f"{task_id} is claimed by {purchase.key} and by {owner}")
        made = self.tasks.get(purchase.key)
        if made is not None and made != task_id and not person:
            raise self.fail(f"{purchase.key} has {made}, and the ledger says {task_id}")
        figure = data.get("reserved_credits")
        purchase.reserved = max(purchase.bound, _whole(figure) if figure is not None else 0)
        purchase.task_id, purchase.state, purchase.by_a_person = task_id, "accepted", person

    def _rejected(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        person = data.get("by", "service") not in ("service", "runner")
        if data.get("by") == "runner" and purchase.heard:
            raise self.fail(f"{purchase.key} counts as never sent, and a send of it has left")
        if not person:
            if purchase.state == "uncertain":
                raise self.fail(f"{purchase.key} came out of doubt without a person's word")
            if purchase.in_doubt:
                raise self.fail(f"{purchase.key} was given back although it may have arrived")
            if purchase.key in self.tasks:
                raise self.fail(f"{purchase.key} was given back although it has {self.tasks[purchase.key]}")
        purchase.reserved, purchase.state, purchase.by_a_person = 0, "rejected", person

    def _uncertain(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        purchase.state = "uncertain"

    def _seen(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        figure = data.get("reserved_credits")
        if figure is not None:
            purchase.reserved = max(purchase.reserved, _whole(figure))
        if purchase.state == "vanished":
            purchase.state = "accepted"

    def _vanished(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        purchase.state = "vanished"

    def _stalled(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        purchase.state = "stalled"

    def _charged(self, purchase: Purchase, data: Mapping[str, object], state: str) -> None:
        charge = _whole(data["charge"])
        if charge < 0:
            raise self.fail(f"{purchase.key} was charged {charge}")
        purchase.reserved, purchase.settled, purchase.state = 0, charge, state

    def _succeeded(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        self._charged(purchase, data, "succeeded")

    def _failed(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        self._charged(purchase, data, "failed")

    def _written_off(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        if _whole(data["charge"]) != purchase.reserved:
            raise self.fail(f"{purchase.key} held {purchase.reserved} and was written off as {data['charge']}")
        purchase.by_a_person = True
        self._charged(purchase, data, "failed")

    def _refunded(self, purchase: Purchase, data: Mapping[str, object]) -> None:
        back = _whole(data["credits"])
        if not 0 < back <= purchase.settled:
            raise self.fail(f"{purchase.key} cost {purchase.settled}, and {back} came back")
        purchase.settled -= back

    # The wire and the service

    def left(self, key: str, body: bytes) -> None:
        """A create leaves: its intent is durable and open, and these are its bytes."""
        purchase = self.purchases.get(key)
        if purchase is None:
            raise self.fail(f"{key} left without a durable intent")
        if purchase.state != "submitting":
            raise self.fail(f"{key} left although it is {purchase.state}")
        if purchase.body is not None and purchase.body != body:
            raise self.fail(f"{key} left with another body than its intent holds")
        purchase.sends += 1

    def restarted(self) -> None:
        """A new life: what was open when the last one ended may have arrived, whatever was known of it."""
        for purchase in self.purchases.values():
            purchase.in_doubt |= purchase.state == "submitting"

    def made(self, key: str, task_id: str) -> None:
        """The service made a task of a create. It may have been under way for long."""
        if key not in self.purchases:
            raise self.fail(f"{task_id} was made for {key}, which is unknown to the ledger")
        before = self.tasks.setdefault(key, task_id)
        if before != task_id:
            raise self.fail(f"{key} was paid twice: {before} and {task_id}")
        purchase = self.purchases[key]
        if purchase.state == "rejected" and not purchase.by_a_person:
            raise self.fail(f"{task_id} was made for {key} after it had been given back")

    def finished(self) -> None:
        """At the end: every task of the service's belongs to a purchase that knows it, or that is still in doubt."""
        for key, task_id in self.tasks.items():
            purchase = self.purchases[key]
            if purchase.by_a_person or purchase.task_id == task_id:
                continue
            if purchase.state not in ("submitting", "uncertain"):
                raise self.fail(f"{task_id} is lost: {key} is {purchase.state} with {purchase.task_id}")


_MOVES: Mapping[str, Callable[[Auditor, Purchase, Mapping[str, object]], None]] = {
    "send_ended": Auditor._send_ended,
    "accepted": Auditor._accepted,
    "rejected": Auditor._rejected,
    "uncertain": Auditor._uncertain,
    "seen": Auditor._seen,
    "vanished": Auditor._vanished,
    "stalled": Auditor._stalled,
    "succeeded": Auditor._succeeded,
    "failed": Auditor._failed,
    "written_off": Auditor._written_off,
    "refunded": Auditor._refunded,
}


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ViolationError(f"credits are whole numbers, not {value!r}")
    return value
