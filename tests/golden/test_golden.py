"""Ledgers of every released shape: they open, take today's shape, keep their keys, and a run goes on with them.

And the way from shape to shape, with steps made up here: whole or not at all, and the old file kept.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jobs.identity import idempotency_key, identity
from jobs.lifecycle import EventType, ItemState
from jobs.rates import Rate
from jobs.record import Event, Money, Record, fold
from runner import failpoints
from runner.errors import DiskFull, LedgerUnusable
from runner.ledger import migrating
from runner.ledger.ballast import BALLAST_BYTES
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.ledger.statements import MIGRATIONS, SCHEMA_VERSION, Migration
from runner.views import layout, list_runs, notes, result_rows, slowest
from tests.golden.going_on import go_on
from tests.golden.make import dump, golden, golden_file, restore
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, run_info

SHAPES = range(1, SCHEMA_VERSION + 1)
FAST = Rate(count=1000, window_s=1.0)


@pytest.fixture(params=SHAPES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden ledger as a file."""
    path = tmp_path / "ledger.db"
    restore(request.param, path)
    return path


def opened(path: Path, *made_up: Migration) -> SqliteLedger:
    steps = (*MIGRATIONS, *made_up)
    return open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False, migrations=steps)


def shape(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def rows(path: Path, sql: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


def test_today_s_code_writes_the_newest_golden_ledger(tmp_path: Path) -> None:
    restore(SCHEMA_VERSION, tmp_path / "ledger.db")

    assert golden() == dump(tmp_path / "ledger.db"), (
        "a new shape needs a golden ledger of its own; old ones never change"
    )


async def test_a_golden_ledger_opens_and_its_items_are_the_fold_of_their_events(path: Path) -> None:
    told: dict[str, Record | None] = {}
    for row in rows(path, "SELECT * FROM events ORDER BY seq"):
        event = Event(
            type=EventType(row["type"]), at_s=row["at_s"], identity=row["identity"], data=json.loads(row["data"])
        )
        told[event.identity] = fold(told.get(event.identity), event)

    ledger = opened(path)

    assert ledger.records(list(told)) == told
    states = {record.state for record in told.values() if record}
    assert states == set(ItemState), "every state is in it"
    await ledger.close()


async def test_the_books_of_a_golden_ledger_are_the_sum_of_its_attempts(path: Path) -> None:
    sums = {
        row["scope"]: Money(reserved=row["reserved"], settled=row["settled"])
        for row in rows(path, "SELECT scope, sum(reserved) reserved, sum(settled) settled FROM attempts GROUP BY scope")
    }

    ledger = opened(path)

    assert len(sums) == 2
    assert {scope: ledger.books(scope) for scope in sums} == sums
    await ledger.close()


async def test_identities_and_keys_are_derived_today_as_they_were_then(path: Path) -> None:
    await opened(path).close()

    (account,) = {row["account"] for row in rows(path, "SELECT account FROM meta")}
    items = {row["identity"]: row for row in rows(path, "SELECT * FROM items")}
    for name, row in items.items():
        assert name == identity(
            model=row["model"],
            prompt=row["prompt"],
            params=json.loads(row["params"]),
            reference_digests=json.loads(row["reference_digests"]),
            repeat=row["repeat"],
            edition=row["edition"],
        )
    attempts = rows(path, "SELECT * FROM attempts")
    assert {row["ordinal"] for row in attempts} >= {1, 2}
    for row in attempts:
        of = items[row["identity"]]
        assert row["key"] == idempotency_key(
            account=account,
            edition=of["edition"],
            identity=row["identity"],
            repeat=of["repeat"],
            epoch=row["epoch"],
            ordinal=row["ordinal"],
        )


async def test_a_run_goes_on_from_a_golden_ledger(path: Path) -> None:
    ledger = opened(path)

    await go_on(ledger)
    await ledger.close()


# From shape to shape

WIDER = Migration(
    number=SCHEMA_VERSION + 1,
    name="made_up",
    sql="ALTER TABLE items ADD COLUMN note TEXT; CREATE TABLE hints (text TEXT) STRICT; UPDATE items SET note = 'old';",
)
BROKEN = Migration(number=SCHEMA_VERSION + 1, name="broken", sql="CREATE TABLE hints (text TEXT); SELECT nothing;")


def copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob("ledger.db.shape-*"))


async def brought_up(path: Path) -> None:
    """Give it today's shape, as any run does; the copies are of no interest here."""
    await opened(path).close()
    for copy in copies(path):
        copy.unlink()


async def test_a_ledger_takes_the_new_shape_and_the_old_one_is_kept(path: Path) -> None:
    await brought_up(path)
    before = sorted(dump(path).splitlines())

    ledger = opened(path, WIDER)

    (copy,) = copies(path)
    (warning,) = ledger.warnings
    assert str(copy) in warning
    assert sorted(dump(copy).splitlines()) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert {row["note"] for row in rows(path, "SELECT note FROM items")} == {"old"}
    assert [row["name"] for row in rows(path, "SELECT name FROM migrations")][-1] == "made_up"
    await ledger.close()
    again = opened(path, WIDER)
    assert (again.warnings, copies(path)) == ((), [copy])
    await again.close()


async def test_the_kept_copy_is_a_ledger_for_the_older_release(path: Path) -> None:
    await opened(path, WIDER).close()
    (copy,) = copies(path)

    with pytest.raises(LedgerUnusable, match="newer release") as caught:
        opened(path)
    assert "newer release" in caught.value.next_step
    await opened(copy).close()


def test_a_step_that_fails_leaves_the_old_shape(path: Path) -> None:
    asyncio.run(brought_up(path))
    before = dump(path)

    with pytest.raises(LedgerUnusable):
        opened(path, BROKEN)

    assert dump(path) == before
    asyncio.run(opened(path).close())


@pytest.mark.parametrize("after_steps", [0, 1])
def test_a_death_between_two_steps_leaves_one_whole_shape_and_the_next_start_goes_on(
    path: Path, after_steps: int
) -> None:
    asyncio.run(brought_up(path))
    more = Migration(number=SCHEMA_VERSION + 2, name="more", sql="CREATE TABLE more (text TEXT) STRICT;")
    child = os.fork()
    if child == 0:
        passed: list[str] = []

        def die(name: str) -> None:
            passed.append(name)
            if passed.count("migrate.mid") > after_steps:
                os._exit(7)

        failpoints.arm(die)
        opened(path, WIDER, more)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    (shape,) = (row[0] for row in rows(path, "PRAGMA user_version"))
    assert shape == SCHEMA_VERSION + after_steps
    ledger = opened(path, WIDER, more)
    assert len(copies(path)) >= 1
    assert ledger.position() == rows(path, "SELECT max(seq) AS top FROM events")[0]["top"]
    asyncio.run(ledger.close())


def test_a_disk_without_room_for_a_new_shape_is_told_how_much_it_wants_and_nothing_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(brought_up(path))
    before, beside = dump(path), sorted(path.parent.iterdir())
    wanted_bytes = 2 * path.stat().st_size + BALLAST_BYTES
    disk = shutil.disk_usage(path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=wanted_bytes - 1))

    with pytest.raises(DiskFull, match="Nothing was sent, and the ledger holds what it held") as caught:
        opened(path, WIDER)

    assert f"until {wanted_bytes:,} bytes are free" in caught.value.next_step
    assert str(path.parent) in caught.value.next_step
    assert (dump(path), sorted(path.parent.iterdir())) == (before, beside)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=wanted_bytes))
    asyncio.run(opened(path, WIDER).close())


def test_a_quota_that_ends_within_a_step_is_told_the_same_room(path: Path) -> None:
    asyncio.run(brought_up(path))
    before = dump(path)
    full = "PRAGMA max_page_count = 1; CREATE TABLE hints (text TEXT); INSERT INTO hints VALUES (zeroblob(1000000));"

    with pytest.raises(DiskFull, match="the ledger holds what it held") as caught:
        opened(path, Migration(number=SCHEMA_VERSION + 1, name="full", sql=full))

    assert f"until {2 * path.stat().st_size + BALLAST_BYTES:,} bytes are free" in caught.value.next_step
    assert dump(path) == before


def test_half_a_copy_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(brought_up(path))

    def cut(new: Path, _: Path) -> None:
        assert new.stat().st_size
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(migrating, "born", cut)

    with pytest.raises(DiskFull):
        opened(path, WIDER)

    assert copies(path) == list(path.parent.glob("*.new")) == []


async def test_a_damaged_ledger_is_refused_before_its_shape_is_touched(path: Path) -> None:
    await brought_up(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX one_open_attempt_per_item")

    with pytest.raises(LedgerUnusable, match="one_open_attempt_per_item"):
        opened(path, WIDER)

    assert copies(path) == []


def test_every_shape_can_be_looked_at_before_a_run_reshapes_it(path: Path) -> None:
    (latest, *_) = list_runs(path)

    assert list(result_rows(path, latest.run_id))
    assert slowest(path, latest.run_id)
    assert layout(path, latest.run_id) == ({} if shape(path) < 2 else run_info().layout)
    assert len(notes(path, latest.run_id)) == (0 if shape(path) < 2 else 1)


def test_there_is_a_golden_ledger_of_every_shape() -> None:
    assert all(golden_file(shape).exists() for shape in SHAPES)
