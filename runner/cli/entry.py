"""The way in and the way out: the group of verbs, and the exit code of whatever a verb raises."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

import click

from runner.cli.exits import EXITS
from runner.cli.flags import everywhere
from runner.cli.lazy import LazyGroup
from runner.cli.trouble import tell, tell_fault, tell_usage
from runner.cli.voice import Voice
from runner.errors import RunnerError
from runner.version import VERSION

__all__ = ["group", "main", "run_command"]

TERMINATED = 143
NOBODY_READS = 141  # what a shell reports for a process that ended by SIGPIPE


class _Group(LazyGroup):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXITS.items()])


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="rivya-batch", message="%(prog)s %(version)s")
@everywhere
def group() -> None:
    """Run manifests of media generations: checked, priced, under a hard budget, resumable."""


def main() -> NoReturn:
    """The console script."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # it would hold the key
    voice = Voice()
    _hear_sigterm(voice)
    code = run_command(sys.argv[1:], voice)
    if sys.stdout is not None:  # it is None when it was closed before the start
        try:
            sys.stdout.flush()
        except OSError:
            _drop_stdout()
            code = code or NOBODY_READS
    sys.exit(code)


def _hear_sigterm(voice: Voice) -> None:
    """While no run listens (a plan is made, somebody is told of the end) SIGTERM is heard as Ctrl-C is.

    Without this the process would be gone without a word.
    """

    def terminated(number: int, frame: FrameType | None) -> None:
        voice.interrupted = TERMINATED
        as_ctrl_c = signal.getsignal(signal.SIGINT)  # a loop at work has its own: it ends in good order
        (as_ctrl_c if callable(as_ctrl_c) else signal.default_int_handler)(number, frame)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminated)


def run_command(args: Sequence[str], voice: Voice | None = None) -> int:
    """Run one command line and return its exit code; whatever went wrong has been told."""
    voice, streams = voice or Voice(), (sys.stdout, sys.stderr)
    try:
        try:
            return _run(voice, args)
        except (KeyboardInterrupt, click.Abort):
            if voice.events:
                voice.event("done", {"exit_code": voice.interrupted})
            voice.alert("Interrupted.")  # click has ended the line of the `^C`
            return voice.interrupted
        except click.ClickException as problem:
            return tell_usage(voice, problem)
        except RunnerError as problem:
            return tell(voice, [problem])
        except ExceptionGroup as problems:
            return _tell_group(voice, problems)
        except (BrokenPipeError, SystemExit):
            raise
        except Exception as fault:  # noqa: BLE001 - the last one to ask
            return tell_fault(voice, fault)
    except BrokenPipeError:
        _drop_stdout()
        return NOBODY_READS
    except SystemExit as stop:  # click's own way out: of completion, and when a pipe broke, for which it swaps streams
        if sys.stdout is streams[0]:
            return int(stop.code or 0)
        sys.stdout, sys.stderr = streams
        _drop_stdout()
        return NOBODY_READS


def _run(voice: Voice, args: Sequence[str]) -> int:
    outcome = group.main(args=list(args), prog_name="rivya-batch", obj=voice, standalone_mode=False)
    return outcome if isinstance(outcome, int) else 0


def _tell_group(voice: Voice, problems: ExceptionGroup[Exception]) -> int:
    """Several at once, from tasks side by side: one fault of ours among them makes it a fault of ours."""
    known, unknown = problems.split(RunnerError)
    if known is None or unknown is not None:
        return tell_fault(voice, problems)
    return tell(voice, list(_leaves(known)))


def _drop_stdout() -> None:
    """Nobody reads stdout any more: what is still in its buffer must not raise while Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _leaves(problems: ExceptionGroup[RunnerError]) -> Iterator[RunnerError]:
    for problem in problems.exceptions:
        if isinstance(problem, ExceptionGroup):
            yield from _leaves(problem)
        else:
            yield problem
