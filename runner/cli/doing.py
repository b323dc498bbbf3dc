"""From a prepared run to its exit code: show, ask, do, tell. `run` and `retry` share it."""

from __future__ import annotations

from pathlib import Path

from jobs.plan import Standing
from runner.cli.choosing import Asked
from runner.cli.gate import confirm, refusal
from runner.cli.loop import run_async
from runner.cli.measuring import metrics_file_for
from runner.cli.plan_screen import plan_lines, plan_object, plan_screen
from runner.cli.progress import reporter_for
from runner.cli.summary import done_facts, tell_summary, tell_verdict
from runner.cli.voice import Voice
from runner.commands import command_line
from runner.errors import LedgerLocked
from runner.launch import Launch
from runner.ledger.opening import holder
from runner.onward import Onward, Purse, day_of
from runner.prepare import Prepared
from runner.reporter import Reporters
from runner.settings import Settings

__all__ = ["do", "going_on"]


def do(
    voice: Voice,
    prepared: Prepared,
    *,
    settings: Settings,
    command: str,
    onward: Onward,
    metrics_file: Path | None = None,
) -> int:
    """Carry out what was prepared, if a person or a flag agrees to the spending.

    `command` is what was typed, to be completed; `onward` is how to go on with a run that has begun.
    """
    plan = prepared.plan
    is_watched = voice.is_live()
    launch = Launch(prepared=prepared, settings=settings, onward=onward, warn=lambda why: _warn(voice, why))
    owner = holder(settings.store)
    if owner is not None:  # better now than after a `yes`
        locked = LedgerLocked(f"the ledger {settings.store} is in use by another run: {owner}. Nothing was sent.")
        run_async(launch.fail(locked))
    refused = refusal(voice, plan, command=command)
    quiet = refused is not None or settings.embedded or not plan.count(Standing.NEW)
    account = None if quiet else run_async(launch.balance())
    notes = [finding.message for finding in prepared.warnings]
    if voice.json:
        voice.event("plan", plan_object(plan))
    if is_watched or voice.can_ask():
        voice.talk(plan_screen(plan, balance=account, pace=prepared.limits.pace, notes=notes).rstrip("\n"))
    else:
        voice.talk(plan_lines(plan, pace=prepared.limits.pace, notes=notes))
    if refused is not None:
        raise refused
    measure = [] if metrics_file is None else [metrics_file_for(voice, prepared, settings, metrics_file)]
    confirm(voice, plan)
    reporter = Reporters(reporter_for(voice, onward=onward), *measure)
    try:
        outcome = run_async(launch.run(reporter))
    except KeyboardInterrupt:  # before the run listens to signals, or after it did: it ended at once, in good order
        if voice.json:
            voice.event("done", {"exit_code": voice.interrupted})
        voice.alert(f"\nInterrupted. What was bought is in the ledger; go on with: {onward.command}")
        return voice.interrupted
    if voice.json:
        voice.event("done", done_facts(outcome))
    (tell_summary if is_watched else tell_verdict)(voice, outcome, onward=onward)
    return outcome.exit_code


def going_on(voice: Voice, prepared: Prepared, settings: Settings, *verb: str, asked: Asked) -> Onward:
    """How to go on with a run that has begun: in the same words, on the same day, and without buying anew."""
    day = day_of(prepared)
    again = asked.once().on(day)

    def line(asked: Asked) -> str:
        return command_line(*verb, *asked.words(), *voice.store_flag())

    purse = Purse.of(prepared, settings, command=line(again.without_budget()), flag=again.budget)
    return Onward(command=line(again), purse=purse, store_flag=voice.store_flag(), day=day)


def _warn(voice: Voice, why: str) -> None:
    if voice.json:
        voice.event("notice", {"name": "notify", "why": why})
    voice.alert(f"warning: {why}")
