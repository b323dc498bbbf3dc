"""Every move from a state: all that may happen next, as far as the bounds of the exploration allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobs.answers import SendEnd
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.resolving import Word, refusal
from jobs.steps import Poll
from tests.proof.exhaustive_core import twin
from tests.proof.exhaustive_laws import settled
from tests.proof.exhaustive_service import GATES, RESET, UNSENT, Outcome, refused, shown
from tests.proof.exhaustive_world import Way, World

__all__ = ["Move", "benign", "moves"]

_S = ItemState


class Move(NamedTuple):
    """One thing that happens. `outcome` is what the service makes of it, where it has a say."""

    kind: str
    who: str = ""
    what: str = ""
    faults: int = 0
    outcome: Outcome | None = None
    end: SendEnd | None = None

    def __str__(self) -> str:
        return f"{self.kind:9}  {self.who:3}  {self.what}".rstrip()


def moves(world: World) -> Iterator[Move]:
    """Everything that may happen next, as far as what is `left` allows."""
    if world.core is None:
        yield from _between_lives(world)
    else:
        yield from _of_a_life(world, world.core)
    yield from _on_the_way(world)
    if world.left.jumps and not any(
        world.may_leave(way.send) and not way.send.step.changes and not way.hangs for way in world.sends.values()
    ):
        yield Move("jump", what="the key window passes")


def _between_lives(world: World) -> Iterator[Move]:
    if world.left.lives and not all(settled(world, record) for record in world.ledger.values()):
        yield Move("restart")
    if not world.left.words:
        return
    if world.root.commands and world.left.lives:
        yield Move("restart", what="retry")
        yield Move("restart", what="again")
    for identity, record in world.ledger.items():
        if refusal(record, Word.WRITE_OFF) is None:
            yield Move("word", identity, Word.WRITE_OFF.value)
        if record.state is not _S.UNCERTAIN or record.attempt is None:
            continue
        key = record.attempt.key
        if any(task.key == key for task in world.service.tasks.values()):
            yield Move("word", identity, Word.ADOPT.value)
        elif all(copy[0] != key for copy in world.wire):
            yield Move("word", identity, Word.ASSUME_NOT_CREATED.value)


def _of_a_life(world: World, core: Core) -> Iterator[Move]:
    if world.queue:
        yield Move("commit")
    for identity, way in world.sends.items():
        yield from _of_a_send(world, identity, way)
    if core.state.ready or len(core._buying._resending):
        yield Move("ask")
    if world.root.reference and core.lacking.wanted():
        yield Move("upload")
    yield from _polls(world, core)
    timed = core._watching._timed
    if timed and timed[0][0] + world.root.item_timeout_s <= world.now_s:
        yield Move("late")
    if world.left.ticks:
        yield Move("tick")
    if not world.queue and not world.sends and core.finished():
        yield Move("end")
    if world.left.crashes:
        yield Move("crash")


def _of_a_send(world: World, identity: str, way: Way) -> Iterator[Move]:
    if way.hangs:
        yield Move("reset", identity, end=RESET)
        return
    if not world.may_leave(way.send):
        return
    key, faulty = way.send.key, world.left.faults > 0
    for outcome in world.service.creates(key, world.body_of(way.send), world.now_s, world.root.may, faults=faulty):
        yield Move("send", identity, outcome.name, outcome.faults, outcome, outcome.answer)
    if faulty and world.root.unsent:
        yield Move("unsent", identity, "nothing left", 1, end=UNSENT)
    if faulty and world.root.lost:
        yield Move("lost", identity, "reset, and a copy is under way", 1, end=RESET)
    if faulty and world.root.slow:
        yield Move("hang", identity, "under way", 1)
    if faulty and world.root.doubles:
        healthy = next(world.service.creates(key, world.body_of(way.send), world.now_s, world.root.may, faults=False))
        yield Move("double", identity, healthy.name, 1, healthy, healthy.answer)


def _polls(world: World, core: Core) -> Iterator[Move]:
    due_s = core._watching._queue.due_s()
    if due_s is None or due_s > world.now_s:
        return
    poll = twin(core).next_poll(world.now())
    if not isinstance(poll, Poll):
        return
    may, task = world.root.may, world.service.tasks[poll.task_id]
    for bill in (task.bill,) if task.bill else may.ends:
        after = world.service.ended(poll.task_id, bill)
        end = shown(poll.task_id, after.tasks[poll.task_id], may)
        yield Move("poll", poll.identity, bill, 0, Outcome(bill, after, end), end)
    if not task.bill and world.left.patience:
        yield Move("poll", poll.identity, "running", 0, None, shown(poll.task_id, task, may))
    if world.left.faults:
        if may.loses_tasks:
            yield Move("poll", poll.identity, "404", 1, None, refused(404, "not_found"))
        for name in may.poll_faults:
            yield Move("poll", poll.identity, name, 1, None, GATES.get(name, RESET))


def _on_the_way(world: World) -> Iterator[Move]:
    for key, body in dict.fromkeys(world.wire):
        yield Move("lose", world.owner(key), key)
        if key in world.service.keys:
            continue  # the copy changes nothing
        effects: dict[str, Outcome] = {}
        for outcome in world.service.creates(key, body, world.now_s, world.root.may, faults=world.left.faults > 0):
            if outcome.after is not world.service and not (outcome.made and effects):
                effects[outcome.name] = outcome
        for outcome in effects.values():
            yield Move("arrive", world.owner(key), outcome.name, outcome.faults, outcome)


def benign(move: Move) -> bool:
    """Whether this happens when nothing goes wrong, without a person and without a new life."""
    return not move.faults and move.kind not in ("crash", "jump", "restart", "word")
