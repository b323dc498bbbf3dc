"""What a run knows: its items, their records, the books, prices seen, and why it may have paused.

Every change of a record goes through `move`, which folds the event, moves the books and returns the change to commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from jobs.answers import Phase, SendEnd, Uploaded
from jobs.budget import Books, delta
from jobs.item import Item
from jobs.lifecycle import EventType, ItemState
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.polling import PollFloors, Polling
from jobs.ready import ReadyQueue
from jobs.record import Attempt, Change, Event, Record, fold
from jobs.steps import Notice, Now, Step
from jobs.verdict import Pause, SendPolicy

__all__ = ["BUDGET_EXHAUSTED", "UNREACHABLE_AFTER_S", "CoreSettings", "RunState"]

# Why an item was not bought: it did not fit what was left of the budget.
BUDGET_EXHAUSTED = "budget_exhausted"

# Without an answer to anything for this long the service counts as unreachable; the run stops and can go on later.
UNREACHABLE_AFTER_S = 300.0
# The Date header counts whole seconds, so two honest readings may differ by a little more than one.
CLOCK_SLACK_S = 2.0

_SKIPPABLE = frozenset({ItemState.PLANNED, ItemState.REJECTED, ItemState.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSettings:
    """What the run was told, all of it plain values. `spread` gives numbers uniform in 0..1 for jitter."""

    account: str
    scope: str
    in_flight_max: int
    on_exhausted: str = "stop"
    resubmit_failed: int = 0
    item_timeout_s: float = 1200.0
    floors: PollFloors = field(default_factory=PollFloors)
    send_policy: SendPolicy = field(default_factory=SendPolicy)
    save_results: bool = True
    halt_after: int | None = None  # failed items after which nothing more is bought
    spread: Callable[[], float] = field(default=lambda: 0.5)


class RunState:
    """The shared memory of the core's parts: bookkeeping, and the pauses that follow from it."""

    def __init__(
        self, settings: CoreSettings, *, books: Books, prices: Mapping[str, int], polling: Polling, limits: Limits
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.books = books
        self.prices = {name: price for name, price in prices.items() if price > 0}  # "free" only means "not told yet"
        self.polling = polling  # what was learned of when tasks end, also by earlier runs
        self.items: dict[str, Item] = {}
        self.records: dict[str, Record] = {}
        self.uploads: dict[str, Uploaded] = {}  # digest -> the reference as the service holds it
        self.ready = ReadyQueue()
        self.missing: dict[str, int] = {}  # items that wait for uploads, and for how many
        self.pauses: dict[Pause, str] = {}
        self.stopping = False
        self.slots: set[str] = set()  # items that hold one of the in-flight places
        self.task_keys: dict[str, str] = {}  # task id -> key of the attempt it was made for
        self._server_told: tuple[float, float] | None = None  # the service's clock, and our monotonic one by then
        self._failed = 0  # items that failed in this life
        self._charged: dict[str, int] = {}  # what a success of each class cost last, in this life
        self._unanswered_since_s: float | None = None  # the first failure since the last usable answer
        self.unfunded: set[str] = set()  # items that this life left because of the budget
        self.owed: set[str] = set()  # items whose task an earlier life left, and that were not asked for yet

    def move(
        self, identity: str, event_type: EventType, now: Now, data: Mapping[str, object], *, body: bytes | None = None
    ) -> Step:
        """Fold one event into the item's record and move the books."""
        before = self.records[identity]
        event = Event(type=event_type, at_s=now.wall_s, identity=identity, data=data)
        record = fold(before, event)
        change = delta(before, event, record)
        scope = record.attempt.scope if record.attempt else self.settings.scope
        if scope == self.settings.scope:
            self.books = self.books.moved(change)
        self.records[identity] = record
        cap = self.books.cap if event_type is EventType.INTENT else None
        return Step(
            changes=(Change(event=event, record=record, delta=change, scope=scope, body=body, cap_credits=cap),)
        )

    def unbought(self) -> Iterator[Item]:
        """Items that may still be bought in this life: ready, or waiting for an upload."""
        yield from self.ready
        yield from (self.items[identity] for identity in self.missing)

    def skip(self, identity: str, now: Now, *, code: str, message: str) -> Step:
        """Not bought in this life. An item that a person asked to buy once more keeps the end it had."""
        if code == BUDGET_EXHAUSTED:
            self.unfunded.add(identity)
        if self.records[identity].state not in _SKIPPABLE:
            return Step(notices=(Notice(name="kept", data={"item": self.items[identity].key, "why": message}),))
        return self.move(identity, EventType.SKIPPED, now, {"code": code, "message": message})

    @property
    def places(self) -> int:
        """How many tasks may be in flight: the user's number, or that of the service where it showed to be less."""
        found = self.limits.places.found
        return self.settings.in_flight_max if found is None else min(found, self.settings.in_flight_max)

    def attempt(self, identity: str) -> Attempt:
        """The item's latest attempt."""
        attempt = self.records[identity].attempt
        assert attempt is not None, f"{identity} has no attempt"
        return attempt

    def pause(self, why: Pause, reason: str) -> tuple[Notice, ...]:
        """Stop buying, for this reason; told once."""
        if why in self.pauses:
            return ()
        self.pauses[why] = reason
        return (Notice(name="paused", data={"why": why.value, "reason": reason}),)

    def resume(self, why: Pause, reason: str) -> tuple[Notice, ...]:
        """What this pause waited for has come."""
        if self.pauses.pop(why, None) is None:
            return ()
        return (Notice(name="resumed", data={"why": why.value, "reason": reason}),)

    def occupy(self, identity: str) -> None:
        """The item's attempt is in flight. A class without a price seen waits for it to show one."""
        self.slots.add(identity)
        price_class = self.items[identity].price_class
        if price_class not in self.prices:
            self.ready.shut(price_class)

    def price_seen(self, price_class: str, price: int) -> None:
        """The service named a price: the class may go on."""
        self.prices[price_class] = max(price, self.prices.get(price_class, 0))
        self.ready.reopen(price_class)

    def release(self, identity: str) -> None:
        """The item's attempt is over, for good or for this life: give its place back."""
        self.slots.discard(identity)
        price_class = self.items[identity].price_class
        if price_class in self.prices:
            return
        if not any(self.items[other].price_class == price_class for other in self.slots):
            self.ready.reopen(price_class)

    def item_failed(self) -> tuple[Notice, ...]:
        """One more item failed or was refused; `--halt` may have been waiting for it."""
        self._failed += 1
        limit = self.settings.halt_after
        if limit is None or self._failed < limit:
            return ()
        return self.pause(Pause.HALT, f"{self._failed} items failed, and --halt allows fewer than {limit}")

    def figure_seen(self, identity: str, expected: int, figure: int) -> tuple[Notice, ...]:
        """The service named what an open attempt holds."""
        self.price_seen(self.items[identity].price_class, figure)
        return self.surprise(identity, expected, figure)

    def surprise(self, identity: str, expected: int, charged: int) -> tuple[Notice, ...]:
        """A charge above what was held is told. If it went over the cap, nothing of what is left is bought."""
        if charged <= expected:
            return ()
        told = Notice(name="price", data={"item": self.items[identity].key, "expected": expected, "charged": charged})
        if not (self.books.overshoot and self.ready) or self.books.shared is not None:
            return (told,)  # what is shared is looked up before anything is left unbought
        over, cap = self.books.overshoot, self.books.cap
        reason = f"a charge was higher than expected: {over} credits over the cap of {cap}"
        return (told, *self.pause(Pause.BUDGET, reason))

    def drift(self, identity: str, charge: int) -> tuple[Notice, ...]:
        """A class that costs another amount than it did a moment ago is told: prices should not move within a run."""
        item = self.items[identity]
        before = self._charged.get(item.price_class)
        self._charged[item.price_class] = charge
        if before is None or before == charge:
            return ()
        data = {"item": item.key, "price_class": item.price_class, "before": before, "now": charge}
        return (Notice(name="drift", data=data),)

    def pace(self, pacer: Pacer, token: int, end: SendEnd, now: Now, *, running: int = 0) -> tuple[Notice, ...]:
        """Tell the limits how a request ended. `running`, for creates: tasks accepted, and not seen to end."""
        return self.limits.ended(pacer, token, end, now.mono_s, running=running, spread=self.settings.spread)

    def contact(self, end: SendEnd, now: Now) -> tuple[Notice, ...]:
        """Follow the service's clock, and whether it can be reached at all."""
        told = end.task is not None or end.error is not None or 200 <= (end.status or 0) < 300
        if end.server_epoch_s is not None and told:  # what stands in front of the service may have a clock of its own
            self._server_told = end.server_epoch_s, now.mono_s
        if end.phase is Phase.ANSWERED and (end.status or 0) < 500:
            self._unanswered_since_s = None
            return ()
        if self._unanswered_since_s is None:
            self._unanswered_since_s = now.mono_s
        if now.mono_s - self._unanswered_since_s < UNREACHABLE_AFTER_S or Pause.POLLS in self.pauses:
            return ()  # creates are not tried while they wait for statuses, and were answered before
        return self.pause(Pause.NETWORK, f"no usable answer for {UNREACHABLE_AFTER_S / 60:g} min, last: {end.reason}")

    def rested(self) -> None:
        """Nothing may have been tried for a while: how long the service is away is counted anew."""
        self._unanswered_since_s = None

    def server_s(self, now: Now) -> float:
        """The service's clock; ours while it has not told.

        Since it told, by our monotonic clock: the wall clock may be set at any moment, and an intent stamped with it
        would look younger than it is. A machine that slept makes this too early, and the intent older: that is safe.
        """
        if self._server_told is None:
            return now.wall_s
        server_s, mono_s = self._server_told
        return server_s + now.mono_s - mono_s

    def age_s(self, attempt: Attempt, now: Now) -> float | None:
        """Seconds since an intent of an earlier life; None when the clock ran backwards and tells nothing.

        By the service's clock, because ours may have been set meanwhile. Where the service had not told its time when
        the intent was written (it then holds our own moment twice), the longer by the two clocks counts.
        """
        if attempt.server_at_s != attempt.opened_at_s:
            age_s = self.server_s(now) - attempt.server_at_s if self._server_told else now.wall_s - attempt.opened_at_s
        else:
            age_s = now.wall_s - attempt.opened_at_s
            if age_s > -CLOCK_SLACK_S:
                age_s = max(age_s, self.server_s(now) - attempt.opened_at_s)
        return age_s if age_s > -CLOCK_SLACK_S else None
