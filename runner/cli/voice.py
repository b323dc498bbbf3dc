"""How the command speaks: data on stdout, talk on stderr, nothing of a stranger's unescaped.

One `Voice` belongs to one command. It holds the flags that every verb takes; no other file writes to the streams.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from jobs.escape import json_text
from runner.ledger.store import masked

if TYPE_CHECKING:  # `--help` must not pay for what settings need
    from runner.settings import Settings

__all__ = ["Voice"]


@dataclass(slots=True, kw_only=True)
class Voice:
    """The flags that every verb takes, and the two streams."""

    store: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: Literal["auto", "always", "never"] = "auto"
    no_progress: bool = False
    yes: bool = False
    no_input: bool = False
    sim: bool = False
    events: bool = False  # stdout carries JSON lines, so that even an error must end them properly
    settings: Settings | None = None
    interrupted: int = 130  # the exit code of an interruption: another one after SIGTERM

    def store_flag(self) -> list[str]:
        """What a command to copy needs to find the same ledger."""
        return [*(["--sim"] if self.sim else []), *([] if self.store is None else ["--store", masked(self.store)])]

    def data(self, text: str) -> None:
        """What was asked for, to stdout, with its own line breaks."""
        click.echo(self._masked(text), nl=False, color=True)

    def binary(self, content: bytes) -> None:
        """What was asked for and is no text, to stdout."""
        click.echo(content, nl=False)

    def object(self, value: object) -> None:
        """One JSON object (or line) to stdout."""
        click.echo(self._masked(json_text(value, indent=None if self.events else 2)), color=True)

    def event(self, name: str, facts: Mapping[str, Any], *, at: datetime | None = None) -> None:
        """One line of a stream of events: what, when (now, unless said otherwise), and the facts."""
        told = (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.object({"event": name, "at": told, **facts})

    def talk(self, text: str = "") -> None:
        """A line for people to stderr; silent with --quiet."""
        if not self.quiet:
            self.alert(text)

    def alert(self, text: str) -> None:
        """A line for people to stderr that --quiet does not silence."""
        click.echo(self._masked(text), err=True, color=True)

    def draw(self, text: str) -> None:
        """A piece of a screen to stderr, as it is."""
        click.echo(self._masked(text), err=True, nl=False, color=True)

    def paint(self, text: str, *, fg: str | None = None, bold: bool = False, err: bool = True) -> str:
        """`text` in colour where colours are wanted and seen."""
        return click.style(text, fg=fg, bold=bold) if self.colors(err=err) else text

    def colors(self, *, err: bool = True) -> bool:
        """Whether the stream takes colours: by flag, by environment, by terminal, in this order."""
        if self.color != "auto":
            return self.color == "always"
        if self.settings is not None and self.settings.color is not None:
            return self.settings.color
        return _is_terminal(sys.stderr if err else sys.stdout)

    def is_live(self) -> bool:
        """Whether a progress screen that redraws itself may be shown."""
        ci = self.settings is not None and self.settings.ci
        return not (self.quiet or self.no_progress or self.json or ci) and _is_terminal(sys.stderr)

    def shows_data(self) -> bool:
        """Whether a person reads stdout as it is written."""
        return _is_terminal(sys.stdout)

    def can_ask(self) -> bool:
        """Whether there is a person to answer."""
        ci = self.settings is not None and self.settings.ci
        return not (self.no_input or self.json or ci) and _is_terminal(sys.stdin) and _is_terminal(sys.stderr)

    def ask(self, question: str) -> str:
        """A person's answer, stripped; empty at the end of input."""
        click.echo(question, err=True, nl=False)
        return sys.stdin.readline().strip()

    def _masked(self, text: str) -> str:
        """The text without the key: services do echo headers, and exceptions do hold them."""
        if self.settings is None or self.settings.key is None:
            return text
        return self.settings.key.scrub(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]  # a stream may be None when it was closed at start
    except (AttributeError, ValueError):
        return False
