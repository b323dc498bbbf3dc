"""Whatever goes wrong ends in one exit code and in words that say what to do, never in a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from jobs.answers import Phase
from jobs.findings import Finding, Place
from runner import errors
from runner.cli import entry
from runner.cli.flags import everywhere
from runner.cli.trouble import tell
from runner.cli.voice import Voice
from runner.errors import AuthError, InternalError, LedgerLocked, ManifestRejected, RunnerError, ServiceRefused
from runner.secret import Secret
from runner.settings import Settings

KEY = "rvya_sk_" + "canary0123456789"

Raiser = Callable[[Callable[[], None], list[str]], int]


@pytest.fixture
def run_raising(monkeypatch: pytest.MonkeyPatch) -> Raiser:
    """Run a command line whose verb, a stand-in for any, raises what it is told to."""

    def run(verb: Callable[[], None], args: list[str]) -> int:
        @click.command("version")
        @everywhere
        @click.pass_obj
        def command(voice: Voice) -> None:
            voice.settings = Settings(key=Secret(KEY))
            verb()

        monkeypatch.setattr(entry.group, "get_command", lambda ctx, name: command)
        return entry.run_command(["version", *args])

    return run


def raising(problem: BaseException) -> Callable[[], None]:
    def verb() -> None:
        raise problem

    return verb


def kinds() -> list[type[RunnerError]]:
    return [kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), RunnerError)]


def made(kind: type[RunnerError]) -> RunnerError:
    """One of a kind, whatever facts it wants beside its message."""
    extra: dict[str, object] = {}
    if kind is ManifestRejected:
        extra = {"findings": ()}
    elif kind is ServiceRefused:
        extra = {"status": 500}
    elif kind is errors.TransportError:
        extra = {"phase": Phase.NOT_SENT}
    return kind("It broke.", **extra)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_ends_with_its_own_code_and_a_next_step(
    kind: type[RunnerError], run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    problem = made(kind)

    assert run_raising(raising(problem), []) == kind.exit_code
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error[{problem.code}]: It broke.\n")
    if problem.next_step:
        assert told.err.endswith(f"next: {problem.next_step}\n")


def test_an_error_names_its_request_and_its_causes_one_per_line(
    run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    timeout, problem = TimeoutError(), AuthError("The service refused the key.", request_id="req_1")
    timeout.__cause__ = ConnectionResetError("peer went away")
    problem.__cause__ = timeout

    assert run_raising(raising(problem), []) == 4
    assert capfd.readouterr().err.splitlines()[1:4] == [
        "  request id: req_1",
        "  because: TimeoutError",
        "  because: ConnectionResetError: peer went away",
    ]


def test_a_traceback_comes_only_when_it_is_asked_for_twice(
    run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    for flags, seen in (([], False), (["-v"], False), (["-v", "-v"], True), (["-vv"], True)):
        assert run_raising(raising(LedgerLocked("It broke.")), flags) == 9
        assert ("Traceback" in capfd.readouterr().err) is seen


@pytest.mark.parametrize("flags", [[], ["-v"], ["-vv"], ["--json"], ["--json", "-vv"]])
@pytest.mark.parametrize("kind", [ValueError, InternalError, KeyError, RuntimeError])
def test_the_key_is_in_no_words_of_ours_however_much_is_asked_for(
    kind: type[Exception], flags: list[str], run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    def verb() -> None:
        local = f"Bearer {KEY}"
        raise kind(f"header was {local}") from ValueError(KEY)

    assert run_raising(verb, flags) == 1
    told = capfd.readouterr()
    assert KEY not in told.out + told.err


def test_a_fault_of_ours_is_told_by_place_and_not_by_value(
    run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_raising(raising(ZeroDivisionError("a prompt nobody should see")), []) == 1
    told = capfd.readouterr().err
    assert told.startswith(
        "error[internal]: A fault of rivya-batch itself: ZeroDivisionError in test_cli_trouble.py, line "
    )
    assert "a prompt nobody should see" not in told
    assert "Traceback" not in told


def test_a_message_cannot_steer_the_terminal(run_raising: Raiser, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_raising(raising(AuthError("evil \x1b[2J\r\u202e", next_step="a\nb")), []) == 4
    assert capfd.readouterr().err == "error[key-refused]: evil \\x1b[2J\\r\\u202e\nnext: a\\nb\n"


def test_of_several_errors_at_once_all_are_told_and_the_gravest_decides(
    run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    group = ExceptionGroup("g", [made(errors.Unreachable), ExceptionGroup("h", [made(LedgerLocked)])])

    assert run_raising(raising(group), []) == 9
    assert capfd.readouterr().err.count("error[") == 2


def test_what_befell_every_writer_of_a_ledger_is_told_once(
    run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_raising(raising(ExceptionGroup("g", [made(LedgerLocked) for _ in range(32)])), []) == 9
    assert capfd.readouterr().err.count("error[") == 1


def test_a_fault_of_ours_among_them_is_the_gravest(run_raising: Raiser) -> None:
    assert run_raising(raising(ExceptionGroup("g", [made(LedgerLocked), ValueError("x")])), []) == 1


def test_with_json_an_error_is_an_object_on_stdout(run_raising: Raiser, capfd: pytest.CaptureFixture[str]) -> None:
    place = Place(file="a.yaml", line=2, column=3, end_column=8, path="jobs[0].promt")
    finding = Finding(code="unknown-key", message="unknown key", place=place, help="did you mean `prompt`?")

    assert run_raising(raising(ManifestRejected("It has errors.", findings=(finding,))), ["--json"]) == 2
    told = json.loads(capfd.readouterr().out)
    assert told["error"]["code"] == "manifest-rejected"
    assert told["error"]["exit_code"] == 2
    assert told["findings"] == [
        {
            "code": "unknown-key",
            "severity": "error",
            "message": "unknown key",
            "file": "a.yaml",
            "line": 2,
            "column": 3,
            "end_column": 8,
            "path": "jobs[0].promt",
            "help": "did you mean `prompt`?",
        }
    ]


def test_a_stream_of_events_ends_with_its_exit_code_even_on_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    voice = Voice(json=True, events=True)

    assert tell(voice, [made(LedgerLocked)]) == 9
    (line,) = capfd.readouterr().out.splitlines()
    assert list(json.loads(line))[:3] == ["event", "at", "exit_code"]
    assert json.loads(line)["event"] == "done"
    assert json.loads(line)["exit_code"] == 9


def test_ctrl_c_is_no_fault(run_raising: Raiser, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_raising(raising(KeyboardInterrupt()), []) == 130
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("args", [["explain"], ["--help"], ["models", "--json"]])
def test_a_reader_that_stops_reading_is_no_fault(args: list[str]) -> None:
    """`rivya-batch explain | head -1`, with a head that is gone before the first byte."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "runner", *args], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write_end)

    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_fault(closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m runner version {closed}'], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("flag", "colored"), [(["--color", "always"], True), (["--color", "never"], False), ([], False)]
)
def test_colours_are_for_those_who_want_or_see_them(
    flag: list[str], colored: bool, run_raising: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    run_raising(raising(AuthError("It broke.")), flag)

    assert ("\x1b[31m" in capfd.readouterr().err) is colored
