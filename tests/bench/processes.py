"""Processes of a benchmark: the service on one core, a client on another, and what each cost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.accounting import Books
from tests.bench.workloads import Workload

__all__ = ["ROOT", "Finished", "Server", "measured", "pinned", "server"]

ROOT = Path(__file__).parents[2]
SERVER_CORE, CLIENT_CORE = 0, 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Between two looks at a client's memory: what the system tells at its end includes who began it.
LOOK_S = 0.1
# Between two questions whether a client has shown enough.
ASK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A client that has ended."""

    exit_code: int
    wall_s: float
    cpu_s: float  # user and system
    rss_mib: float  # at its peak, as far as somebody looked
    others_s: float | None  # CPU that other processes took of the client's core meanwhile; None where nobody counts
    said: str  # the end of what it wrote


def pinned(core: int, line: Sequence[str]) -> list[str]:
    """The command line on one core, where that can be had."""
    is_possible = shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1
    return ["taskset", "-c", str(core), *line] if is_possible else list(line)


def measured(
    line: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    patience_s: float = 900.0,
    is_enough: Callable[[], bool] = lambda: False,
) -> Finished:
    """Run a client to its end on its core. One that needs more than `patience_s`, or shows enough, is ended with -9."""
    told = cwd / "client.log"
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(cwd), "LANG": "C.UTF-8"}
    busy_s = _core_busy_s(CLIENT_CORE)
    began_s = time.perf_counter()
    with told.open("wb") as log:
        process = subprocess.Popen(
            pinned(CLIENT_CORE, line), cwd=cwd, env={**base, **(env or {})}, stdout=log, stderr=log, process_group=0
        )
        try:
            status, usage, peak_mib = _wait(process, began_s + patience_s, is_enough)
        except BaseException:  # whoever stops the benchmark stops its client
            os.killpg(process.pid, signal.SIGKILL)
            raise
    wall_s = time.perf_counter() - began_s
    cpu_s = usage.ru_utime + usage.ru_stime
    now_busy_s = _core_busy_s(CLIENT_CORE)
    others_s = None if busy_s is None or now_busy_s is None else max(0.0, now_busy_s - busy_s - cpu_s)
    return Finished(
        exit_code=os.waitstatus_to_exitcode(status),
        wall_s=wall_s,
        cpu_s=cpu_s,
        rss_mib=peak_mib or usage.ru_maxrss * RSS_UNIT / 2**20,
        others_s=others_s,
        said=told.read_text(encoding="utf-8", errors="replace")[-2000:],
    )


def _wait(process: subprocess.Popen[bytes], until_s: float, is_enough: Callable[[], bool]) -> tuple[int, Any, float]:
    look_s = ask_s = time.perf_counter() + LOOK_S
    peak_mib = 0.0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return status, usage, peak_mib
        now_s = time.perf_counter()
        if now_s > look_s:
            look_s, peak_mib = now_s + LOOK_S, max(peak_mib, _peak_mib(process.pid))
        is_over = now_s > until_s
        if now_s > ask_s:
            ask_s, is_over = now_s + ASK_S, is_over or is_enough()
        if is_over:
            os.killpg(process.pid, signal.SIGKILL)
            until_s = ask_s = now_s + 60.0
        time.sleep(0.01)


def _peak_mib(pid: int) -> float:
    """Peak memory of a process since it began its program; 0 where nobody tells."""
    told = Path(f"/proc/{pid}/status")
    if not told.exists():
        return 0.0
    with suppress(OSError):  # it ended just now
        for line in told.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _core_busy_s(core: int) -> float | None:
    """CPU seconds that a core was not idle since the machine began."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    for line in stat.read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq = (int(tick) for tick in ticks[:7])
            return (user + nice + system + irq + softirq) / TICKS_PER_S
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The service, from outside."""

    url: str

    def begin(self, workload: Workload, *, seed: int) -> None:
        self._call("/bench/batch", json.dumps({"workload": asdict(workload), "seed": seed}).encode())

    def books(self) -> Books:
        return Books(**self._call("/bench/books", None))

    def _call(self, path: str, body: bytes | None) -> Any:
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", data=body), timeout=60) as answer:
            return json.load(answer)


@contextmanager
def server() -> Iterator[Server]:
    """A service on its core while the block lasts."""
    line = pinned(SERVER_CORE, [sys.executable, "-m", "tests.bench.server"])
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().removeprefix("port ").strip()
            yield Server(url=f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
