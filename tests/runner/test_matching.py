"""Going on with an unchanged manifest: its items come from the ledger, as long as that says what was told."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import ManifestRejected
from runner.ledger.store import local_place
from runner.matching import Beside
from runner.selection import Choices
from tests.runner.trial import PLAIN, Desk

FEW, ALL = Choices(limit=1), 6


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Six items are wanted, one was bought."""
    monkeypatch.chdir(tmp_path)
    trial = Desk(folder=tmp_path, choices=FEW)
    assert asyncio.run(trial.run()).exit_code == 0
    trial.choices = PLAIN
    return trial


def prompts(trial: Desk) -> list[str]:
    """Of all creates that were ever sent, as the ledger froze them."""
    with closing(sqlite3.connect(local_place(trial.settings.store))) as connection:
        bodies = connection.execute("SELECT body FROM attempts").fetchall()
    return sorted(json.loads(body)["prompt"] for (body,) in bodies)


def edit(trial: Desk, statement: str) -> None:
    with closing(sqlite3.connect(local_place(trial.settings.store))) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


WANTED = sorted(["a shoe", *(f"a {colour} cat" for colour in ("red", "green", "blue", "black", "white"))])


def test_an_unchanged_manifest_goes_on_with_the_items_of_the_ledger(trial: Desk) -> None:
    assert trial.prepared().admitted is not None
    assert (asyncio.run(trial.run()).exit_code, prompts(trial)) == (0, WANTED)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE items SET prompt = 'a dog' WHERE prompt LIKE '%green%'",
        "UPDATE items SET prompt = 'a dog' WHERE prompt LIKE '%white%'",
        "UPDATE items SET params = '{\"size\": 9}' WHERE prompt LIKE '%green%'",
        "UPDATE items SET model = 'nano-banana' WHERE prompt LIKE '%green%'",
        "UPDATE items SET repeat = 7 WHERE prompt LIKE '%green%'",
        "UPDATE items SET edition = 'x' WHERE prompt LIKE '%green%'",
        "UPDATE items SET reference_digests = '[]' WHERE prompt = 'a shoe'",
        "UPDATE items SET reference_digests = '[\"unknown\"]' WHERE prompt = 'a shoe'",
        "UPDATE items SET model = 'unknown' WHERE prompt LIKE '%green%'",
        "DELETE FROM run_items WHERE item_key LIKE '%green%'",
        "UPDATE run_items SET wanted = 0 WHERE item_key LIKE '%green%'",
    ],
)
def test_a_ledger_that_was_edited_changes_nothing_of_what_is_bought(trial: Desk, statement: str) -> None:
    edit(trial, statement)

    outcome = asyncio.run(trial.run())

    assert (outcome.exit_code, outcome.statistics.items, prompts(trial)) == (0, ALL, WANTED)
    with closing(sqlite3.connect(local_place(trial.settings.store))) as connection:
        wanted = connection.execute("SELECT count(*) FROM run_items WHERE wanted = 1").fetchone()
    assert wanted == (ALL,), "and the run has all results"


def test_a_plan_made_beside_a_run_that_ends_does_not_take_what_it_read_for_the_present(
    trial: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = trial.prepared()
    plan, ended = Beside.plan, list[int]()

    def meanwhile(beside: Beside, *given: object, **named: object) -> object:
        """The other run ends after this plan read the items, and before it is done."""
        if not ended:
            ended.append(asyncio.run(trial.run(other)).exit_code)
        return plan(beside, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Beside, "plan", meanwhile)
    stale = trial.prepared()
    assert ended == [0]

    outcome = asyncio.run(trial.run(stale))

    assert (outcome.exit_code, outcome.creates, outcome.done_before, prompts(trial)) == (0, 0, ALL, WANTED)


class Glob(Desk):
    """The same manifest, whose reference is all that lies in a folder."""

    def write(self) -> Path:
        (self.folder / "shoes").mkdir(exist_ok=True)
        (self.folder / "shoes" / "a.png").write_bytes((self.folder / "shoe.png").read_bytes())
        path = super().write()
        path.write_text(path.read_text().replace("shoe.png", "'shoes/*'"))
        return path


def test_a_file_that_cannot_be_used_is_told_when_nothing_else_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trial = Glob(folder=tmp_path, choices=FEW)
    assert asyncio.run(trial.run()).exit_code == 0
    trial.choices = PLAIN
    assert trial.prepared().admitted is not None
    (tmp_path / "shoes" / "b.txt").write_text("no picture")

    with pytest.raises(ManifestRejected):
        trial.prepared()


class Daily(Desk):
    """The same manifest, with a word in it that an escape spells."""

    def write(self) -> Path:
        path = super().write()
        path.write_text(path.read_text().replace("prompt: a shoe", r'prompt: "a shoe of {{ \x72un.date }}"'))
        return path


def test_another_day_is_seen_however_the_manifest_spells_that_it_reads_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trial = Daily(folder=tmp_path, choices=Choices(date="2026-05-11"))
    assert asyncio.run(trial.run()).creates == ALL

    trial.choices = Choices(date="2026-05-12")
    assert (asyncio.run(trial.run()).creates, prompts(trial).count("a shoe of 2026-05-12")) == (1, 1)


class Wider(Desk):
    """The same manifest with one job more."""

    def write(self) -> Path:
        path = super().write()
        path.write_text(path.read_text() + "  - {id: more, model: z-image, prompt: a hat}\n")
        return path


def test_what_another_manifest_bought_since_the_plan_is_seen_through(trial: Desk) -> None:
    plan = trial.prepared()
    wider = Wider(folder=trial.folder, choices=Choices(no_download=True))
    wider.simulator = trial.simulator
    assert asyncio.run(wider.run()).statistics.results == {"wanted": ALL, "verified": 1}

    asyncio.run(trial.run(plan))

    assert any(name.startswith("more/") for name in trial.files)
