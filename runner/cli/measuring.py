"""`--metrics-file` of the verbs that buy: figures for Prometheus in a file, for as long as the run lasts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.on_demand import metrics
from runner.prepare import Prepared
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.metrics import MetricsFile

__all__ = ["measured", "metrics_file_for"]


def measured(function: Callable[..., object]) -> Callable[..., object]:
    """Give a verb the flag; the verb gets it as `metrics_file`."""
    wrapped: Callable[..., object] = click.option(
        "--metrics-file",
        metavar="FILE.prom",
        type=click.Path(path_type=Path),
        help="Keep figures for Prometheus in a file, for node_exporter's textfile collector.",
    )(function)
    return wrapped


def metrics_file_for(voice: Voice, prepared: Prepared, settings: Settings, file: Path) -> MetricsFile:
    """The file's writer, which has written it once: what cannot be written is told before anybody is asked."""
    if file.suffix != ".prom":
        raise UsageError(
            f"The textfile collector reads no file called {file.name}. Nothing was sent.",
            next_step=f"write --metrics-file {file.with_suffix('.prom')}",
        )

    def warn(why: str) -> None:
        if voice.json:
            voice.event("notice", {"name": "metrics", "why": why})
        voice.alert(f"warning: {why}")

    writer: MetricsFile = metrics().MetricsFile(
        file, store=settings.store, name=prepared.manifest.name, run_id=prepared.plan.run_id, warn=warn
    )
    writer.prove()
    return writer
