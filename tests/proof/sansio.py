"""Campaign `sansio`: several lives of one run on the real core, in virtual time, with everything judged as it happens.

A number draws the items, the settings, the service's faults, and the moments at which the process dies. Only what was
committed outlives a death: the records, the bodies and the uploads. Copies of a create that had left may still arrive.
Scenarios are small, one item or a few, and many: what goes wrong between three items goes wrong among a thousand.

    Scenario(217).play()              what happened, by name; a `ViolationError` tells life and moment
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import TypeVar

from jobs.answers import TaskSeen, Uploaded
from jobs.identity import identity as identity_of
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType, ItemState
from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.record import Attempt, Change, Event, Record, fold
from jobs.resolving import Said, Word, resolved
from jobs.runstate import CoreSettings
from jobs.verdict import Pause, SendPolicy
from tests.proof.audit import Auditor, ViolationError
from tests.proof.sansio_judge import Judge
from tests.proof.sansio_life import Life
from tests.proof.sansio_service import CREATE_FAULTS, POLL_FAULTS, ModelService, swarm

__all__ = ["MUST_MEET", "Scenario", "play", "trace_digest"]

_S = ItemState
_T = TypeVar("_T")
BEGAN_S = 1_000_000.25  # no whole second: two clocks then agree to the last digit only by a fault
# At the end: tasks of earlier days may bring bad news to the first, and a key that answers 500 for ever keeps the
# service looking dead until its hour is over.
CALM_LIVES_MAX = 6
CALM_LIFE_EVERY_S = 900.0
SCOPES = ("run", "other")
FLOORS = PollFloors(first_poll_s=20.0, poll_gap_s=19.0)
TRUE_PRICES = {"cheap": 4, "dear": 25, "cheap?duration=12": 12, "unpriced": 9}
_BASES: Mapping[str, int | None] = {"cheap": 4, "dear": 25, "cheap?duration=12": 4, "unpriced": None}
_FAST = Rate(count=1000, window_s=1.0)
_SLOW = Rate(count=1, window_s=90.0)
_RATES = (Rate(count=2, window_s=1.0), Rate(count=3, window_s=60.0))
_HOW_MANY = (*(1,) * 13, *(2,) * 6, *(3,) * 2, 5)


def _reference(n: int) -> ReferenceFile:
    return ReferenceFile(
        name=f"r{n}", path=f"r{n}.png", location=f"r{n}.png", sha256=f"d{n}", bytes=9, mime="image/png", kind="image"
    )


def _item(index: int) -> Item:
    price_class = tuple(_BASES)[(index * 7 // 3) % 4]
    references = tuple(_reference(n) for n in range(1 + index % 2)) if index % 4 == 0 else ()
    prompt = f"prompt {index}"
    return Item(
        identity=identity_of(
            model="m",
            prompt=prompt,
            params={},
            reference_digests=[reference.sha256 for reference in references],
            repeat=1,
            edition="",
        ),
        model="m",
        prompt=prompt,
        params={},
        references=references,
        repeat=1,
        edition="",
        index=index,
        key=f"job/{index}",
        job="job",
        output_stem=f"{index}",
        credits=_BASES[price_class],
        price_class=price_class,
    )


POOL = [_item(index) for index in range(14)]
PLANNED = {
    item.identity: fold(None, Event(type=EventType.PLANNED, at_s=BEGAN_S, identity=item.identity)) for item in POOL
}


# Every fault in every state that it can meet.
_PAIRS = (
    *(f"{fault}: {doubt}" for fault in CREATE_FAULTS for doubt in ("clean", "in doubt", "left open")),
    *(f"replay: {doubt}" for doubt in ("in doubt", "left open", "a late copy")),
    *(f"{fault}: {state}" for fault in POLL_FAULTS for state in ("accepted", "vanished", "stalled", "failed")),
    *(f"hidden: {state}" for state in ("accepted", "vanished", "stalled", "failed")),
    "refund shown: failed",
)
# People steer in the campaign `steered`; ten tasks that vanish are more than a scenario has.
_ELSEWHERE = (Pause.PERSON, Pause.VANISHED)
# What else a campaign must have met to have proved anything.
MUST_MEET = (
    *_PAIRS,
    *(f"event {event.value}" for event in EventType if event not in (EventType.PLANNED, EventType.WRITTEN_OFF)),
    *(f"pause {why.value}" for why in Pause if why not in _ELSEWHERE),
    *(f"exit {code}" for code in (0, 3, 4, 5, 7, 8, 9)),
    *(f"person {word.value}" for word in Word),
    *(f"answer lost, {then}" for then in ("then replay", "then crash, then replay")),
    *(f"crash with {what} under way" for what in ("a commit", "a create", "an answer")),
    *(f"jump {clock}" for clock in ("suspend", "wall")),
    *("person wrong", "crash", "stop", "surprise", "stalled by time", "notice refund", "notice resumed", "notice shut"),
)


def play(number: int) -> Mapping[str, int]:
    """One scenario, by its number."""
    scenario = Scenario(number)
    counts = scenario.play()
    vars(scenario).clear()  # its parts know it; apart from them it goes at once, and no collector has to look for it
    return counts


def trace_digest(first: int, count: int) -> str:
    """One hash over everything that happens in some scenarios: the same on every machine and every day."""
    digest = hashlib.sha256()
    for number in range(first, first + count):
        scenario = Scenario(number)
        scenario.trace = []
        counts = scenario.play()
        digest.update(repr((scenario.trace, sorted(counts.items()))).encode())
    return digest.hexdigest()


# How long before its slot a create may be decided on: not at all, as in the product, or long enough for much to happen.
AHEAD_S = (0.0, 0.05, 0.0, 5.0)


class Scenario:
    """What outlives a process: the service, the ledger, copies on the way, and whoever judges it all."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dice = dice = Random(number)
        self.items = self._wanted()
        self.by_id = {item.identity: item for item in self.items}
        self.with_references = any(item.references for item in self.items)
        self.true_s = BEGAN_S
        self.skew_s = self.one_of(0.0, 0.0, 0.0, 4.0, -4.0, 7200.0, -7200.0)
        self.jump = "" if dice.random() < 0.9 else self.one_of("suspend", "wall")
        self.exact = dice.random() < 0.3  # every answer at once: the tightest interleaving
        self.deadly = dice.random() < 0.6  # lives end early
        self.crew = self.one_of(1, 2, 8)
        slow = dice.random() < 0.1  # one create now and then, and polls that are overtaken by it
        self.poll_takes_s = 100.0 if slow else 2.0
        self.creates = _SLOW if slow else _FAST if dice.random() < 0.7 else self.one_of(*_RATES)
        self.ahead_s = AHEAD_S[number % len(AHEAD_S)]
        self.settings = self._drawn_settings()
        self.cap = None if dice.random() < 0.4 else self.one_of(0, 4, 12, 25, 30, 50, 100, 1000)
        self.per_item = 10 if dice.random() < 0.1 else None
        self.auditor = Auditor(caps=dict.fromkeys(SCOPES, self.cap), where=self.where)
        self.service = self._drawn_service(slow=slow)
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.trace: list[object] | None = None
        # what is on disk
        self.ledger: dict[str, Record] = {item.identity: PLANNED[item.identity] for item in self.items}
        self.kept: dict[str, tuple[ItemState, Attempt]] = {}  # by key
        self.bodies: dict[str, bytes] = {}
        self.uploads: dict[str, Uploaded] = {}
        self.owners: dict[str, str] = {}  # task id -> key of the attempt that has it
        for item in self.items:
            self.auditor.committed(item.identity, "planned", {})
        self.wire: list[tuple[float, int, str]] = []  # copies that outlived the process which sent them
        self.order = 0
        self.life = 0
        self.judge = Judge(self)

    def one_of(self, *values: _T) -> _T:
        """A value, by the dice."""
        return values[int(self.dice.random() * len(values))]

    def _wanted(self) -> list[Item]:
        count = self.one_of(*_HOW_MANY)
        if count == 1:
            return [self.one_of(*POOL)]
        return sorted(self.dice.sample(POOL, count), key=lambda item: item.index)

    def _drawn_settings(self) -> CoreSettings:
        dice = self.dice
        return CoreSettings(
            account="default",
            scope="run",
            in_flight_max=self.one_of(1, 2, 3, 100),
            on_exhausted=self.one_of("stop", "skip"),
            resubmit_failed=self.one_of(0, 0, 1, 2),
            item_timeout_s=self.one_of(70.0, 200.0),
            floors=FLOORS,
            send_policy=SendPolicy(resends_max=self.one_of(0, 1, 3, 8)),
            save_results=dice.random() < 0.7,
            halt_after=None if dice.random() < 0.8 else self.one_of(1, 2),
            spread=dice.random,
        )

    def _drawn_service(self, *, slow: bool) -> ModelService:
        dice = self.dice
        rates = swarm(dice)
        if slow:
            rates.setdefault("fails_charged", 0.3)
        factor = 1.0 if dice.random() < 0.6 else self.one_of(0.5, 2.0)
        return ModelService(
            dice=dice,
            prices={item.prompt or "": int(TRUE_PRICES[item.price_class] * factor) for item in self.items},
            rates=rates,
            made=self._made,
            calm_at_s=self.true_s + self.one_of(30.0, 600.0, 4000.0, 20000.0),
            # a clock that is set while nobody tells the time deceives everybody
            dated=dice.random() < 0.8 or self.jump == "wall",
            wallet=10**6 if dice.random() < 0.9 else self.one_of(3, 20, 60),
        )

    def where(self) -> str:
        """The place of a violation."""
        return f"scenario {self.number}, life {self.life}, {self.true_s - BEGAN_S:.1f} s"

    def fail(self, what: str) -> ViolationError:
        """The error to raise."""
        return ViolationError(f"{self.where()}: {what}")

    def met(self, what: str) -> None:
        """One more of these."""
        self.counts[what] += 1

    def tell(self, *what: object) -> None:
        """One more line of the trace, if anybody wants it."""
        if self.trace is not None:
            self.trace.append((self.true_s, *what))

    def _made(self, key: str, task_id: str) -> None:
        self.tell("made", key, task_id)
        self.auditor.made(key, task_id)

    # Its course

    def play(self) -> Mapping[str, int]:
        """Some lives, then calm ones: in the end everything has come to an end, and nothing is lost."""
        for _ in range(self.one_of(0, 1, 1, 2, 3)):
            self._live(last=False)
            if self._is_done() and self.dice.random() < 0.8:  # another life would have nothing to do
                break
            self._between()
        self.service.calm_at_s = self.true_s
        self.service.wallet = 10**6
        self.cap = self.per_item = None
        self.settings = replace(self.settings, halt_after=None, save_results=True)
        for _ in range(CALM_LIVES_MAX):
            if self._is_done() or self._live(last=True).ended_well():
                break
            self.true_s += CALM_LIFE_EVERY_S
        else:
            raise self.fail("calm lives did not bring it to an end")
        self.auditor.finished()
        self.judge.finished()
        return self.counts

    def _is_done(self) -> bool:
        """Everything succeeded, and nothing is on its way or waits to be saved."""
        if self.wire:
            return False
        for record in self.ledger.values():
            if record.state is not _S.SUCCEEDED or any(artifact.state == "wanted" for artifact in record.artifacts):
                return False
        return True

    def _live(self, *, last: bool) -> Life:
        self.life += 1
        for scope in SCOPES:
            self.auditor.allowed(scope, self.cap)
        self.auditor.restarted()
        life = Life(self, last=last)
        self.judge.begin(life)
        life.live()
        return life

    def durable(self, change: Change) -> None:
        """One change is on disk."""
        record, event = change.record, change.event
        if record.version != self.ledger[record.identity].version + 1:
            raise self.fail("a write over a newer row")
        self.ledger[record.identity] = record
        attempt, kind = record.attempt, event.type
        self.judge.durable(change)
        self.tell(kind, record, change.body)
        if kind is EventType.INTENT:
            assert attempt is not None
            assert change.body is not None
            self.bodies[attempt.key] = change.body
            self.auditor.committed(record.identity, kind, event.data, key=attempt.key, body=change.body)
        else:
            self.auditor.committed(record.identity, kind, event.data)
        if attempt is not None and kind not in (EventType.PLANNED, EventType.SKIPPED):
            self.kept[attempt.key] = (record.state, attempt)
            if kind is EventType.ACCEPTED:
                assert attempt.task_id is not None
                self.owners[attempt.task_id] = attempt.key

    def strand(self, arrival_s: float, key: str) -> None:
        """A copy is under way that nobody waits for."""
        self.order += 1
        self.wire.append((arrival_s, self.order, key))
        self.wire.sort()

    def _between(self) -> None:
        """Time passes, a person may have a word, settings may change."""
        self.true_s += self.one_of(0.0, 5.0, 100.0, 1000.0, 3500.0, 9000.0)
        if self.dice.random() < 0.3:
            self.settings = replace(self.settings, halt_after=None, in_flight_max=self.one_of(1, 2, 3, 100))
        if self.cap is not None and self.dice.random() < 0.5:
            self.cap = max(0, self.cap + self.one_of(-10, 10, 100))
        for record in tuple(self.ledger.values()):
            if record.state in (_S.UNCERTAIN, _S.VANISHED, _S.STALLED) and self.dice.random() < 0.35:
                self._resolve(record)

    def _resolve(self, record: Record) -> None:
        """A person tells what they know, or writes the attempt off; now and then they are wrong."""
        assert record.attempt is not None
        key = record.attempt.key
        task = self.service.by_key.get(key)
        wrong = self.dice.random() < 0.15
        if self.dice.random() < 0.3:
            said = Said(word=Word.WRITE_OFF, by="somebody")
        elif record.state is not _S.UNCERTAIN:
            return
        elif task is not None and not wrong:
            if task.id in self.owners:
                return  # the service once named it for another: the ledger would refuse
            shown = TaskSeen(id=task.id, status="processing", reserved_credits=task.reserved_shown)
            said = Said(word=Word.ADOPT, by="somebody", task=shown)
        elif task is None and any(copy[2] == key for copy in self.wire) and not wrong:
            return  # nobody can know yet
        else:
            said = Said(word=Word.ASSUME_NOT_CREATED, by="somebody")
            if task is not None or any(copy[2] == key for copy in self.wire):
                self.met("person wrong")
        self.met(f"person {said.word.value}")
        self.judge.released.add(key)
        self.durable(resolved(record, said, at_s=self.true_s + self.skew_s))
