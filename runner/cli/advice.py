"""What to type after a pause: the command that helps, for each reason why nothing more is bought."""

from __future__ import annotations

from jobs.verdict import Pause
from runner.commands import command_line
from runner.onward import Advice, Onward

__all__ = ["advice_for"]


def advice_for(pause: str, run_id: str, onward: Onward) -> Advice | None:
    """A command and why; None for a pause that no command ends."""
    match pause:
        case Pause.AUTH:
            return Advice(onward.command, "with a key that may")
        case Pause.CREDITS:
            return Advice(onward.command, "after a top-up")
        case Pause.BUDGET:
            return Advice(onward.command, "with more budget; the lowest one set counts")
        case Pause.NETWORK | Pause.CREATES:
            return Advice(onward.command, "later: it goes on, and nothing is bought twice")
        case Pause.CONFIG:
            return Advice(command_line("doctor", *onward.store_flag), "where the address comes from")
        case Pause.VANISHED:
            return Advice(
                command_line("doctor", *onward.store_flag), "are address and key those they were bought with?"
            )
        case Pause.DISK:
            return Advice(onward.command, "with room on the disk")
        case Pause.HALT:
            return Advice(command_line("results", run_id, *onward.store_flag), "why they failed")
        case Pause.PERSON:
            return Advice(command_line("resume", run_id, *onward.store_flag))
        case _:
            return None
