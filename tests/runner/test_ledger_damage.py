"""What is not a ledger, not whole, or not ours: refused by name, and left as it is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.errors import LedgerUnusable
from runner.ledger.sqlite import open_reader
from tests.runner.ledger_files import ITEMS, made, opened, sql


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


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
