"""`rivya-batch completion SHELL`: the script comes from click; it asks this command what may follow."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from runner.cli.flags import verb
from runner.cli.voice import Voice

__all__ = ["command"]

SHELLS = ("bash", "zsh", "fish")


@verb(
    "completion",
    example='eval "$(rivya-batch completion bash)"\neval "$(rivya-batch completion zsh)"\n'
    "rivya-batch completion fish | source",
    more="It completes verbs, flags, and the names of runs, items and codes. The line below goes into your shell's "
    "startup file.",
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    found = get_completion_class(shell)
    assert found is not None, f"click has completion for {shell}"
    script = found(ctx.find_root().command, {}, "rivya-batch", "_RIVYA_BATCH_COMPLETE").source()
    voice = ctx.find_object(Voice)
    assert voice is not None, "main() hands every command its voice"
    voice.data(script + "\n")
