"""Who shows a run while it is under way: a screen, plain lines, or events for programs. The run does not know which."""

from __future__ import annotations

from runner.cli.event_lines import EventLines
from runner.cli.live import Screen
from runner.cli.plain_lines import PlainLines
from runner.cli.voice import Voice
from runner.reporter import Reporter

__all__ = ["reporter_for"]


def reporter_for(voice: Voice) -> Reporter:
    """The reporter that fits the flags and the terminal."""
    if voice.json:
        return EventLines(voice)
    return Screen(voice) if voice.is_live() else PlainLines(voice)
