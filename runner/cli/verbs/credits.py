"""`rivya-batch credits`."""

from __future__ import annotations

import click

from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.loop import run_async
from runner.cli.voice import Voice
from runner.compose import balance
from runner.settings import Settings
from runner.simulated import simulated

__all__ = ["command"]


@verb("credits", example="rivya-batch credits --json", more="Costs nothing, and fails with exit code 4 for a bad key.")
@click.pass_obj
def command(voice: Voice) -> None:
    settings = settings_for(voice)
    credits_left = run_async(_balance(settings))
    if voice.json:
        voice.object({"credits": credits_left, "account": settings.account, "base_url": settings.base_url})
    else:
        voice.data(f"{credits_left:,} credits\n")
        voice.talk(f"account `{settings.account}`, key from {settings.origins['key']}")


async def _balance(settings: Settings) -> int:
    if not settings.embedded:
        return await balance(settings)
    async with simulated(settings) as served:
        return await balance(served)
