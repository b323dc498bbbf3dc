"""One state of an exploration: the real core, what is durable, what is under way, and the service.

Nothing here decides what the product does. What may happen next is in `exhaustive_moves`, what it leads to in
`exhaustive_events`: between any two things that the engine does anything else may happen, a death included.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import NamedTuple

from jobs.answers import Phase, SendEnd
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType, ItemState
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.polling import PollFloors, Polling
from jobs.rates import Rate
from jobs.record import Event, Money, Record, fold
from jobs.runstate import CoreSettings
from jobs.steps import Notice, Now, Send, Step
from jobs.verdict import SendPolicy
from tests.proof.audit import Auditor
from tests.proof.exhaustive_bounds import SCOPE, WINDOW_S, Root
from tests.proof.exhaustive_core import START_S, picture, record_picture, twin
from tests.proof.exhaustive_service import Service

__all__ = ["REFERENCE", "Way", "World"]

_S, _E = ItemState, EventType


class _Unpaced(Pacer):
    """Paces nothing: how long a request may have to wait for its turn is up to the order in which moves are tried."""

    def due_s(self, now_s: float) -> float:
        return float("-inf")

    def leave(self, now_s: float) -> int:
        return 0


class _Unlimited(Limits):
    """Finds nothing, and remembers nothing: all branches of an exploration share it."""

    def ended(self, pacer: Pacer, token: int, end: SendEnd, now_s: float, **_: object) -> tuple[Notice, ...]:
        return ()


class _Unlearning(Polling):
    """Learns nothing of when tasks end: what one branch of an exploration saw would move the looks of the others."""

    def looked(self, price_class: str, ran_s: float, age_s: float, *, ended: bool) -> None:
        pass

    def is_scout(self, price_class: str) -> bool:
        return False


_UNPACED = _Unpaced("free", Rate(count=1, window_s=1.0))
_UNLIMITED = _Unlimited(_UNPACED, _UNPACED)
_UNLEARNING = _Unlearning()
REFERENCE = ReferenceFile(name="r", path="r.png", location="r.png", sha256="d", bytes=1, mime="image/png", kind="image")


def _item(root: Root, index: int) -> Item:
    name = "AB"[index]
    return Item(
        identity=name,
        model="m",
        prompt=name,
        params={},
        references=(REFERENCE,) if root.reference else (),
        repeat=1,
        edition="",
        index=index,
        key=name,
        job="job",
        output_stem=name,
        credits=root.bases[index],
        price_class="m",
    )


class Way(NamedTuple):
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
        self.sends: dict[str, Way] = {}
        self.uploads = 0  # lives that have uploaded the reference
        self.posts: dict[str, int] = {}  # sends of open attempts that count, by key
        self.conflicts: dict[str, float] = {}  # how long a key that met 409 is tried at least
        # on the way
        self.wire: tuple[tuple[str, bytes], ...] = ()  # copies nobody waits for
        self.start()

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

    def copy(self) -> World:
        """A state of its own; only the core and the auditor are still shared."""
        copied = World.__new__(World)
        for name in World.__slots__:
            setattr(copied, name, getattr(self, name))
        copied._pictures, copied._given = dict(self._pictures), self.audit
        return copied

    # What a move may use

    def own_audit(self) -> None:
        """To be called before the auditor is told anything."""
        if self.audit is self._given:
            self.audit = twin(self.audit)

    def own_core(self) -> Core:
        """The core, to be told something."""
        assert self.core is not None
        self.core = twin(self.core)
        return self.core

    def now(self) -> Now:
        """Both clocks."""
        return Now(self.now_s, self.now_s)

    def say(self, step: Step) -> None:
        """What the core said is to become durable, after what it said before."""
        if step.changes:
            self.queue = (*self.queue, step)

    def owner(self, key: str) -> str:
        """Whose key it is."""
        return self.audit.purchases[key].identity if key in self.audit.purchases else key

    def may_leave(self, send: Send) -> bool:
        """The engine's rule of order: what a send says must be durable is durable."""
        return send.key in self.bodies

    def body_of(self, send: Send) -> bytes:
        """The engine's rule of bytes: what the ledger holds, or is about to."""
        body = send.step.changes[-1].body if send.step.changes else self.bodies[send.key]
        assert body is not None
        return body

    def start(self, *, retry: bool = False, again: bool = False) -> None:
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
        core = self.core = Core(
            settings,
            books=books,
            prices=self.prices,
            creates=_UNPACED,
            polls=_UNPACED,
            limits=_UNLIMITED,
            polling=_UNLEARNING,
        )
        if any(record.state is _S.SUBMITTING for record in self.ledger.values()):
            core.state.contact(SendEnd(phase=Phase.ANSWERED, status=200, server_epoch_s=self.now_s), self.now())
        for record in sorted(self.ledger.values(), key=_resume_rank):
            self.say(core.admit(self.items[record.identity], record, self.now(), retry=retry, again=again))

    def states(self) -> str:
        """Where the items stand, for people."""
        return ", ".join(f"{identity} is {record.state.value}" for identity, record in self.ledger.items())


def _resume_rank(record: Record) -> tuple[bool, float, str]:
    opened_s = record.attempt.opened_at_s if record.attempt and record.state is _S.SUBMITTING else float("inf")
    return record.state is not _S.SUBMITTING, opened_s, record.identity
