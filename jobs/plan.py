"""The plan: what a run would do and why, before anything is sent. Pure: records and past items come in as values."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.pricing import Estimate, estimate
from jobs.record import Money, Record, rebuys

__all__ = [
    "Explaining",
    "Matching",
    "Pace",
    "Past",
    "Plan",
    "PlannedItem",
    "Planning",
    "Standing",
    "Sum",
    "Totals",
    "identities_digest",
    "plan_of",
    "seconds_to_finish",
    "typical_s",
]

# Seconds a task usually takes, by what it makes; only for the plan's guess.
TYPICAL_S: Mapping[str, float] = {"image": 10.0, "video": 90.0, "audio": 20.0}


class Standing(StrEnum):
    """What `run` would do with an item."""

    NEW = "new"  # buy it
    OPEN = "open"  # go on with what was bought, or is in doubt; costs nothing more
    DONE = "done"  # nothing; it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What bounds the speed of a run: the create rate, the places in flight, and what each model makes."""

    creates_per_s: float
    in_flight: int
    category_of: Mapping[str, str]  # model id -> image, video, audio
    speed: float = 1.0  # how many times faster tasks work than at the service: above 1 in a rehearsal


class Past(Protocol):
    """An item as an earlier life of the run wanted it (`runner.ledger.PastItem`)."""

    @property
    def identity(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def job(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def prompt(self) -> str | None: ...
    @property
    def params(self) -> Mapping[str, object]: ...
    @property
    def reference_digests(self) -> tuple[str, ...]: ...
    @property
    def repeat(self) -> int: ...
    @property
    def edition(self) -> str: ...
    @property
    def axes(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """One item with what would happen to it, why, and what a new one may cost."""

    item: Item
    standing: Standing
    reason: str
    record: Record | None
    estimate: Estimate | None = None


@dataclass(slots=True, kw_only=True)
class Sum:
    """Some items of a plan, counted. Credits are of new ones only."""

    standings: Counter[Standing] = field(default_factory=Counter)
    low: int = 0
    likely: int = 0
    high: int = 0
    each: tuple[int, int] | None = None  # what the cheapest and the dearest new one likely costs
    or_more: bool = False  # some price is off the documented defaults, so that the sum may be higher

    def add(self, standing: Standing, guess: Estimate | None, number: int = 1) -> None:
        self.standings[standing] += number
        if guess is None:
            return
        self.low += guess.low * number
        self.likely += guess.likely * number
        self.high += guess.high * number
        low, high = self.each or (guess.likely, guess.likely)
        self.each = min(low, guess.likely), max(high, guess.likely)
        self.or_more = self.or_more or guess.high > guess.likely


@dataclass(slots=True, kw_only=True)
class Totals:
    """What people ask of a plan, whatever number of items it has: kept up item by item."""

    whole: Sum = field(default_factory=Sum)
    groups: dict[tuple[str, str], Sum] = field(default_factory=dict)  # by job and model, in the order of the manifest
    states: Counter[ItemState] = field(default_factory=Counter)  # of what is not bought anew
    classes: dict[str, str] = field(default_factory=dict)  # price class -> a model of it

    @classmethod
    def of(cls, items: Iterable[PlannedItem]) -> Totals:
        totals = cls()
        for one in items:
            totals.add(one.item, one.standing, one.record, one.estimate)
        return totals

    def add(
        self, item: Item, standing: Standing, record: Record | None, guess: Estimate | None, number: int = 1
    ) -> None:
        """So many items like this one."""
        self.classes.setdefault(item.price_class, item.model)
        group = self.groups.get((item.job, item.model))
        if group is None:
            group = self.groups[item.job, item.model] = Sum()
        group.add(standing, guess, number)
        self.whole.add(standing, guess, number)
        if record is not None and standing is not Standing.NEW:
            self.states[record.state] += number


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run before it starts. Credits are of new items only; `seconds` is a guess.

    The items of a large plan are matched anew each time they are walked over; its `totals` are those of the first time.
    """

    run_id: str
    items: Sequence[PlannedItem]
    uploads: tuple[ReferenceFile, ...]  # contents the account does not hold yet
    uploads_known: int  # contents it does
    books: Money
    cap_credits: int | None
    seconds: float
    missing: int  # items of earlier lives that the manifest no longer has
    position: int  # the ledger's, when the plan was made

    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        if not self.totals.groups:
            object.__setattr__(self, "totals", Totals.of(self.items))

    def count(self, standing: Standing) -> int:
        """How many items stand so."""
        return self.totals.whole.standings[standing]

    @property
    def low(self) -> int:
        """The least the new items may cost."""
        return self.totals.whole.low

    @property
    def likely(self) -> int:
        """What they cost if every unknown price is the base price."""
        return self.totals.whole.likely

    @property
    def high(self) -> int:
        """A dear guess: services of this kind charge up to a few times the base for longer and larger results."""
        return self.totals.whole.high

    @property
    def or_more(self) -> bool:
        """True when some price is off the documented defaults, so that the sum may be higher."""
        return self.high > self.likely


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How items are matched with what the ledger knows: the prices seen, and what the person asked for."""

    prices: Mapping[str, int]
    resubmit_failed: int = 0
    retry: bool = False
    again: bool = False

    def stand(self, item: Item, record: Record | None) -> tuple[Standing, str, Estimate | None]:
        """Where an item stands, why unless it is plainly new, and what a new one may cost."""
        if record is None or record.state is ItemState.PLANNED:
            standing, reason = Standing.NEW, ""
        else:
            standing, reason = self._stand(record)
        guess = None
        if standing is Standing.NEW:
            price_class = item.price_class
            guess = estimate(price_class=price_class, base=item.credits, seen=self.prices.get(price_class))
        return standing, reason, guess

    def _stand(self, record: Record) -> tuple[Standing, str]:
        why = f"{record.state.value}: {record.error_code}" if record.error_code else record.state.value
        asked = self.retry or self.again
        match record.state:
            case ItemState.SKIPPED:
                return Standing.NEW, why
            case ItemState.SUBMITTING:
                return Standing.OPEN, "its create may have arrived; sent again with the same key"
            case ItemState.ACCEPTED:
                return Standing.OPEN, f"bought as {record.attempt.task_id if record.attempt else '?'}, not ended"
            case ItemState.UNCERTAIN | ItemState.VANISHED | ItemState.STALLED:
                return Standing.OPEN, f"{why}; held as spent"
            case ItemState.REJECTED | ItemState.FAILED if asked or rebuys(record, resubmit_failed=self.resubmit_failed):
                return Standing.NEW, f"was {why}"
            case ItemState.SUCCEEDED if self.again:
                return Standing.NEW, "bought again by --again"
            case _:
                return Standing.DONE, why


class Planning:
    """A plan while it is made, item by item: it keeps sums, and which references and tasks new items need."""

    def __init__(self, matching: Matching) -> None:
        self.references: dict[str, ReferenceFile] = {}  # what new items need, by content
        self.models: Counter[str] = Counter()  # of new items
        self._matching = matching
        self._totals = Totals()
        self._like: dict[tuple[str, str, int | None], tuple[Item, list[int]]] = {}  # plainly new ones that cost alike

    def went_by(self, item: Item) -> None:
        """An item that nobody asked for."""
        self._totals.classes.setdefault(item.price_class, item.model)

    def see(self, items: Iterable[tuple[Item, Record | None]]) -> None:
        """Items that are asked for."""
        like, planned = self._like, ItemState.PLANNED
        for item, record in items:
            if (record is None or record.state is planned) and not item.references:
                alike = like.get((item.job, item.price_class, item.credits))
                if alike is not None and alike[0].model == item.model:
                    alike[1][0] += 1
                    continue
                like[item.job, item.price_class, item.credits] = item, [0]
            self._see(item, record)

    def _see(self, item: Item, record: Record | None) -> None:
        standing, _, guess = self._matching.stand(item, record)
        self._totals.add(item, standing, record, guess)
        if standing is Standing.NEW:
            self.models[item.model] += 1
            for reference in item.references:
                self.references.setdefault(reference.sha256, reference)

    def totals(self) -> Totals:
        """All that were seen."""
        for item, left in self._like.values():
            standing, _, guess = self._matching.stand(item, None)
            self._totals.add(item, standing, None, guess, left[0])
            self.models[item.model] += left[0]
            left[0] = 0
        return self._totals


def plan_of(
    planning: Planning,
    *,
    run_id: str,
    items: Sequence[PlannedItem],
    known_uploads: Container[str],
    books: Money | None,
    cap_credits: int | None,
    missing: int,
    position: int,
    pace: Pace,
) -> Plan:
    """The plan, when all items were seen."""
    totals, work = planning.totals(), Counter[str]()
    for model, number in planning.models.items():
        work[pace.category_of[model]] += number
    return Plan(
        run_id=run_id,
        items=items,
        uploads=tuple(file for digest, file in planning.references.items() if digest not in known_uploads),
        uploads_known=sum(digest in known_uploads for digest in planning.references),
        books=books or Money(),
        cap_credits=cap_credits,
        seconds=seconds_to_finish(work, pace),
        missing=missing,
        position=position,
        totals=totals,
    )


class Explaining:
    """Why each item is new, open or done, compared with what the run wanted before."""

    def __init__(self, matching: Matching, past: Sequence[Past]) -> None:
        self._matching = matching
        self._reasons = _Reasons(past)

    def planned(self, items: Iterable[Item], records: Mapping[str, Record]) -> Iterator[PlannedItem]:
        for item in items:
            record = records.get(item.identity)
            standing, reason, guess = self._matching.stand(item, record)
            if standing is Standing.NEW:
                reason = reason or self._reasons.of(item)
            yield PlannedItem(item=item, standing=standing, reason=reason, record=record, estimate=guess)


class _Reasons:
    """Why an item that the ledger does not know is new, compared with what the run wanted before."""

    def __init__(self, past: Sequence[Past]) -> None:
        self._by_key = {one.key: one for one in past}
        self._jobs = {one.job for one in past}
        self._axes: dict[tuple[str, str], set[str]] = {}
        for one in past:
            for axis, value in one.axes.items():
                self._axes.setdefault((one.job, axis), set()).add(repr(value))

    def of(self, item: Item) -> str:
        if not self._by_key:
            return "first run"
        same_name = self._by_key.get(item.key)
        if same_name is not None:
            return "; ".join(_differences(same_name, item)) or "not bought yet"
        if item.job not in self._jobs:
            return f"job {item.job} is new"
        fresh = [
            f"{axis}={value} is new"
            for axis, value in item.axes.items()
            if repr(value) not in self._axes.get((item.job, axis), set())
        ]
        return "; ".join(fresh) or "a new combination"


def _differences(before: Past, now: Item) -> list[str]:
    found = []
    if before.model != now.model:
        found.append(f"model {before.model} -> {now.model}")
    if before.prompt != now.prompt:
        found.append("prompt changed")
    for name in sorted(before.params.keys() | now.params.keys()):
        was, wanted = before.params.get(name, "unset"), now.params.get(name, "unset")
        if was != wanted:
            found.append(f"params.{name} {was} -> {wanted}")
    if before.reference_digests != tuple(reference.sha256 for reference in now.references):
        found.append("references changed")
    if before.repeat != now.repeat:
        found.append(f"repeat {before.repeat} -> {now.repeat}")
    if before.edition != now.edition:
        found.append(f"edition {before.edition or 'empty'} -> {now.edition or 'empty'}")
    return found


def typical_s(category: str, speed: float) -> float:
    """Seconds a task usually takes, by what it makes."""
    return TYPICAL_S.get(category, max(TYPICAL_S.values())) / speed


def seconds_to_finish(categories: Sequence[str] | Mapping[str, int], pace: Pace) -> float:
    """Seconds from the first create to the last result: the rate or the places in flight, whichever binds."""
    items = Counter(categories)
    if not items:
        return 0.0
    times_s = {category: typical_s(category, pace.speed) for category in items}
    longest_s = max(times_s.values())
    by_rate_s = (items.total() - 1) / pace.creates_per_s
    work_s = sum(times_s[category] * number for category, number in items.items())
    by_places_s = max(0.0, work_s / pace.in_flight - longest_s)
    return max(by_rate_s, by_places_s) + longest_s


def identities_digest(items: Iterable[Item]) -> str:
    """One hash for what a plan wants: identity by identity, in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.identity.encode())
        digest.update(b"\n")
    return digest.hexdigest()
