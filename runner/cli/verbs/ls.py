"""`rivya-batch ls`."""

from __future__ import annotations

import click

from jobs.escape import for_terminal
from jobs.lifecycle import ItemState
from runner.cli.columns import columns
from runner.cli.figures import run_object
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.clock import stamp
from runner.places import place_from_here
from runner.views import RunSummary, list_runs

__all__ = ["command"]


@verb("ls", example="rivya-batch ls")
@click.pass_obj
def command(voice: Voice) -> None:
    store = settings_for(voice).store
    runs = list_runs(store)
    if voice.json:
        voice.object({"store": str(store), "runs": [run_object(run) for run in runs]})
        return
    if runs:
        header = ("run", "state", "items", "done", "failed", "spent", "held", "cap", "last begun", "results")
        voice.data(columns(header, map(_row, runs), right=header[2:8]))
    voice.talk(f"ledger: {store}" if runs else f"no runs yet in {store}")


def _row(run: RunSummary) -> tuple[str, ...]:
    state = run.state if run.exit_code is None else f"{run.state} {run.exit_code}"
    failed = sum(run.counts.get(each, 0) for each in (ItemState.FAILED, ItemState.REJECTED))
    numbers = (run.items, run.counts.get(ItemState.SUCCEEDED, 0), failed, run.settled, run.reserved)
    cap = "-" if run.cap_credits is None else f"{run.cap_credits:,}"
    begun = stamp(run.life.started_at_s)[:16].replace("T", " ")
    return for_terminal(run.run_id), state, *(f"{n:,}" for n in numbers), cap, begun, _here(run.out_dir)


def _here(folder: str) -> str:
    return for_terminal(place_from_here(folder))
