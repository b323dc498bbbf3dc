"""What `results` writes and where, as a person or a script asks for it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runner import on_demand
from runner.cli.entry import run_command
from runner.ledger.sqlite import open_ledger
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, item, run_info

ITEMS = [item(number) for number in range(5)]


async def night(path: Path) -> None:
    """Five items, four of them done, two models' worth of credits."""
    ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
    life = await ledger.begin_life(run_info(out_dir=str(path.parent / "out")), ITEMS, at_s=1000.0, pid=1, host="h")
    teller = Teller()
    teller.plan(*ITEMS)
    for number, one in enumerate(ITEMS[:4]):
        seen: dict[str, Any] = {"polls": number, "unseen_s": 0.5 * number} if number else {}  # the first was born ended
        await ledger.record(
            [
                teller.intent(one),
                teller.accepted(one),
                teller.succeeded(one, charge=11, **seen),
                teller.saved(one, state="verified", file=f"{one.index}.mp4", bytes=7, type="video/mp4"),
            ]
        )
    await ledger.end_life(life, at_s=1100.0, exit_code=0)
    await ledger.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    asyncio.run(night(tmp_path / "ledger.db"))
    return tmp_path


def asked(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as database:
        return database.execute(sql).fetchall()


def results(*words: str) -> int:
    return run_command(["results", "--store", "ledger.db", *words])


def test_a_table_ends_with_how_soon_the_tasks_ends_were_noticed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert results() == 0

    told = capfd.readouterr()
    assert "polls" not in told.out
    assert told.err == "polls  2.0 a task; ends were noticed after 0.5 s on average\n"


def test_a_parquet_file_has_every_row_and_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert results("--format", "parquet", "-o", "results.parquet") == 0

    assert capfd.readouterr().err == "5 rows in results.parquet\n"
    totals = asked("SELECT state, count(*), sum(final_credits)::BIGINT FROM 'results.parquet' GROUP BY state")
    assert sorted(totals, key=str) == [("planned", 1, None), ("succeeded", 4, 44)]


def test_the_readmes_line_for_duckdb_runs_as_it_stands(folder: Path) -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\$ (duckdb -c .*)$", readme, re.MULTILINE)
    assert results("--format", "parquet", "-o", "results.parquet") == 0

    _, _, sql = shlex.split(line)
    found = asked(sql)

    assert found[0][:3] == ("seedance", "succeeded", 4)


def test_parquet_goes_into_a_pipe(folder: Path) -> None:
    command = [sys.executable, "-m", "runner", "results", "--store", "ledger.db", "--format", "parquet"]
    for words in ((), ("-o", "-")):
        done = subprocess.run([*command, *words], capture_output=True, check=True)
        (folder / "piped.parquet").write_bytes(done.stdout)

        assert done.stderr == b""
        assert asked("SELECT count(*) FROM 'piped.parquet'") == [(5,)]
    assert not (folder / "-").exists()


def test_parquet_is_not_thrown_at_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "runner", "results", "--store", "ledger.db", "--format", "parquet"]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    os.close(ours)

    assert done.returncode == 2
    assert "next: name a file with -o results.parquet" in done.stderr


def test_without_the_extra_the_line_that_installs_it_is_told(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "find_spec", lambda _: None)

    assert results("--format", "parquet", "-o", "r.parquet") == 2
    assert "next: pip install 'rivya-batch[parquet]'" in capfd.readouterr().err
    assert not (folder / "r.parquet").exists()


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_file_and_stdout_get_the_same_text(folder: Path, capfd: pytest.CaptureFixture[str], form: str) -> None:
    assert results("--format", form, "-o", "r.txt") == 0
    capfd.readouterr()
    assert results("--format", form) == results("--format", form, "-o", "-") == 0

    assert capfd.readouterr().out == (folder / "r.txt").read_bytes().decode() * 2


def test_rows_are_written_as_they_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.views.ROWS_AT_ONCE", 2)

    assert results("--format", "jsonl", "-o", "r.jsonl") == 0

    lines = io.StringIO((folder / "r.jsonl").read_text(encoding="utf-8"))
    assert [json.loads(line)["item"] for line in lines] == [one.key for one in ITEMS]


def test_a_result_in_a_bucket_is_named_by_its_address(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ledger = open_ledger(folder / "ledger.db", account=ACCOUNT, base_url=BASE_URL, in_thread=False)

    async def into_a_bucket() -> None:
        one = item(9)
        run = run_info("day", out_dir="s3://acme/nightly")
        life = await ledger.begin_life(run, [one], at_s=2000.0, pid=1, host="h")
        teller = Teller(scope="day")
        teller.plan(one)
        saved = teller.saved
        await ledger.record([teller.intent(one), teller.accepted(one), teller.succeeded(one)])
        await ledger.record([saved(one, state="verified", file="reveal/9.mp4")])
        await ledger.end_life(life, at_s=2001.0, exit_code=0)
        await ledger.close()

    asyncio.run(into_a_bucket())

    assert results("day", "--json") == 0
    assert json.loads(capfd.readouterr().out)[0]["outputs"][0]["file"] == "s3://acme/nightly/reveal/9.mp4"
    assert run_command(["show", "reveal/n=9", "--store", "ledger.db"]) == 0
    assert "s3://acme/nightly/reveal/9.mp4" in capfd.readouterr().out
