"""`rivya-batch plan FILE`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from jobs.escape import json_text
from jobs.plan import Standing
from runner.cli.choosing import Asked, choosing
from runner.cli.files import write_whole
from runner.cli.flags import verb
from runner.cli.plan_screen import explained, plan_object, plan_screen
from runner.cli.voice import Voice
from runner.prepare import prepare
from runner.saved_plan import saved_plan

__all__ = ["command"]

SOMETHING_TO_SPEND = 6


@verb("plan", example="rivya-batch plan sweep.yaml --explain")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Save the plan; `run` takes it exactly as shown.")
@click.option("--explain", is_flag=True, help="Say for each item why it is new, open or done.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 6 when there is something to spend.")
@choosing
@click.pass_obj
def command(
    voice: Voice, file: Path, output: Path | None, *, explain: bool, detailed_exitcode: bool, asked: Asked
) -> int:
    prepared = prepare(file, settings=asked.settings(voice, beside=file.parent), choices=asked.choices)
    plan = prepared.plan
    if output is not None:
        write_whole(output, json_text(saved_plan(prepared, flags=asked.flags), indent=2) + "\n")
    if voice.json:
        voice.object(plan_object(plan, explain=explain))
    else:
        if explain:
            voice.data(explained(plan, prepared.expansion.steps) + "\n")
        voice.data(plan_screen(plan, pace=prepared.limits.pace, notes=[f.message for f in prepared.warnings]))
        if output is not None:
            onward = " ".join(["rivya-batch run", quote(str(output)), *voice.store_flag()])
            voice.talk(f"\nrun exactly this with: {onward}")
    return SOMETHING_TO_SPEND if detailed_exitcode and plan.count(Standing.NEW) else 0
