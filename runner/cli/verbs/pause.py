"""`rivya-batch pause [RUN]`."""

from __future__ import annotations

import click

from runner.cli.controls import steer
from runner.cli.flags import verb
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice
from runner.commands import command_line

__all__ = ["command"]


@verb(
    "pause",
    example="rivya-batch pause sneaker-reveal",
    more="What was bought goes on: tasks are asked for, results are saved. The run stays alive and waits for `resume`. "
    "RUN defaults to the latest.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.pass_obj
def command(voice: Voice, run: str | None) -> None:
    answer = steer(voice, run, {"do": "pause"})
    voice.talk(f"next: {command_line('resume', answer['run'], *voice.store_flag())}")
