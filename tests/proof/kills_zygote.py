"""A process that has imported the whole command and makes lives of it by forking: a start then takes milliseconds.

    with Zygote() as zygote, zygote.nursery() as nursery:
        nursery.serve(...)                               the simulator, a process of its own, on a free port
        ended = nursery.live(Order(argv=..., ...))       one life of the real command, with its accidents

`python -m tests.proof.kills_zygote SOCKET` is the other end. It forks a nursery for each who connects, and that forks
the lives. All have one thread, so that a fork copies all there is. A life is what the console script does: arguments
and environment are set, then `runner.cli.main` is called, and threads and exit handlers have their say. The accidents
are signals at moments, and strikes at failpoints.
"""

from __future__ import annotations

import asyncio
import atexit
import faulthandler
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from runner import failpoints
from runner.cli import main
from runner.cli.lazy import VERBS, LazyGroup
from runner.cli.loop import run_async
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.profile import profile_from_pairs
from runner.sim.server import serve

__all__ = ["HANG_UP", "HEARD", "LIFE_S_MAX", "RAISE", "Ended", "Nursery", "Order", "Strike", "Zygote"]

ROOT = Path(__file__).parents[2]
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RAISE, HANG_UP = 0, -1  # blows that are no signals: a fault of ours; nobody reads stdout any more
LIFE_S_MAX = 60.0  # a life that takes longer hangs, and is a violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A blow at the `nth` passing of a failpoint, `lag_s` later."""

    point: str
    nth: int = 1
    lag_s: float = 0.0
    number: int = signal.SIGKILL  # of a signal that the process gets, or `RAISE` or `HANG_UP`


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One life. `signals`: (seconds after its start, number)."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    out: str  # stdout and stderr are appended to these
    err: str
    signals: Sequence[tuple[float, int]] = ()
    strikes: Sequence[Strike] = ()
    passed: str = ""  # a file that takes the name of every point passed
    limits: Mapping[str, int] = field(default_factory=dict)  # RLIMIT name -> soft and hard limit
    soft_limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """`code` is negative for a signal; `struck`: how many of the signals found it alive."""

    code: int
    took_s: float
    struck: int


class Zygote:
    """The near end: one process, any number of nurseries."""

    def __init__(self) -> None:
        self._socket = f"{tempfile.mkdtemp(prefix='zygote-')}/socket"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proof.kills_zygote", self._socket],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def nursery(self) -> Nursery:
        return Nursery(self._socket)


class Nursery:
    """One order at a time; a simulator it serves goes on beside, until the end."""

    def __init__(self, path: str) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        self._answers = self._connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("stop", {})
        self._answers.close()
        self._connection.close()

    def live(self, order: Order) -> Ended:
        """One life from its first to its last instruction."""
        return Ended(**self._ask("live", asdict(order)))

    def serve(self, *, journal: Path, seed: int, profile: Sequence[str], faults: Sequence[object]) -> str:
        """Start a simulator; its base URL."""
        asked = {"journal": str(journal), "seed": seed, "profile": list(profile), "faults": list(faults)}
        return str(self._ask("serve", asked)["base_url"])

    def _ask(self, what: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._connection.sendall(json.dumps({"what": what, **asked}).encode() + b"\n")
        line = self._answers.readline()
        assert line, "the nursery has died"
        answer: dict[str, Any] = json.loads(line)
        return answer


# The far end


Task = Callable[[], None]  # what a child is to do, outside the frames of the one that forked it


def _zygote(path: str) -> Task:
    """Fork a nursery for each who connects, until stdin ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks what became of a nursery
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [])
            if 0 in ready:
                shutil.rmtree(Path(path).parent)  # here, as the near end may have been killed
                return lambda: None
            connection, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return _Nursery(connection).orders
            connection.close()


class _Nursery:
    """Forks. What it is asked gives an answer in the parent, and in the child the child's task."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._simulator: int | None = None

    def orders(self) -> None:
        """Serve until the near end hangs up."""
        task = self._orders()
        if task is not None:
            task()

    def _orders(self) -> Task | None:
        with self._connection.makefile("rb") as lines:
            for line in lines:
                asked = json.loads(line)
                answer: dict[str, object] | Task = {}
                match asked.pop("what"):
                    case "live":
                        strikes = [Strike(**strike) for strike in asked.pop("strikes")]
                        answer = self._live(Order(**asked, strikes=strikes))
                    case "serve":
                        answer = self._serve(asked)
                    case _:
                        self._stop()
                if callable(answer):
                    return answer
                self._connection.sendall(json.dumps(answer).encode() + b"\n")
        self._stop()
        return None

    def _live(self, order: Order) -> dict[str, object] | Task:
        ended, alive = os.pipe()  # the child's end closes when it ends, however
        began_s = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)  # until the child is the command
        pid = os.fork()
        if pid == 0:
            os.close(ended)
            return lambda: _become(order)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        os.close(alive)
        struck = 0
        for at_s, number in [*sorted(order.signals), (LIFE_S_MAX, signal.SIGABRT)]:
            if _ends_before(ended, began_s + at_s):
                break
            os.kill(pid, number)
            struck += 1
        _, status = os.waitpid(pid, 0)
        os.close(ended)
        took_s = time.monotonic() - began_s
        return {"code": os.waitstatus_to_exitcode(status), "took_s": took_s, "struck": struck}

    def _serve(self, asked: Mapping[str, Any]) -> dict[str, object] | Task:
        assert self._simulator is None, "one simulator at a time"
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(told)
            os.setsid()
            return lambda: run_async(_simulate(asked, tell))
        os.close(tell)
        self._simulator = pid
        with os.fdopen(told, "rb") as pipe:
            return {"base_url": pipe.readline().decode().strip()}

    def _stop(self) -> None:
        if self._simulator is not None:
            os.kill(self._simulator, signal.SIGKILL)  # its journal is with the operating system before it answers
            os.waitpid(self._simulator, 0)
            self._simulator = None


def _ends_before(pipe: int, moment_s: float) -> bool:
    """Whether the other end closes before the moment."""
    ready, _, _ = select.select([pipe], [], [], max(0.0, moment_s - time.monotonic()))
    return bool(ready)


async def _simulate(asked: Mapping[str, Any], tell: int) -> None:
    seed = asked["seed"]
    simulator = Simulator(
        profile_from_pairs(asked["profile"]), packaged_catalogue(), seed, parse_faults(asked["faults"], seed)
    )
    async with serve(simulator, journal=Path(asked["journal"]), fidelity="fast") as server:
        os.write(tell, server.base_url.encode() + b"\n")
        os.close(tell)
        await asyncio.Event().wait()


def _become(order: Order) -> None:
    """The command. Does not return."""
    os.setsid()
    os.chdir(order.cwd)
    os.environ.clear()  # noqa: TID251 - a life has an environment of its own
    os.environ.update(order.env)  # noqa: TID251
    _streams(order)
    faulthandler.enable()  # a life that hangs is ended by SIGABRT, and then tells where
    for name, limit in order.limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    for name, limit in order.soft_limits.items():
        which = getattr(resource, name)
        resource.setrlimit(which, (limit, resource.getrlimit(which)[1]))
    sys.argv = ["rivya-batch", *order.argv]
    if order.strikes or order.passed:
        failpoints.arm(_Armed(order))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
    try:
        main()
    except SystemExit as stop:
        # What an interpreter does at its end, but for taking apart all the modules: that is half of a short life.
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1)


def _streams(order: Order) -> None:
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, handle in (
        (0, os.open(os.devnull, os.O_RDONLY)),
        (1, os.open(order.out, append)),
        (2, os.open(order.err, append)),
    ):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )


class _Armed:
    """Watches the points for a life."""

    def __init__(self, order: Order) -> None:
        self._strikes = {strike.point: strike for strike in order.strikes}
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._notes = os.open(order.passed, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if order.passed else None

    def __call__(self, name: str) -> None:
        if self._notes is not None:
            os.write(self._notes, f"{name}\n".encode())
        strike = self._strikes.get(name)
        if strike is None:
            return
        with self._lock:  # the ledger and the files have threads of their own
            self._times[name] += 1
            if self._times[name] != strike.nth:
                return
        if strike.number == RAISE:
            raise PlantedError(name)
        if strike.lag_s:
            threading.Thread(target=_hit, args=(strike.number, strike.lag_s), daemon=True).start()
        else:
            _hit(strike.number)


def _hit(number: int, lag_s: float = 0.0) -> None:
    time.sleep(lag_s)
    if number == HANG_UP:
        unread, written = os.pipe()
        os.close(unread)
        os.dup2(written, 1)
        os.close(written)
    else:
        os.kill(os.getpid(), number)


class PlantedError(Exception):
    """A fault of ours, on purpose."""


def _import_all() -> None:
    """What a life would import is imported before it is born."""
    group = LazyGroup()
    for verb in VERBS:
        assert group.get_command(None, verb) is not None  # type: ignore[arg-type]  # it is not looked at


if __name__ == "__main__":
    _import_all()
    gc.freeze()  # nothing imported is looked at again, and so copied, in every child
    _zygote(sys.argv[1])()
