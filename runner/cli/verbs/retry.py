"""`rivya-batch retry [RUN]`: only what failed or was refused, as new purchases."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from runner.cli.choosing import Asked, choosing
from runner.cli.doing import do, going_on
from runner.cli.figures import count
from runner.cli.flags import verb
from runner.cli.measuring import measured
from runner.cli.naming import complete_runs
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.prepare import Prepared, prepare
from runner.views import resolve_run, run_summary

__all__ = ["command"]

_DAY: Final = re.compile(r"(?<!\d)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?!\d)")


@verb(
    "retry",
    example="rivya-batch retry --failed\nrivya-batch retry sneaker-reveal --select @picks.txt",
    more="RUN defaults to the latest. Items that are new to the manifest are left to `run`.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option("--failed", is_flag=True, help="What failed; this is the default, for scripts that like to say so.")
@choosing
@measured
@click.pass_obj
def command(
    voice: Voice,
    run: str | None,
    *,
    failed: bool,  # noqa: ARG001 - see its help
    asked: Asked,
    metrics_file: Path | None,
) -> int:
    voice.events = voice.json
    store = asked.settings(voice, beside=Path.cwd()).store
    summary = run_summary(store, resolve_run(store, run))
    manifest = Path(summary.manifest_path)
    settings = asked.settings(voice, beside=manifest.parent)
    if settings.store != store:  # the manifest's folder names another ledger; the run was found in this one
        settings = replace(settings, store=store)
    asked = asked.retrying()
    prepared = prepare(manifest, settings=settings, choices=asked.choices)
    day = _DAY.search(summary.edition)
    if prepared.plan.run_id != summary.run_id and day is not None and asked.choices.date is None:
        asked = asked.on(day[0])  # a run of another night names that night
        prepared = prepare(manifest, settings=settings, choices=asked.choices)
    if prepared.plan.run_id != summary.run_id:
        raise UsageError(
            f"{manifest} now makes the run {prepared.plan.run_id}, not {summary.run_id}. Nothing was sent.",
            code="another-run",
            next_step="say the day of that run with --date, or its variables with --var",
        )
    _tell_left(voice, prepared)
    if not prepared.plan.items:
        voice.talk(f"{summary.run_id}: nothing failed, so there is nothing to buy again")
        if voice.json:
            voice.event("done", {"exit_code": 0, "run": summary.run_id})
        return 0
    command = shlex.join(["rivya-batch", "retry", summary.run_id, *asked.words(), *voice.store_flag()])
    onward = going_on(voice, prepared, settings, "retry", summary.run_id, asked=asked)
    return do(voice, prepared, settings=settings, command=command, onward=onward, metrics_file=metrics_file)


def _tell_left(voice: Voice, prepared: Prepared) -> None:
    """Picks that did not fail are not bought again; whoever picked them should know."""
    picks = prepared.choices.picks
    left = len(picks) - len(prepared.plan.items)
    if left > 0 and prepared.plan.items:
        voice.talk(f"{left:,} of {count(len(picks), 'pick')} did not fail and {'are' if left > 1 else 'is'} left alone")
