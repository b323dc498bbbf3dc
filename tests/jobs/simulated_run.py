"""One scenario: several lives of one run on the real core, in virtual time, with everything checked after every step.

A seed draws the items, the settings, the service's faults, and the moments at which the process dies. Only what was
committed outlives a death: the records, the bodies and the uploads. Copies of a create that had left may still arrive.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from random import Random

from jobs.answers import Phase, SendEnd, Uploaded
from jobs.budget import Books
from jobs.core import Core
from jobs.identity import identity as identity_of
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import HELD, EventType, ItemState
from jobs.outcome import exit_code
from jobs.pacing import Pacer
from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.record import Attempt, Change, Event, Record, fold
from jobs.runstate import CoreSettings
from jobs.steps import Download, Now, Poll, Send, Step, Wait
from jobs.verdict import Pause, SendPolicy
from tests.jobs.model_service import ModelService, ViolationError

__all__ = ["POOL", "SimulatedRun"]

STEPS_MAX = 4000  # of one life; the longest honest ones take a few hundred
LIFE_S_MAX = 36 * 3600.0  # every fault is over after six hours, and nothing may be put off for long after that
LATE_S_MAX = 30.0  # how long a copy may be under way

_S, _E = ItemState, EventType
_ENDED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.REJECTED, _S.SKIPPED})
_IN_FLIGHT = frozenset({_S.SUBMITTING, _S.ACCEPTED})
_LEFT_OPEN = frozenset({Pause.AUTH, Pause.NETWORK, Pause.CONFIG, Pause.CREDITS})


def _reference(n: int) -> ReferenceFile:
    return ReferenceFile(
        name=f"r{n}", path=f"r{n}.png", location=f"r{n}.png", sha256=f"d{n}", bytes=9, mime="image/png", kind="image"
    )


def _pool() -> list[Item]:
    classes: tuple[tuple[str, int | None], ...] = (
        ("cheap", 4),
        ("dear", 25),
        ("cheap?duration=12", 4),
        ("unpriced", None),
    )
    items = []
    for index in range(14):
        price_class, base = classes[(index * 7 // 3) % 4]
        references = tuple(_reference(n) for n in range(1 + index % 2)) if index % 3 == 0 else ()
        prompt = f"prompt {index}"
        items.append(
            Item(
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
                credits=base,
                price_class=price_class,
            )
        )
    return items


POOL = _pool()
TRUE_PRICES = {"cheap": 4, "dear": 25, "cheap?duration=12": 12, "unpriced": 9}


class SimulatedRun:
    """A scenario. `play` returns what happened, by name, or raises `ViolationError` with the seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = dice = Random(seed)
        self.items = sorted(dice.sample(POOL, dice.choice((1, 2, 2, 3, 4, 6))), key=lambda item: item.index)
        self.by_id = {item.identity: item for item in self.items}
        self.true_s = 1_000_000.0
        factor = dice.choice((1, 1, 1, 2))
        prices = {item.prompt or "": TRUE_PRICES[item.price_class] * factor for item in self.items}
        self.service = ModelService(dice, prices, rates=ModelService.swarm(dice))
        self.service.calm_at_s = self.true_s + dice.choice((30.0, 600.0, 4000.0, 20000.0))
        self.service.dated = dice.random() < 0.8
        if dice.random() < 0.2:
            self.service.wallet = dice.choice((3, 20, 60))
        self.skew_s = dice.choice((0.0, 0.0, 4.0, -4.0, 7200.0, -7200.0))
        self.jump = dice.choice(("suspend", "wall", *("",) * 18))
        self.service.dated |= self.jump == "wall"  # a clock that is set while nobody tells the time deceives everybody
        self.crash_rate = dice.choice((0.0, 0.0, 0.02, 0.1))
        self.exact = dice.random() < 0.3  # every answer at once: the tightest interleaving
        self.settings = CoreSettings(
            account="default",
            scope="run",
            in_flight_max=dice.choice((1, 2, 3, 100)),
            on_exhausted=dice.choice(("stop", "skip")),
            resubmit_failed=dice.choice((0, 0, 1, 2)),
            item_timeout_s=dice.choice((60.0, 200.0)),
            floors=PollFloors(first_poll_s=4.0, poll_gap_s=5.0),
            send_policy=SendPolicy(resends_max=dice.choice((0, 1, 3, 8))),
            halt_after=dice.choice((None, None, None, 1, 2)),
            spread=dice.random,
        )
        self.cap = dice.choice((None, 0, 4, 25, 30, 50, 100, 1000))
        self.per_item = dice.choice((None, None, None, 10))
        self.creates = dice.choice(
            (Rate(count=1000, window_s=1.0), Rate(count=2, window_s=1.0), Rate(count=3, window_s=60.0))
        )
        self.crew = dice.choice((1, 2, 8))
        self.counts: Counter[str] = Counter()
        # what is on disk
        self.ledger: dict[str, Record] = {}
        self.kept: dict[str, tuple[ItemState, Attempt]] = {}
        self.bodies: dict[str, bytes] = {}
        self.uploads: dict[str, Uploaded] = {}
        # what the checks remember: true times and doubts, by key
        self.written_s: dict[str, float] = {}
        self.doubts: set[str] = set()
        self.surprises: defaultdict[str, set[str]] = defaultdict(set)  # price class -> keys that cost more than held
        self.wire: list[tuple[float, int, str]] = []  # copies that outlived the process which sent them
        self.ordinal = 0
        self.released: set[str] = set()  # keys that were out of sight once: two of a class may surprise then
        self.life = 0

    def fail(self, what: str) -> ViolationError:
        return ViolationError(f"seed {self.seed}, life {self.life}, {self.true_s - 1_000_000.0:.1f} s: {what}")

    def play(self) -> Counter[str]:
        for item in self.items:
            self.ledger[item.identity] = fold(None, Event(type=_E.PLANNED, at_s=self.true_s, identity=item.identity))
        lives = self.dice.choice((1, 2, 3, 4))
        for _ in range(lives):
            _Life(self).live(crash_rate=self.crash_rate)
            self._between()
        self.service.calm_at_s = self.true_s
        self.service.wallet = 10**6
        self.cap = self.per_item = None
        self.settings = replace(self.settings, halt_after=None)
        _Life(self).live(crash_rate=0.0)  # tasks of earlier days may still bring bad news
        _Life(self, last=True).live(crash_rate=0.0)
        self._audit()
        self.counts.update(f"fault {name}" for name in self.service.seen)
        self.counts.update(f"state {record.state.value}" for record in self.ledger.values())
        return self.counts

    def _between(self) -> None:
        """Time passes, a person may have a word, settings may change."""
        self.true_s += self.dice.choice((0.0, 5.0, 100.0, 1000.0, 3500.0, 9000.0))
        self.settings = replace(self.settings, halt_after=None, in_flight_max=self.dice.choice((1, 2, 3, 100)))
        if self.cap is not None and self.dice.random() < 0.5:
            self.cap = max(0, self.cap + self.dice.choice((-10, 10, 100)))
        for identity, record in self.ledger.items():
            if record.state in (_S.UNCERTAIN, _S.VANISHED, _S.STALLED) and self.dice.random() < 0.3:
                self._resolve(identity, record)

    def _resolve(self, identity: str, record: Record) -> None:
        """A person who knows the truth tells it, or writes the attempt off."""
        assert record.attempt is not None
        key = record.attempt.key
        task = self.service.by_key.get(key)
        if self.dice.random() < 0.3:
            data: dict[str, object] = {"charge": record.attempt.reserved, "code": "written_off", "by": "somebody"}
            event_type = _E.WRITTEN_OFF
        elif record.state is not _S.UNCERTAIN:
            return
        elif task is not None:
            event_type, data = _E.ACCEPTED, {"task_id": task.id, "by": "somebody"}
        elif any(copy[2] == key for copy in self.wire):
            return  # nobody can know yet
        else:
            event_type, data = _E.REJECTED, {"code": "not_created", "message": "", "by": "somebody"}
        self.counts[f"person {event_type.value}"] += 1
        self.released.add(key)
        event = Event(type=event_type, at_s=self.true_s + self.skew_s, identity=identity, data=data)
        self.ledger[identity] = folded = fold(record, event)
        assert folded.attempt is not None
        self.kept[key] = (folded.state, folded.attempt)

    def _audit(self) -> None:
        """At the very end: nothing of the service's is unknown to the ledger, and everything has come to an end."""
        for key in self.service.by_key:
            if key not in self.kept:
                raise self.fail(f"task of {key} is unknown to the ledger")
        for key, (state, attempt) in self.kept.items():
            self._audit_charge(key, state, attempt)
        for record in self.ledger.values():
            if record.state in (_S.PLANNED, _S.SKIPPED, *_IN_FLIGHT):
                raise self.fail(f"a calm last life left an item {record.state.value}")
            if record.state is _S.SUCCEEDED and record.attempt is not None:
                task = self.service.tasks[str(record.attempt.task_id)]
                if not task.succeeds:
                    raise self.fail("a success that the service does not know")

    def _audit_charge(self, key: str, state: ItemState, attempt: Attempt) -> None:
        """What a task cost is in the books: all of it where the service told, what was held for it where it did not."""
        task = self.service.by_key.get(key)
        if task is None:
            return
        counted = attempt.reserved + attempt.settled
        told = attempt.reserved_credits is not None and attempt.task_id == task.id
        if counted < (task.charge if told else min(task.charge, attempt.bound)):
            raise self.fail(f"{key} ({state.value}) cost {task.charge}, and {counted} is counted")

    def class_prices(self) -> dict[str, int]:
        """As a ledger keeps them: the highest figure that the service ever named for a class."""
        prices: dict[str, int] = {}
        for state, attempt in self.kept.values():
            reserved, final = attempt.reserved_credits, attempt.final_credits
            if reserved is None and not final and not (final == 0 and state is _S.SUCCEEDED):
                continue
            prices[attempt.price_class] = max(reserved or 0, final or 0, prices.get(attempt.price_class, 0))
        return prices


class _Life:
    """One process: a core, a queue of commits, requests under way."""

    def __init__(self, run: SimulatedRun, *, last: bool = False) -> None:
        self.run, self.dice, self.service, self.last = run, run.dice, run.service, last
        run.life += 1
        self.mono_s = float(self.dice.randrange(10_000))
        self.began_s = self.mono_s
        self.base_s = run.true_s - self.mono_s
        self.records = dict(run.ledger)
        self.money = {key: (attempt.scope, attempt.reserved, attempt.settled) for key, (_, attempt) in run.kept.items()}
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.commits: deque[Step] = deque()
        self.commit_s = self.mono_s
        self.creating: dict[str, Send] = {}
        self.under_way: list[tuple[float, str]] = []  # copies that have left: (arrival in true time, key)
        self.posts: Counter[str] = Counter()
        self.conflict_s: dict[str, float] = {}
        self.polling = self.steps = self.left = 0
        self.uploading: set[str] = set()
        self.asked: set[str] = set()
        self.retrying = False
        scope = "run" if last or self.dice.random() < 0.9 else "other"
        held = [money for money in self.money.values() if money[0] == scope]
        settings = replace(run.settings, scope=scope)
        books = Books(
            cap=run.cap,
            per_item=run.per_item,
            reserved=sum(money[1] for money in held),
            settled=sum(money[2] for money in held),
        )
        self.scope = scope
        self.core = Core(
            settings,
            books=books,
            prices=run.class_prices(),
            creates=Pacer("creates", run.creates),
            polls=Pacer("polls", Rate(count=1000, window_s=1.0)),
        )

    def now(self) -> Now:
        return Now(self.mono_s, self.run.true_s + self.run.skew_s)

    def live(self, *, crash_rate: float) -> None:
        run, core, dice = self.run, self.core, self.dice
        core.state.uploads.update(run.uploads)
        if run.jump or dice.random() < 0.5:  # a free question first: the service's clock is known from the start
            core.state.contact(self.service.hello(run.true_s), self.now())
        retry, again = (not self.last and dice.random() < 0.15), (not self.last and dice.random() < 0.08)
        self.asked, self.retrying = {item.identity for item in run.items if again}, retry
        for item in run.items:
            record = run.ledger[item.identity]
            if record.state is _S.SUBMITTING and record.attempt is not None:
                run.doubts.add(record.attempt.key)
            self.commit(core.admit(item, record, self.now(), retry=retry, again=again))
        while True:
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise run.fail(f"no end after {STEPS_MAX} steps: {self._picture()}")
            if self.mono_s - self.began_s > LIFE_S_MAX:
                raise run.fail(f"no end after {LIFE_S_MAX / 3600:.0f} h: {self._picture()}")
            wake_s = self.pump()
            if core.finished():
                break
            next_s = min(self.events[0][0] if self.events else float("inf"), wake_s)
            if next_s == float("inf"):
                raise run.fail(f"stuck: nothing under way and nobody waits for a moment: {self._picture()}")
            self.advance(max(next_s, self.mono_s))
            if self.events and self.events[0][0] <= self.mono_s:
                heapq.heappop(self.events)[2]()
            if dice.random() < crash_rate:
                self.die()
                return
            if not self.last and dice.random() < 0.002:
                core.stop()
                run.counts["stop"] += 1
        self.flush(len(self.commits))
        self.commit(core.leave_unbought(self.now()))
        self.flush(len(self.commits))
        self.check_end()

    def _picture(self) -> str:
        states = {run_item.key: self.records[run_item.identity].state.value for run_item in self.run.items}
        return f"{states}, pauses {self.core.state.pauses}, slots {len(self.core.state.slots)}, last={self.last}"

    def advance(self, mono_s: float) -> None:
        run = self.run
        if run.jump and not self.creating and self.dice.random() < 0.05:
            run.counts[f"jump {run.jump}"] += 1
            if run.jump == "suspend":
                self.base_s += 4000.0
            else:
                run.skew_s += self.dice.choice((-3000.0, 3000.0))
        self.mono_s = mono_s
        run.true_s = mono_s + self.base_s
        while run.wire and run.wire[0][0] <= run.true_s:
            arrival_s, _, key = heapq.heappop(run.wire)
            self.service.create(arrival_s, key, run.bodies[key])

    # Asking the core

    def pump(self) -> float:
        """Ask every lane until it waits; returns the first moment somebody waits for."""
        core, wake_s, run = self.core, float("inf"), self.run
        while len(self.creating) < run.crew:
            answer = core.next_create(self.now())
            if isinstance(answer, Step):
                self.steps += 1
                if self.steps > STEPS_MAX:
                    raise run.fail("the core gives steps without end")
                self.commit(answer)
            elif isinstance(answer, Wait):
                wake_s = min(wake_s, self.until(answer, "creates"))
                break
            else:
                self.send(answer)
        while self.polling < run.crew:
            asked = core.next_poll(self.now())
            if isinstance(asked, Wait):
                wake_s = min(wake_s, self.until(asked, "polls"))
                break
            self.poll(asked)
        while (download := core.next_download()) is not None:
            self.save(download)
        for digest in core.wanted_uploads():
            if digest not in self.uploading:
                self.upload(digest)
        return wake_s

    def until(self, wait: Wait, lane: str) -> float:
        if wait.until_s is None:
            return float("inf")
        if wait.until_s <= self.mono_s:
            raise self.run.fail(f"{lane} wait for a moment that is over: a busy loop")
        return wait.until_s

    def later(self, delay_s: float, do: Callable[[], None]) -> None:
        self.run.ordinal += 1
        heapq.heappush(self.events, (self.mono_s + delay_s, self.run.ordinal, do))

    def pause_s(self, most_s: float) -> float:
        return 0.0 if self.run.exact else self.dice.random() * most_s

    def send(self, send: Send) -> None:
        if send.identity in self.creating:
            raise self.run.fail("two creates of one item at once")
        self.creating[send.identity] = send
        if send.step.changes:
            self.commit(send.step)
            self.later(self.commit_s - self.mono_s, lambda: self.depart(send))
        else:
            self.depart(send)

    def depart(self, send: Send) -> None:
        """The request leaves: its intent is on disk, and its key is not too old."""
        run, key = self.run, send.key
        if key not in run.kept or run.kept[key][0] is not _S.SUBMITTING:
            raise run.fail(f"{key} left without its intent on disk")
        if key in run.doubts and run.true_s - run.written_s[key] >= 3600.0 + 3.0:
            age_s = run.true_s - run.written_s[key]
            raise run.fail(f"{key} left {age_s:.0f} s after its intent, and may have arrived before")
        run.counts["sends"] += 1
        if self.service.hits("not_sent", run.true_s):
            end = SendEnd(phase=Phase.NOT_SENT, reason="refused")
            self.later(self.pause_s(3.0), lambda: self.create_ended(send, end))
            return
        self.posts[key] += 1
        run.doubts.add(key)  # until the answer says otherwise, for whoever comes after a crash
        self.later(self.pause_s(2.0), lambda: self.arrive(send))
        self.under_way.append((run.true_s + self.dice.random() * LATE_S_MAX, key))

    def arrive(self, send: Send) -> None:
        run, key = self.run, send.key
        self.under_way = [copy for copy in self.under_way if copy[1] != key]
        end = SendEnd(phase=Phase.SENT, reason="reset")
        if self.service.hits("lost_before", run.true_s):
            if self.dice.random() < 0.2:  # it was only slow
                self._strand(run.true_s + self.dice.random() * LATE_S_MAX, key)
        else:
            answer = self.service.create(run.true_s, key, run.bodies[key])
            if not self.service.hits("lost_after", run.true_s):
                end = answer
        self.later(self.pause_s(2.0), lambda: self.create_ended(send, end))

    def _strand(self, arrival_s: float, key: str) -> None:
        self.run.ordinal += 1
        heapq.heappush(self.run.wire, (arrival_s, self.run.ordinal, key))

    def create_ended(self, send: Send, end: SendEnd) -> None:
        del self.creating[send.identity]
        if end.status == 409:
            self.conflict_s.setdefault(send.key, self.mono_s)
        self.commit(self.core.create_ended(send, end, self.now()))
        record = self.records[send.identity]
        if record.state is _S.SUBMITTING and record.attempt is not None and not record.attempt.ambiguous:
            self.run.doubts.discard(send.key)

    def poll(self, poll: Poll) -> None:
        self.polling += 1
        self.run.counts["polls"] += 1

        def ended() -> None:
            self.polling -= 1
            end = SendEnd(phase=Phase.SENT, reason="reset")
            if not self.service.hits("poll_lost", self.run.true_s):
                end = self.service.status(self.run.true_s, poll.task_id)
            self.commit(self.core.poll_ended(poll, end, self.now()))

        self.later(self.pause_s(2.0), ended)

    def save(self, download: Download) -> None:
        def ended() -> None:
            if not self.last and self.dice.random() < 0.1:
                self.left += 1
                self.commit(self.core.download_left(download, "HTTP 503", disk=False))
                return
            state = self.dice.choice(("verified", "verified", "unverified", "gone", "quarantined"))
            self.commit(self.core.download_ended(download, self.now(), {"state": state}))

        self.later(self.pause_s(5.0), ended)

    def upload(self, digest: str) -> None:
        self.uploading.add(digest)

        def ended() -> None:
            if not self.last and self.dice.random() < 0.1:
                if self.dice.random() < 0.5:
                    self.core.state.pause(Pause.NETWORK, "the service is away")
                    return
                self.commit(self.core.upload_failed(digest, self.now(), code="refused", message="not an image"))
                return
            held = Uploaded(
                file_id=digest, url=f"https://x.test/{digest}", kind="image", name="r", mime_type="image/png"
            )
            self.run.uploads[digest] = held
            self.core.uploaded(digest, held)

        self.later(self.pause_s(5.0), ended)

    # Committing

    def commit(self, step: Step) -> None:
        """Check a step, and write it down a little later; writes are in order."""
        for notice in step.notices:
            self.run.counts[f"notice {notice.name}"] += 1
        if not step.changes:
            return
        for change in step.changes:
            self.check(change)
        mine = [money for money in self.money.values() if money[0] == self.scope]
        books = self.core.state.books
        if (books.reserved, books.settled) != (sum(money[1] for money in mine), sum(money[2] for money in mine)):
            raise self.run.fail(f"the books say {books}, the attempts {mine}")
        self.commits.append(step)
        self.commit_s = max(self.commit_s, self.mono_s) + self.pause_s(0.3)
        self.later(self.commit_s - self.mono_s, lambda: self.flush(1))

    def flush(self, steps: int) -> None:
        run = self.run
        for _ in range(min(steps, len(self.commits))):
            for change in self.commits.popleft().changes:
                record = change.record
                before = run.ledger[record.identity]
                if record.version != before.version + 1:
                    raise run.fail("a write over a newer row")
                run.ledger[record.identity] = record
                if record.attempt is not None and change.event.type not in (_E.PLANNED, _E.SKIPPED):
                    run.kept[record.attempt.key] = (record.state, record.attempt)
                if change.body is not None and record.attempt is not None:
                    run.bodies[record.attempt.key] = change.body

    def die(self) -> None:
        """The process is gone: some of the waiting commits got through, and copies under way may still arrive."""
        self.run.counts["crash"] += 1
        self.flush(self.dice.randrange(len(self.commits) + 1) if self.commits else 0)
        for arrival_s, key in self.under_way:
            if self.dice.random() < 0.7:
                self._strand(arrival_s, key)

    # Checking

    def check(self, change: Change) -> None:
        run, record, event = self.run, change.record, change.event
        before = self.records[record.identity]
        if record.version != before.version + 1 or self.core.state.records[record.identity].version < record.version:
            raise run.fail("versions jump")
        self.records[record.identity] = record
        run.counts[f"event {event.type.value}"] += 1
        attempt, was = record.attempt, before.attempt
        if event.type is _E.INTENT:
            assert attempt is not None
            self.check_intent(before, attempt, change)
        elif attempt is not None and was is not None and event.type not in (_E.SKIPPED, _E.PLANNED):
            self.check_surprise(was, attempt)
        self.check_kind(event, record)
        held = attempt.reserved if attempt is not None else 0
        if held < (attempt.bound if attempt is not None and record.state in HELD else 0):
            raise run.fail(f"{record.state.value}, and holds only {held}")
        if attempt is not None and change.scope == attempt.scope and event.type is not _E.SKIPPED:
            self.money[attempt.key] = (attempt.scope, attempt.reserved, attempt.settled)

    def check_kind(self, event: Event, record: Record) -> None:
        """What each kind of event has to answer for."""
        run, attempt = self.run, record.attempt
        if event.type is _E.REJECTED:
            assert attempt is not None
            self.check_rejected(attempt.key)
        elif event.type is _E.ACCEPTED:
            assert attempt is not None
            owners = [
                other for other in self.records.values() if other.attempt and other.attempt.task_id == attempt.task_id
            ]
            if owners != [record]:
                raise run.fail(f"{attempt.key} took the task of another attempt")
        elif event.type is _E.UNCERTAIN:
            assert attempt is not None
            self.check_uncertain(attempt.key)
        elif event.type in (_E.VANISHED, _E.STALLED):
            assert attempt is not None
            run.released.add(attempt.key)
        elif event.type is _E.SEND_ENDED and not attempt.ambiguous:  # type: ignore[union-attr]
            self.check_clean(attempt.key)  # type: ignore[union-attr]
        elif event.type is _E.SKIPPED:
            self.check_skipped(record)

    def check_intent(self, before: Record, attempt: Attempt, change: Change) -> None:
        run, key, core = self.run, attempt.key, self.core
        item = run.by_id[change.record.identity]
        if before.state in HELD or key in run.kept:
            raise run.fail(f"a new intent while the item is {before.state.value}")
        if any(why in core.state.pauses for why in Pause):
            raise run.fail("bought in a pause")
        cap = core.state.books.cap
        if cap is not None and core.state.books.reserved + core.state.books.settled > cap:
            raise run.fail(f"an intent above the cap of {cap}: {core.state.books}")
        if run.per_item is not None and attempt.bound > run.per_item:
            raise run.fail("dearer than per_item")
        in_class = [
            other
            for other in self.records.values()
            if other.state in _IN_FLIGHT
            and other.attempt is not None
            and other.attempt.price_class == item.price_class
            and other.identity != item.identity
        ]
        if in_class and item.price_class not in core.state.prices:
            raise run.fail(f"two of an unknown class in flight: {item.price_class}")
        if sum(other.state in _IN_FLIGHT for other in self.records.values()) > core.state.settings.in_flight_max:
            raise run.fail("more in flight than allowed")
        self.check_may_rebuy(before, item)
        if change.body is None or (key in self.service.bodies and self.service.bodies[key] != change.body):
            raise run.fail("a key with another body")
        run.written_s[key] = run.true_s

    def check_may_rebuy(self, before: Record, item: Item) -> None:
        """What the item's last attempt came to allows another."""
        last = before.attempt
        if last is None:
            return
        run, task = self.run, self.service.by_key.get(last.key)
        asked = item.identity in self.asked
        if before.state is _S.REJECTED or (before.state is _S.SKIPPED and last.settled == 0 and last.task_id is None):
            if task is not None:
                raise run.fail("bought again although the last attempt has a task")
        elif before.state is _S.FAILED:
            if before.error_code == "written_off" and not (asked or self.retrying):
                raise run.fail("bought again what a person wrote off")
        elif not asked:
            raise run.fail(f"bought again from {before.state.value}")

    def check_surprise(self, was: Attempt, attempt: Attempt) -> None:
        more = attempt.reserved + attempt.settled - was.reserved - was.settled
        if more <= 0:
            return
        run = self.run
        run.surprises[attempt.price_class].add(attempt.key)
        run.counts["surprise"] += 1
        steady = not run.service.rates.keys() & {"dearer", "no_figures", "final_stays_0"} and not run.released
        if steady and len(run.surprises[attempt.price_class]) > 1:
            raise run.fail(f"a second price surprise in {attempt.price_class}")

    def check_rejected(self, key: str) -> None:
        run = self.run
        if key in self.service.by_key:
            raise run.fail(f"{key} was given back although it has a task")
        if any(copy[2] == key for copy in run.wire):
            raise run.fail(f"{key} was given back although a copy may still arrive")

    def check_clean(self, key: str) -> None:
        if key in self.service.by_key:
            raise self.run.fail(f"{key} counts as never arrived although it has a task")

    def check_uncertain(self, key: str) -> None:
        """Giving up is the last thing to do: the key is old, or it was tried as often as it may be."""
        run = self.run
        old = run.true_s - run.written_s[key] >= 3600.0 - 10.0
        tried = self.posts[key] > run.settings.send_policy.resends_max
        conflict = self.mono_s - self.conflict_s.get(key, float("inf")) >= 120.0
        misled = run.jump == "wall"
        if not (old or tried or conflict or misled):
            age_s = run.true_s - run.written_s[key]
            raise run.fail(f"{key} was given up after {age_s:.0f} s and {self.posts[key]} sends")
        run.released.add(key)

    def check_skipped(self, record: Record) -> None:
        books = self.core.state.books
        if record.error_code == "budget_exhausted" and books.left is not None and books.left >= 10**4:
            raise self.run.fail("skipped for the budget although there was room")

    def check_end(self) -> None:
        run, core = self.run, self.core
        pauses = core.state.pauses
        for why in pauses:
            run.counts[f"pause {why.value}"] += 1
        states = {record.state for record in self.records.values()}
        if not pauses and not core.state.stopping and states & {_S.PLANNED, *_IN_FLIGHT}:
            raise run.fail(f"ended without a reason: {self._picture()}")
        if _S.SUBMITTING in states and not (core.state.stopping or pauses.keys() & _LEFT_OPEN):
            raise run.fail(f"an open create was left: {self._picture()}")
        if _S.ACCEPTED in states and not (core.state.stopping or pauses.keys() & {Pause.AUTH, Pause.NETWORK}):
            raise run.fail(f"a task was left: {self._picture()}")
        if self.last and pauses:
            raise run.fail(f"a calm last life paused: {pauses}")
        if not core.state.stopping:
            code = exit_code(self.records.values(), pauses=pauses, left=self.left)
            run.counts[f"exit {code}"] += 1
            if code == 0 and states != {_S.SUCCEEDED}:
                raise run.fail(f"exit 0 with {states}")
        if core.state.stopping:
            return
        if not self.run.ledger == {**self.run.ledger, **self.records}:
            raise run.fail("memory and disk differ")
