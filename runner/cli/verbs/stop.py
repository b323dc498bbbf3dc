"""`rivya-batch stop [RUN]`: the first Ctrl-C, from another shell; with `--now` the second."""

from __future__ import annotations

import click

from runner.cli.controls import steer
from runner.cli.flags import verb
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice

__all__ = ["command"]


@verb(
    "stop",
    example="rivya-batch stop",
    more="As the first Ctrl-C where it runs: nothing new is started, answers still due are waited for (30 s at most), "
    "all is saved. The run ends with 143, and the same command goes on with it. RUN defaults to the latest.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option(
    "--now", is_flag=True, help="End at once, as the second Ctrl-C: what is under way is asked for next time."
)
@click.pass_obj
def command(voice: Voice, run: str | None, *, now: bool) -> None:
    steer(voice, run, {"do": "stop", "now": now})
