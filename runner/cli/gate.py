"""The question before anything is spent. Nothing but `yes` goes on."""

from __future__ import annotations

from jobs.plan import Plan, Standing
from runner.cli.figures import count
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.launch import is_agreed

__all__ = ["confirm", "refusal"]


def refusal(voice: Voice, plan: Plan, *, command: str) -> UsageError | None:
    """Why this cannot be agreed to at all, known before anybody is asked anything, the service included.

    Without a terminal `--yes` and a budget are needed both: a budget alone is no consent, and consent without a budget
    has no end.
    """
    return None if is_agreed(plan, yes=voice.yes) or voice.can_ask() else _cannot_ask(voice, plan, command)


def confirm(voice: Voice, plan: Plan) -> None:
    """Return when the spending is agreed to; raises `UsageError` when it is not."""
    new = plan.count(Standing.NEW)
    if new == 0 or voice.yes:
        return
    cap = plan.cap_credits
    limit = f"up to {cap:,} credits" if cap is not None else f"{plan.likely:,} credits or more, without a cap"
    if voice.ask(f"\nSpend {limit}? Type yes: ") != "yes":
        raise UsageError(
            f"The answer was not `yes`. Nothing was sent; {count(new, 'item')} left to buy.",
            code="declined",
            next_step="run the same command again",
        )


def _cannot_ask(voice: Voice, plan: Plan, command: str) -> UsageError:
    lacking = [] if voice.yes else ["--yes"]
    if plan.cap_credits is None:
        lacking.append(f"--budget {max(plan.likely, 1)}")
    return UsageError(
        f"Buying {count(plan.count(Standing.NEW), 'item')} needs a `yes`, and nobody can be asked here. "
        "Nothing was sent.",
        code="not-confirmed",
        next_step=f"{command} {' '.join(lacking)}",
    )
