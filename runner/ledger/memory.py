"""The ledger in memory: for tests, and for runs that leave nothing behind. It passes the same contract as the real one.

    store = MemoryStore()                                    plays the file: it stays
    ledger = MemoryLedger(store, account="default", base_url="https://rivya.ai")     plays the handle: it may die

`faults` is asked around every write, with its number from 1 and whether the write is about to be done or just was; what
it raises is raised at the writer. Either way the handle is dead then, and only the store tells what got through:

    def die_after_the_third(number: int, moment: Moment) -> None:
        if (number, moment) == (3, "after"):
            raise Crash
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from jobs.item import Item
from jobs.lifecycle import HELD, OPEN, EventType, ItemState
from jobs.record import Attempt, Change, Event, Money, Record
from jobs.steps import Notice
from runner.errors import DiskFull, LedgerConflict, LedgerLocked, LedgerUnusable
from runner.ledger import ENDS_KEPT, OVER_CAP, KnownUpload, Life, Note, PastItem, RunInfo

__all__ = ["Faults", "Kept", "MemoryLedger", "MemoryStore", "Moment"]

Moment = Literal["before", "after"]

# Writes that fit into what a store keeps in reserve, as the ballast does beside the file.
RESERVE_WRITES = 8

Faults = Callable[[int, Moment], None]

_NOT_OF_THE_ATTEMPT = frozenset({EventType.PLANNED, EventType.SKIPPED})
_ENDS = frozenset({EventType.SUCCEEDED, EventType.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An attempt as it is kept: whose it is, where it stands, and its frozen body."""

    identity: str
    state: ItemState
    attempt: Attempt
    body: bytes
    body_sha256: str


@dataclass(slots=True, kw_only=True)
class MemoryStore:
    """What would be the file. Public, so that a test can look at everything."""

    account: str | None = None
    base_url: str | None = None
    holder: MemoryLedger | None = None
    runs: dict[str, RunInfo] = field(default_factory=dict)
    lives: dict[int, Life] = field(default_factory=dict)
    run_items: dict[tuple[str, str], PastItem] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    attempts: dict[str, Kept] = field(default_factory=dict)
    books: dict[str, Money] = field(default_factory=dict)
    uploads: dict[str, KnownUpload] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    claims: dict[tuple[object, ...], str] = field(default_factory=dict)  # what only one attempt may have, and its key
    room: int | None = None  # writes that fit until the disk is full; None: it never is
    reserve: int = RESERVE_WRITES  # and those that fit then, once


T = TypeVar("T")


class MemoryLedger:
    """One owner of a store at a time, as one runner has one file."""

    def __init__(self, store: MemoryStore, *, account: str, base_url: str, faults: Faults | None = None) -> None:
        if store.holder is not None:
            raise LedgerLocked("the ledger in memory is in use by another run")
        if store.account is not None and (store.account, store.base_url) != (account, base_url):
            raise LedgerUnusable(f"the ledger in memory belongs to account `{store.account}` at {store.base_url}")
        if store.room is not None and store.reserve < RESERVE_WRITES:
            if store.room < RESERVE_WRITES:
                raise DiskFull(
                    f"the ledger in memory has room for {store.room} writes, its reserve is {RESERVE_WRITES}"
                )
            store.room, store.reserve = store.room - RESERVE_WRITES, RESERVE_WRITES
        store.account, store.base_url, store.holder = account, base_url, self
        self.store = store
        self.tight: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.writes = 0
        self._life_id: int | None = None
        self._faults = faults
        self._dead = False

    async def reading(self, look: Callable[[], T]) -> T:
        return look()

    async def begin_life(self, run: RunInfo, items: Sequence[Item], *, at_s: float, pid: int, host: str) -> Life:
        life = Life(life_id=len(self.store.lives) + 1, run_id=run.run_id, started_at_s=at_s, pid=pid, host=host)
        await self._write(lambda: self._begin(run, items, life))
        self._life_id = life.life_id
        return life

    async def end_life(self, life: Life, *, at_s: float, exit_code: int) -> None:
        ended = replace(life, ended_at_s=at_s, exit_code=exit_code)
        await self._write(lambda: self.store.lives.update({life.life_id: ended}))

    async def record(self, changes: Sequence[Change]) -> None:
        if changes:
            await self._write(lambda: _add(self.store, changes))

    async def note(self, notices: Sequence[Notice], *, at_s: float, cap_credits: int | None = None) -> None:
        assert self._life_id is not None, "a note belongs to a life"
        if notices:
            life = self.store.lives[self._life_id]
            await self._write(lambda: _note(self.store, notices, life=life, at_s=at_s, cap_credits=cap_credits))

    async def save_upload(self, upload: KnownUpload) -> None:
        await self._write(lambda: self.store.uploads.update({upload.sha256: upload}))

    def records(self, identities: Sequence[str]) -> dict[str, Record]:
        known = self.store.records
        return {identity: known[identity] for identity in identities if identity in known}

    def body(self, key: str) -> bytes:
        return self.store.attempts[key].body

    async def frozen(self, key: str) -> bytes:
        return self.body(key)

    async def owner(self, task_id: str) -> str | None:
        await asyncio.sleep(0)
        return self.store.claims.get(("task", task_id))

    def books(self, scope: str) -> Money:
        return self.store.books.get(scope, Money())

    def class_prices(self) -> dict[str, int]:
        prices: dict[str, int] = {}
        for kept in self.store.attempts.values():
            price = _price_seen(kept)
            if price is not None:
                name = kept.attempt.price_class
                prices[name] = max(price, prices.get(name, 0))
        return prices

    def ends_seen(self, price_classes: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        data = {(event.identity, event.at_s): event.data for event in self.store.events if event.type in _ENDS}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in sorted(price_classes)}
        for kept in self.store.attempts.values():
            span_s = _end_seen(kept, data.get((kept.identity, kept.attempt.finished_at_s or 0.0)))
            if span_s is not None and kept.attempt.price_class in found:
                found[kept.attempt.price_class].append(span_s)
        return {name: spans_s[-ENDS_KEPT:] for name, spans_s in found.items() if spans_s}

    def uploads(self, digests: Sequence[str]) -> dict[str, KnownUpload]:
        known = self.store.uploads
        return {digest: known[digest] for digest in digests if digest in known}

    def past_items(self, run_id: str) -> list[PastItem]:
        mine = (past for (run, _), past in self.store.run_items.items() if run == run_id)
        return sorted(mine, key=lambda past: (past.index, not past.wanted, past.identity))

    def unfinished_items(self, run_id: str) -> list[PastItem]:
        return [past for past in self.past_items(run_id) if _goes_on(self.store.records[past.identity])]

    def notes(self, run_id: str, *, after: int = 0) -> list[Note]:
        mine = {life.life_id for life in self.store.lives.values() if life.run_id == run_id}
        return [note for note in self.store.notes if note.life_id in mine and note.note_id > after]

    def position(self) -> int:
        return len(self.store.events)

    async def close(self) -> None:
        self._dead = True
        if self.store.holder is self:
            self.store.holder = None

    async def _write(self, work: Callable[[], object]) -> None:
        """One write, whole or not at all; then a turn of the loop, as every commit takes one."""
        if self._dead:
            raise LedgerUnusable("the ledger in memory is closed here, or died at an earlier write")
        self.writes += 1
        self._ask_faults("before")
        self._take_room()
        work()
        self._ask_faults("after")
        await asyncio.sleep(0)

    def _take_room(self) -> None:
        store = self.store
        if store.room is None:
            return
        if not store.room and store.reserve:
            store.room, store.reserve = store.reserve, 0
            self.tight = "the store in memory is full, and its reserve in use"
        if not store.room:
            raise DiskFull("the store in memory is full")
        store.room -= 1

    def _ask_faults(self, moment: Moment) -> None:
        if self._faults is None:
            return
        try:
            self._faults(self.writes, moment)
        except BaseException:
            self._dead, self.store.holder = True, None
            raise

    def _begin(self, run: RunInfo, items: Sequence[Item], life: Life) -> None:
        store = self.store
        store.runs[run.run_id] = run
        store.lives[life.life_id] = life
        store.books.setdefault(run.run_id, Money())
        for item in items:
            if item.identity not in store.records:
                event = Event(type=EventType.PLANNED, at_s=life.started_at_s, identity=item.identity)
                store.records[item.identity] = Record(
                    identity=item.identity, state=ItemState.PLANNED, version=1, first_at_s=event.at_s
                )
                store.events.append(event)
        for (run_id, identity), past in list(store.run_items.items()):
            if run_id == run.run_id:
                store.run_items[run_id, identity] = replace(past, wanted=False)
        store.run_items.update({(run.run_id, item.identity): _past(item) for item in items})


def _note(store: MemoryStore, notices: Sequence[Notice], *, life: Life, at_s: float, cap_credits: int | None) -> None:
    for notice in notices:
        number = len(store.notes) + 1
        note = Note(note_id=number, life_id=life.life_id, at_s=at_s, name=notice.name, data=dict(notice.data))
        store.notes.append(note)
    if cap_credits is not None:
        store.runs[life.run_id] = replace(store.runs[life.run_id], cap_credits=cap_credits)


def _add(store: MemoryStore, changes: Sequence[Change]) -> None:
    """All changes or none: they go to a layer above the store, which is laid down at the end."""
    layer = _Layer(store)
    for change in changes:
        _add_change(layer, change)
    store.records.update(layer.records.maps[0])
    store.attempts.update(layer.attempts.maps[0])
    store.books.update(layer.books.maps[0])
    store.claims.update(layer.claims.maps[0])
    store.events.extend(change.event for change in changes)


class _Layer:
    """A store as it will be: reads fall through, writes stay on top."""

    def __init__(self, store: MemoryStore) -> None:
        self.records = ChainMap({}, store.records)
        self.attempts = ChainMap({}, store.attempts)
        self.books = ChainMap({}, store.books)
        self.claims = ChainMap({}, store.claims)


def _add_change(layer: _Layer, change: Change) -> None:
    record, attempt = change.record, change.record.attempt
    before = layer.records.get(record.identity)
    if before is None or before.version != record.version - 1:
        raise LedgerConflict(f"item {record.identity} is not at version {record.version - 1}")
    layer.records[record.identity] = record
    if attempt is None or change.event.type in _NOT_OF_THE_ATTEMPT:
        assert change.delta == Money(), "credits move with an attempt only"
        return
    assert attempt.scope == change.scope, "an attempt stays in the books that carry it"
    if change.event.type is EventType.INTENT:
        assert before.state not in HELD, "an item is bought by one attempt at a time"
        layer.attempts[attempt.key] = _opened(layer, change, attempt)
    else:
        layer.attempts[attempt.key] = _moved(layer, change, attempt)
    layer.books[change.scope] = _paid(layer.books.get(change.scope, Money()), change)


def _opened(layer: _Layer, change: Change, attempt: Attempt) -> Kept:
    assert change.body is not None, "an intent freezes its body"
    assert change.delta == Money(reserved=attempt.bound), "an intent reserves its bound and nothing else"
    if attempt.key in layer.attempts:
        raise LedgerConflict(f"attempt {attempt.key} is there already")
    _claim(layer, (change.record.identity, attempt.epoch, attempt.ordinal), attempt.key)
    return Kept(
        identity=change.record.identity,
        state=change.record.state,
        attempt=attempt,
        body=change.body,
        body_sha256=hashlib.sha256(change.body).hexdigest(),
    )


def _moved(layer: _Layer, change: Change, attempt: Attempt) -> Kept:
    assert change.body is None, "a body is frozen by the intent"
    if attempt.key not in layer.attempts:
        raise LedgerConflict(f"attempt {attempt.key} was never opened")
    if attempt.task_id is not None:
        _claim(layer, ("task", attempt.task_id), attempt.key)
    return replace(layer.attempts[attempt.key], state=change.record.state, attempt=attempt)


def _claim(layer: _Layer, what: tuple[object, ...], key: str) -> None:
    owner = layer.claims.setdefault(what, key)
    if owner != key:
        raise LedgerConflict(f"{what} belongs to attempt {owner}, not to {key}")


def _paid(held: Money, change: Change) -> Money:
    after = Money(reserved=held.reserved + change.delta.reserved, settled=held.settled + change.delta.settled)
    if after.reserved < 0 or after.settled < 0:
        raise LedgerConflict(f"the books of {change.scope} would fall below zero")
    over = change.cap_credits is not None and after.reserved + after.settled > change.cap_credits
    if over and change.event.type is EventType.INTENT:
        raise LedgerConflict(
            f"an intent of {change.delta.reserved} does not fit the cap of {change.cap_credits}", code=OVER_CAP
        )
    return after


def _price_seen(kept: Kept) -> int | None:
    """What the service said this attempt costs. A zero is no price: it may only come late, or be a refund."""
    return max(kept.attempt.reserved_credits or 0, kept.attempt.final_credits or 0) or None


def _end_seen(kept: Kept, end: Mapping[str, object] | None) -> tuple[float, float] | None:
    """Between which ages it ended; None when nobody can say."""
    age_s = (kept.attempt.finished_at_s or 0.0) - (kept.attempt.accepted_at_s or 0.0)
    if end is None or kept.attempt.accepted_at_s is None or age_s <= 0.0:
        return None
    unseen_s = end.get("unseen_s")
    if unseen_s is None:
        return None if "polls" in end else (0.9 * age_s, age_s)
    assert isinstance(unseen_s, int | float), "seconds"
    return max(0.0, age_s - unseen_s), age_s


def _goes_on(record: Record) -> bool:
    return record.state in OPEN or any(artifact.state in ("wanted", "partial") for artifact in record.artifacts)


def _past(item: Item) -> PastItem:
    return PastItem(
        identity=item.identity,
        key=item.key,
        job=item.job,
        model=item.model,
        prompt=item.prompt,
        params=item.params,
        reference_digests=tuple(reference.sha256 for reference in item.references),
        repeat=item.repeat,
        edition=item.edition,
        axes=item.axes,
        tags=item.tags,
        output_stem=item.output_stem,
        index=item.index,
        wanted=True,
    )
