"""Who shows a run while it is under way: a screen, plain lines, or events for programs. The run does not know which."""

from __future__ import annotations

from runner.cli.event_lines import EventLines
from runner.cli.live import Screen
from runner.cli.pieces import glyphs_for
from runner.cli.plain_lines import PlainLines
from runner.cli.stderr_terminal import StderrTerminal
from runner.cli.voice import Voice
from runner.onward import Onward
from runner.reporter import Reporter

__all__ = ["reporter_for"]


def reporter_for(voice: Voice, *, onward: Onward | None = None) -> Reporter:
    """The reporter that fits the flags and the terminal. `onward` is what to type after it."""
    if voice.json:
        return EventLines(voice)
    terminal = StderrTerminal(voice)
    if not (voice.is_live() and terminal.can_redraw):
        return PlainLines(voice)
    glyphs = glyphs_for(terminal.encoding, colors=terminal.colors)
    return Screen(terminal=terminal, glyphs=glyphs, onward=onward, is_rehearsal=voice.sim)
