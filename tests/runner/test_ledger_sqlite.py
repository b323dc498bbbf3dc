"""The ledger as a file: its lock, its names and permissions, and its own rules."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import LedgerLocked, LedgerUnusable
from runner.ledger.lock import holder
from runner.ledger.sqlite import open_reader
from runner.ledger.statements import QUERIES
from tests.runner.ledger_cases import begin
from tests.runner.ledger_files import ONE, ROOT, line, made, opened, other_process, sql


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


# The lock


def test_a_second_process_is_told_who_holds_the_ledger_and_since_when(path: Path) -> None:
    with other_process(path, "    sys.stdin.read()") as owner:
        with pytest.raises(LedgerLocked) as caught:
            opened(path)

        assert f"pid {owner.pid} on {os.uname().nodename} since 20" in caught.value.message
        assert str(path) in caught.value.message
        assert holder(path) is not None


async def test_a_killed_owner_leaves_no_lock_and_all_it_acknowledged(path: Path) -> None:
    writing = """
    items = [item(number) for number in range(400)]
    teller = await begin(ledger, *items)
    for one in items:
        change = teller.intent(one)
        await ledger.record([change])
        print(change.record.attempt.key, flush=True)
"""
    with other_process(path, writing) as owner:
        keys = [line(owner) for _ in range(50)]
        owner.send_signal(signal.SIGKILL)
        owner.wait()

    assert holder(path) is None
    ledger = opened(path)
    assert all(key.encode() in ledger.body(key) for key in keys)
    books = ledger.books("night")
    assert books.reserved >= 500
    assert books.reserved == ledger.position() * 10 - 4000  # 400 planned, then one event for every 10 credits
    await ledger.close()


@pytest.mark.parametrize(
    "child",
    [
        "os.fork() or (sys.stdin.read(), os._exit(0))",
        "subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], close_fds=False)",
    ],
    ids=["forked", "started"],
)
async def test_a_child_that_outlives_the_owner_does_not_keep_the_lock(path: Path, child: str) -> None:
    with other_process(path, f"    {child}\n    print('child', flush=True)\n    sys.stdin.read()") as owner:
        assert line(owner) == "child"
        owner.send_signal(signal.SIGKILL)
        owner.wait()

        await opened(path).close()  # the child is still there: it waits for its input to end


async def test_a_forked_child_neither_writes_nor_unlocks(path: Path) -> None:
    forked = """
    teller = await begin(ledger, item(1))
    change = teller.intent(item(1))
    if os.fork() == 0:
        try:
            await ledger.record([change])
        except RunnerError as error:
            print(type(error).__name__, flush=True)
        await ledger.close()
        os._exit(0)
    os.wait()
    await ledger.record([change])
    print("written", flush=True)
    sys.stdin.read()
"""
    with other_process(path, forked) as owner:
        assert [line(owner), line(owner)] == ["LedgerUnusable", "written"]

        with pytest.raises(LedgerLocked):
            opened(path)


async def test_two_links_to_one_ledger_have_one_lock(path: Path, tmp_path: Path) -> None:
    ledger = opened(path)
    link = tmp_path / "link.db"
    link.symlink_to(path)

    with pytest.raises(LedgerLocked):
        opened(link)

    await ledger.close()


@pytest.mark.parametrize("ending", ["", ".lock"])
async def test_a_ledger_that_is_deleted_under_a_run_stops_it(path: Path, ending: str) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    path.with_name(path.name + ending).unlink()

    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        await ledger.record([teller.intent(ONE)])

    await ledger.close()


# Permissions and names


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_folder_and_files_are_private_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        ledger = opened(path)
        await begin(ledger, ONE)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    await ledger.close()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    asyncio.run(made(tmp_path / "ledger.db"))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "50%25.db", "#1.db", "é.db", ":memory:"])
def test_a_file_name_is_only_a_file_name(tmp_path: Path, name: str) -> None:
    asyncio.run(made(tmp_path / name))

    assert (tmp_path / name).stat().st_size > 0
    assert not [file for file in tmp_path.iterdir() if not file.name.startswith(name)]


def test_looking_for_a_ledger_makes_none(path: Path) -> None:
    assert open_reader(path) is None
    assert not path.parent.exists()


def test_a_ledger_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")

    with pytest.raises(LedgerUnusable) as caught:
        opened(tmp_path / "file" / "ledger.db")

    assert "--store" in caught.value.next_step


async def test_what_a_killed_creation_left_is_swept_away(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("ledger.db.new").write_bytes(b"half of a ledger")
    path.with_name("ledger.db.new-journal").write_bytes(b"and its journal")

    ledger = opened(path)

    await begin(ledger, ONE)
    assert sorted(file.name for file in path.parent.iterdir() if ".new" in file.name) == []
    await ledger.close()


# What this process may not write. For root everything may be written: these tests become nobody first.

NOBODY = 65534
AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from runner.errors import RunnerError
from tests.runner.ledger_cases import begin, item
from tests.runner.ledger_files import opened
os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))
async def main():
    try:
        ledger = opened(Path(sys.argv[1]), in_thread=False)
        await begin(ledger, item(70))
    except RunnerError as error:
        print(type(error).__name__, error.exit_code, error.message, error.next_step, sep="\\n")
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "says"),
    [
        (0o500, 0o600, "Permission denied"),
        (0o700, 0o400, "may not be written"),
        (0o700, 0o000, "could not be opened"),
        (0o000, 0o600, "Permission denied"),
    ],
    ids=["folder read-only", "file read-only", "file closed", "folder closed"],
)
def test_what_may_not_be_written_is_told_before_a_life_begins(folder_mode: int, file_mode: int, says: str) -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's own folders let nobody else in
        path = Path(outer) / "store" / "ledger.db"
        asyncio.run(made(path))
        path.with_name("ledger.db.lock").unlink()
        path.with_name("ledger.db.ballast").unlink()
        if os.geteuid() == 0:
            for one in (path.parent, *path.parent.iterdir()):
                os.chown(one, NOBODY, NOBODY)
            Path(outer).chmod(0o755)
        path.chmod(file_mode)
        path.parent.chmod(folder_mode)

        told = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, path], cwd=ROOT, capture_output=True, text=True, check=True
        )

        path.parent.chmod(0o700)
        kind, exit_code, message, way_out = told.stdout.splitlines()
        assert (kind, exit_code) == ("LedgerUnusable", "9")
        assert says in message
        assert str(path) in message
        assert "--store" in way_out


async def test_what_people_add_to_the_file_is_welcome(path: Path) -> None:
    await made(path)
    sql(path, "CREATE VIEW dear AS SELECT * FROM attempts WHERE bound > 100", "CREATE INDEX mine ON events (type)")

    await opened(path).close()


# Rules in the file itself


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET at_s = 0",
        "DELETE FROM events",
        "UPDATE attempts SET body = x'00'",
        "UPDATE attempts SET bound = 1",
        "UPDATE attempts SET \"key\" = 'rvb1-x'",
        "DELETE FROM attempts",
        "UPDATE books SET reserved = reserved - 1000",
        "UPDATE attempts SET reserved = 5 WHERE state = 'succeeded'",
        "UPDATE attempts SET reserved = 1.5 WHERE state = 'accepted'",
        "UPDATE attempts SET task_id = 'one'",
        "UPDATE items SET state = 'done'",
        "UPDATE items SET version = 0",
        "INSERT INTO meta VALUES (2, 'a', 'b', 'c', 0)",
    ],
)
async def test_the_file_itself_refuses_what_must_never_be(path: Path, statement: str) -> None:
    await made(path)

    with pytest.raises(sqlite3.IntegrityError):
        sql(path, statement)


async def test_every_query_fits_the_schema(path: Path) -> None:
    class Nothing(dict[str, None]):
        def __missing__(self, key: str) -> None:
            return None

    await made(path)
    with closing(sqlite3.connect(path)) as connection:
        for text in QUERIES.values():
            connection.execute(f"EXPLAIN {text}", Nothing())
