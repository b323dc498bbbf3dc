"""`rivya-batch resume [RUN]`."""

from __future__ import annotations

import click

from runner.cli.controls import steer
from runner.cli.flags import verb
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice

__all__ = ["command"]


@verb(
    "resume",
    example="rivya-batch resume",
    more="For a run that is alive and was paused. One that has ended goes on with its own command, `run`. RUN defaults "
    "to the latest.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.pass_obj
def command(voice: Voice, run: str | None) -> None:
    steer(voice, run, {"do": "resume"})
