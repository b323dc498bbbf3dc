"""`rivya-batch init [DIR]`: a first manifest with everything it names, ready for the simulator."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import click

from jobs.escape import json_text
from jobs.schema import manifest_schema
from runner.cli.flags import verb
from runner.cli.voice import Voice
from runner.errors import DiskFull, OutputUnusable, RunnerError, UsageError

__all__ = ["EXAMPLES", "command"]

EXAMPLES = ("sweep", "bulk", "nightly")
SCHEMA = PurePosixPath("manifest.schema.json")


@verb("init", example="rivya-batch init first --example sweep", more="Overwrites nothing.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--example", type=click.Choice(EXAMPLES), default="sweep", help="What to begin with.  [default: sweep]")
@click.pass_obj
def command(voice: Voice, folder: Path, example: str) -> None:
    contents = dict(_files(resources.files("runner") / "examples" / example, PurePosixPath()))
    contents[SCHEMA] = (json_text(manifest_schema(), indent=2) + "\n").encode()
    taken = [name for name in contents if name != SCHEMA and (folder / name).exists()]
    if taken:
        raise UsageError(
            f"{', '.join(str(folder / name) for name in taken)} exists already. Nothing was written.",
            next_step="name another folder: rivya-batch init DIR",
        )
    try:
        for name, content in contents.items():
            _write(folder / name, content)
    except OSError as problem:
        raise _told(folder, problem) from problem
    written = [str(folder / name) for name in sorted(contents)]
    manifest = str(folder / f"{example}.yaml")
    if voice.json:
        voice.object({"written": written, "manifest": manifest})
    else:
        voice.talk("\n".join(f"wrote {name}" for name in written))
        voice.talk(f"next: rivya-batch run {shlex.quote(manifest)} --sim --yes    # no key, no credits")


def _files(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry.read_bytes()


def _write(file: Path, content: bytes) -> None:
    """A new file; the schema alone may be there from before, and is made current."""
    file.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if file.name == SCHEMA.name else os.O_EXCL) | os.O_NOFOLLOW
    with os.fdopen(os.open(file, flags, 0o666), "wb") as stream:
        stream.write(content)


def _told(folder: Path, problem: OSError) -> RunnerError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"There is no room in {folder}.")
    where = problem.filename or folder
    return OutputUnusable(f"{where} cannot be written: {problem.strerror}.", next_step="name another folder")
