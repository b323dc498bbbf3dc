"""Whole runs whose ledger is in PostgreSQL: the same as with a file, also when the server dies in the middle of one."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.record import Change
from jobs.results import ResultRow
from runner.cli.entry import run_command
from runner.ledger import postgres
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.postgres_link import Link
from runner.ledger.rows import Row
from runner.ledger.store import Database, Store
from runner.views import result_rows
from tests.postgres_server import Server, database_of, shared_server
from tests.runner.trial import COST, Desk, Ears

ITEMS = 6

MANIFEST = """
version: 1
name: trial
budget: {credits: 100}
jobs:
  - {id: plain, model: z-image, prompt: a cat}
"""


def desk_at(folder: Path, server: Server) -> Desk:
    """A manifest on trial whose ledger is in a database of its own."""
    folder.mkdir(exist_ok=True)
    desk = Desk(folder=folder)
    account, service = desk.settings.account, desk.settings.service
    desk.settings = replace(desk.settings, store=database_of(server, account=account, base_url=service))
    return desk


def what_lasts(store: Store) -> list[ResultRow]:
    """Result rows without what is another each time."""
    times = {"created_at": None, "accepted_at": None, "finished_at": None}
    return [
        replace(row, task_id=None, outputs=tuple(replace(file, url="") for file in row.outputs), **times)  # type: ignore[arg-type]
        for row in result_rows(store, "trial")
    ]


async def test_a_run_gives_the_same_results_with_a_file_and_with_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_file, by_database = Desk(folder=tmp_path), desk_at(tmp_path, shared_server())

    ends = [await by_file.run(), await by_database.run(), await by_database.run()]

    assert [end.exit_code for end in ends] == [0, 0, 0]
    assert what_lasts(by_database.settings.store) == what_lasts(by_file.settings.store)
    assert by_database.simulator.stats().tasks == ITEMS  # also after the second run


async def test_nothing_that_a_life_reads_as_it_begins_is_waited_for_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    on_the_loop: list[str] = []

    def asked(link: Link, patience_s: float, name: str, params: Mapping[str, object]) -> list[Row]:
        if patience_s and threading.current_thread() is threading.main_thread():  # who only looks does not wait
            on_the_loop.append(name)
        return link.rows(name, params)

    monkeypatch.setattr(postgres, "_ask", asked)
    desk = desk_at(tmp_path, shared_server())
    ends = [await desk.run(), await desk.run()]

    assert [end.exit_code for end in ends] == [0, 0]
    assert on_the_loop == [], on_the_loop


@dataclass
class Killer(Ears):
    """Has the database's server killed and started again when the run comes to certain events."""

    server: Server
    moments: set[tuple[EventType, int]]
    seen: dict[EventType, int] = field(default_factory=dict)
    kills: int = 0
    under_way: list[asyncio.Future[None]] = field(default_factory=list)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()

    def changed(self, item: Item, change: Change) -> None:
        super().changed(item, change)
        kind = change.event.type
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if (kind, self.seen[kind]) in self.moments:
            self.kills += 1
            self.under_way.append(asyncio.get_running_loop().run_in_executor(None, self._restart))

    def _restart(self) -> None:
        with self.one_at_a_time:
            self.server.kill()
            self.server.start()


async def test_a_server_killed_in_the_middle_of_a_run_costs_it_only_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = Server()
    server.start()
    try:
        desk = desk_at(tmp_path, server)
        desk.ears = killer = Killer(server, {(EventType.INTENT, 2), (EventType.ACCEPTED, 6), (EventType.SAVED, 3)})
        outcome = await desk.run()
        await asyncio.gather(*killer.under_way)
        again = await desk.run()
    finally:
        server.stop()

    assert killer.kills == 3
    assert (outcome.exit_code, again.exit_code) == (0, 0)
    stats = desk.simulator.stats()
    assert (stats.tasks, stats.charged_total) == (ITEMS, COST)
    assert len(desk.files) == 2 * ITEMS  # each with what is written beside it


# The command


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A folder with a manifest, and a database that the environment names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.yaml").write_text(MANIFEST)
    database = database_of(shared_server())
    monkeypatch.setenv("RIVYA_BATCH_STORE", database.address)
    return database


def said(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run_command(list(words))
    captured = capfd.readouterr()
    return code, captured.out + captured.err


def test_every_verb_finds_its_run_in_the_database_and_none_shows_the_password(
    place: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    verbs = (
        ("run", "trial.yaml", "--yes"),
        ("status",),
        ("ls",),
        ("results", "--format", "jsonl"),
        ("show", "plain"),
        ("report",),
        ("retry", "--yes"),
        ("plan", "trial.yaml", "--json"),
        ("run", "trial.yaml", "--yes", "--store", place.address),
        ("ls", "--json", "--store", place.address),
        ("stop", "--store", place.address),
    )

    told = [(words[0], *said(capfd, *words, "--sim")) for words in verbs] + [("doctor", *said(capfd, "doctor"))]

    assert {(verb, code) for verb, code, _ in told if code} == {("stop", 2)}  # it has ended
    name = place.address.rpartition("/")[2]
    assert [verb for verb, _, text in told if "trial" not in text and name not in text] == []
    assert "correct-horse" not in str(told)
    assert [file.name for file in Path().rglob("*") if file.is_file() and b"correct-horse" in file.read_bytes()] == []
    assert not Path(".rivya/sim.db").exists()


@contextmanager
def other_runner(database: Database) -> Iterator[PostgresLedger]:
    """Somebody who runs on this ledger."""
    with asyncio.Runner() as loop:
        ledger = open_ledger(database)
        yield ledger
        loop.run(ledger.close())


def test_a_run_on_another_machine_is_shown_as_alive_and_steered_from_there(
    place: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    said(capfd, "run", "trial.yaml", "--yes", "--sim")
    here = socket.gethostname()

    with other_runner(place.whose("sim", "simulator")) as ledger, psycopg.connect(place.address) as connection:
        schema = psycopg.sql.Identifier(ledger.store.schema)
        for statement in ("UPDATE {}.writers SET host = 'studio', pid = 7 WHERE ended_at_s IS NULL", _NEW_LIFE):
            connection.execute(psycopg.sql.SQL(statement).format(schema))
        connection.commit()
        shown = said(capfd, "status", "--sim", "--json")
        stopped, text = said(capfd, "stop", "--sim")

    assert json.loads(shown[1])["state"] == "alive"
    assert (stopped, "runs on studio (pid 7), and listens only there" in text) == (2, True)
    assert here != "studio"


_NEW_LIFE = "INSERT INTO {}.lives (run_id, started_at_s, pid, host, out_dir) VALUES ('trial', 2e9, 7, 'studio', '/out')"


def test_a_command_that_meets_a_live_run_says_who_that_is(place: Database, capfd: pytest.CaptureFixture[str]) -> None:
    said(capfd, "run", "trial.yaml", "--yes", "--sim")
    (Path() / "trial.yaml").write_text(MANIFEST.replace("a cat", "a dog"))

    with other_runner(place.whose("sim", "simulator")):
        code, text = said(capfd, "run", "trial.yaml", "--yes", "--sim")
        running, _ = said(capfd, "status", "--sim")

    assert (code, running) == (9, 0)
    assert "ledger-locked" in text
    assert "in use by another run: pid " in text
