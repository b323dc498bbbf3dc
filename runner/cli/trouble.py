"""What becomes of an error: told once, on stderr, so that a person knows what to do.

What the world did is told in three parts (what happened, why, what next). What is our fault is told without values,
because a value may be a secret or a stranger's text; a traceback comes only with `-v -v`, and with the key masked.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from jobs.escape import for_terminal
from jobs.findings import Finding
from runner.cli.exits import worst
from runner.cli.voice import Voice
from runner.errors import ManifestRejected, RunnerError

__all__ = ["finding_object", "tell", "tell_fault", "tell_usage"]


def tell_usage(voice: Voice, problem: click.ClickException) -> int:
    ctx = getattr(problem, "ctx", None)
    help_line = f"see `{ctx.command_path} --help`" if isinstance(ctx, click.Context) else "see `rivya-batch --help`"
    message = problem.format_message()
    if voice.json:
        voice.object({"error": _error_object(code="usage", message=message, next_step=help_line, exit_code=2)})
    _tell_lines(voice, "usage", message, [], help_line)
    return 2


def tell(voice: Voice, problems: Sequence[RunnerError]) -> int:
    """Tell errors of the world; several at once end with the code that weighs most."""
    exit_code = worst(problem.exit_code for problem in problems)
    for problem in problems:
        if voice.json:
            _tell_json(voice, problem, exit_code)
        why = [f"request id: {problem.request_id}"] if problem.request_id else []
        why += [f"because: {cause}" for cause in _causes(problem)]
        _tell_lines(voice, problem.code, problem.message, why, problem.next_step)
        if voice.verbose >= 2:
            _tell_traceback(voice, problem)
    return exit_code


def _tell_json(voice: Voice, problem: RunnerError, exit_code: int) -> None:
    error = _error_object(
        code=problem.code, message=problem.message, next_step=problem.next_step, exit_code=problem.exit_code
    )
    told: dict[str, object] = {"event": "done", "exit_code": exit_code} if voice.events else {}
    if isinstance(problem, ManifestRejected):
        told["findings"] = [finding_object(finding) for finding in problem.findings]
    voice.object({**told, "error": {**error, "request_id": problem.request_id}})


def _error_object(**facts: object) -> dict[str, object]:
    return facts


def _causes(problem: BaseException) -> Iterator[str]:
    cause = problem.__cause__
    while cause is not None:
        yield f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
        cause = cause.__cause__


def _tell_lines(voice: Voice, code: str, message: str, why: Sequence[str], next_step: str) -> None:
    voice.alert(voice.paint(f"error[{code}]:", fg="red", bold=True) + " " + _safe(voice, message))
    for line in why:
        voice.alert("  " + _safe(voice, line))
    if next_step:
        voice.alert(voice.paint("next:", bold=True) + " " + _safe(voice, next_step))


def tell_fault(voice: Voice, fault: BaseException) -> int:
    frames = traceback.extract_tb(fault.__traceback__)
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "an unknown place"
    message = f"A fault of rivya-batch itself: {type(fault).__name__} in {where}. What was recorded is kept."
    next_step = "run the same command again; if it happens again, report it with what -v -v and `doctor` say"
    if voice.json:
        done: dict[str, object] = {"event": "done", "exit_code": 1} if voice.events else {}
        error = _error_object(code="internal", message=message, next_step=next_step, exit_code=1)
        voice.object({**done, "error": error})
    _tell_lines(voice, "internal", message, [], next_step)
    if voice.verbose >= 2:
        _tell_traceback(voice, fault)
    return 1


def _tell_traceback(voice: Voice, problem: BaseException) -> None:
    voice.alert(_safe(voice, "".join(traceback.format_exception(problem)), newlines=True))


def _safe(voice: Voice, text: str, *, newlines: bool = False) -> str:
    """Text that holds no key and steers no terminal."""
    if voice.secret is not None:
        text = voice.secret.scrub(text.encode("utf-8", "backslashreplace")).decode("utf-8")
    return for_terminal(text, newlines="keep" if newlines else "show")


def finding_object(finding: Finding) -> dict[str, object]:
    """A finding as `--json` writes it."""
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "end_column": place.end_column if place else None,
        "path": place.path if place else None,
        "help": finding.help,
    }
