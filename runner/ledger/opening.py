"""The one place that knows which ledger an address means."""

from __future__ import annotations

from pathlib import Path

from runner.ledger import lock, sqlite
from runner.ledger.file import resolved
from runner.ledger.handle import LedgerHandle
from runner.ledger.reading import LedgerReader
from runner.ledger.store import Store
from runner.on_demand import postgres

__all__ = ["holder", "open_ledger", "open_reader"]


def open_ledger(store: Store, *, account: str, base_url: str, hands_out: bool = False) -> LedgerHandle:
    """Be the one runner that writes to this account's ledger, which is made if there is none.

    Unless it `hands_out`, no life begins in it while workers are at something that was handed out.

    Raises `LedgerLocked`, `LedgerUnusable` or `DiskFull`.
    """
    if isinstance(store, Path):
        return sqlite.open_ledger(store, account=account, base_url=base_url)
    handle: LedgerHandle = postgres().open_ledger(store.whose(account, base_url), is_sole=not hands_out)
    return handle


def open_reader(store: Store) -> LedgerReader | None:
    """Look at the ledger without the lock; None when there is none yet. Raises `LedgerUnusable`."""
    if isinstance(store, Path):
        return sqlite.open_reader(store)
    reader: LedgerReader | None = postgres().open_reader(store)
    return reader


def holder(store: Store) -> str | None:
    """Who runs on this ledger now, such as `pid 4711 on studio since 2026-05-11T20:00:00Z`; None when nobody does."""
    if isinstance(store, Path):
        return lock.holder(resolved(store))
    who: str | None = postgres().holder(store)
    return who
