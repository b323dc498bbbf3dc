"""`rivya-batch schema`."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.escape import json_text
from jobs.schema import manifest_schema
from runner.cli.files import write_whole
from runner.cli.flags import verb
from runner.cli.voice import Voice

__all__ = ["command"]


@verb(
    "schema",
    example="rivya-batch schema -o manifest.schema.json",
    more="An editor reads it when the manifest's first line is\n"
    "`# yaml-language-server: $schema=./manifest.schema.json`.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a file, whole or not at all.")
@click.pass_obj
def command(voice: Voice, output: Path | None) -> None:
    text = json_text(manifest_schema(), indent=2) + "\n"
    if output is None:
        voice.data(text)
    else:
        write_whole(output, text)
