"""Named places where a test may end this process, to prove that a death there loses nothing.

    failpoint("intent.after_commit")        in the product: nothing happens, at the price of one comparison

Only code can arm them: `arm(act)` calls `act(name)` at every passing from then on, in whichever thread passes. No
setting, flag or variable does, so nobody's environment can. `tests/proof/kills.py` arms them in real processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["POINTS", "Act", "arm", "failpoint"]

Act = Callable[[str], None]

# Every point, with what has happened by then; a test asserts that an ordinary run passes each.
POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Beginning
        "ledger.locked": "this process owns the ledger, and nothing of it was opened",
        "migrate.mid": "a migration's statements were done, and not committed",
        "birth.before_rename": "a new ledger is whole, and has not got its name",
        "plan.before_commit": "the ledger is open, and knows nothing of this life",
        "plan.in_commit": "run, life and items were written, and not committed",
        "plan.after_commit": "the items are planned",
        # References
        "upload.before_send": "a reference is about to be read and sent",
        "upload.after_send": "a part of it is about to leave",
        "upload.after_response": "the service holds it, and the ledger does not know",
        "upload.after_commit": "the ledger knows",
        # Any commit
        "commit.before": "all its statements were done",
        "commit.after": "it is durable, and nobody was told",
        # A create
        "intent.before_commit": "an attempt was decided on",
        "intent.in_commit": "it was written, and not committed",
        "intent.after_commit": "it is durable, and nothing was sent",
        "create.headers_sent": "its headers are about to leave",
        "create.body_sent": "its body is about to leave",
        "create.in_response": "the answer has begun",
        "create.after_response": "the answer is here, and nothing was made of it",
        "accept.in_commit": "the task was written, and not committed",
        "accept.after_commit": "what the answer meant is durable",
        # A task
        "poll.before": "a task is about to be asked for",
        "poll.after": "the answer is here, and nothing was made of it",
        "terminal.before_commit": "the answer moves the item",
        "terminal.in_commit": "the end and its charge were written, and not committed",
        "settle.after_commit": "what the answer meant is durable",
        # A result
        "download.mid_body": "a part of the file came",
        "download.mid_write": "a part of the file is on the disk, under its hidden name",
        "download.after_fsync": "all of it is, safely",
        "download.after_rename": "it has its name",
        "download.after_dirsync": "and keeps it",
        "sidecar.mid_write": "the file beside it was written, under its hidden name",
        "artifact.in_commit": "the file was noted, and not committed",
        "artifact.after_commit": "the ledger knows the file",
        # Ending
        "drain.mid": "a signal came: nothing new is bought",
        "end_life.before": "all is done but saying so",
        "end_life.after": "the life is closed, and the ledger is not",
        "export.mid_write": "what `-o` asked for was written, under a hidden name",
    }
)

_act: Act | None = None


def failpoint(name: str) -> None:
    """Somebody passes a point."""
    if _act is not None:
        assert name in POINTS, f"{name} is no failpoint"
        _act(name)


def arm(act: Act | None) -> None:
    """From now on call `act` at every passing; None disarms."""
    global _act  # noqa: PLW0603 - one process, one test
    _act = act
