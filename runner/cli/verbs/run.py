"""`rivya-batch run FILE|plan.json`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from runner.cli.choosing import Asked, choosing
from runner.cli.doing import do, going_on
from runner.cli.flags import verb
from runner.cli.measuring import measured
from runner.cli.voice import Voice
from runner.prepare import prepare
from runner.saved_plan import prepare_saved, read_saved

__all__ = ["command"]


@verb(
    "run",
    example="rivya-batch run sweep.yaml --budget 500",
    more="FILE is a manifest, or a plan saved with `plan -o`, which is run exactly as it was shown.",
)
@click.argument("file", type=click.Path(path_type=Path))
@choosing
@measured
@click.pass_obj
def command(voice: Voice, file: Path, *, asked: Asked, metrics_file: Path | None) -> int:
    voice.events = voice.json
    typed = asked
    if file.suffix == ".json":
        saved = read_saved(file)
        asked = asked.of_plan(saved)
        settings = asked.settings(voice, beside=saved.manifest.parent)
        prepared = prepare_saved(saved, settings=settings)
    else:
        settings = asked.settings(voice, beside=file.parent)
        prepared = prepare(file, settings=settings, choices=asked.choices)
    # A saved plan is spent once it was begun; what goes on is the manifest, asked for in the same words.
    command = shlex.join(["rivya-batch", "run", str(file), *typed.words(), *voice.store_flag()])
    onward = going_on(voice, prepared, settings, "run", str(prepared.path), asked=asked)
    return do(voice, prepared, settings=settings, command=command, onward=onward, metrics_file=metrics_file)
