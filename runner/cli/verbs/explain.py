"""`rivya-batch explain CODE`: findings, errors of ours, errors of the service, exit codes."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping

import click

from jobs.codes import CODES
from jobs.suggest import did_you_mean
from runner.cli.exits import EXITS
from runner.cli.explanations import ERRORS, ITEMS, SERVICE
from runner.cli.flags import verb
from runner.cli.voice import Voice
from runner.errors import RunnerError, UsageError

__all__ = ["command"]

WIDTH = 118  # the findings' own paragraphs are written to this


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return sorted(code for code in _known() if code.startswith(incomplete))


@verb("explain", example="rivya-batch explain unknown-key", more="Without a CODE it lists all of them.")
@click.argument("code", required=False, shell_complete=_complete)
@click.pass_obj
def command(voice: Voice, code: str | None) -> None:
    known = _known()
    if code is None:
        if voice.json:
            voice.object(known)
        else:
            voice.data(_listed(known))
        return
    wanted = code.strip().strip("[]`").removeprefix("error[").removeprefix("warning[")
    if wanted not in known:
        raise UsageError(
            f"There is no code `{code}`.", next_step=did_you_mean(wanted, known, "list them with `rivya-batch explain`")
        )
    if voice.json:
        voice.object({"code": wanted, "text": known[wanted]})
    else:
        voice.data(f"{wanted}\n\n{_wrapped(known[wanted].strip())}\n")


def _known() -> Mapping[str, str]:
    exits = {str(number): text for number, text in EXITS.items()}
    return {**dict(_errors()), **SERVICE, **ITEMS, **ERRORS, **exits, **CODES}


def _listed(known: Mapping[str, str]) -> str:
    """Every code with the first of its sentences, cut where the line ends."""
    names = sorted(known, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    width = max(len(name) for name in names)
    return "".join(
        f"{name:<{width}}  {textwrap.shorten(_sentence(known[name]), WIDTH - width - 2, placeholder=' ...')}\n"
        for name in names
    )


def _sentence(text: str) -> str:
    """The first sentence; a finding's paragraph may begin with its name alone."""
    words = " ".join(text.partition("\n\n")[0].split())
    first, stop, _ = words.partition(". ")
    return f"{first}." if stop else words


def _wrapped(text: str) -> str:
    """Paragraphs as wide as a page; what is indented is an example, and stays as it is."""
    lines = (textwrap.wrap(line, WIDTH) if line and not line.startswith(" ") else [line] for line in text.split("\n"))
    return "\n".join(one for wrapped in lines for one in wrapped)


def _errors() -> Iterator[tuple[str, str]]:
    """Our own errors, explained by the words in their classes."""
    kinds = [RunnerError]
    while kinds:
        kind = kinds.pop()
        kinds.extend(kind.__subclasses__())
        if kind is not RunnerError and "default_code" in vars(kind):
            next_step = f"\n\nNext: {kind.default_next_step}." if kind.default_next_step else ""
            yield kind.default_code, f"{inspect.getdoc(kind)}\n\nExit code {kind.exit_code}.{next_step}"
