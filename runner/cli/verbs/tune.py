"""`rivya-batch tune [RUN]`: other limits for a run that is alive."""

from __future__ import annotations

import click

from jobs.rates import Rate
from jobs.steering import Dial, Misunderstood, read_dial
from runner.cli.controls import steer
from runner.cli.flags import verb
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice
from runner.errors import UsageError

__all__ = ["command"]


@verb(
    "tune",
    example="rivya-batch tune --creates 30/min --in-flight 8\nrivya-batch tune sneaker-reveal --budget 900",
    more="Replaces what the manifest and the run's own flags said, until this run ends; the next one plans anew. What "
    "the environment, rivya-batch.toml and your config allow is never exceeded. Each change is recorded. RUN defaults "
    "to the latest.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option("--creates", metavar="RATE", help="Create at most so many tasks, such as 30/min.")
@click.option("--polls", metavar="RATE", help="Ask at most so often for statuses, such as 5/s.")
@click.option("--in-flight", metavar="N", help="Have at most N tasks under way; those beyond it are let finish.")
@click.option("--budget", metavar="N", help="Never spend more than N credits; what is spent or held counts.")
@click.pass_obj
def command(voice: Voice, /, run: str | None, **given: str | None) -> None:
    dials = {dial: given[dial.value] for dial in Dial if given[dial.value] is not None}
    if not dials:
        flags = ", ".join(f"--{dial.value.replace('_', '-')}" for dial in Dial)
        raise UsageError("`tune` was not told what to change.", next_step=f"give it at least one of {flags}")
    ask: dict[str, object] = {"do": "tune"}
    for dial, text in dials.items():
        value = read_dial(dial, text)
        if isinstance(value, Misunderstood):
            raise UsageError(value.message, next_step=value.next_step)
        ask[dial] = str(value) if isinstance(value, Rate) else value
    steer(voice, run, ask)
