"""`rivya-batch serve [RUN]`: the page of a run, live, until Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from functools import partial

import click

from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.loop import run_async
from runner.cli.notices import told
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.models_cache import load_catalogue
from runner.on_demand import metrics
from runner.report.live_page import LivePage
from runner.report.server import HOST, METRICS_PATH, Measure, serve_page
from runner.views import resolve_run

__all__ = ["command"]

TOKEN_BYTES = 24  # as much as a key: the address is all that guards the page


@verb(
    "serve",
    example="rivya-batch serve --open",
    more="RUN defaults to the latest. The page can be seen from this machine only, by whoever has its address; it only "
    "reads, also beside a run at work. Ctrl-C ends it.",
)
@click.argument("run", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port.  [default: a free one]")
@click.option("--metrics", "is_measured", is_flag=True, help="Also give figures for Prometheus at /metrics.")
@click.option("--open", "is_opened", is_flag=True, help="Show it in the browser.")
@click.pass_obj
def command(voice: Voice, run: str | None, port: int, *, is_measured: bool, is_opened: bool) -> None:
    settings = settings_for(voice)
    catalogue = load_catalogue(settings.base_url, now_epoch_s=time.time())
    page = LivePage(resolve_run(settings.store, run), settings, catalogue, told)
    measure = partial(metrics().metrics_text, settings.store, page.run_id) if is_measured else None
    try:
        run_async(_serve(voice, page, port, measure=measure, is_opened=is_opened))
    except OSError as problem:
        raise UsageError(
            f"The page cannot be served on port {port}: {problem.strerror or problem}.", next_step="leave --port out"
        ) from problem


async def _serve(voice: Voice, page: LivePage, port: int, *, measure: Measure | None, is_opened: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with serve_page(page, token=secrets.token_urlsafe(TOKEN_BYTES), port=port, metrics=measure) as server:
            if voice.json:
                voice.object({"url": server.address, "run": page.run_id})
            else:
                voice.data(f"{server.address}\n")
                voice.talk(f"{page.run_id}, live; Ctrl-C ends it")
                if measure is not None:
                    voice.talk(f"metrics at http://{HOST}:{server.port}{METRICS_PATH}")
            if is_opened and await asyncio.to_thread(click.launch, server.address) != 0:
                voice.alert("no browser could be started; open the address")
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
