"""`rivya-batch run FILE|plan.json`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.choosing import Asked, choosing
from runner.cli.doing import do
from runner.cli.flags import verb
from runner.cli.voice import Voice
from runner.prepare import prepare, prepare_saved

__all__ = ["command"]


@verb(
    "run",
    example="rivya-batch run sweep.yaml --budget 500",
    more="FILE is a manifest, or a plan saved with `plan -o`, which is run exactly as it was shown.",
)
@click.argument("file", type=click.Path(path_type=Path))
@choosing
@click.pass_obj
def command(voice: Voice, file: Path, *, asked: Asked) -> int:
    voice.events = voice.json
    settings = asked.settings(voice, beside=file.parent)
    if file.suffix == ".json":
        prepared = prepare_saved(file, settings=settings)
    else:
        prepared = prepare(file, settings=settings, choices=asked.choices)
    return do(voice, prepared, settings=settings, command=_again(voice, file))


def _again(voice: Voice, file: Path) -> str:
    """What to type to go on."""
    return " ".join(["rivya-batch run", str(file), *voice.store_flag()])
