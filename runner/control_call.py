"""A word to a live run from another process: plain blocking calls with a time limit, so that no command hangs."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jobs.steering import VERSION
from runner.control import EXCHANGE_S, distrust, peer_uid, reachable, socket_path
from runner.errors import RunnerError, UsageError

__all__ = ["NobodyThere", "ask_run", "ask_when_there"]

# The run answers within milliseconds; behind other guests, each of whom it gives a few seconds, it takes longer.
ANSWER_S: Final = 2 * EXCHANGE_S
ANSWER_BYTES_MAX: Final = 1024 * 1024  # the longest true answer is some kilobytes

# A run that is alive and not yet, or no longer, listening: how long it is waited for.
PATIENCE_S: Final = 5.0
TRY_AGAIN_S: Final = 0.1


class NobodyThere(Exception):  # noqa: N818 - no error: runs begin and end
    """Nobody listens at the socket now."""


def ask_run(ledger: Path, ask: Mapping[str, object]) -> dict[str, Any]:
    """One question and its answer. Raises NobodyThere, or UsageError when the run refuses or cannot be reached."""
    try:
        path = socket_path(ledger)
        why = distrust(path)
        if why is not None:
            raise _unreachable(f"{path} {why}, so it was not used", "remove it, and see who made it")
        with reachable(path) as name, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, name)
            if peer_uid(connection) not in (None, os.geteuid()):
                raise _unreachable(f"{path} is answered by another user, so nothing was said to it", "see who that is")
            connection.sendall(json.dumps({"v": VERSION, **ask}).encode() + b"\n")
            answer = _answer(connection)
    except (FileNotFoundError, ConnectionError, NotADirectoryError) as problem:
        raise NobodyThere from problem
    except TimeoutError as problem:
        raise _unreachable(
            f"The run did not answer within {ANSWER_S:g} s",
            "see `rivya-batch status`, for it may still do what was asked; Ctrl-C where it runs always works",
        ) from problem
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise _unreachable(f"The run cannot be reached: {why}", "see `rivya-batch doctor`") from problem
    if answer.get("ok") is not True:
        code, message, next_step = (str(answer.get(name, "")) for name in ("code", "message", "next"))
        raise UsageError(message, code=code, next_step=next_step)
    return answer


def ask_when_there(
    ledger: Path, ask: Mapping[str, object], *, gone: Callable[[], RunnerError | None]
) -> dict[str, Any]:
    """The same with some patience for a run that is just beginning or ending; `gone` says when there is none."""
    patience_ends_s = time.monotonic() + PATIENCE_S
    while True:
        over = gone()
        if over is not None:
            raise over
        try:
            return ask_run(ledger, ask)
        except NobodyThere:
            if time.monotonic() > patience_ends_s:
                raise _unreachable(
                    "The run is alive and does not listen: it is just starting or ending, or could not open its socket",
                    "try again in a moment; Ctrl-C where it runs always works",
                ) from None
            time.sleep(TRY_AGAIN_S)


def _connect(connection: socket.socket, name: str) -> None:
    """With a time limit, a full queue of guests is an error at once on some systems: wait for a place in it."""
    ends_s = time.monotonic() + ANSWER_S
    while True:
        connection.settimeout(ANSWER_S)
        try:
            return connection.connect(name)
        except BlockingIOError:
            if time.monotonic() > ends_s:
                raise TimeoutError from None
            time.sleep(TRY_AGAIN_S)


def _answer(connection: socket.socket) -> dict[str, Any]:
    """One line, within one time limit for all of it."""
    ends_s, heard = time.monotonic() + ANSWER_S, b""
    while not heard.endswith(b"\n") and len(heard) <= ANSWER_BYTES_MAX:
        connection.settimeout(max(0.001, ends_s - time.monotonic()))
        more = connection.recv(65536)
        if not more:
            break
        heard += more
    if not heard:
        raise ConnectionResetError
    try:
        answer = json.loads(heard)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("v") != VERSION:
        raise _unreachable("What answers is no run of this release", "use the same release in both shells")
    return answer


def _unreachable(message: str, next_step: str) -> UsageError:
    return UsageError(f"{message}.", code="run-unreachable", next_step=next_step)
