"""What the auditor cannot see from outside: whether what the core decides, and leaves undone, was deserved.

The auditor is fed with what becomes durable; the judge looks at decisions as they are made, in the memory of one life:
what may be in flight, when one may give up, why a life ended, which exit code it earned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.answers import Phase, SendEnd
from jobs.lifecycle import HELD, EventType, ItemState
from jobs.outcome import exit_code
from jobs.record import Attempt, Change, Record
from jobs.steps import Send
from jobs.verdict import Pause

if TYPE_CHECKING:
    from tests.proof.sansio import Scenario
    from tests.proof.sansio_life import Life

__all__ = ["Judge"]

_S, _E = ItemState, EventType
_TEACHING = frozenset({_E.ACCEPTED, _E.SEEN, _E.SUCCEEDED, _E.FAILED})
_IN_FLIGHT = frozenset({_S.SUBMITTING, _S.ACCEPTED})
_SILENCED = frozenset({Pause.AUTH, Pause.NETWORK})
_LEFT_OPEN = frozenset(Pause) - {Pause.BUDGET, Pause.PERSON, Pause.POLLS}
_UNSTEADY = frozenset({"dearer", "no_figures", "figures_late", "final_stays_0", "twins"})
_COUNTED = {kind: f"event {kind}" for kind in EventType}
KEY_WINDOW_S = 3600.0
GRACE_S = 60.0  # a task may be late to appear
CONFLICT_WINDOW_S = 120.0
FRESH_CONFLICT_WINDOW_S = 15.0  # at a key's very first send


class Judge:
    """Remembers over all lives what the checks need; `begin` shows it the next life."""

    def __init__(self, world: Scenario) -> None:
        self.world = world
        self.written_s: dict[str, float] = {}  # true times of the intents, by key
        self.doubts: set[str] = set()  # keys that may have arrived, by rules of its own
        self.released: set[str] = set()  # keys that were out of sight once: two of a class may surprise then
        self.surprises: defaultdict[str, set[str]] = defaultdict(set)  # price class -> keys that cost more than held
        self.stories: dict[str, str] = {}  # what befell a key, for those that are worth counting
        self.named: dict[str, int] = {}  # the highest price that the service named, by class: what is on disk
        self.failures: dict[tuple[str, int], int] = {}  # settled failures by item and epoch: the same
        self.prices: dict[str, int] = {}  # `named` as this life knows it
        self.failed: dict[tuple[str, int], int] = {}  # `failures` as this life knows them
        self.accepted_s: dict[str, float] = {}
        self.unanswered: defaultdict[str, int] = defaultdict(int)  # sends of this life that left a doubt, by key
        self.posts: defaultdict[str, int] = defaultdict(int)  # of this life
        self.conflict_s: dict[str, float] = {}
        self.foreign: set[str] = set()  # keys whose first arrival met a conflict
        self.money: dict[str, tuple[int, int]] = {}  # reserved and settled, by key, as this life knows it
        self.sums = [0, 0]  # the same, of this life's scope
        self.unsent: list[str] = []  # adopted keys that were not sent yet, oldest first
        self.life: Life

    def begin(self, life: Life) -> None:
        """A new life: it knows what is on disk."""
        self.life = life
        kept = self.world.kept
        self.money, self.sums = {}, [0, 0]
        for key, (_, attempt) in kept.items():
            self.money[key] = attempt.reserved, attempt.settled
            if attempt.scope == life.scope:
                self.sums[0] += attempt.reserved
                self.sums[1] += attempt.settled
        self.prices, self.failed = dict(self.named), dict(self.failures)
        self.posts.clear()
        self.unanswered.clear()
        self.conflict_s.clear()
        opened = [
            (record.attempt.opened_at_s, record.attempt.key)
            for record in life.records.values()
            if record.state is _S.SUBMITTING and record.attempt is not None
        ]
        self.unsent = [key for _, key in sorted(opened)]
        for key in self.unsent:
            self.doubts.add(key)
            if self.stories.get(key) == "answer lost":
                self.stories[key] = "answer lost, then crash"

    # Decisions

    def durable(self, change: Change) -> None:
        """What later lives will know."""
        if change.event.type in _TEACHING:
            _learn(change, self.named, self.failures)

    def decided(self, change: Change) -> None:
        """One change of the core's, before it is written down."""
        world, life, record, kind = self.world, self.life, change.record, change.event.type
        before = life.records[record.identity]
        if record.version != before.version + 1:
            raise world.fail("versions jump")
        life.records[record.identity] = record
        world.counts[_COUNTED[kind]] += 1
        attempt = record.attempt
        if kind is _E.SKIPPED:
            self._skipped(record)
        if attempt is None or kind is _E.SKIPPED or kind is _E.PLANNED:
            return
        self._moved(attempt, change)
        if kind is _E.INTENT:
            self._intent(before, attempt, change)
        elif kind is _E.REJECTED:
            if any(copy[2] == attempt.key for copy in world.wire):
                raise world.fail(f"{attempt.key} was given back although a copy may still arrive")
        elif kind is _E.UNCERTAIN:
            self._uncertain(attempt.key)
        elif kind is _E.ACCEPTED:
            self.accepted_s[attempt.key] = world.true_s
        elif kind is _E.VANISHED or kind is _E.STALLED:
            self.released.add(attempt.key)
            age_s = world.true_s - self.accepted_s.get(attempt.key, 0.0)
            if kind is _E.VANISHED and age_s < GRACE_S - 5.0 and not world.jump:
                raise world.fail(f"{attempt.key} vanished {age_s:.0f} s after it was accepted")
        if kind in _TEACHING:
            _learn(change, self.prices, self.failed)

    def _moved(self, attempt: Attempt, change: Change) -> None:
        """The change says what it does to the books, and to whose."""
        was = self.money.get(attempt.key, (0, 0))
        now = self.money[attempt.key] = (attempt.reserved, attempt.settled)
        reserved, settled = now[0] - was[0], now[1] - was[1]
        if (change.delta.reserved, change.delta.settled, change.scope) != (reserved, settled, attempt.scope):
            raise self.world.fail(f"{change.event.type.value} moves {reserved} and {settled}, and says {change.delta}")
        if attempt.scope == self.life.scope:
            self.sums[0] += reserved
            self.sums[1] += settled
        if reserved + settled > 0 and change.event.type is not _E.INTENT:
            self._surprise(attempt)

    def books_agree(self) -> None:
        """The core's books are the sum of the attempts."""
        books = self.life.core.state.books
        if [books.reserved, books.settled] != self.sums:
            raise self.world.fail(f"the books say {books}, the attempts {self.sums}")

    def _intent(self, before: Record, attempt: Attempt, change: Change) -> None:
        world, life, core = self.world, self.life, self.life.core
        state, key = core.state, attempt.key
        if state.pauses:
            raise world.fail(f"bought in a pause: {state.pauses}")
        if state.books.cap is not None and sum(self.sums) > state.books.cap:
            raise world.fail(f"an intent above the cap of {state.books.cap}: {self.sums}")
        if world.per_item is not None and attempt.bound > world.per_item:
            raise world.fail("dearer than per_item")
        if self.unsent:
            raise world.fail(f"bought before what was open was sent again: {self.unsent}")
        item = world.by_id[change.record.identity]
        price_class, seen = item.price_class, self.prices.get(item.price_class)
        if seen is not None and attempt.bound < seen:
            raise world.fail(f"holds {attempt.bound} for {price_class}, which was seen to cost {seen}")
        unknown = item.credits is None and price_class not in state.prices
        if unknown and sum(self.sums) < (state.books.cap or 0):
            raise world.fail(f"holds {attempt.bound} for {price_class}, of which no price is known")
        flying = [
            other.attempt.price_class
            for other in life.records.values()
            if other.state in _IN_FLIGHT and other.attempt is not None
        ]
        if price_class not in state.prices and flying.count(price_class) > 1:
            raise world.fail(f"two of an unknown class in flight: {price_class}")
        if len(flying) > state.settings.in_flight_max:
            raise world.fail("more in flight than allowed")
        self._may_rebuy(before)
        self.written_s[key] = world.true_s

    def _may_rebuy(self, before: Record) -> None:
        """What the item's last attempt came to allows another, and by whom."""
        life, world = self.life, self.world
        if before.attempt is None or life.again or (life.retry and before.state is not _S.SUCCEEDED):
            return
        code, failed = before.error_code, before.state is _S.FAILED
        if failed and code == "written_off":
            raise world.fail("bought again what a person wrote off")
        failures = self.failed.get((before.identity, before.attempt.epoch), 0)
        if failed and code != "insufficient_credits" and failures > world.settings.resubmit_failed:
            raise world.fail(f"bought again after {failures} failures")
        if failed and code == "insufficient_credits" and before.attempt.settled:
            raise world.fail("bought again although the last attempt cost something")
        if before.state is _S.REJECTED and code not in ("insufficient_credits", "not_created", "not_sent"):
            raise world.fail(f"bought again after a refusal: {code}")
        if before.state is _S.SUCCEEDED or before.state in HELD:
            raise world.fail(f"bought again from {before.state.value}")

    def _surprise(self, attempt: Attempt) -> None:
        world, price_class = self.world, attempt.price_class
        world.met("surprise")
        self.surprises[price_class].add(attempt.key)
        if len(self.surprises[price_class]) > 1 and not self.released and not world.service.rates.keys() & _UNSTEADY:
            raise world.fail(f"a second price surprise in {price_class}")

    def _uncertain(self, key: str) -> None:
        """Giving up is the last thing to do: the key is old, or it was tried as often as it may be."""
        world, life = self.world, self.life
        age_s = world.true_s - self.written_s[key]
        tried = self.posts[key] > world.settings.send_policy.resends_max
        patience_s = FRESH_CONFLICT_WINDOW_S if key in self.foreign else CONFLICT_WINDOW_S
        conflict = life.mono_s - self.conflict_s.get(key, life.mono_s) >= patience_s
        misled = world.jump or (world.service.dated and abs(world.skew_s) > KEY_WINDOW_S)  # by a clock that lies
        if not (age_s >= KEY_WINDOW_S - 10.0 or tried or conflict or misled):
            raise world.fail(f"{key} was given up after {age_s:.0f} s and {self.posts[key]} sends")
        if key in self.unsent:
            self.unsent.remove(key)
        self.released.add(key)

    def _skipped(self, record: Record) -> None:
        state, item = self.life.core.state, self.world.by_id[record.identity]
        if record.error_code != "budget_exhausted" or Pause.BUDGET in state.pauses or state.books.cap is None:
            return
        bound, left = state.prices.get(item.price_class, item.credits or 1), state.books.cap - sum(self.sums)
        if bound <= left:
            raise self.world.fail(f"skipped for the budget although it needs {bound}, and {left} are left")

    # The wire

    def leaves(self, send: Send) -> None:
        """A create leaves: no older than its key, and after the older ones that an earlier life left open."""
        key, world = send.key, self.world
        age_s = world.true_s - self.written_s[key]
        if key in self.doubts and age_s >= KEY_WINDOW_S + 3.0:
            raise world.fail(f"{key} left {age_s:.0f} s after its intent, and may have arrived before")
        if self.unanswered[key] > world.settings.send_policy.resends_max:
            raise world.fail(f"{key} leaves although {self.unanswered[key]} sends were left without an answer")
        if key in self.unsent:
            if self.written_s[key] > self.written_s[self.unsent[0]] and not world.jump:
                raise world.fail(f"{key} was sent again before the older {self.unsent[0]}")
            self.unsent.remove(key)

    def answered(self, send: Send, end: SendEnd) -> None:
        """How it ended, before the core hears of it."""
        if end.status == 409 and send.key not in self.conflict_s:
            self.conflict_s[send.key] = self.life.mono_s
            if send.key not in self.doubts:
                self.foreign.add(send.key)
        if end.phase is Phase.SENT or (end.phase is Phase.ANSWERED and end.status != 429 and end.task is None):
            self.doubts.add(send.key)
            self.unanswered[send.key] += 1

    def story(self, key: str, struck: Sequence[str], end: SendEnd) -> None:
        """What befalls one key over its lives."""
        if "replay" in struck and end.task is not None and key in self.stories:
            self.world.met(f"{self.stories.pop(key)}, then replay")
        elif "lost_after" in struck or "broken_after" in struck or "garbled" in struck:
            self.stories[key] = "answer lost"

    # Ends

    def life_ended(self, life: Life) -> None:
        """A life ended by itself: for a reason, and with the exit code that it earned."""
        world, state = self.world, life.core.state
        pauses, stopped = state.pauses.keys(), state.stopping
        for why in pauses:
            world.met(f"pause {why.value}")
        if life.creating or life.polling or life.saving:
            raise world.fail("ended while a request was under way")
        states = {record.state for record in life.records.values()}
        if not pauses and not stopped and (states & _IN_FLIGHT or _S.PLANNED in states):
            raise world.fail(f"ended without a reason: {life.picture()}")
        if _S.SUBMITTING in states and not (stopped or pauses & _LEFT_OPEN):
            raise world.fail(f"an open create was left: {life.picture()}")
        if _S.ACCEPTED in states and not (stopped or pauses & _SILENCED):
            raise world.fail(f"a task was left: {life.picture()}")
        if not all(world.ledger[identity] is record for identity, record in life.records.items()):
            raise world.fail("memory and disk differ")
        if stopped:
            return
        keep = world.settings.save_results
        code = exit_code(life.records.values(), pauses=state.pauses, left=life.left, keep=keep)
        world.met(f"exit {code}")
        if code == 0 and states != {_S.SUCCEEDED}:
            raise world.fail(f"exit 0 with {states}")

    def finished(self) -> None:
        """At the very end: everything has come to an end, and what it cost is in the books."""
        world = self.world
        for key, (state, attempt) in world.kept.items():
            self._charge(key, state, attempt)
        for record in world.ledger.values():
            world.met(f"state {record.state.value}")
            if record.state in (_S.PLANNED, _S.SKIPPED) or record.state in _IN_FLIGHT:
                raise world.fail(f"a calm last life left an item {record.state.value}")
            if record.state is _S.SUCCEEDED and not self._really_succeeded(record):
                raise world.fail("a success that the service does not know")

    def _really_succeeded(self, record: Record) -> bool:
        return record.attempt is not None and self.world.service.tasks[str(record.attempt.task_id)].succeeds

    def _charge(self, key: str, state: ItemState, attempt: Attempt) -> None:
        """What a task cost is in the books: all of it where the service told, what was held for it where it did not."""
        task = self.world.service.by_key.get(key)
        if task is None or self.world.auditor.purchases[key].by_a_person:
            return
        counted = attempt.reserved + attempt.settled
        told = attempt.reserved_credits is not None and attempt.task_id == task.id
        if counted < (task.charge if told else min(task.charge, attempt.bound)):
            raise self.world.fail(f"{key} ({state.value}) cost {task.charge}, and {counted} is counted")


def _learn(change: Change, prices: dict[str, int], failures: dict[tuple[str, int], int]) -> None:
    """What an event teaches about prices and failures, read from the event alone."""
    kind, attempt = change.event.type, change.record.attempt
    assert attempt is not None
    if kind is _E.FAILED:  # what a failure cost may be a part of the price
        of = change.record.identity, attempt.epoch
        failures[of] = failures.get(of, 0) + 1
        return
    data = change.event.data
    for told in (data.get("reserved_credits"), data.get("final_credits")):
        if isinstance(told, int) and told > prices.get(attempt.price_class, 0):
            prices[attempt.price_class] = told
