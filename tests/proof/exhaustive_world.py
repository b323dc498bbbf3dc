"""One state of an exploration: the real core, what is durable, what is under way, the service; and every move from it.

Nothing here decides what the product does: the core is asked and told as the engine does it, and what it says becomes
durable in its order, one step at a time. Between any two of those things anything else may happen, a death included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from jobs.answers import Phase, SendEnd, Uploaded
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType, ItemState
from jobs.pacing import Pacer, RateChange
from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.record import Change, Event, Money, Record, fold, rebuys
from jobs.resolving import Said, Word, refusal, resolved
from jobs.runstate import CoreSettings
from jobs.steps import Now, Poll, Send, Step
from jobs.verdict import SendPolicy, judge
from tests.proof.audit import Auditor
from tests.proof.exhaustive_core import START_S, picture, record_picture, twin
from tests.proof.exhaustive_service import GATES, RESET, UNSENT, Outcome, Service, Vocabulary, refused, shown

__all__ = ["Left", "Move", "Root", "World", "body_of", "may_leave"]

# One step of the clock: longer than any backoff and than the grace of a 404, so that everything that waits is due.
TICK_S = 64.0
WINDOW_S = SendPolicy().key_window_s
CONFLICT_S = SendPolicy().conflict_window_s
SCOPE = "run"

_S, _E = ItemState, EventType


class Left(NamedTuple):
    """What may still happen: this is what makes an exploration end."""

    faults: int = 0  # of the service, the way, and the answers
    crashes: int = 0
    lives: int = 0  # that may follow this one
    ticks: int = 0  # steps of the clock
    jumps: int = 0  # of the clock over the whole key window
    patience: int = 0  # times a task may be seen running
    words: int = 0  # of a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Where an exploration begins. `bases` are the catalogue's prices of the items; all are of one price class."""

    says: str
    bases: tuple[int | None, ...] = (10,)
    cap: int | None = None
    reference: bool = False
    resubmit_failed: int = 0
    on_exhausted: str = "stop"
    in_flight_max: int = 10
    resends_max: int = 2
    item_timeout_s: float = 1200.0
    slow: bool = False  # a create may hang before its end is known
    commands: bool = False  # a person may ask to `retry`, or to buy everything `again`; that is a word, too
    doubles: bool = False  # something on the way sends a create twice
    unsent: bool = True
    lost: bool = True
    may: Vocabulary = field(default_factory=Vocabulary)
    left: Left = field(default_factory=Left)


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


class _Unpaced(Pacer):
    """Paces nothing: how long a request may have to wait for its turn is up to the order in which moves are tried."""

    def due_s(self, now_s: float) -> float:
        return float("-inf")

    def leave(self, now_s: float) -> int:
        return 0

    def answered(self, token: int, now_s: float, **_: object) -> RateChange | None:
        return None

    def refused(self, token: int, now_s: float, **_: object) -> RateChange | None:
        return None


_UNPACED = _Unpaced("free", Rate(count=1, window_s=1.0))
_REFERENCE = ReferenceFile(
    name="r", path="r.png", location="r.png", sha256="d", bytes=1, mime="image/png", kind="image"
)


def _item(root: Root, index: int) -> Item:
    name = "AB"[index]
    return Item(
        identity=name,
        model="m",
        prompt=name,
        params={},
        references=(_REFERENCE,) if root.reference else (),
        repeat=1,
        edition="",
        index=index,
        key=name,
        job="job",
        output_stem=name,
        credits=root.bases[index],
        price_class="m",
    )


def may_leave(world: World, send: Send) -> bool:
    """The engine's rule of order: what a send says must be durable is durable."""
    return send.key in world.bodies


def body_of(world: World, send: Send) -> bytes:
    """The engine's rule of bytes: what the ledger holds, or is about to."""
    body = send.step.changes[-1].body if send.step.changes else world.bodies[send.key]
    assert body is not None
    return body


class _Way(NamedTuple):
    """A create that the core gave out: not yet sent, or hanging."""

    send: Send
    hangs: bool = False


class World:
    """A state. `after` never changes it; it gives the state that follows."""

    __slots__ = (
        "_given",
        "_pictures",
        "audit",
        "bodies",
        "books",
        "conflicts",
        "core",
        "counts",
        "items",
        "ledger",
        "left",
        "names",
        "now_s",
        "posts",
        "prices",
        "queue",
        "root",
        "sends",
        "service",
        "uploads",
        "wire",
    )

    def __init__(self, root: Root, counts: Counter[str], names: dict[str, str]) -> None:
        self.root = root
        self._pictures: dict[type, tuple[object, float, bytes]] = {}
        self._given: Auditor | None = None  # shared with the state before this one: not to be changed
        self.counts = counts  # what was met, by name; not part of the state
        self.names = names  # what keys are called
        self.items = {item.identity: item for item in (_item(root, index) for index in range(len(root.bases)))}
        self.now_s = START_S
        self.left = root.left
        self.service = Service()
        self.audit = Auditor(caps={SCOPE: root.cap})
        # durable
        self.ledger: dict[str, Record] = {}
        self.bodies: dict[str, bytes] = {}
        self.prices: dict[str, int] = {}
        self.books = Money()
        for identity in self.items:
            self.ledger[identity] = fold(None, Event(type=_E.PLANNED, at_s=self.now_s, identity=identity))
            self.audit.committed(identity, "planned", {})
        # of this life
        self.core: Core | None = None
        self.queue: tuple[Step, ...] = ()  # said by the core, not yet durable
        self.sends: dict[str, _Way] = {}
        self.uploads = 0  # lives that have uploaded the reference
        self.posts: dict[str, int] = {}  # sends of open attempts that count, by key
        self.conflicts: dict[str, float] = {}  # how long a key that met 409 is tried at least
        # on the way
        self.wire: tuple[tuple[str, bytes], ...] = ()  # copies nobody waits for
        self._start()

    # The state as a value

    def digest(self) -> bytes:
        """Equal for states with equal futures."""
        seal = blake2b(repr(self._picture()).encode(), digest_size=16)
        seal.update(self._picture_of(self.audit))
        if self.core is not None:
            seal.update(self._picture_of(self.core))
        return seal.digest()

    def _picture(self) -> object:
        now_s, core = self.now_s, self.core
        known = {} if core is None else core.state.records
        return (
            self.left,
            core is None,
            [0 if known.get(name) is kept else record_picture(kept, now_s) for name, kept in self.ledger.items()],
            sorted(self.prices.items()),
            [
                [
                    (change.event.type.value, change.event.identity, record_picture(change.record, now_s))
                    for change in step.changes
                ]
                for step in self.queue
            ],
            sorted((name, way.send.key, bool(way.send.step.changes), way.hangs) for name, way in self.sends.items()),
            self.wire,
            sorted(
                (key, max(known.at_s - now_s, -WINDOW_S), known.body, known.answer and known.answer.status)
                for key, known in self.service.keys.items()
            ),
            sorted((name, task.bill) for name, task in self.service.tasks.items()),
            sorted(self.posts.items()),
            sorted((key, at_s - now_s) for key, at_s in self.conflicts.items()),
            self.root.reference and (sorted(self.bodies.items()), self.uploads),
        )

    def _picture_of(self, thing: Core | Auditor) -> bytes:
        """Painted once for all the states that share it."""
        painted = self._pictures.get(type(thing))
        if painted is None or painted[0] is not thing or painted[1] != self.now_s:
            painted = self._pictures[type(thing)] = (thing, self.now_s, repr(picture(thing, self.now_s)).encode())
        return painted[2]

    def _copy(self) -> World:
        copied = World.__new__(World)
        for name in World.__slots__:
            setattr(copied, name, getattr(self, name))
        copied._pictures, copied._given = dict(self._pictures), self.audit
        return copied

    def _own_audit(self) -> None:
        if self.audit is self._given:
            self.audit = twin(self.audit)

    # What may happen

    def moves(self) -> Iterator[Move]:
        """Everything that may happen next, as far as what is `left` allows."""
        if self.core is None:
            yield from self._moves_between_lives()
        else:
            yield from self._moves_of_a_life(self.core)
        yield from self._moves_on_the_way()
        if self.left.jumps and not any(
            may_leave(self, way.send) and not way.send.step.changes and not way.hangs for way in self.sends.values()
        ):
            yield Move("jump", what="the key window passes")

    def _moves_between_lives(self) -> Iterator[Move]:
        if self.left.lives and not all(self.settled(record) for record in self.ledger.values()):
            yield Move("restart")
        if not self.left.words:
            return
        if self.root.commands and self.left.lives:
            yield Move("restart", what="retry")
            yield Move("restart", what="again")
        for identity, record in self.ledger.items():
            if refusal(record, Word.WRITE_OFF) is None:
                yield Move("word", identity, Word.WRITE_OFF.value)
            if record.state is not _S.UNCERTAIN or record.attempt is None:
                continue
            key = record.attempt.key
            if any(task.key == key for task in self.service.tasks.values()):
                yield Move("word", identity, Word.ADOPT.value)
            elif all(copy[0] != key for copy in self.wire):
                yield Move("word", identity, Word.ASSUME_NOT_CREATED.value)

    def _moves_of_a_life(self, core: Core) -> Iterator[Move]:
        if self.queue:
            yield Move("commit")
        for identity, way in self.sends.items():
            yield from self._moves_of_a_send(identity, way)
        if core.state.ready or len(core._buying._resending):
            yield Move("ask")
        if self.root.reference and core.wanted_uploads():
            yield Move("upload")
        yield from self._polls(core)
        if self.left.ticks:
            yield Move("tick")
        if not self.queue and not self.sends and core.finished():
            yield Move("end")
        if self.left.crashes:
            yield Move("crash")

    def _moves_of_a_send(self, identity: str, way: _Way) -> Iterator[Move]:
        if way.hangs:
            yield Move("reset", identity, end=RESET)
            return
        if not may_leave(self, way.send):
            return
        key, faulty = way.send.key, self.left.faults > 0
        for outcome in self.service.creates(key, body_of(self, way.send), self.now_s, self.root.may, faults=faulty):
            yield Move("send", identity, outcome.name, outcome.faults, outcome, outcome.answer)
        if faulty and self.root.unsent:
            yield Move("unsent", identity, "nothing left", 1, end=UNSENT)
        if faulty and self.root.lost:
            yield Move("lost", identity, "reset, and a copy is under way", 1, end=RESET)
        if faulty and self.root.slow:
            yield Move("hang", identity, "under way", 1)
        if faulty and self.root.doubles:
            healthy = next(self.service.creates(key, body_of(self, way.send), self.now_s, self.root.may, faults=False))
            yield Move("double", identity, healthy.name, 1, healthy, healthy.answer)

    def _polls(self, core: Core) -> Iterator[Move]:
        due_s = core._watching._heap.due_s()
        if due_s is None or due_s > self.now_s:
            return
        poll = twin(core).next_poll(self._now())
        if not isinstance(poll, Poll):
            return
        may, task = self.root.may, self.service.tasks[poll.task_id]
        for bill in (task.bill,) if task.bill else may.ends:
            after = self.service.ended(poll.task_id, bill)
            end = shown(poll.task_id, after.tasks[poll.task_id], may)
            yield Move("poll", poll.identity, bill, 0, Outcome(bill, after, end), end)
        if not task.bill and self.left.patience:
            yield Move("poll", poll.identity, "running", 0, None, shown(poll.task_id, task, may))
        if self.left.faults:
            if may.loses_tasks:
                yield Move("poll", poll.identity, "404", 1, None, refused(404, "not_found"))
            for name in may.poll_faults:
                yield Move("poll", poll.identity, name, 1, None, GATES.get(name, RESET))

    def _moves_on_the_way(self) -> Iterator[Move]:
        for key, body in dict.fromkeys(self.wire):
            yield Move("lose", self._owner(key), key)
            if key in self.service.keys:
                continue  # the copy changes nothing
            effects: dict[str, Outcome] = {}
            for outcome in self.service.creates(key, body, self.now_s, self.root.may, faults=self.left.faults > 0):
                if outcome.after is not self.service and not (outcome.made and effects):
                    effects[outcome.name] = outcome
            for outcome in effects.values():
                yield Move("arrive", self._owner(key), outcome.name, outcome.faults, outcome)

    def _owner(self, key: str) -> str:
        return self.audit.purchases[key].identity if key in self.audit.purchases else key

    def benign(self, move: Move) -> bool:
        """Whether this happens when nothing goes wrong, without a person and without a new life."""
        return not move.faults and move.kind not in ("crash", "jump", "restart", "word")

    # What follows

    def after(self, move: Move) -> World | None:
        """The state after a move, or None when it changes nothing. Raises what must never happen."""
        world = self._copy()
        if move.faults:
            world.left = world.left._replace(faults=world.left.faults - move.faults)
        happen = _HAPPEN[move.kind]
        return world if happen(world, move) is not False else None

    def _own_core(self) -> Core:
        assert self.core is not None
        self.core = twin(self.core)
        return self.core

    def _now(self) -> Now:
        return Now(self.now_s, self.now_s)

    def _say(self, step: Step) -> None:
        if step.changes:
            self.queue = (*self.queue, step)

    def _ask(self, _: Move) -> bool:
        answer = self._own_core().next_create(self._now())
        if isinstance(answer, Send):
            if answer.identity in self.sends:
                raise self.audit.fail(f"two creates of {answer.identity} at once")
            for change in answer.step.changes:
                if change.record.attempt is not None and answer.key not in self.names:
                    self.names[answer.key] = f"{answer.identity}.{len(self.names)}"
            self._say(answer.step)
            self.sends = {**self.sends, answer.identity: _Way(answer)}
            return True
        if isinstance(answer, Step):
            self._say(answer)
            return True
        return False

    def _commit(self, _: Move) -> None:
        step, self.queue = self.queue[0], self.queue[1:]
        self._durable(step)

    def _durable(self, step: Step) -> None:
        self.ledger, self.bodies = dict(self.ledger), dict(self.bodies)
        self.prices = dict(self.prices)
        self._own_audit()
        for change in step.changes:
            self._durable_change(change)
        self._laws()

    def _durable_change(self, change: Change) -> None:
        event, record, attempt = change.event, change.record, change.record.attempt
        before = self.ledger[event.identity]
        if record.version != before.version + 1:
            raise self.audit.fail(f"{event.type.value} of {event.identity} over a newer row")
        key = attempt.key if attempt else None
        if event.type is _E.INTENT:
            self._one_of_a_class(event.identity)
            assert key is not None
            assert change.body is not None
            self.bodies[key] = change.body
        if event.type is _E.UNCERTAIN:
            self._deserved(event.identity)
        self.audit.committed(event.identity, event.type.value, event.data, key=key, body=change.body)
        self.ledger[event.identity] = record
        self.counts[f"durable {event.type.value}"] += 1
        if attempt is None or event.type in (_E.PLANNED, _E.SKIPPED):
            return
        seen = max(attempt.reserved_credits or 0, attempt.final_credits or 0)
        if seen:
            self.prices[attempt.price_class] = max(seen, self.prices.get(attempt.price_class, 0))
        bought = self.audit.purchases[attempt.key]
        if (bought.reserved, bought.settled) != (attempt.reserved, attempt.settled):
            told = f"{attempt.reserved} held and {attempt.settled} settled"
            raise self.audit.fail(f"{bought.key} has {told}; it must be {bought.reserved} and {bought.settled}")
        now_held, now_spent = self.books.reserved + change.delta.reserved, self.books.settled + change.delta.settled
        self.books = Money(reserved=now_held, settled=now_spent)
        if (now_held, now_spent) != (self.audit.reserved[SCOPE], self.audit.settled[SCOPE]):
            raise self.audit.fail(f"the ledger's books say {now_held} held and {now_spent} settled")
        if record.state is not _S.SUBMITTING:
            self.posts = {known: n for known, n in self.posts.items() if known != attempt.key}
            self.conflicts = {known: at_s for known, at_s in self.conflicts.items() if known != attempt.key}

    def _one_of_a_class(self, identity: str) -> None:
        """While nobody has seen the class's price, one attempt of it is in flight."""
        if self.prices:
            return
        for other, bought in self.audit.latest.items():
            if other != identity and bought.state in ("submitting", "accepted"):
                raise self.audit.fail(f"{identity} is bought at an unknown price while {other} shows what it is")

    def _deserved(self, identity: str) -> None:
        """Nobody is left in doubt who could have been told."""
        record = self.ledger[identity]
        assert record.attempt is not None
        key = record.attempt.key
        if not self.audit.purchases[key].in_doubt:
            raise self.audit.fail(f"{key} is called uncertain, and nothing left it in doubt")
        old = self.now_s - record.attempt.opened_at_s >= WINDOW_S
        tired = self.posts.get(key, 0) > self.root.resends_max
        bound = self.now_s >= self.conflicts.get(key, float("inf"))
        if not (old or tired or bound):
            raise self.audit.fail(f"{key} is called uncertain while it could be sent again")

    def _laws(self) -> None:
        """What the service really charges, or will, is held or settled; and the core's books are the auditor's."""
        price = self.root.may.price
        for task_id, task in self.service.tasks.items():
            bought = self.audit.purchases[task.key]
            due = min(task.charge(price), bought.bound)
            if bought.reserved + bought.settled < due:
                counted = bought.reserved + bought.settled
                raise self.audit.fail(f"{task_id} costs {due}, and {counted} of it is held or settled")
        if self.core is None or self.queue:
            return
        books = self.core.state.books
        if (books.reserved, books.settled) != (self.audit.reserved[SCOPE], self.audit.settled[SCOPE]):
            raise self.audit.fail(f"the books say {books.reserved} held and {books.settled} settled")

    def _ended(self, move: Move) -> None:
        """A create ended."""
        identity, end = move.who, move.end
        assert end is not None
        way = self.sends[identity]
        self.sends = {name: other for name, other in self.sends.items() if name != identity}
        core, key = self._own_core(), way.send.key
        verdict, attempt = judge(end), core.state.attempt(identity)
        doubt = "in doubt" if self.audit.purchases[key].in_doubt else "in no doubt"
        self.counts[f"{verdict.kind.value} {doubt}"] += 1
        if end.phase is not Phase.NOT_SENT and end.status != 429:
            self.posts = {**self.posts, key: self.posts.get(key, 0) + 1}
        if end.status == 409 and key not in self.conflicts:
            self.conflicts = {**self.conflicts, key: self.now_s + CONFLICT_S}
        if end.task is not None:
            core.know_task(end.task.id, self._task_key(end.task.id))
        assert attempt.key == key, "the answer of another attempt"
        self._say(core.create_ended(way.send, end, self._now()))

    def _task_key(self, task_id: str) -> str | None:
        """What the ledger knows of a task."""
        owners = (
            record.attempt.key
            for record in self.ledger.values()
            if record.attempt is not None and record.attempt.task_id == task_id
        )
        return next(owners, None)

    def _leave(self, identity: str) -> tuple[str, bytes]:
        send = self.sends[identity].send
        self._own_audit()
        body = body_of(self, send)
        self.audit.left(send.key, body)
        return send.key, body

    def _take_effect(self, outcome: Outcome, key: str) -> None:
        self.service = outcome.after
        if outcome.made is not None:
            self._own_audit()
            self.audit.made(key, outcome.made)
            self._laws()

    def _send(self, move: Move) -> None:
        assert move.outcome is not None
        key, _ = self._leave(move.who)
        self._take_effect(move.outcome, key)
        self._ended(move)

    def _double(self, move: Move) -> None:
        key, body = self._leave(move.who)
        assert move.outcome is not None
        self.wire = tuple(sorted((*self.wire, (key, body))))
        self._take_effect(move.outcome, key)
        self._ended(move)

    def _lost(self, move: Move) -> None:
        self.wire = tuple(sorted((*self.wire, self._leave(move.who))))
        self._ended(move)

    def _hang(self, move: Move) -> None:
        self.wire = tuple(sorted((*self.wire, self._leave(move.who))))
        self.sends = {**self.sends, move.who: self.sends[move.who]._replace(hangs=True)}

    def _upload(self, _: Move) -> None:
        name = f"upload-{self.uploads}"
        held = Uploaded(file_id=name, url=name, kind="image", name="r", mime_type="image/png")
        self._own_core().uploaded(_REFERENCE.sha256, held)

    def _poll(self, move: Move) -> None:
        core = self._own_core()
        poll = core.next_poll(self._now())
        assert isinstance(poll, Poll)
        assert move.end is not None
        if move.what == "running":
            self.left = self.left._replace(patience=self.left.patience - 1)
        if move.outcome is not None:
            self.service = move.outcome.after
        self.counts[f"poll {move.what} of {core.state.records[poll.identity].state.value}"] += 1
        self._say(core.poll_ended(poll, move.end, self._now()))
        self._laws()

    def _tick(self, _: Move) -> bool:
        """Time passes only when the core has nothing to ask for, and waits for a moment."""
        core = self._own_core()
        create = core.next_create(self._now())
        poll_s = core._watching._heap.due_s()
        if isinstance(create, Send | Step) or (poll_s is not None and poll_s <= self.now_s):
            return False
        if create.until_s is None and poll_s is None:
            return False
        self.now_s += TICK_S
        self.left = self.left._replace(ticks=self.left.ticks - 1)
        return True

    def _jump(self, _: Move) -> None:
        """The window passes: no copy is under way any more, and a forgetful service forgets."""
        self.now_s += WINDOW_S
        self.left = self.left._replace(jumps=self.left.jumps - 1)
        self.wire = ()
        if self.root.may.forgets:
            self.service = self.service.forgetting(self.now_s - WINDOW_S)

    def _die(self) -> None:
        self.core, self.queue, self.sends = None, (), {}
        self.posts, self.conflicts = {}, {}

    def _crash(self, _: Move) -> None:
        self.counts["crash with something not durable" if self.queue else "crash"] += 1
        self._die()
        self.left = self.left._replace(crashes=self.left.crashes - 1)

    def _end(self, _: Move) -> None:
        core = self._own_core()
        step = core.leave_unbought(self._now())
        if step.changes:
            self._durable(step)
        self._die()

    def _restart(self, move: Move) -> None:
        words = self.left.words - bool(move.what)
        self.left = self.left._replace(lives=self.left.lives - 1, words=words)
        self._own_audit()
        self.audit.restarted()
        self.uploads += 1
        self._start(retry=move.what == "retry", again=move.what == "again")

    def _start(self, *, retry: bool = False, again: bool = False) -> None:
        """As `runner.compose` fills a core: open intents first, oldest first, and by the service's clock."""
        root = self.root
        settings = CoreSettings(
            account="default",
            scope=SCOPE,
            in_flight_max=root.in_flight_max,
            on_exhausted=root.on_exhausted,
            resubmit_failed=root.resubmit_failed,
            item_timeout_s=root.item_timeout_s,
            floors=PollFloors(first_poll_s=2.0, poll_gap_s=1.0),
            send_policy=SendPolicy(resends_max=root.resends_max),
            save_results=False,
        )
        books = Books(cap=root.cap, reserved=self.books.reserved, settled=self.books.settled)
        core = self.core = Core(settings, books=books, prices=self.prices, creates=_UNPACED, polls=_UNPACED)
        if any(record.state is _S.SUBMITTING for record in self.ledger.values()):
            core.state.contact(SendEnd(phase=Phase.ANSWERED, status=200, server_epoch_s=self.now_s), self._now())
        for record in sorted(self.ledger.values(), key=_resume_rank):
            self._say(core.admit(self.items[record.identity], record, self._now(), retry=retry, again=again))

    def _word(self, move: Move) -> None:
        record = self.ledger[move.who]
        assert record.attempt is not None
        self.left = self.left._replace(words=self.left.words - 1)
        word, key = Word(move.what), record.attempt.key
        task = (
            next(
                (shown(name, task, self.root.may).task for name, task in self.service.tasks.items() if task.key == key),
                None,
            )
            if word is Word.ADOPT
            else None
        )
        self._durable(Step(changes=(resolved(record, Said(word=word, by="somebody", task=task), at_s=self.now_s),)))

    def _lose(self, move: Move) -> None:
        self._take_off(move.what)

    def _take_off(self, key: str) -> None:
        first = next(place for place, copy in enumerate(self.wire) if copy[0] == key)
        self.wire = (*self.wire[:first], *self.wire[first + 1 :])

    def _arrive(self, move: Move) -> None:
        assert move.outcome is not None
        key = next(iter(set(move.outcome.after.keys) - set(self.service.keys)))
        self._take_off(key)
        self._take_effect(move.outcome, key)

    # The end

    def settled(self, record: Record) -> bool:
        """Nothing more happens to this item by itself."""
        if record.state is _S.SKIPPED:
            return not self._affordable(record)
        if record.state in (_S.SUCCEEDED, _S.UNCERTAIN):
            return True
        return record.state in (_S.FAILED, _S.REJECTED) and not rebuys(
            record, resubmit_failed=self.root.resubmit_failed
        )

    def _affordable(self, record: Record) -> bool:
        if self.root.cap is None:
            return True
        bound = self.prices.get("m") or self.items[record.identity].credits or 1
        return self.audit.reserved[SCOPE] + self.audit.settled[SCOPE] + bound <= self.root.cap

    def calm(self) -> World:
        """The same place, when nothing goes wrong any more and there is time."""
        world = self._copy()
        world.left = Left(ticks=1, lives=1)
        return world

    def next_when_calm(self, way: list[Move]) -> World | None:
        """The next state when nothing goes wrong, None at the end; the move is added to the way."""
        moves = [move for move in self.moves() if self.benign(move) or move == Move("restart")]
        for kind in ("commit", "upload", "lose", "reset", "send", "ask", "poll", "end", "restart", "tick"):
            for move in moves:
                if move.kind == kind:
                    way.append(move)
                    if (world := self.after(move)) is not None:
                        return world
                    way.pop()
        return None

    def states(self) -> str:
        """Where the items stand, for people."""
        return ", ".join(f"{identity} is {record.state.value}" for identity, record in self.ledger.items())

    def judge_end(self) -> None:
        """Every item came to an end that it deserves."""
        for identity, record in self.ledger.items():
            if not self.settled(record):
                raise self.audit.fail(f"{identity} is {record.state.value} and stays so, although nothing goes wrong")
        twin(self.audit).finished()
        self._laws()


def _resume_rank(record: Record) -> tuple[bool, float, str]:
    opened_s = record.attempt.opened_at_s if record.attempt and record.state is _S.SUBMITTING else float("inf")
    return record.state is not _S.SUBMITTING, opened_s, record.identity


# What a move changes; False when it turns out to change nothing.
_HAPPEN: Mapping[str, Callable[[World, Move], bool | None]] = {
    "arrive": World._arrive,
    "ask": World._ask,
    "commit": World._commit,
    "crash": World._crash,
    "double": World._double,
    "end": World._end,
    "hang": World._hang,
    "jump": World._jump,
    "lose": World._lose,
    "lost": World._lost,
    "poll": World._poll,
    "reset": World._ended,
    "restart": World._restart,
    "send": World._send,
    "tick": World._tick,
    "unsent": World._ended,
    "upload": World._upload,
    "word": World._word,
}
