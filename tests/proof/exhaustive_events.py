"""What a move does: the core is asked and told as the engine does it, and what it says becomes durable in its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jobs.answers import Phase, Uploaded
from jobs.lifecycle import EventType, ItemState
from jobs.record import Change, Money
from jobs.resolving import Said, Word, resolved
from jobs.steps import Poll, Send, Step
from jobs.verdict import judge
from tests.proof.exhaustive_bounds import CONFLICT_S, SCOPE, TICK_S, WINDOW_S, Left
from tests.proof.exhaustive_laws import deserved, laws, one_of_a_class
from tests.proof.exhaustive_moves import Move, benign, moves
from tests.proof.exhaustive_service import Outcome, shown
from tests.proof.exhaustive_world import REFERENCE, Way, World

__all__ = ["after", "calm", "next_when_calm"]

_S, _E = ItemState, EventType


def after(world: World, move: Move) -> World | None:
    """The state after a move, or None when it changes nothing. Raises what must never happen."""
    world = world.copy()
    if move.faults:
        world.left = world.left._replace(faults=world.left.faults - move.faults)
    happen = _HAPPEN[move.kind]
    return world if happen(world, move) is not False else None


def _ask(world: World, _: Move) -> bool:
    answer = world.own_core().next_create(world.now())
    if isinstance(answer, Send):
        if answer.identity in world.sends:
            raise world.audit.fail(f"two creates of {answer.identity} at once")
        for change in answer.step.changes:
            if change.record.attempt is not None and answer.key not in world.names:
                world.names[answer.key] = f"{answer.identity}.{len(world.names)}"
        world.say(answer.step)
        world.sends = {**world.sends, answer.identity: Way(answer)}
        return True
    if isinstance(answer, Step):
        world.say(answer)
        return True
    return False


def _commit(world: World, _: Move) -> None:
    step, world.queue = world.queue[0], world.queue[1:]
    _durable(world, step)


def _durable(world: World, step: Step) -> None:
    world.ledger, world.bodies = dict(world.ledger), dict(world.bodies)
    world.prices = dict(world.prices)
    world.own_audit()
    for change in step.changes:
        _durable_change(world, change)
    laws(world)


def _durable_change(world: World, change: Change) -> None:
    event, record, attempt = change.event, change.record, change.record.attempt
    before = world.ledger[event.identity]
    if record.version != before.version + 1:
        raise world.audit.fail(f"{event.type.value} of {event.identity} over a newer row")
    key = attempt.key if attempt else None
    if event.type is _E.INTENT:
        one_of_a_class(world, event.identity)
        assert key is not None
        assert change.body is not None
        world.bodies[key] = change.body
    if event.type is _E.UNCERTAIN:
        deserved(world, event.identity)
    world.audit.committed(event.identity, event.type.value, event.data, key=key, body=change.body)
    world.ledger[event.identity] = record
    world.counts[f"durable {event.type.value}"] += 1
    if attempt is None or event.type in (_E.PLANNED, _E.SKIPPED):
        return
    seen = max(attempt.reserved_credits or 0, attempt.final_credits or 0)
    if seen:
        world.prices[attempt.price_class] = max(seen, world.prices.get(attempt.price_class, 0))
    bought = world.audit.purchases[attempt.key]
    if (bought.reserved, bought.settled) != (attempt.reserved, attempt.settled):
        told = f"{attempt.reserved} held and {attempt.settled} settled"
        raise world.audit.fail(f"{bought.key} has {told}; it must be {bought.reserved} and {bought.settled}")
    now_held, now_spent = world.books.reserved + change.delta.reserved, world.books.settled + change.delta.settled
    world.books = Money(reserved=now_held, settled=now_spent)
    if (now_held, now_spent) != (world.audit.reserved[SCOPE], world.audit.settled[SCOPE]):
        raise world.audit.fail(f"the ledger's books say {now_held} held and {now_spent} settled")
    if record.state is not _S.SUBMITTING:
        world.posts = {known: n for known, n in world.posts.items() if known != attempt.key}
        world.conflicts = {known: at_s for known, at_s in world.conflicts.items() if known != attempt.key}


def _ended(world: World, move: Move) -> None:
    """A create ended."""
    identity, end = move.who, move.end
    assert end is not None
    way = world.sends[identity]
    world.sends = {name: other for name, other in world.sends.items() if name != identity}
    core, key = world.own_core(), way.send.key
    verdict, attempt = judge(end), core.state.attempt(identity)
    doubt = "in doubt" if world.audit.purchases[key].in_doubt else "in no doubt"
    world.counts[f"{verdict.kind.value} {doubt}"] += 1
    if end.phase is not Phase.NOT_SENT and end.status != 429:
        world.posts = {**world.posts, key: world.posts.get(key, 0) + 1}
    if end.status == 409 and key not in world.conflicts:
        world.conflicts = {**world.conflicts, key: world.now_s + CONFLICT_S}
    if end.task is not None:
        core.know_task(end.task.id, _task_key(world, end.task.id))
    assert attempt.key == key, "the answer of another attempt"
    world.say(core.create_ended(way.send, end, world.now()))


def _task_key(world: World, task_id: str) -> str | None:
    """What the ledger knows of a task."""
    owners = (
        record.attempt.key
        for record in world.ledger.values()
        if record.attempt is not None and record.attempt.task_id == task_id
    )
    return next(owners, None)


def _leave(world: World, identity: str) -> tuple[str, bytes]:
    send = world.sends[identity].send
    world.own_audit()
    body = world.body_of(send)
    world.audit.left(send.key, body)
    return send.key, body


def _take_effect(world: World, outcome: Outcome, key: str) -> None:
    world.service = outcome.after
    if outcome.made is not None:
        world.own_audit()
        world.audit.made(key, outcome.made)
        laws(world)


def _send(world: World, move: Move) -> None:
    assert move.outcome is not None
    key, _ = _leave(world, move.who)
    _take_effect(world, move.outcome, key)
    _ended(world, move)


def _double(world: World, move: Move) -> None:
    key, body = _leave(world, move.who)
    assert move.outcome is not None
    world.wire = tuple(sorted((*world.wire, (key, body))))
    _take_effect(world, move.outcome, key)
    _ended(world, move)


def _lost(world: World, move: Move) -> None:
    world.wire = tuple(sorted((*world.wire, _leave(world, move.who))))
    _ended(world, move)


def _hang(world: World, move: Move) -> None:
    world.wire = tuple(sorted((*world.wire, _leave(world, move.who))))
    world.sends = {**world.sends, move.who: world.sends[move.who]._replace(hangs=True)}


def _upload(world: World, _: Move) -> None:
    name = f"upload-{world.uploads}"
    held = Uploaded(file_id=name, url=name, kind="image", name="r", mime_type="image/png")
    world.own_core().lacking.uploaded(REFERENCE.sha256, held)


def _poll(world: World, move: Move) -> None:
    core = world.own_core()
    poll = core.next_poll(world.now())
    assert isinstance(poll, Poll)
    assert move.end is not None
    if move.what == "running":
        world.left = world.left._replace(patience=world.left.patience - 1)
    if move.outcome is not None:
        world.service = move.outcome.after
    world.counts[f"poll {move.what} of {core.state.records[poll.identity].state.value}"] += 1
    world.say(core.poll_ended(poll, move.end, world.now()))
    laws(world)


def _late(world: World, _: Move) -> bool:
    """The time of a task is over."""
    step = world.own_core().overdue(world.now())
    if not isinstance(step, Step):
        return False
    world.counts["stalled by time"] += 1
    world.say(step)
    return True


def _tick(world: World, _: Move) -> bool:
    """Time passes only when the core has nothing to ask for, and waits for a moment."""
    core = world.own_core()
    create = core.next_create(world.now())
    poll_s = core._watching._queue.due_s()
    if isinstance(create, Send | Step) or (poll_s is not None and poll_s <= world.now_s):
        return False
    if create.until_s is None and poll_s is None:
        return False
    world.now_s += TICK_S
    world.left = world.left._replace(ticks=world.left.ticks - 1)
    return True


def _jump(world: World, _: Move) -> None:
    """The window passes: no copy is under way any more, and a forgetful service forgets."""
    world.now_s += WINDOW_S
    world.left = world.left._replace(jumps=world.left.jumps - 1)
    world.wire = ()
    if world.root.may.forgets:
        world.service = world.service.forgetting(world.now_s - WINDOW_S)


def _die(world: World) -> None:
    world.core, world.queue, world.sends = None, (), {}
    world.posts, world.conflicts = {}, {}


def _crash(world: World, _: Move) -> None:
    world.counts["crash with something not durable" if world.queue else "crash"] += 1
    _die(world)
    world.left = world.left._replace(crashes=world.left.crashes - 1)


def _end(world: World, _: Move) -> None:
    core = world.own_core()
    step = core.leave_unbought(world.now())
    if step.changes:
        _durable(world, step)
    _die(world)


def _restart(world: World, move: Move) -> None:
    words = world.left.words - bool(move.what)
    world.left = world.left._replace(lives=world.left.lives - 1, words=words)
    world.own_audit()
    world.audit.restarted()
    world.uploads += 1
    world.start(retry=move.what == "retry", again=move.what == "again")


def _word(world: World, move: Move) -> None:
    record = world.ledger[move.who]
    assert record.attempt is not None
    world.left = world.left._replace(words=world.left.words - 1)
    word, key = Word(move.what), record.attempt.key
    task = (
        next(
            (shown(name, task, world.root.may).task for name, task in world.service.tasks.items() if task.key == key),
            None,
        )
        if word is Word.ADOPT
        else None
    )
    _durable(world, Step(changes=(resolved(record, Said(word=word, by="somebody", task=task), at_s=world.now_s),)))


def _lose(world: World, move: Move) -> None:
    _take_off(world, move.what)


def _take_off(world: World, key: str) -> None:
    first = next(place for place, copy in enumerate(world.wire) if copy[0] == key)
    world.wire = (*world.wire[:first], *world.wire[first + 1 :])


def _arrive(world: World, move: Move) -> None:
    assert move.outcome is not None
    key = next(iter(set(move.outcome.after.keys) - set(world.service.keys)))
    _take_off(world, key)
    _take_effect(world, move.outcome, key)


def calm(world: World) -> World:
    """The same place, when nothing goes wrong any more and there is time."""
    world = world.copy()
    world.left = Left(ticks=1, lives=1)
    return world


def next_when_calm(world: World, way: list[Move]) -> World | None:
    """The next state when nothing goes wrong, None at the end; the move is added to the way."""
    possible = [move for move in moves(world) if benign(move) or move == Move("restart")]
    for kind in ("commit", "upload", "lose", "reset", "send", "ask", "poll", "late", "end", "restart", "tick"):
        for move in possible:
            if move.kind == kind:
                way.append(move)
                if (following := after(world, move)) is not None:
                    return following
                way.pop()
    return None


# What a move changes; False when it turns out to change nothing.
_HAPPEN: Mapping[str, Callable[[World, Move], bool | None]] = {
    "arrive": _arrive,
    "ask": _ask,
    "commit": _commit,
    "crash": _crash,
    "double": _double,
    "end": _end,
    "hang": _hang,
    "jump": _jump,
    "late": _late,
    "lose": _lose,
    "lost": _lost,
    "poll": _poll,
    "reset": _ended,
    "restart": _restart,
    "send": _send,
    "tick": _tick,
    "unsent": _ended,
    "upload": _upload,
    "word": _word,
}
