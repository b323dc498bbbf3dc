"""`rivya-batch results [RUN]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from jobs.lifecycle import ItemState
from jobs.results import TABLE_COLUMNS, ResultRow, as_csv, as_json, as_jsonl, table_cells
from runner.cli.columns import columns
from runner.cli.figures import count
from runner.cli.files import write_whole
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.views import resolve_run, result_rows

__all__ = ["command"]


@verb("results", example="rivya-batch results --format csv -o results.csv", more="RUN defaults to the latest.")
@click.argument("run", required=False)
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl", "csv"]), help="[default: table]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a file, whole or not at all.")
@click.option("--state", type=click.Choice([state.value for state in ItemState]), multiple=True, help="Only these.")
@click.option("--all", "every", is_flag=True, help="Also items that the manifest no longer has.")
@click.pass_obj
def command(
    voice: Voice, run: str | None, form: str | None, output: Path | None, state: Sequence[str], *, every: bool
) -> None:
    store = settings_for(voice).store
    rows = result_rows(store, resolve_run(store, run), wanted_only=not every)
    rows = [row for row in rows if not state or row.state in state]
    text = _written(rows, form or ("json" if voice.json else "table"))
    if output is None:
        voice.data(text)
    else:
        write_whole(output, text)
        voice.talk(f"{count(len(rows), 'row')} in {output}")


def _written(rows: Sequence[ResultRow], form: str) -> str:
    match form:
        case "json":
            return as_json(rows)
        case "jsonl":
            return "".join(as_jsonl(rows))
        case "csv":
            return as_csv(rows)
        case _:
            return columns(TABLE_COLUMNS, table_cells(rows), right=("credits",))
