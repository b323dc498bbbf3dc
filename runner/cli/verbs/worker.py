"""`rivya-batch worker`: one of the processes that work on what runs hand out."""

from __future__ import annotations

from typing import Final

import click

from jobs.outcome import interrupted_code
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.loop import run_async
from runner.cli.voice import Voice
from runner.clock import Clock, stamp
from runner.errors import UsageError
from runner.ledger.store import Database
from runner.shards.serving import serve_shards

__all__ = ["command"]

_MORE: Final = """\
Start as many as you like, on any machine that reaches the database, the service and the place for results: a bucket, or
a folder that all of them see under the same path. The key comes from the environment, as for every verb. It waits for
work until a signal: the first lets answers come in and leaves the rest to others, the second ends it at once."""


@verb("worker", example="rivya-batch worker --store postgresql://batch@db.example/batch", more=_MORE)
@click.pass_obj
def command(voice: Voice) -> int:
    settings = settings_for(voice)
    if settings.embedded or not isinstance(settings.store, Database):
        raise UsageError(
            "A worker needs the database that runs hand out in.",
            next_step="name it with --store postgresql://USER@HOST/DATABASE; to rehearse, start `rivya-batch sim`",
        )

    def say(line: str) -> None:
        if voice.json:
            voice.event("worker", {"says": line})
        else:
            voice.talk(f"{stamp(Clock().now().wall_s)} {line}")

    number = run_async(serve_shards(settings, say=say))
    return 0 if number is None else interrupted_code(number)
