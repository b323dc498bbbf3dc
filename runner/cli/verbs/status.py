"""`rivya-batch status [RUN]`: reads beside a running run; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from jobs.escape import for_terminal
from jobs.lifecycle import ItemState
from runner.cli.figures import duration, run_object
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.views import InFlight, RunSummary, resolve_run, run_summary, slowest

__all__ = ["command"]

FOLLOW_EVERY_S: Final = 2.0


@verb("status", example="rivya-batch status --follow", more="RUN defaults to the latest.")
@click.argument("run", required=False)
@click.option("--follow", is_flag=True, help="Go on until the run ends.")
@click.pass_obj
def command(voice: Voice, run: str | None, *, follow: bool) -> None:
    store = settings_for(voice).store
    run_id = resolve_run(store, run)
    voice.events = follow
    while True:
        summary = run_summary(store, run_id)
        _tell(voice, store, summary)
        if not follow or summary.state != "alive":
            return
        time.sleep(FOLLOW_EVERY_S)


def _tell(voice: Voice, store: Path, run: RunSummary) -> None:
    waiting, now_s = slowest(store, run.run_id), time.time()
    if voice.json:
        told = [
            {"item": one.item, "state": one.state, "seconds": round(now_s - one.since_s), "task_id": one.task_id}
            for one in waiting
        ]
        voice.object({**run_object(run), "slowest": told})
        return
    voice.data(f"{for_terminal(run.run_id)}  {_state(run, now_s)}\n")
    for name, text in _facts(run):
        voice.data(f"  {name:<9} {text}\n")
    for n, one in enumerate(waiting):
        voice.data(f"  {'' if n else 'slowest':<9} {_waiting(one, now_s)}\n")


def _state(run: RunSummary, now_s: float) -> str:
    life = run.life
    match run.state:
        case "alive":
            return f"running for {duration(now_s - life.started_at_s)}, pid {life.pid} on {for_terminal(life.host)}"
        case "died":
            return "stopped without a word; run the same command again to go on"
        case _:
            return f"ended {duration(now_s - (life.ended_at_s or now_s))} ago with exit code {run.exit_code}"


def _facts(run: RunSummary) -> Iterator[tuple[str, str]]:
    counts = ", ".join(f"{run.counts[state]:,} {state.value}" for state in ItemState if run.counts.get(state))
    yield "items", f"{run.items:,}: {counts}" if counts else "none"
    cap = "no cap" if run.cap_credits is None else f"cap {run.cap_credits:,}"
    doubt = f" ({run.uncertain:,} of them in doubt)" if run.uncertain else ""
    yield "credits", f"{run.settled:,} spent, {run.reserved:,} held{doubt}, {cap}"
    yield "manifest", for_terminal(run.manifest_path)
    yield "results", for_terminal(run.out_dir)


def _waiting(one: InFlight, now_s: float) -> str:
    task = f", task {one.task_id}" if one.task_id else ""
    sends = f", {one.sends} sends" if one.sends > 1 else ""
    return for_terminal(f"{one.item}  {one.state.value} for {duration(now_s - one.since_s)}{task}{sends}")
