"""`rivya-batch credits`."""

from __future__ import annotations

import asyncio

import click

from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.service import Service
from runner.settings import Settings
from runner.transport import AiohttpTransport

__all__ = ["command"]


@verb("credits", example="rivya-batch credits --json", more="Costs nothing, and fails with exit code 4 for a bad key.")
@click.pass_obj
def command(voice: Voice) -> None:
    settings = settings_for(voice)
    settings.need_key()
    balance = asyncio.run(_balance(settings))
    if voice.json:
        voice.object({"credits": balance, "account": settings.account, "base_url": settings.base_url})
    else:
        voice.data(f"{balance:,} credits\n")
        voice.talk(f"account `{settings.account}`, key from {settings.origins['key']}")


async def _balance(settings: Settings) -> int:
    async with AiohttpTransport(settings.base_url, settings.need_key()) as transport:
        return await Service(transport).credits()
