"""The verbs, and how one of them is imported only when it is asked for.

`--help` and completion name all verbs and must not pay for what each needs, so names and lines stand here and the rest
is looked up late.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import CompletionItem

from jobs.suggest import did_you_mean
from jobs.unswept import unswept

__all__ = ["VERBS", "LazyGroup"]

# name -> its line in the help; the module is `runner.cli.verbs.NAME`, and its `command` says the same line.
VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "Write a manifest that runs against the simulator.",
        "check": "Report every mistake of a manifest at once, with its place.",
        "plan": "Show what a run would do and cost. Spends nothing.",
        "run": "Plan, ask, do. The same command again goes on where it stopped.",
        "worker": "Work on what runs on other machines hand out.",
        "retry": "Buy again only what failed. Asks first.",
        "status": "Show how a run stands: counts, credits, what takes longest.",
        "stop": "End a live run from another shell, as the first Ctrl-C does.",
        "pause": "Let a live run buy nothing new, and finish what it has bought.",
        "resume": "Let a paused run go on.",
        "tune": "Give a live run another rate, budget or number in flight.",
        "ls": "List all runs of the ledger.",
        "show": "Tell one item's whole story.",
        "resolve": "Record a person's word on an item whose purchase is in doubt.",
        "results": "Write one row per item.",
        "report": "Write the run as one HTML page: play, compare, pick.",
        "serve": "Serve the same page live, on this machine only.",
        "credits": "Ask for the balance; the cheap way to try a key.",
        "models": "List the models, or one model's params.",
        "doctor": "Check this machine, and show where each setting came from.",
        "sim": "Serve a simulator of the API with small real media.",
        "schema": "Print the JSON Schema of the manifest.",
        "explain": "Explain a code of a finding, an error, or an exit.",
        "completion": "Print the completion script for a shell.",
        "version": "Print the version.",
    }
)


class LazyGroup(click.Group):
    """A group that knows its verbs by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        with unswept():  # what a module brings stays
            command = importlib.import_module(f"runner.cli.verbs.{cmd_name}").command
        assert isinstance(command, click.Command), f"verb {cmd_name} has no command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            help_line = did_you_mean(args[0], VERBS, "see `rivya-batch --help` for all verbs")
            raise click.UsageError(f"there is no verb `{args[0]}`; {help_line}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [CompletionItem(name, help=line) for name, line in VERBS.items() if name.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)
