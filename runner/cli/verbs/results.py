"""`rivya-batch results [RUN]`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from jobs.lifecycle import ItemState
from jobs.results import TABLE_COLUMNS, ResultRow, as_csv, as_json, as_jsonl, table_cells
from runner.cli.columns import pieces_of_columns
from runner.cli.figures import count, noticed_line
from runner.cli.files import write_whole
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.on_demand import parquet
from runner.views import resolve_run, result_rows, run_noticed
from runner.whole_files import whole_file

__all__ = ["command"]

STDOUT: Final = Path("-")

# Rows are told in pieces of this many characters: each piece is flushed, and a hundred thousand flushes take seconds.
PIECE_CHARS: Final = 64 * 1024


@verb(
    "results",
    example="rivya-batch results --format csv -o results.csv",
    more="RUN defaults to the latest. Parquet has real types, and needs the extra `parquet`.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "jsonl", "csv", "parquet"]), help="[default: table]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a file, whole or not at all; - is stdout.")
@click.option("--state", type=click.Choice([state.value for state in ItemState]), multiple=True, help="Only these.")
@click.option("--all", "every", is_flag=True, help="Also items that the manifest no longer has.")
@click.pass_obj
def command(
    voice: Voice, run: str | None, form: str | None, output: Path | None, state: Sequence[str], *, every: bool
) -> None:
    store = settings_for(voice).store
    form = form or ("json" if voice.json else "table")
    if form == "parquet" and output is None and voice.shows_data():
        raise UsageError(
            "Parquet is nothing to read on a terminal.",
            next_step="name a file with -o results.parquet, or a pipe with -o -",
        )
    run_id = resolve_run(store, run)
    found = result_rows(store, run_id, wanted_only=not every)
    rows = _Counted(row for row in found if not state or row.state in state)
    if form == "parquet":
        _write_parquet(voice, rows, output)
    elif output is None or output == STDOUT:
        for piece in _pieces(_texts(rows, form)):
            voice.data(piece)
    else:
        write_whole(output, _texts(rows, form))
    if form == "table" and output is None:
        noticed = run_noticed(store, run_id)
        if noticed.ends:
            voice.talk(f"polls  {noticed_line(noticed)}")
    if output is not None and output != STDOUT:
        voice.talk(f"{count(rows.seen, 'row')} in {output}")


class _Counted:
    """Rows that pass by, and how many did."""

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._rows = rows
        self.seen = 0

    def __iter__(self) -> Iterator[ResultRow]:
        for row in self._rows:
            self.seen += 1
            yield row


def _texts(rows: Iterable[ResultRow], form: str) -> Iterable[str]:
    match form:
        case "json":
            return as_json(rows)
        case "jsonl":
            return as_jsonl(rows)
        case "csv":
            return as_csv(rows)
        case _:
            return pieces_of_columns(TABLE_COLUMNS, table_cells(rows), right=("credits",))


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The same text in fewer pieces, each of whole rows."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PIECE_CHARS:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting)


def _write_parquet(voice: Voice, rows: Iterable[ResultRow], output: Path | None) -> None:
    write = parquet()
    if output is not None and output != STDOUT:
        with whole_file(output) as part:
            write(rows, part)
        return
    with tempfile.NamedTemporaryFile(prefix="rivya-batch-") as whole:  # it cannot be written to a pipe: it has an index
        write(rows, Path(whole.name))
        voice.binary(Path(whole.name).read_bytes())
