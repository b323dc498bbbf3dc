"""`rivya-batch version`."""

from __future__ import annotations

import click

from runner.cli.flags import verb
from runner.cli.voice import Voice
from runner.version import VERSION

__all__ = ["command"]


@verb("version", example="rivya-batch version --json")
@click.pass_obj
def command(voice: Voice) -> None:
    if voice.json:
        voice.object({"version": VERSION})
    else:
        voice.data(f"rivya-batch {VERSION}\n")
