"""What must hold in every state, and at the end: judged apart from the core, with the auditor's books."""

from __future__ import annotations

from jobs.lifecycle import ItemState
from jobs.record import Record, rebuys
from tests.proof.exhaustive_bounds import SCOPE, WINDOW_S
from tests.proof.exhaustive_core import twin
from tests.proof.exhaustive_world import World

__all__ = ["deserved", "judge_end", "laws", "one_of_a_class", "settled"]

_S = ItemState


def laws(world: World) -> None:
    """What the service really charges, or will, is held or settled; and the core's books are the auditor's."""
    price = world.root.may.price
    for task_id, task in world.service.tasks.items():
        bought = world.audit.purchases[task.key]
        due = min(task.charge(price), bought.bound)
        if bought.reserved + bought.settled < due:
            counted = bought.reserved + bought.settled
            raise world.audit.fail(f"{task_id} costs {due}, and {counted} of it is held or settled")
    if world.core is None or world.queue:
        return
    books = world.core.state.books
    if (books.reserved, books.settled) != (world.audit.reserved[SCOPE], world.audit.settled[SCOPE]):
        raise world.audit.fail(f"the books say {books.reserved} held and {books.settled} settled")


def one_of_a_class(world: World, identity: str) -> None:
    """While nobody has seen the class's price, one attempt of it is in flight."""
    if world.prices:
        return
    for other, bought in world.audit.latest.items():
        if other != identity and bought.state in ("submitting", "accepted"):
            raise world.audit.fail(f"{identity} is bought at an unknown price while {other} shows what it is")


def deserved(world: World, identity: str) -> None:
    """Nobody is left in doubt who could have been told."""
    record = world.ledger[identity]
    assert record.attempt is not None
    key = record.attempt.key
    if not world.audit.purchases[key].in_doubt:
        raise world.audit.fail(f"{key} is called uncertain, and nothing left it in doubt")
    old = world.now_s - record.attempt.opened_at_s >= WINDOW_S
    tired = world.posts.get(key, 0) > world.root.resends_max
    bound = world.now_s >= world.conflicts.get(key, float("inf"))
    if not (old or tired or bound):
        raise world.audit.fail(f"{key} is called uncertain while it could be sent again")


def settled(world: World, record: Record) -> bool:
    """Nothing more happens to this item by itself."""
    if record.state is _S.SKIPPED:
        return not _affordable(world, record)
    if record.state in (_S.SUCCEEDED, _S.UNCERTAIN):
        return True
    return record.state in (_S.FAILED, _S.REJECTED) and not rebuys(record, resubmit_failed=world.root.resubmit_failed)


def _affordable(world: World, record: Record) -> bool:
    if world.root.cap is None:
        return True
    bound = world.prices.get("m") or world.items[record.identity].credits or 1
    return world.audit.reserved[SCOPE] + world.audit.settled[SCOPE] + bound <= world.root.cap


def judge_end(world: World) -> None:
    """Every item came to an end that it deserves."""
    for identity, record in world.ledger.items():
        if not settled(world, record):
            raise world.audit.fail(f"{identity} is {record.state.value} and stays so, although nothing goes wrong")
    twin(world.audit).finished()
    laws(world)
