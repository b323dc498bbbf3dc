"""The reads of the SQLite ledger. Each fetches its whole answer at once, so that no reader holds up a commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from jobs.record import Artifact, Money, Record
from runner.ledger import ENDS_KEPT, LATE_ATTEMPTS, KnownUpload, Note, PastItem
from runner.ledger.rows import Row, artifact_of, note_of, past_item_of, record_of, upload_of

__all__ = ["LedgerReads"]


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
        asked = {"identities": json.dumps(list(identities))}
        artifacts: dict[str, list[Artifact]] = {}
        with self.snapshot():
            rows = self.ask("records", asked)
            for file in self.ask("artifacts", asked):
                artifacts.setdefault(file["identity"], []).append(artifact_of(file))
        # An identity is the first column.
        found = (tuple(row) for row in rows)
        return {columns[0]: record_of(columns, tuple(artifacts.get(columns[0], ()))) for columns in found}

    def body(self, key: str) -> bytes:
        rows = self.ask("body", {"key": key})
        if not rows:
            raise KeyError(key)
        body = bytes(rows[0]["body"])
        assert hashlib.sha256(body).hexdigest() == rows[0]["body_sha256"], f"the body of {key} is not what was written"
        return body

    def task_key(self, task_id: str) -> str | None:
        rows = self.ask("task_key", {"task_id": task_id})
        return rows[0]["key"] if rows else None

    def books(self, scope: str) -> Money:
        rows = self.ask("books", {"scope": scope})
        return Money(reserved=rows[0]["reserved"], settled=rows[0]["settled"]) if rows else Money()

    def class_prices(self) -> dict[str, int]:
        return {row["price_class"]: row["credits"] for row in self.ask("class_prices", {})}

    def ends_seen(self, price_classes: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        asked = {"classes": json.dumps(sorted(price_classes)), "late": LATE_ATTEMPTS, "kept": ENDS_KEPT}
        found: dict[str, list[tuple[float, float]]] = {}
        for row in self.ask("ends_seen", asked):
            found.setdefault(row["price_class"], []).append((row["ran_s"], row["age_s"]))
        return found

    def uploads(self, digests: Sequence[str]) -> dict[str, KnownUpload]:
        rows = self.ask("uploads", {"digests": json.dumps(list(digests))})
        return {row["sha256"]: upload_of(row) for row in rows}

    def past_items(self, run_id: str) -> list[PastItem]:
        return [past_item_of(row) for row in self.ask("past_items", {"run_id": run_id})]

    def unfinished_items(self, run_id: str) -> list[PastItem]:
        return [past_item_of(row) for row in self.ask("unfinished_items", {"run_id": run_id})]

    def notes(self, run_id: str, *, after: int = 0) -> list[Note]:
        return [note_of(row) for row in self.ask("notes", {"run_id": run_id, "after": after})]

    def position(self) -> int:
        position = self.ask("position", {})[0]["position"]
        assert isinstance(position, int), "a sequence number"
        return position
