"""When a large ledger is read whole before it is believed, and what happens to one that is not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import LedgerUnusable
from runner.ledger import place, sqlite
from runner.ledger.place import Mark
from tests.runner.ledger_cases import begin, item
from tests.runner.ledger_files import ITEMS, made, opened, sql

BROKEN = "PRAGMA ignore_check_constraints = ON"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger that counts as large, with a row that only reading it whole shows to be wrong."""
    monkeypatch.setattr(sqlite, "READ_WHOLE_BYTES_MAX", 0)
    monkeypatch.setattr(place, "BOOT", tmp_path / "boot")
    (tmp_path / "boot").write_text("monday\n")
    path = tmp_path / "store" / "ledger.db"
    asyncio.run(made(path))
    sql(path, BROKEN, "UPDATE books SET settled = settled + 1")
    return path


def left(path: Path) -> str:
    return path.with_name("ledger.db.lock").read_text().splitlines()[1]


def test_one_that_is_as_it_was_left_is_believed(path: Path) -> None:
    asyncio.run(opened(path, in_thread=False).close())
    asyncio.run(opened(path, in_thread=False).close())


def test_a_small_one_is_always_read_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "READ_WHOLE_BYTES_MAX", path.stat().st_size)

    with pytest.raises(LedgerUnusable, match="books of `night`"):
        opened(path)


def another_start(path: Path) -> None:
    (path.parents[1] / "boot").write_text("tuesday\n")


def no_word(path: Path) -> None:
    (path.parents[1] / "boot").unlink()


def copied(path: Path) -> None:
    content = path.read_bytes()
    path.rename(path.with_name("old"))
    path.write_bytes(content)


def no_lock(path: Path) -> None:
    path.with_name("ledger.db.lock").unlink()


def older_release(path: Path) -> None:
    lock = path.with_name("ledger.db.lock")
    lock.write_text(lock.read_text().partition(" boot")[0] + "\n")


def put_back(path: Path) -> None:
    lock = path.with_name("ledger.db.lock")
    lock.write_text(lock.read_text().replace("events ", "events 9"))


def far_away(path: Path) -> None:
    folder = path.parent.as_posix()
    (path.parents[1] / "mounts").write_text(f"1 1 0:1 / / rw - ext4 a rw\n2 1 0:2 / {folder} rw - nfs4 host:/x rw\n")


@pytest.mark.parametrize("happened", [another_start, no_word, copied, no_lock, older_release, put_back, far_away])
def test_one_that_something_may_have_happened_to_is_read_whole(
    path: Path, happened: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(path)
    if happened is far_away:
        monkeypatch.setattr(place, "MOUNTS", path.parents[1] / "mounts")

    for _ in range(2):  # a refusal makes nobody believe it
        with pytest.raises(LedgerUnusable, match="books of `night`"):
            opened(path)


async def test_after_trouble_with_the_file_it_is_read_whole(path: Path) -> None:
    ledger = opened(path, in_thread=False)
    teller = await begin(ledger, item(70))
    lock = path.with_name("ledger.db.lock")
    lock.rename(path.with_name("moved"))
    lock.write_text("")
    with pytest.raises(LedgerUnusable, match="was moved or deleted"):
        await ledger.record([teller.intent(item(70))])
    await ledger.close()
    path.with_name("moved").rename(lock)

    mark = Mark.of(left(path))
    assert mark is not None
    assert mark.boot == "unknown"
    assert mark.events, "what it had is still known"
    with pytest.raises(LedgerUnusable, match="books of `night`"):
        opened(path)


def test_a_page_that_is_broken_all_the_same_is_met_where_it_is_read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        ((page,), (size,)) = (
            connection.execute(asked).fetchone()
            for asked in ("SELECT rootpage FROM sqlite_schema WHERE name = 'items'", "PRAGMA page_size")
        )
    content = path.read_bytes()
    path.write_bytes(content[: (page - 1) * size] + b"\xa5" * size + content[page * size :])

    ledger = opened(path, in_thread=False)
    with pytest.raises(LedgerUnusable, match="is damaged"):
        ledger.records([one.identity for one in ITEMS])
    with pytest.raises(LedgerUnusable, match="is damaged"):
        asyncio.run(begin(ledger, *ITEMS))
    asyncio.run(ledger.close())
    mark = Mark.of(left(path))
    assert mark is None or mark.boot == "unknown", "it is not believed again"
