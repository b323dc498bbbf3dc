"""Results as Parquet: real types, every row, and nothing that a stranger wrote is obeyed."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from jobs.lifecycle import ItemState
from jobs.results import ErrorRow, ResultRow, as_mapping
from runner.errors import DiskFull, OutputUnusable
from runner.parquet import COLUMNS, ROW_BYTES_LEAST, write_parquet
from runner.whole_files import whole_file
from tests.jobs.result_rows import FINE

FULL = replace(
    FINE,
    prompt="é '; DROP TABLE x; -- \x00 \x1b[31m\n日本",
    axes={"vars.surface": "wet asphalt"},
    final_credits=2**40,
    created_at="2026-05-11T00:00:00.123Z",
    error=ErrorRow(code="x", message="no\nluck"),
)
EMPTY = ResultRow(item="b", identity="i1-b", job="b", run="r", state=ItemState.PLANNED, model="m")


def read(file: Path, what: str = "*") -> list[tuple[object, ...]]:
    return asked(f"SELECT {what} FROM read_parquet('{file}')")


def asked(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as database:
        return database.execute(sql).fetchall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.parquet"


def test_every_column_has_its_real_type(file: Path) -> None:
    write_parquet([FULL], file)

    described = asked(f"DESCRIBE SELECT * FROM read_parquet('{file}')")
    types = {str(name): str(kind) for name, kind, *_ in described}
    assert list(types) == list(as_mapping(FULL)) == list(COLUMNS)
    assert [types[name] for name in ("created_at", "accepted_at", "finished_at")] == ["TIMESTAMP WITH TIME ZONE"] * 3
    assert types["final_credits"] == types["reserved_credits"] == "BIGINT"
    assert types["params"] == types["axes"] == types["prompt"] == "VARCHAR"
    assert types["tags"] == "VARCHAR[]"
    assert types["outputs"].startswith("STRUCT(")
    assert types["outputs"].endswith("[]")


def test_every_value_comes_back(file: Path) -> None:
    assert write_parquet([FULL, EMPTY], file) == 2

    full, empty = read(file, "item, prompt, params, axes, tags, sends, final_credits, outputs, error, state")
    row = as_mapping(FULL)
    assert full[:2] == (row["item"], row["prompt"])
    assert full[2] == '{"duration":"8","seed":7}'
    assert full[3] == '{"vars.surface":"wet asphalt"}'
    assert full[4:7] == (["hero", "-x"], 2, 2**40)
    assert full[7] == row["outputs"]
    assert full[8] == row["error"]
    assert empty == ("b", None, "{}", "{}", [], 0, None, [], None, "planned")


def test_a_moment_is_a_moment_wherever_it_is_read(file: Path) -> None:
    write_parquet([FULL, EMPTY], file)

    assert read(file, "epoch_ms(created_at), created_at < finished_at") == [(1778457600123, True), (None, None)]


def test_rows_keep_their_order_over_many_groups(file: Path) -> None:
    rows = (
        ResultRow(item=f"a/{n}", identity=f"i1-{n}", job="a", run="r", state=ItemState.PLANNED, model="m")
        for n in range(45_000)
    )

    assert write_parquet(rows, file) == 45_000
    assert [name for (name,) in read(file, "item")] == [f"a/{n}" for n in range(45_000)]


def test_no_rows_are_still_a_table(file: Path) -> None:
    assert write_parquet([], file) == 0
    assert read(file) == []


def test_a_row_longer_than_what_is_read_at_once_fits(file: Path) -> None:
    chars = 2 * ROW_BYTES_LEAST + 1_000_000

    write_parquet([EMPTY, replace(EMPTY, prompt="x" * chars), EMPTY], file)

    assert read(file, "length(prompt)") == [(None,), (chars,), (None,)]


def test_folders_with_quotes_and_patterns_are_only_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "it's [a-c]*?"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))

    write_parquet([FULL], odd / "r.parquet")

    assert [found.name for found in odd.iterdir()] == ["r.parquet"], "and nothing else is left"


def test_a_private_part_takes_the_name_when_it_is_whole(file: Path) -> None:
    with whole_file(file) as part:
        write_parquet([FULL], part)
        assert not file.exists()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_what_breaks_on_the_way_leaves_nothing(file: Path) -> None:
    file.write_bytes(b"yesterday's")

    def cut_short() -> Iterator[ResultRow]:
        yield FULL
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), whole_file(file) as part:
        write_parquet(cut_short(), part)

    assert file.read_bytes() == b"yesterday's"
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputUnusable):
        write_parquet([FULL], tmp_path / "missing" / "r.parquet")
    full = Path("/dev/full")
    if full.exists():  # Linux has a disk that is always full
        with pytest.raises((DiskFull, OutputUnusable)):
            write_parquet([FULL], full)
