"""What the verbs that steer a live run share: find the run, ask it, tell what it said."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any

from jobs.escape import for_terminal
from runner.cli.exits import EXITS
from runner.cli.figures import duration
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.commands import command_line
from runner.control_call import ask_when_there
from runner.errors import UsageError
from runner.ledger.store import Store, local_place
from runner.views import RunSummary, resolve_run, run_summary

__all__ = ["ended_words", "steer"]


def steer(voice: Voice, run: str | None, ask: Mapping[str, object]) -> dict[str, Any]:
    """Ask the live run, tell its answer. Raises UsageError when it is not alive, refuses, or cannot be reached."""
    store = settings_for(voice).store
    run_id = resolve_run(store, run)
    answer = ask_when_there(local_place(store), {**ask, "run": run_id}, gone=lambda: _gone(voice, store, run_id))
    if voice.json:
        voice.object({name: value for name, value in answer.items() if name not in ("v", "ok")})
    for line in () if voice.json else answer["said"]:
        voice.data(f"{for_terminal(run_id)}: {for_terminal(str(line))}\n")
    return answer


def ended_words(run: RunSummary, now_s: float) -> str:
    """When a run that is not alive ended, and how."""
    life = run.life
    if run.state == "died" or life.ended_at_s is None:
        begun = duration(now_s - life.started_at_s)
        how = "stopped without a word: killed, crashed, or the machine went down"
        return f"it was begun {begun} ago and {how}; nothing is lost"
    meaning = EXITS.get(run.exit_code or 0, "")
    return f"it ended {duration(now_s - life.ended_at_s)} ago with exit code {run.exit_code}: {meaning}"


def _elsewhere(run: RunSummary) -> UsageError:
    """A ledger in a database shows runs of other machines; each listens only where it runs."""
    return UsageError(
        f"{run.run_id} runs on {run.life.host} (pid {run.life.pid}), and listens only there. Nothing was changed.",
        code="run-elsewhere",
        next_step=f"give the same command on {run.life.host}, in the folder where the run was begun",
    )


def _gone(voice: Voice, store: Store, run_id: str) -> UsageError | None:
    """Why there is nobody to talk to."""
    run = run_summary(store, run_id)
    if run.state == "alive":
        return None if run.life.host == socket.gethostname() else _elsewhere(run)
    flags = voice.store_flag()
    is_done = run.state == "ended" and run.exit_code == 0
    onward = command_line("results", run_id, *flags) if is_done else command_line("run", run.manifest_path, *flags)
    return UsageError(
        f"{run_id} is not running: {ended_words(run, time.time())}. Nothing was changed.",
        code="run-not-alive",
        next_step=onward if is_done else f"{onward}    # goes on; nothing is bought twice",
    )
