"""The plan: what a run would do and why, before anything is sent. Pure: records and past items come in as values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.pricing import Estimate, estimate
from jobs.record import Money, Record, rebuys

__all__ = [
    "Pace",
    "Past",
    "Plan",
    "PlannedItem",
    "Standing",
    "identities_digest",
    "make_plan",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run before it starts. Credits are of new items only; `seconds` is a guess."""

    run_id: str
    items: tuple[PlannedItem, ...]
    uploads: tuple[ReferenceFile, ...]  # contents the account does not hold yet
    uploads_known: int  # contents it does
    books: Money
    cap_credits: int | None
    seconds: float
    missing: int  # items of earlier lives that the manifest no longer has
    position: int  # the ledger's, when the plan was made

    def count(self, standing: Standing) -> int:
        """How many items stand so."""
        return sum(planned.standing is standing for planned in self.items)

    @property
    def low(self) -> int:
        """The least the new items may cost."""
        return sum(planned.estimate.low for planned in self.items if planned.estimate)

    @property
    def likely(self) -> int:
        """What they cost if every unknown price is the base price."""
        return sum(planned.estimate.likely for planned in self.items if planned.estimate)

    @property
    def high(self) -> int:
        """A dear guess: services of this kind charge up to a few times the base for longer and larger results."""
        return sum(planned.estimate.high for planned in self.items if planned.estimate)

    @property
    def or_more(self) -> bool:
        """True when some price is off the documented defaults, so that the sum may be higher."""
        return self.high > self.likely


def make_plan(
    items: Sequence[Item],
    *,
    run_id: str,
    records: Mapping[str, Record],
    past: Sequence[Past],
    prices: Mapping[str, int],
    known_uploads: frozenset[str],
    books: Money,
    cap_credits: int | None,
    position: int,
    pace: Pace,
    wanted: frozenset[str],
    resubmit_failed: int = 0,
    retry: bool = False,
    again: bool = False,
) -> Plan:
    """Match the chosen items against what the ledger knows. `wanted` are the identities of the whole manifest."""
    reasons = _Reasons(past)
    planned = []
    for item in items:
        record = records.get(item.identity)
        standing, reason = _stand(record, resubmit_failed=resubmit_failed, retry=retry, again=again)
        guess = None
        if standing is Standing.NEW:
            guess = estimate(price_class=item.price_class, base=item.credits, seen=prices.get(item.price_class))
            reason = reason or reasons.of(item)
        planned.append(PlannedItem(item=item, standing=standing, reason=reason, record=record, estimate=guess))
    needed: dict[str, ReferenceFile] = {}
    known: set[str] = set()
    for entry in planned:
        if entry.standing is Standing.NEW:
            for reference in entry.item.references:
                if reference.sha256 in known_uploads:
                    known.add(reference.sha256)
                else:
                    needed.setdefault(reference.sha256, reference)
    new = [pace.category_of[entry.item.model] for entry in planned if entry.standing is Standing.NEW]
    return Plan(
        run_id=run_id,
        items=tuple(planned),
        uploads=tuple(needed.values()),
        uploads_known=len(known),
        books=books,
        cap_credits=cap_credits,
        seconds=seconds_to_finish(new, pace),
        missing=sum(one.identity not in wanted for one in past),
        position=position,
    )


def _stand(record: Record | None, *, resubmit_failed: int, retry: bool, again: bool) -> tuple[Standing, str]:
    """The standing and, unless the item is plainly new, the reason."""
    if record is None or record.state is ItemState.PLANNED:
        return Standing.NEW, ""
    why = f"{record.state.value}: {record.error_code}" if record.error_code else record.state.value
    match record.state:
        case ItemState.SKIPPED:
            return Standing.NEW, why
        case ItemState.SUBMITTING:
            return Standing.OPEN, "its create may have arrived; sent again with the same key"
        case ItemState.ACCEPTED:
            return Standing.OPEN, f"bought as {record.attempt.task_id if record.attempt else '?'}, not ended"
        case ItemState.UNCERTAIN | ItemState.VANISHED | ItemState.STALLED:
            return Standing.OPEN, f"{why}; held as spent"
        case ItemState.REJECTED | ItemState.FAILED if retry or again or rebuys(record, resubmit_failed=resubmit_failed):
            return Standing.NEW, f"was {why}"
        case ItemState.SUCCEEDED if again:
            return Standing.NEW, "bought again by --again"
        case _:
            return Standing.DONE, why


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


def seconds_to_finish(categories: Sequence[str], pace: Pace) -> float:
    """Seconds from the first create to the last result: the rate or the places in flight, whichever binds."""
    if not categories:
        return 0.0
    times_s = [typical_s(category, pace.speed) for category in categories]
    by_rate_s = (len(times_s) - 1) / pace.creates_per_s
    by_places_s = max(0.0, sum(times_s) / pace.in_flight - max(times_s))
    return max(by_rate_s, by_places_s) + max(times_s)


def identities_digest(items: Sequence[Item]) -> str:
    """One hash for what a plan wants: identity by identity, in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.identity.encode())
        digest.update(b"\n")
    return digest.hexdigest()
