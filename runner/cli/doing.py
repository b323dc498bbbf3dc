"""From a prepared run to its exit code: show, ask, do, tell. `run` and `retry` share it."""

from __future__ import annotations

from jobs.plan import Standing
from runner.cli.gate import confirm, refusal
from runner.cli.lazy import simulator
from runner.cli.loop import run_async
from runner.cli.plan_screen import plan_object, plan_screen
from runner.cli.progress import reporter_for
from runner.cli.summary import done_facts, tell_summary
from runner.cli.voice import Voice
from runner.compose import balance, run_prepared
from runner.prepare import Prepared
from runner.reporter import Reporter, RunOutcome
from runner.settings import Settings

__all__ = ["do"]

INTERRUPTED = 130


def do(voice: Voice, prepared: Prepared, *, settings: Settings, command: str, onward: str) -> int:
    """Carry out what was prepared, if a person or a flag agrees to the spending.

    `command` is what was typed, to be completed; `onward` is what goes on with a run that has begun.
    """
    plan = prepared.plan
    refused = refusal(voice, plan, command=command)
    quiet = refused is not None or settings.embedded or not plan.count(Standing.NEW)
    account = None if quiet else run_async(balance(settings))
    notes = [finding.message for finding in prepared.warnings]
    if voice.json:
        voice.event("plan", plan_object(plan))
    voice.talk(plan_screen(plan, balance=account, pace=prepared.limits.pace, notes=notes).rstrip("\n"))
    if refused is not None:
        raise refused
    confirm(voice, plan)
    try:
        outcome = run_async(_live(prepared, settings, reporter_for(voice)))
    except KeyboardInterrupt:  # before the run listens to signals, or after it did: it ended at once, in good order
        if voice.json:
            voice.event("done", {"exit_code": INTERRUPTED})
        voice.alert(f"\nInterrupted. What was bought is in the ledger; go on with: {onward}")
        return INTERRUPTED
    if voice.json:
        voice.event("done", done_facts(outcome))
    tell_summary(voice, outcome, command=onward, store_flag=voice.store_flag())
    return outcome.exit_code


async def _live(prepared: Prepared, settings: Settings, reporter: Reporter) -> RunOutcome:
    if not settings.embedded:
        return await run_prepared(prepared, settings=settings, reporter=reporter)
    async with simulator()(settings) as served:
        return await run_prepared(prepared, settings=served, reporter=reporter)
