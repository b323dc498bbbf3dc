"""The flags that every verb takes, and the class of every verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from runner.cli.lazy import VERBS
from runner.cli.voice import Voice

__all__ = ["everywhere", "verb"]

Function = TypeVar("Function", bound=Callable[..., object] | click.Command)


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep what was really given; a verb's default must not undo what stood before the verb."""
    name = str(param.name)
    if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        voice = ctx.find_object(Voice)
        assert voice is not None, "main() hands every command its voice"
        setattr(voice, name, value)


def _flag(*names: str, **options: Any) -> Callable[[Function], Function]:
    return click.option(*names, expose_value=False, callback=_remember, **options)


_EVERYWHERE = (
    _flag("--store", metavar="PATH|URL", help="The ledger: a file or a database.  [default: .rivya/ledger.db here]"),
    _flag("--json", is_flag=True, help="Write JSON to stdout."),
    _flag("-q", "--quiet", is_flag=True, help="Say only what went wrong."),
    _flag("-v", "--verbose", count=True, help="Say more; twice shows where a fault happened."),
    _flag("--color", type=click.Choice(["auto", "always", "never"]), help="Use colours.  [default: auto]"),
    _flag("--no-progress", is_flag=True, help="Write plain lines instead of a progress screen."),
    _flag("-y", "--yes", is_flag=True, help="Answer `yes`; without a terminal this also needs a budget."),
    _flag("--no-input", is_flag=True, help="Never ask."),
    _flag("--sim", is_flag=True, help="Use the simulator inside this command, and its ledger: no key, no credits."),
)


def everywhere(function: Function) -> Function:
    """Give a function that is to become a command the flags that every verb takes."""
    for flag in reversed(_EVERYWHERE):
        function = flag(function)
    return function


# As a verb's help names them; the group's help explains them.
_COMMON = "--store, --json, -q, -v, --color, --no-progress, -y, --no-input, --sim: see `rivya-batch --help`"


class _Verb(click.Command):
    """A verb: its own flags are explained, those of every verb are only named."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        own = [option.get_help_record(ctx) for option in options if option.callback is not _remember]
        records = [record for record in own if record is not None]
        with formatter.section("Options"):
            formatter.write_dl(records)
        with formatter.section("Everywhere"):
            formatter.write_text(_COMMON)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            with formatter.section("Example"):
                for line in self.epilog.splitlines():
                    formatter.write_text(line)


def verb(name: str, *, example: str, more: str = "") -> Callable[[Callable[..., object]], click.Command]:
    """Make a function the verb `name`: its line from the table, an example, and the flags that every verb takes."""

    def make(function: Callable[..., object]) -> click.Command:
        text = f"{VERBS[name]}\n\n{more}" if more else VERBS[name]
        command = click.command(name, cls=_Verb, help=text, short_help=VERBS[name], epilog=example)(function)
        for flag in _EVERYWHERE:  # after the verb's own
            flag(command)
        return command

    return make
