"""Fail the N-th call to the disk, for every N: nothing that was acknowledged may be lost, nothing written by half.

One number is one call of the history (`io_history`) and one way to fail it (`KINDS`). The history runs in a process of
its own under `io_shim.c`, which fails real calls of the real SQLite; then the disk works again, and the ledger is
opened as the next life would. Needs a C compiler (`cc`) and Linux.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.errors import DiskFull, LedgerUnusable, RunnerError
from runner.ledger import Ledger
from runner.ledger.sqlite import open_ledger
from tests.proof.audit import ViolationError
from tests.proof.io_history import Snapshot, expected, play_on_file, snapshot
from tests.runner.ledger_cases import ACCOUNT, BASE_URL

__all__ = ["CALLS_MAX", "KINDS", "ROOT", "SHIM_KINDS", "play", "shim", "sound", "under"]

ROOT = Path(__file__).parents[2]

SHIM_KINDS = (
    "no room",
    "broken once",
    "half written",
    "full",
    "full for good",
    "quota",
    "broken for good",
    "read only",
)
KINDS = SHIM_KINDS[:7]  # a disk that turns read-only is broken for good, only politer

# More calls than the history makes, so that every kind also ends with a clean one. A power of two, so that steps of an
# odd size meet every call once, and the first few numbers already fall everywhere.
CALLS_MAX = 1024
_STRIDE = 389

# In memory where the system has such a place: a history flushes two hundred times, and the shim is disk enough.
_FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

_BROKEN = frozenset({"broken once", "broken for good"})

# Ends of a write that may have reached the disk although its writer was told otherwise: nobody knows after these.
_UNKNOWABLE = _BROKEN | {"no room"}


@cache
def shim() -> Path:
    """The compiled shim; it is gone with this process."""
    folder = Path(tempfile.mkdtemp(prefix="io-shim-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    compiled = folder / "io_shim.so"
    source = Path(__file__).with_name("io_shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", compiled, source, "-ldl"], check=True, capture_output=True)
    return compiled


def sound() -> dict[str, str]:
    """The environment of a process whose disk works."""
    return dict(os.environ)  # noqa: TID251


def under(path: Path, nth: int, kind: str) -> dict[str, str]:
    """The environment of one for which the files whose names begin so fail from the `nth` call on."""
    return {**sound(), "LD_PRELOAD": str(shim()), "IO_SHIM": f"{nth} {SHIM_KINDS.index(kind)} {path}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the process under the shim said before it ended."""

    acks: int
    calls: int
    hits: int
    tight: bool
    error: str | None  # the type
    message: str
    next_step: str
    again: str | None  # how it went to open the ledger once more there and then, with the disk in order
    trace: str


def play(number: int) -> Mapping[str, int]:
    """One call, failed one way."""
    kind = KINDS[number % len(KINDS)]
    nth = 1 + number // len(KINDS) * _STRIDE % CALLS_MAX
    with tempfile.TemporaryDirectory(prefix="io-", dir=_FAST) as folder:
        path = Path(folder) / "store" / "ledger.db"
        told = _server().ask({"path": str(path), "nth": nth, "kind": SHIM_KINDS.index(kind), "stay": nth % 2})
        where = f"call {nth} of {told.calls}, {kind}, {told.acks} writes acknowledged, then {told.error}"
        counts = _judged(path, kind, told, where)
    counts[f"{kind}: {told.error or ('goes on' if told.hits else 'never came')}"] += 1
    counts["calls"] = told.calls if told.error is None else 0
    return counts


def _judged(path: Path, kind: str, told: _Told, where: str) -> Counter[str]:
    whole = expected()
    if told.trace:
        raise ViolationError(f"{where}: {told.trace}")
    if told.error is None and told.acks != len(whole):
        raise ViolationError(f"{where}: it ended early and did not say why")
    if told.error is None and told.hits and kind in _BROKEN:
        raise ViolationError(f"{where}: a broken disk was tried again, or not heard")
    if told.error is not None and not (str(path) in told.message and told.next_step):
        raise ViolationError(f"{where}: no name or no way out in {told.message!r}, {told.next_step!r}")
    if told.again not in (None, "fine"):
        raise ViolationError(f"{where}: opened again there and then: {told.again}")
    if kind == "half written" and told.error:
        raise ViolationError(f"{where}: half a write is no error, the rest has to follow")
    found = _next_life(path, where)
    counts: Counter[str] = Counter()
    if found == (whole[told.acks - 1] if told.acks else whole[0]):
        counts["exactly what was acknowledged"] += 1
    elif told.acks < len(whole) and found == whole[told.acks] and kind in _UNKNOWABLE:
        counts["and one whole write more"] += 1
    else:
        raise ViolationError(f"{where}: found {found}")
    counts["on the reserve"] += told.tight
    return counts


def _next_life(path: Path, where: str) -> Snapshot:
    """Open it as the next life does: this raises whatever is unsound."""

    async def look() -> Snapshot:
        ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
        try:
            return snapshot(ledger)
        finally:
            await ledger.close()

    try:
        return asyncio.run(look())
    except (LedgerUnusable, DiskFull) as error:
        raise ViolationError(f"{where}: the next life cannot open it: {error.message}") from error


# The process under the shim


class _Server:
    """A process that has everything imported and forks for every question: a new one takes half a second."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proof.io"],
            cwd=ROOT,
            env={**sound(), "LD_PRELOAD": str(shim())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._end)

    def _end(self) -> None:
        """Its stdin ends, and so does it."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def ask(self, scenario: Mapping[str, object]) -> _Told:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(scenario) + "\n")
        self._process.stdin.flush()
        acks, end = 0, dict[str, Any]()
        while (line := self._process.stdout.readline()) not in ("", "over\n"):
            said = json.loads(line)
            if "ack" in said:
                assert said["ack"] == acks, "acknowledged in order"
                acks += 1
            else:
                end = said
        if not end:
            raise ViolationError(f"{scenario}: it died after {acks} writes without a word")
        return _Told(acks=acks, **end)


@cache
def _server() -> _Server:
    return _Server()


def _serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _one(json.loads(line))
        os.waitpid(child, 0)
        _say("over")


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def _one(scenario: Mapping[str, Any]) -> None:
    """In the child: one history on a failing disk."""
    libc = ctypes.CDLL(None)
    path = Path(scenario["path"])
    opened: list[Ledger] = []
    end: dict[str, Any] = {"error": None, "message": "", "next_step": "", "again": None, "trace": ""}
    libc.io_arm(str(path.parent).encode(), ctypes.c_long(scenario["nth"]), scenario["kind"])
    try:
        asyncio.run(play_on_file(path, lambda n: _say(json.dumps({"ack": n})), seen=opened.append))
    except RunnerError as error:
        end |= {"error": type(error).__name__, "message": error.message, "next_step": error.next_step}
    except BaseException as error:  # noqa: BLE001 - what must never be
        end["trace"] = repr(error)
    end |= {"calls": libc.io_calls(), "hits": libc.io_hits(), "tight": any(one.tight for one in opened)}
    libc.io_disarm()
    if scenario["stay"] and end["error"]:
        end["again"] = _again(path, opened)
    _say(json.dumps(end))
    os._exit(0)


def _again(path: Path, opened: list[Ledger]) -> str:
    """A handle that failed can be closed, and leaves no lock behind."""
    try:
        for ledger in opened:
            asyncio.run(ledger.close())
        asyncio.run(open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False).close())
    except RunnerError as error:
        return error.message
    return "fine"


if __name__ == "__main__":
    _serve()
