"""The ledger as a file: its lock, its permissions, its refusals, its commits, and what it survives."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.lifecycle import EventType
from runner.errors import DiskFull, LedgerLocked, LedgerUnusable
from runner.ledger.durability import journal_mode
from runner.ledger.lock import holder
from runner.ledger.sqlite import SqliteLedger, open_ledger, open_reader
from runner.ledger.statements import QUERIES
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, begin, item

ROOT = Path(__file__).parents[2]
ITEMS = [item(number) for number in range(64)]
ONE, TWO = ITEMS[:2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


def opened(path: Path, *, in_thread: bool = True) -> SqliteLedger:
    return open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=in_thread)


async def made(path: Path) -> None:
    """A ledger with one item in flight and one that succeeded."""
    ledger = opened(path, in_thread=False)
    teller = await begin(ledger, *ITEMS[:40])
    await ledger.record([teller.intent(ONE), teller.accepted(ONE)])
    await ledger.record(
        [teller.intent(TWO), teller.accepted(TWO), teller.succeeded(TWO), teller.saved(TWO, state="gone")]
    )
    await ledger.close()


@contextmanager
def other_process(path: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens the ledger, says `open`, and goes on with `then`."""
    script = f"""
import asyncio, os, signal, subprocess, sys
from pathlib import Path
from runner.errors import RunnerError
from tests.runner.ledger_cases import begin, item
from tests.runner.test_ledger_sqlite import opened
async def main():
    ledger = opened(Path({str(path)!r}))
    print("open", flush=True)
{then}
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


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


# What is not a ledger, not whole, or not ours


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def replace_file(make: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(make(path.read_bytes())), None)[1]


def with_sql(*statements: str) -> Callable[[Path], None]:
    return lambda path: sql(path, *statements)


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made_here, chdir(path.parent):  # a socket's whole path may be too long
        made_here.bind(path.name)


def foreign(path: Path) -> None:
    sql(path, "CREATE TABLE notes (text TEXT)")


@dataclass(frozen=True)
class Damage:
    """A way for a ledger to be no ledger, and words of the refusal."""

    make: Callable[[Path], None]
    says: str


DAMAGES = {
    "empty": Damage(replace_file(lambda _: b""), "is empty"),
    "one byte": Damage(replace_file(lambda whole: whole[:1]), "not a ledger"),
    "half a header": Damage(replace_file(lambda whole: whole[:50]), "not a ledger"),
    "header only": Damage(replace_file(lambda whole: whole[:100]), "damaged"),
    "first sector": Damage(replace_file(lambda whole: whole[:512]), "damaged"),
    "first page": Damage(replace_file(lambda whole: whole[:4096]), "damaged"),
    "half": Damage(replace_file(lambda whole: whole[: len(whole) // 2]), "damaged"),
    "last page cut": Damage(replace_file(lambda whole: whole[:-1]), "damaged"),
    "last page lost": Damage(replace_file(lambda whole: whole[:-4096]), "damaged"),
    "magic changed": Damage(replace_file(lambda whole: b"X" + whole[1:]), "not a ledger"),
    "page size changed": Damage(replace_file(lambda whole: whole[:16] + b"\x33\x33" + whole[18:]), "not a ledger"),
    "zeros": Damage(replace_file(lambda whole: b"\0" * len(whole)), "not a ledger"),
    "ones": Damage(replace_file(lambda whole: b"\xff" * len(whole)), "not a ledger"),
    "schema page zeroed": Damage(replace_file(lambda whole: whole[:100] + b"\0" * 3996 + whole[4096:]), "damaged"),
    "inner pages zeroed": Damage(replace_file(lambda whole: whole[:8192] + b"\0" * 8192 + whole[16384:]), "damaged"),
    "inner pages garbled": Damage(replace_file(lambda whole: whole[:8192] + b"\xa5" * 8192 + whole[16384:]), "damaged"),
    "pages swapped": Damage(
        replace_file(lambda whole: whole[:8192] + whole[12288:16384] + whole[8192:12288] + whole[16384:]), "damaged"
    ),
    "text": Damage(replace_file(lambda _: b"version: 1\nname: night\n" * 300), "not a ledger"),
    "web page": Damage(replace_file(lambda _: b"<!DOCTYPE html><title>Sign in</title>"), "not a ledger"),
    "json": Damage(replace_file(lambda _: b"{}"), "not a ledger"),
    "zip": Damage(replace_file(lambda _: b"PK\x03\x04" + b"\0" * 200), "not a ledger"),
    "folder": Damage(in_place(Path.mkdir), "is no file"),
    "pipe": Damage(in_place(os.mkfifo), "is no file"),
    "link to nothing": Damage(in_place(lambda path: path.symlink_to("/nowhere/ledger.db")), "is a link to nothing"),
    "link to itself": Damage(in_place(lambda path: path.symlink_to(path)), "is a link to nothing"),
    "socket": Damage(in_place(a_socket), "is no file"),
    "journal without ledger": Damage(
        in_place(lambda path: path.with_name("ledger.db-journal").write_bytes(b"\xd9\xd5")),
        "ledger.db-journal is there",
    ),
    "wal without ledger": Damage(
        in_place(lambda path: path.with_name("ledger.db-wal").write_bytes(b"7\x7f\x06\x82")), "ledger.db-wal is there"
    ),
    "another program's": Damage(in_place(foreign), "database of another program"),
    "another program's id": Damage(with_sql("PRAGMA application_id = 252006674"), "database of another program"),
    "newer": Damage(with_sql("PRAGMA user_version = 99"), "written by a newer release (its shape is 99"),
    "version lost": Damage(with_sql("PRAGMA user_version = 0"), "has lost its version"),
    "version negative": Damage(with_sql("PRAGMA user_version = -3"), "has lost its version"),
    "owner lost": Damage(with_sql("DELETE FROM meta"), "does not say whose it is"),
    "table lost": Damage(with_sql("DROP TABLE uploads"), "its table `uploads` is missing"),
    "rule lost": Damage(with_sql("DROP INDEX one_open_attempt_per_item"), "`one_open_attempt_per_item` is missing"),
    "trigger lost": Damage(with_sql("DROP TRIGGER an_event_stays"), "its trigger `an_event_stays` is missing"),
    "column added": Damage(with_sql("ALTER TABLE items ADD COLUMN note TEXT"), "its table `items` is missing or was"),
    "trigger changed": Damage(
        with_sql(
            "DROP TRIGGER an_event_stays",
            "CREATE TRIGGER an_event_stays BEFORE DELETE ON events BEGIN SELECT 1; END",
        ),
        "its trigger `an_event_stays` is missing or was changed",
    ),
    "index changed": Damage(
        with_sql("DROP INDEX one_attempt_per_task", "CREATE INDEX one_attempt_per_task ON attempts (task_id)"),
        "its index `one_attempt_per_task` is missing or was changed",
    ),
    "event log lost": Damage(
        with_sql("PRAGMA foreign_keys = OFF", "DROP TABLE events"), "its index `events_of_item` is missing"
    ),
    "other letters": Damage(replace_file(lambda whole: whole.decode("latin-1").encode()), "damaged"),
    "line ends changed": Damage(replace_file(lambda whole: whole.replace(b"\n", b"\r\n")), "damaged"),
    "a download's error page": Damage(replace_file(lambda _: b"<html>" + b" " * 8000 + b"</html>"), "not a ledger"),
    "rule broken": Damage(
        with_sql("PRAGMA ignore_check_constraints = ON", "UPDATE items SET state = 'bought'"), "CHECK constraint failed"
    ),
    "books cooked": Damage(with_sql("UPDATE books SET settled = 0"), "books of `night` are not the sum"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_no_sound_ledger_is_refused_by_name_and_left_as_it_is(path: Path, name: str) -> None:
    asyncio.run(made(path))
    DAMAGES[name].make(path)
    before = path.read_bytes() if path.is_file() else None

    for _ in range(2):  # the first refusal must not mend, replace or lock anything
        with pytest.raises(LedgerUnusable) as caught:
            opened(path)
        assert DAMAGES[name].says in caught.value.message
        assert str(path) in caught.value.message
        assert caught.value.next_step
    assert (path.read_bytes() if path.is_file() else None) == before


# Without a file there is nothing to read; and a look does not check every row.
BESIDE_A_READER = {"journal without ledger", "wal without ledger", "rule broken"}


@pytest.mark.parametrize("name", [name for name in DAMAGES if name not in BESIDE_A_READER])
def test_a_reader_of_such_a_file_gets_our_error_or_an_answer(path: Path, name: str) -> None:
    asyncio.run(made(path))
    DAMAGES[name].make(path)

    try:
        reader = open_reader(path)
        assert reader is not None
        with reader:
            reader.records([one.identity for one in ITEMS])
            reader.past_items("night")
    except LedgerUnusable as error:
        assert str(path) in error.message  # noqa: PT017 - either way is right


# What this process may not write. For root everything may be written: these tests become nobody first.

NOBODY = 65534
AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from runner.errors import RunnerError
from tests.runner.ledger_cases import begin, item
from tests.runner.test_ledger_sqlite import opened
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


# Commits


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
