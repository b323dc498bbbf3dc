"""A manifest's items beside what the ledger knows of them, and the plan that comes out of it.

A million items go by once, batch by batch: what a plan tells is summed up on the way, and who wants the items gets them
made again. A run that goes on with a manifest that did not change is not expanded at all: its items are in the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from jobs.answers import Uploaded
from jobs.catalogue import Catalogue
from jobs.identity import IdentityOf
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.made_anew import MadeAnew
from jobs.plan import Explaining, Matching, Pace, Plan, PlannedItem, Planning, plan_of
from jobs.pricing import price_class
from jobs.record import Record
from runner.gathering import batched
from runner.ledger import KnownUpload
from runner.ledger.opening import open_reader
from runner.ledger.reading import LedgerReader
from runner.ledger.store import Store

__all__ = ["UPLOAD_LIFE_LEFT_S", "Beside", "Wanted", "usable_uploads"]

# How long a reference is trusted to stay at the service: its life is unknown, and uploading again is free.
UPLOAD_AGE_S_MAX = 20 * 3600.0
# One that says when it ends must last at least this much longer, so that a create in the queue still finds it.
UPLOAD_LIFE_LEFT_S = 3600.0

# So many items are explained when a plan is made; more of them when somebody walks over them.
EXPLAINED_MAX: Final = 10_000

# An item with its record, as the ledger has them.
Wanted = tuple[Item, Record]


class Beside:
    """One run beside its ledger, or beside none yet."""

    def __init__(
        self, reader: LedgerReader | None, run_id: str, *, resubmit_failed: int, retry: bool, again: bool
    ) -> None:
        self._reader = reader
        self._run_id = run_id
        prices = reader.class_prices() if reader is not None else {}
        self._matching = Matching(prices=prices, resubmit_failed=resubmit_failed, retry=retry, again=again)
        # Before anything is read of items: who finds the ledger there still has seen them as they are.
        self._position = reader.position() if reader is not None else 0
        self._past = reader.past_count(run_id) if reader is not None else 0
        self._named = 0
        self._planning = Planning(self._matching)

    def records(self, items: Sequence[Item]) -> Mapping[str, Record]:
        """What is known of these items."""
        return {} if self._reader is None else self._reader.records([item.identity for item in items])

    def went_by(self, items: Sequence[Item]) -> None:
        """The manifest has these items, whether they are asked for or not."""
        for item in items:
            self._planning.went_by(item)
        if self._reader is not None and self._past:
            self._named += self._reader.named(self._run_id, [item.identity for item in items])

    def see(self, items: Iterable[tuple[Item, Record | None]]) -> None:
        """Items that are asked for."""
        self._planning.see(items)

    def was_told(self, fingerprint: str) -> bool:
        """Whether the run's latest life was made from the very same."""
        return self._reader is not None and self._reader.fingerprint(self._run_id) == fingerprint

    def admitted(self, size: int, catalogue: Catalogue, files: Iterable[ReferenceFile]) -> list[Wanted] | None:
        """All items of a run of that size in order, as its latest life was told them.

        None where they are not whole, or one that may still be bought is not what its name says, or names what nobody
        knows: a ledger that somebody edited neither adds to what is wanted nor takes from it.
        """
        assert self._reader is not None, "a run that was told something has a ledger"
        by_digest = {file.sha256: file for file in files}

        def priced(model: str, params: Mapping[str, object], references: int) -> tuple[str, int | None]:
            """Prices may be others than when the item was first wanted."""
            known = catalogue.models[model]
            return price_class(known, params, reference_count=references), known.base_credits

        try:
            found = self._reader.wanted_items(self._run_id, by_digest, priced)
        except KeyError:  # a reference or a model
            return None
        succeeded = ItemState.SUCCEEDED
        may_be_bought = (item for item, record in found if record.state is not succeeded)
        if len(found) != size or not _are_themselves(may_be_bought):
            return None
        self._named = len(found)
        return found

    def plan(self, items: Sequence[Item], *, pace: Pace, cap_credits: int | None) -> Plan:
        """The plan for the items that were seen."""
        reader, digests = self._reader, sorted(self._planning.references)
        known = {} if reader is None or self._matching.retry else reader.uploads(digests)
        store = reader.store if reader is not None else None
        explained = partial(_explained, items, self._matching, self._run_id, store)
        is_large = len(items) > EXPLAINED_MAX or self._past > EXPLAINED_MAX
        return plan_of(
            self._planning,
            run_id=self._run_id,
            items=MadeAnew(explained, len(items)) if is_large else tuple(explained()),
            known_uploads=usable_uploads(known, now_s=time.time()).keys(),
            books=reader.books(self._run_id) if reader is not None else None,
            cap_credits=cap_credits,
            missing=self._past - self._named,
            position=self._position,
            pace=pace,
        )


def _are_themselves(items: Iterable[Item]) -> bool:
    """Whether each item's name is the hash of its content."""
    alike: dict[tuple[str, int, int, int, str], list[Item]] = {}
    for item in items:
        shared = (item.model, id(item.params), id(item.references), item.repeat, item.edition)  # objects of its recipe
        alike.setdefault(shared, []).append(item)
    return all(_are_named(of_a_recipe) for of_a_recipe in alike.values())


def _are_named(items: Sequence[Item]) -> bool:
    """The same of items that differ in their prompt only."""
    first = items[0]
    names = IdentityOf(
        model=first.model,
        params=first.params,
        reference_digests=[file.sha256 for file in first.references],
        repeat=first.repeat,
        edition=first.edition,
    ).each([item.prompt for item in items])
    return all(name == item.identity for name, item in zip(names, items, strict=True))


def _explained(items: Sequence[Item], matching: Matching, run_id: str, store: Store | None) -> Iterator[PlannedItem]:
    """Each item with what would happen to it and why, as the ledger has it now."""
    reader = open_reader(store) if store is not None else None
    if reader is None:
        yield from Explaining(matching, ()).planned(items, {})
        return
    with reader:
        explaining = Explaining(matching, reader.past_items(run_id))
        for batch in batched(items):
            yield from explaining.planned(batch, reader.records([item.identity for item in batch]))


def usable_uploads(known: Mapping[str, KnownUpload], *, now_s: float, spare_s: float = 0.0) -> dict[str, Uploaded]:
    """The references that the service can be trusted to hold still; who cannot renew them trusts `spare_s` more."""
    return {digest: one.uploaded for digest, one in known.items() if _usable(one, now_s, spare_s)}


def _usable(known: KnownUpload, now_s: float, spare_s: float) -> bool:
    if not 0 <= now_s - known.at_s < UPLOAD_AGE_S_MAX + spare_s:
        return False
    if known.uploaded.expires_at is None:
        return True
    try:
        expires_s = datetime.fromisoformat(known.uploaded.expires_at).timestamp()
    except ValueError:
        return True
    return expires_s - now_s > UPLOAD_LIFE_LEFT_S - spare_s
