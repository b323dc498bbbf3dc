"""Power is lost below the ledger, and what it acknowledged is there; with other settings it would not be."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.ledger.durability import journal_mode, pragmas
from runner.ledger.sqlite import open_ledger
from tests.proof.audit import ViolationError
from tests.proof.power import SHIPPED, Setting, history
from tests.proof.power_disk import Synchronous
from tests.proof.soak import play_range
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, begin, item, run_info

HISTORIES = 100  # with about 2.3 power losses each, under each of the two shipped settings
CONTROLS = 12  # histories of a setting that is not shipped
ITEMS = [item(number) for number in range(300)]


def test_a_power_loss_takes_no_commit_that_was_acknowledged_and_leaves_no_half_one() -> None:
    counts = play_range("power", 0, HISTORIES)

    assert counts["power losses"] > 320
    assert counts["lost commits"] == 0
    assert counts["power lost in a commit"] > 200
    assert counts["power lost between two commits"] > 50
    assert counts["power lost while opening"] > 0
    assert counts["unacknowledged commits that were there"] > 5
    assert counts["refused calls"] > 20


def test_the_settings_that_are_proven_are_those_that_are_shipped() -> None:
    modes = {journal_mode((3, minor, patch)) for minor in range(37, 60) for patch in range(10)}

    assert {setting.journal for setting in SHIPPED} == modes
    assert [pragma for pragma in pragmas() if "synchronous" in pragma] == ["PRAGMA synchronous = FULL"]
    assert all(setting.synchronous == "FULL" and not setting.lies for setting in SHIPPED)


def losing(setting: Setting) -> int:
    """How many of some histories lose something that was acknowledged, or all of it."""
    lost = 0
    for number in range(CONTROLS):
        try:
            lost += history(number, setting)["lost commits"] > 0
        except ViolationError:
            lost += 1
    return lost


@pytest.mark.parametrize(
    ("journal", "synchronous"),
    [("wal", "OFF"), ("wal", "NORMAL"), ("delete", "NORMAL"), ("delete", "FULL"), ("truncate", "NORMAL")],
)
def test_weaker_settings_lose_what_they_acknowledged(journal: str, synchronous: Synchronous) -> None:
    assert losing(Setting(journal=journal, synchronous=synchronous)) > CONTROLS / 5


@pytest.mark.parametrize(("journal", "synchronous"), [("delete", "EXTRA"), ("persist", "FULL")])
def test_other_settings_as_strong_lose_nothing(journal: str, synchronous: Synchronous) -> None:
    assert losing(Setting(journal=journal, synchronous=synchronous)) == 0


@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_a_disk_that_lies_loses_commits_and_still_nothing_is_bought_twice(journal: str) -> None:
    """Keys and bodies are derived: each history checks that the service was asked for nothing under another key."""
    told = [history(number, Setting(journal=journal, synchronous="FULL", lies=True)) for number in range(CONTROLS)]

    assert sum(counts["lost commits"] > 0 for counts in told) > CONTROLS / 2
    assert sum(counts["all bought after a loss"] for counts in told) > 0


async def test_a_page_that_a_power_cut_left_half_copied_out_of_the_wal_is_no_damage(tmp_path: Path) -> None:
    path, later = tmp_path / "ledger.db", tmp_path / "later" / "ledger.db"
    ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
    await begin(ledger, *ITEMS[:4])
    await ledger.close()
    later.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode = WAL", "wal_autocheckpoint = 0"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("UPDATE runs SET out_dir = hex(zeroblob(50000))")
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"{later}{ending}")
    with later.open("ab") as file:
        file.write(bytes(512))

    ledger = await asyncio.to_thread(open_ledger, later, account=ACCOUNT, base_url=BASE_URL, in_thread=False)

    assert len(ledger.past_items(run_info().run_id)) == 4
    await ledger.close()
