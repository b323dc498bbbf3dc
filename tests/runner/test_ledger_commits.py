"""How the ledger commits: together, to the disk, beside readers; and what it does when the file fails it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from jobs.lifecycle import EventType
from runner.errors import DiskFull, LedgerUnusable
from runner.ledger.durability import journal_mode
from runner.ledger.sqlite import open_reader
from tests.runner.ledger_cases import begin
from tests.runner.ledger_files import ITEMS, ONE, line, made, opened, other_process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


@pytest.mark.parametrize("in_thread", [True, False])
async def test_many_waiting_writers_share_few_commits(path: Path, in_thread: bool) -> None:
    ledger = opened(path, in_thread=in_thread)
    teller = await begin(ledger, *ITEMS)
    before = ledger.statistics()

    await asyncio.gather(*(ledger.record([teller.intent(one)]) for one in ITEMS))

    after = ledger.statistics()
    assert after.calls - before.calls == 64
    assert after.commits - before.commits <= 4
    assert ledger.books("night").reserved == 640
    await ledger.close()


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 37, 0), "truncate"),
        ((3, 40, 1), "truncate"),
        ((3, 44, 5), "truncate"),
        ((3, 44, 6), "wal"),
        ((3, 44, 9), "wal"),
        ((3, 45, 0), "truncate"),
        ((3, 49, 2), "truncate"),
        ((3, 50, 6), "truncate"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "truncate"),
        ((3, 51, 2), "truncate"),
        ((3, 51, 3), "wal"),
        ((3, 52, 0), "wal"),
        ((4, 0, 0), "wal"),
    ],
)
def test_wal_is_used_only_where_its_reset_race_is_mended(version: tuple[int, int, int], mode: str) -> None:
    assert journal_mode(version) == mode


async def test_every_commit_is_flushed_to_the_disk(path: Path) -> None:
    ledger = opened(path)

    def pragma(name: str) -> object:
        return ledger._writer.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("journal_mode") == journal_mode(sqlite3.sqlite_version_info)
    assert [pragma("synchronous"), pragma("fullfsync"), pragma("checkpoint_fullfsync")] == [2, 1, 1]
    assert [pragma("foreign_keys"), pragma("busy_timeout")] == [1, 60_000]
    await ledger.close()


async def test_a_reader_delays_a_commit_and_does_not_fail_it(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    reader = open_reader(path)
    assert reader is not None
    with reader:
        with reader.snapshot():
            assert reader.position() == 1
            call = asyncio.create_task(ledger.record([teller.intent(ONE)]))
            await asyncio.sleep(0)
            assert reader.position() == 1  # one moment, whatever is written meanwhile
        await call
        assert reader.position() == 2
    await ledger.close()


async def test_a_reader_rolls_back_what_a_killed_commit_left(path: Path, tmp_path: Path) -> None:
    await made(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as dying:
        dying.execute(
            "PRAGMA cache_size = 1"
        )  # pages go to the file before the commit, their old content to the journal
        dying.execute("BEGIN")
        dying.execute("UPDATE items SET error_message = printf('%.*c', 3000, 'x')")
        left = tmp_path / "left.db"
        shutil.copy(path, left)
        shutil.copy(f"{path}-journal", f"{left}-journal")

    with open_reader(left) or pytest.fail("it is there") as reader:
        records = reader.records([one.identity for one in ITEMS])

    assert len(records) == 40
    assert all(record.error_message is None for record in records.values())
    await opened(left).close()


async def test_a_crowd_of_readers_does_not_fail_the_writer(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, *ITEMS)
    done, troubles = threading.Event(), list[Exception]()

    def look() -> None:
        try:
            while not done.is_set():
                with open_reader(path) or pytest.fail("it is there") as reader:
                    reader.records([one.identity for one in ITEMS])
                    reader.past_items("night")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            troubles.append(error)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for thread in readers:
        thread.start()
    for one in ITEMS[:30]:
        await ledger.record([teller.intent(one)])
    done.set()
    for thread in readers:
        thread.join()

    assert troubles == []
    assert ledger.books("night").reserved == 300
    await ledger.close()


# Trouble with the file


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_full_disk_fails_all_who_wait_and_ends_the_handle(path: Path, in_thread: bool) -> None:
    ledger = opened(path, in_thread=in_thread)
    teller = await begin(ledger, *ITEMS)
    await ledger.record([teller.intent(ONE)])
    kept = dict(teller.records)
    pages = ledger._writer.execute("PRAGMA page_count").fetchone()[0]
    ledger._writer.execute(f"PRAGMA max_page_count = {pages + 1}")

    calls = (ledger.record([teller.intent(one)]) for one in ITEMS[1:])
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(end) for end in ends] == [DiskFull] * 63
    assert len({id(end) for end in ends}) == 63  # everybody has an error of his own
    with pytest.raises(DiskFull):
        await ledger.record([teller.accepted(ONE)])
    await ledger.close()
    again = opened(path)
    assert again.records(list(kept)) == kept
    await again.close()


async def test_a_write_past_the_process_limit_is_a_clear_error_and_loses_nothing(path: Path) -> None:
    writing = """
    import resource
    items = [item(number) for number in range(300)]
    teller = await begin(ledger, *items)
    size = ledger.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))
    kept = 0
    try:
        for one in items:
            await ledger.record([teller.intent(one)])
            kept += 1
    except RunnerError as error:
        print(type(error).__name__, kept, flush=True)
"""
    with other_process(path, writing) as owner:
        kind, kept = line(owner).split()

    assert kind in {"LedgerUnusable", "DiskFull"}
    ledger = opened(path)
    assert ledger.books("night").reserved == 10 * int(kept)
    await ledger.close()


class FailingFlush:
    """A connection whose next commit fails as a failed flush does."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real
        self.asked: list[str] = []

    def execute(self, statement: str, *parameters: object) -> object:
        self.asked.append(statement)
        if statement == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"
            raise error
        return self._real.execute(statement, *parameters)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


async def test_after_a_failed_flush_nothing_is_tried_again(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, *ITEMS)
    failing = FailingFlush(ledger._writer)
    ledger._writer = failing  # type: ignore[assignment]

    calls = (ledger.record([teller.intent(one)]) for one in ITEMS)
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(end, LedgerUnusable) and "SQLITE_IOERR_FSYNC" in end.message for end in ends)
    assert failing.asked.count("COMMIT") == 1
    await ledger.close()
    again = opened(path)
    assert again.books("night").reserved == 0
    await again.close()


async def test_half_a_character_in_an_error_message_is_no_reason_to_stop(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE)])

    await ledger.record([teller.tell(ONE.identity, EventType.REJECTED, code="no", message="bad \ud83d text")])

    assert ledger.records([ONE.identity])[ONE.identity].error_message == "bad ? text"
    await ledger.close()
