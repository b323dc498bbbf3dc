"""Names of runs and items for the shell's completion: whatever the ledger says, quickly, and never an error."""

from __future__ import annotations

from collections.abc import Iterator

import click

from jobs.escape import for_terminal
from runner.cli.voice import Voice
from runner.errors import RunnerError
from runner.ledger.store import Store
from runner.settings import load_settings
from runner.views import item_keys, list_runs, resolve_run

__all__ = ["complete_items", "complete_runs", "complete_selection"]

NAMES_MAX = 200  # more than this is no help at a prompt


def complete_runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The runs of the ledger, the latest first."""
    try:
        return _fitting((run.run_id for run in list_runs(_store(ctx))), incomplete)
    except (RunnerError, OSError):
        return []


def complete_items(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The items of the run that is named, or of the latest."""
    try:
        store = _store(ctx)
        run_id = resolve_run(store, ctx.params.get("run"))
        return _fitting(item_keys(store, run_id, beginning=incomplete, limit=NAMES_MAX), incomplete)
    except (RunnerError, OSError):
        return []


def complete_selection(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The same for `--select`; a file of picks is completed by the shell."""
    return [] if incomplete.startswith("@") else complete_items(ctx, param, incomplete)


def _fitting(names: Iterator[str], incomplete: str) -> list[str]:
    fit = (name for name in names if name.startswith(incomplete) and for_terminal(name) == name)
    return [name for name, _ in zip(fit, range(NAMES_MAX), strict=False)]


def _store(ctx: click.Context) -> Store:
    voice = ctx.find_object(Voice) or Voice()
    settings = load_settings(flags={"store": voice.store})
    return (settings.simulated() if voice.sim else settings).store
