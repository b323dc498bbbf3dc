"""What becomes of an error: told once, on stderr, so that a person knows what to do.

What the world did is told in three parts (what happened, why, what next). What is our fault is told without values,
because a value may be a secret or a stranger's text; a traceback comes only with `-v -v`, and with the key masked.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from jobs.escape import for_terminal
from jobs.leaks import masked
from jobs.render import findings_json, findings_text
from runner.cli.voice import Voice
from runner.errors import InternalError, ManifestRejected, RunnerError, UsageError
from runner.gravity import worst

__all__ = ["tell", "tell_fault", "tell_usage"]


def tell_usage(voice: Voice, problem: click.ClickException) -> int:
    """A command line that click could not read, or one that asks for nothing: then the help, as it is."""
    if isinstance(problem, click.exceptions.NoArgsIsHelpError) and not voice.json:
        voice.alert(problem.format_message())
        return UsageError.exit_code
    ctx = getattr(problem, "ctx", None)
    next_step = f"see `{ctx.command_path} --help`" if isinstance(ctx, click.Context) else "see `rivya-batch --help`"
    message = " ".join(problem.format_message().split())  # a list of choices comes with a line for each
    return tell(voice, [UsageError(message, next_step=next_step)])


def tell(voice: Voice, problems: Sequence[RunnerError]) -> int:
    """Errors of the world; of several at once the gravest gives the exit code.

    A ledger that dies tells every writer that waits for it; people are told once.
    """
    problems = list({(problem.code, problem.message): problem for problem in problems}.values())
    exit_code = worst(problem.exit_code for problem in problems)
    gravest = next(problem for problem in problems if problem.exit_code == exit_code)
    if voice.json:
        findings = findings_json(gravest.findings) if isinstance(gravest, ManifestRejected) else {}
        _tell_json(voice, gravest, findings)
    for problem in problems:
        if isinstance(problem, ManifestRejected) and problem.findings and not voice.json:
            voice.alert(findings_text(problem.findings, problem.texts))
        why = [f"request id: {problem.request_id}"] if problem.request_id else []
        _tell_lines(voice, problem, [*why, *(f"because: {cause}" for cause in _causes(problem))])
        if voice.verbose >= 2:
            _tell_traceback(voice, problem)
    return exit_code


def tell_fault(voice: Voice, fault: BaseException) -> int:
    """What is our fault: where, and of what kind."""
    frames = traceback.extract_tb(fault.__traceback__)
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "an unknown place"
    problem = InternalError(
        f"A fault of rivya-batch itself: {type(fault).__name__} in {where}. What was recorded is kept.",
        next_step="run the same command again; if it happens again, report it with what -v -v and `doctor` say",
    )
    if voice.json:
        _tell_json(voice, problem, {})
    _tell_lines(voice, problem, [])
    if voice.verbose >= 2:
        _tell_traceback(voice, fault)
    return problem.exit_code


def _tell_json(voice: Voice, problem: RunnerError, findings: Mapping[str, object]) -> None:
    # A key that was typed in a wrong place is told about before any is known: masked by its looks, not by its value.
    texts = {name: masked(getattr(problem, name)) for name in ("code", "message", "next_step")}
    error = {**texts, "exit_code": problem.exit_code, "request_id": problem.request_id}
    if voice.events:
        voice.event("done", {"exit_code": problem.exit_code, **findings, "error": error})
    else:
        voice.object({**findings, "error": error})


def _causes(problem: BaseException) -> Iterator[str]:
    told, cause = str(problem), problem.__cause__
    while cause is not None:
        if not str(cause):
            yield type(cause).__name__
        elif str(getattr(cause, "strerror", None) or cause) not in told:
            yield f"{type(cause).__name__}: {cause}"
        cause = cause.__cause__


def _tell_lines(voice: Voice, problem: RunnerError, why: Sequence[str]) -> None:
    voice.alert(
        voice.paint(f"error[{problem.code}]:", fg="red", bold=True) + " " + for_terminal(masked(problem.message))
    )
    for line in why:
        voice.alert("  " + for_terminal(masked(line)))
    if problem.next_step:
        voice.alert(voice.paint("next:", bold=True) + " " + for_terminal(masked(problem.next_step)))


def _tell_traceback(voice: Voice, problem: BaseException) -> None:
    voice.alert(for_terminal(masked("".join(traceback.format_exception(problem))), newlines="keep"))
