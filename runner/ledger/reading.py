"""The reads of a ledger in a database. Each fetches its whole answer at once, so that no reader holds up a commit."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self

from jobs.item import Item, ReferenceFile
from jobs.record import Artifact, Money, Record
from runner.ledger import ENDS_KEPT, LATE_ATTEMPTS, KnownUpload, Note, PastItem
from runner.ledger.rows import (
    Row,
    artifact_of,
    body_in,
    note_of,
    past_item_of,
    record_of,
    upload_of,
)
from runner.ledger.store import Store
from runner.ledger.wanted import Priced, identity_of, place_of, state_of, wanted_of

__all__ = ["LedgerReader", "LedgerReads", "ReadsOfAnyShape"]

NOTES_SINCE_SHAPE = 2
PRICES_SINCE_SHAPE = 3

# A run of few classes finds all ends it may keep among so many: a tenth of what it costs to look at all late attempts.
LATEST_ATTEMPTS = LATE_ATTEMPTS // 10


class LedgerReads:
    """The reading half of the ledger, over one way to ask.

    `ask` runs a named query; within `snapshot` all queries see the same moment.
    """

    def __init__(
        self,
        ask: Callable[[str, Mapping[str, object]], list[Row]],
        snapshot: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.ask = ask
        self.snapshot = snapshot

    def records(self, identities: Sequence[str]) -> dict[str, Record]:
        if not identities:
            return {}
        with self.snapshot():
            rows = [tuple(row) for row in self.ask("records", {"identities": json.dumps(list(identities))})]
            bought = [columns[0] for columns in rows if columns[10] is not None]  # the key of the latest attempt
            artifacts = self._artifacts(bought) if bought else {}
        return {columns[0]: record_of(columns, artifacts.get(columns[0], ())) for columns in rows}

    def _artifacts(self, identities: Sequence[str]) -> dict[str, tuple[Artifact, ...]]:
        found: dict[str, tuple[Artifact, ...]] = {}
        for file in self.ask("artifacts", {"identities": json.dumps(list(identities))}):
            found[file["identity"]] = (*found.get(file["identity"], ()), artifact_of(file))
        return found

    def body(self, key: str) -> bytes:
        return body_in(self.ask("body", {"key": key}), key)

    def task_key(self, task_id: str) -> str | None:
        rows = self.ask("task_key", {"task_id": task_id})
        return rows[0]["key"] if rows else None

    def books(self, scope: str) -> Money:
        rows = self.ask("books", {"scope": scope})
        return Money(reserved=rows[0]["reserved"], settled=rows[0]["settled"]) if rows else Money()

    def class_prices(self) -> dict[str, int]:
        return {row["price_class"]: row["credits"] for row in self.ask("class_prices", {})}

    def ends_seen(self, price_classes: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        classes = json.dumps(sorted(price_classes))
        found: dict[str, list[tuple[float, float]]] = {}
        for late in (LATEST_ATTEMPTS, LATE_ATTEMPTS):
            found = {price_class: [] for price_class in price_classes}
            for row in self.ask("ends_seen", {"classes": classes, "late": late, "kept": ENDS_KEPT}):
                found[row["price_class"]].append((row["ran_s"], row["age_s"]))
            if all(len(ends) == ENDS_KEPT for ends in found.values()):
                break
        return {price_class: ends for price_class, ends in found.items() if ends}

    def uploads(self, digests: Sequence[str]) -> dict[str, KnownUpload]:
        rows = self.ask("uploads", {"digests": json.dumps(list(digests))})
        return {row["sha256"]: upload_of(row) for row in rows}

    def past_items(self, run_id: str) -> list[PastItem]:
        return [past_item_of(row) for row in self.ask("past_items", {"run_id": run_id})]

    def past_count(self, run_id: str) -> int:
        """How many items any life of the run wanted."""
        return int(self.ask("past_count", {"run_id": run_id})[0]["items"])

    def named(self, run_id: str, identities: Sequence[str]) -> int:
        """How many of these any life of the run wanted."""
        return int(self.ask("named", {"run_id": run_id, "identities": json.dumps(list(identities))})[0]["items"])

    def fingerprint(self, run_id: str) -> str | None:
        """What the latest life of the run was told, in one hash."""
        rows = self.ask("fingerprint", {"run_id": run_id})
        return rows[0]["manifest_sha256"] if rows else None

    def wanted_items(
        self, run_id: str, files: Mapping[str, ReferenceFile], priced: Priced
    ) -> list[tuple[Item, Record]]:
        """The items that the latest life of the run wanted, in order, each with its record."""
        with self.snapshot():
            rows = [*map(tuple, self.ask("wanted_items", {"run_id": run_id}))]
            moved = self.records([identity_of(row) for row in rows if state_of(row) != "planned"])
        rows.sort(key=place_of)
        return wanted_of(rows, moved, files, priced)

    def unfinished_items(self, run_id: str) -> list[PastItem]:
        return [past_item_of(row) for row in self.ask("unfinished_items", {"run_id": run_id})]

    def notes(self, run_id: str, *, after: int = 0) -> list[Note]:
        return [note_of(row) for row in self.ask("notes", {"run_id": run_id, "after": after})]

    def position(self) -> int:
        position = self.ask("position", {})[0]["position"]
        assert isinstance(position, int), "a sequence number"
        return position

    def layout(self, run_id: str) -> Mapping[str, Mapping[str, object]]:
        """Job -> its `report` block, as the run's latest life was told; empty where nobody said."""
        rows = self.ask("layout", {"run_id": run_id})
        layout: Mapping[str, Mapping[str, object]] = json.loads(rows[0]["layout"]) if rows else {}
        return layout


class LedgerReader(LedgerReads):
    """A look at a ledger from beside a run, also while that writes to it; for a `with`."""

    store: Store
    account: str
    base_url: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""


class ReadsOfAnyShape(LedgerReader):
    """The same of a ledger that no run has given today's shape yet."""

    def __init__(
        self,
        ask: Callable[[str, Mapping[str, object]], list[Row]],
        snapshot: Callable[[], AbstractContextManager[None]],
        shape: int,
    ) -> None:
        super().__init__(ask, snapshot)
        self._shape = shape

    def notes(self, run_id: str, *, after: int = 0) -> list[Note]:
        """None in a ledger of the first shape."""
        return super().notes(run_id, after=after) if self._shape >= NOTES_SINCE_SHAPE else []

    def class_prices(self) -> dict[str, int]:
        if self._shape >= PRICES_SINCE_SHAPE:
            return super().class_prices()
        return {row["price_class"]: row["credits"] for row in self.ask("class_prices_of_attempts", {})}

    def layout(self, run_id: str) -> Mapping[str, Mapping[str, object]]:
        return super().layout(run_id) if self._shape >= NOTES_SINCE_SHAPE else {}
