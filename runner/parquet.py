"""Results as a Parquet file with real types, by DuckDB. The only file that imports it.

    COLUMNS     text, except credits and counts (whole numbers), times (timestamps with a zone) and outputs (a list of
                structs); `params` and `axes` stay JSON text, because every model has other ones

Rows go through a private file of JSON lines, which DuckDB reads in bulk: to bind them one by one takes many times as
long, and to hand them over in memory needs another library.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from jobs.results import ResultRow, as_jsonl
from runner.errors import DiskFull, OutputUnusable

__all__ = ["COLUMNS", "write_parquet"]

COLUMNS: Final = {
    "item": "VARCHAR",
    "identity": "VARCHAR",
    "job": "VARCHAR",
    "run": "VARCHAR",
    "state": "VARCHAR",
    "model": "VARCHAR",
    "prompt": "VARCHAR",
    "params": "JSON",
    "axes": "JSON",
    "tags": "VARCHAR[]",
    "task_id": "VARCHAR",
    "idempotency_key": "VARCHAR",
    "attempts": "INTEGER",
    "sends": "INTEGER",
    "reserved_credits": "BIGINT",
    "final_credits": "BIGINT",
    "created_at": "TIMESTAMPTZ",
    "accepted_at": "TIMESTAMPTZ",
    "finished_at": "TIMESTAMPTZ",
    "outputs": 'STRUCT(url VARCHAR, file VARCHAR, sha256 VARCHAR, bytes BIGINT, "type" VARCHAR, state VARCHAR)[]',
    "error": "STRUCT(code VARCHAR, message VARCHAR, request_id VARCHAR)",
}

# Rows a group: readers skip whole groups, and one group stands in memory while it is made.
GROUP_ROWS: Final = 5_000

# DuckDB reads twice the longest row at once that it is told of, and never less than twice this.
ROW_BYTES_LEAST: Final = 16 * 1024 * 1024

_COPY: Final = f"""
COPY (
    SELECT * REPLACE (params::VARCHAR AS params, axes::VARCHAR AS axes)
    FROM read_json(
        $lines, format = 'newline_delimited', compression = 'none', maximum_object_size = $row_bytes,
        columns = {COLUMNS!r}
    )
) TO $file (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP_ROWS}, USE_TMP_FILE false)
"""  # noqa: S608  # every word in it is ours

_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
    "autoload_known_extensions": False,
    "threads": 1,  # a second one needs twice the memory and saves a tenth of a second
}


def write_parquet(rows: Iterable[ResultRow], file: Path) -> int:
    """Write `file`, which may exist and be empty; gives the number of rows. Raises OutputUnusable or DiskFull."""
    with tempfile.TemporaryDirectory(prefix="rivya-batch-") as folder:
        lines = Path(folder, "rows.jsonl")
        row_bytes = ROW_BYTES_LEAST
        with lines.open("wb") as stream:
            for line in as_jsonl(rows):
                row_bytes = max(row_bytes, stream.write(line.encode("utf-8")))
        try:
            with duckdb.connect(":memory:", config=_SETTINGS) as database:
                found = database.execute(
                    _COPY, {"lines": _no_pattern(lines), "file": str(file), "row_bytes": row_bytes}
                ).fetchone()
        except duckdb.IOException as problem:
            if "No space left" in str(problem):
                raise DiskFull("There is no room for the Parquet file. It was not written.") from problem
            raise OutputUnusable("The Parquet file cannot be written.") from problem
    assert found is not None, "a copy says how many rows it wrote"
    return int(found[0])


def _no_pattern(path: Path) -> str:
    """A path that is read as a path: somebody's folder for temporary files may hold `*`, `?` or `[`."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
