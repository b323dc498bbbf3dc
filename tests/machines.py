"""Several machines on this one: a database, the simulator and workers, each a process that may be killed.

    with Machines(folder, creates="80/s") as machines:
        machines.worker(); machines.worker()
        run = machines.run("--engine", "procrastinate")

What the service made, and when, its journal says; it is the judge of what was bought.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from runner.sim.profile import DEMO_KEY
from tests.postgres_server import Server

__all__ = ["MANIFEST", "Machines", "Process", "manifest"]

MANIFEST = """\
version: 1
name: {name}
budget: {{credits: {cap}}}
limits: {{creates: {creates}, polls: 400/s, uploads: 50/s, in_flight: {in_flight}, first_poll: 200ms, poll_gap: 100ms}}
references:
  shoe: {{file: shoe.png}}
jobs:
  - id: plain
    model: z-image
    prompt: "picture {{{{ vars.n }}}}"
    matrix: {{grid: {{vars.n: {{from: 1, to: {items}}}}}}}
"""
WITH_REFERENCES = """\
  - id: shoes
    model: nano-banana
    prompt: "shoe {{ vars.n }}"
    references: [shoe]
    matrix: {grid: {vars.n: {from: 1, to: 6}}}
"""
ASSETS = Path(__file__).parents[1] / "manifests" / "assets"
START_S_MAX = 30.0


def manifest(
    folder: Path,
    *,
    items: int,
    cap: int = 1_000_000,
    creates: str = "80/s",
    in_flight: int = 400,
    name: str = "many",
    references: bool = False,
) -> Path:
    """A manifest of so many small pictures, and six with a reference."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shoe.png").write_bytes((ASSETS / "mug.png").read_bytes())
    text = MANIFEST.format(items=items, cap=cap, creates=creates, in_flight=in_flight, name=name)
    file = folder / "many.yaml"
    file.write_text(text + (WITH_REFERENCES if references else ""), encoding="utf-8")
    return file


class Process:
    """A process of ours, what it said, and how it ended."""

    def __init__(self, line: list[str], *, folder: Path, log: Path, environ: Mapping[str, str]) -> None:
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                line, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def wait(self, limit_s: float = 120.0) -> int:
        """Its exit code. Raises AssertionError with what it said if it does not end."""
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self.said[-3000:]}") from None

    def says(self, words: str, limit_s: float = START_S_MAX) -> None:
        """Wait until it has said this."""
        until(lambda: words in self.said or not self.is_there, limit_s, lambda: f"{words!r}:\n{self.said[-3000:]}")
        assert words in self.said, self.said[-3000:]


def until(is_so: Callable[[], bool], limit_s: float, what: Callable[[], str] = lambda: "it") -> None:
    """Wait for something that will be so."""
    deadline_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline_s, f"waited {limit_s:g} s for {what()}"
        time.sleep(0.02)


class Machines:
    """A database, the simulator, and as many workers as asked for; all of them end with the block."""

    def __init__(
        self,
        folder: Path,
        *,
        window: str = "creates:80/1",
        speed: float = 10.0,
        fast: bool = True,
        ray: Mapping[str, str] | None = None,  # the environment of a Ray cluster, whose nodes are the machines then
    ) -> None:
        self.folder = folder
        self.engine = "procrastinate" if ray is None else "ray"
        self._ray = ray
        self.database = Server()
        self._window = window
        self._speed = speed
        self._fast = fast
        self._processes: list[Process] = []
        self._environ: dict[str, str] = {}
        self.journal = folder

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database.start()
        try:
            self.serve()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        for process in self._processes:
            process.send(signal.SIGCONT)
            process.send(signal.SIGKILL)
            process.wait()
        self.database.stop()

    def serve(self) -> None:
        """A service that knows nothing yet, for all that begins from now on."""
        self.journal = self.folder / f"sim-{len(self._processes)}.jsonl"
        line = [
            "sim",
            "--state",
            str(self.journal),
            "--speed",
            f"{self._speed:g}",
            "--profile",
            f"windows={self._window}",
        ]
        self.sim = self.command(*line, *(["--fast-media"] if self._fast else []))
        self.sim.says("RIVYA_BASE_URL=")
        found = re.search(r"RIVYA_BASE_URL=(\S+)", self.sim.said)
        assert found is not None
        self._environ = {"RIVYA_BASE_URL": found[1], "RIVYA_API_KEY": DEMO_KEY}

    @property
    def store(self) -> str:
        return self.database.address() if self._ray is None else self.database.address(password=None)

    def command(self, *words: str, folder: Path | None = None, more: Mapping[str, str] | None = None) -> Process:
        """Our command in a process of its own."""
        name = f"{len(self._processes)}-{words[0]}"
        environ = {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "CI": "1",
        }
        environ |= {**(self._ray or {}), **self._environ, **(more or {})}
        process = Process(
            [sys.executable, "-m", "runner", *words],
            folder=folder or self.folder,
            log=self.folder / f"{name}.log",
            environ=environ,
        )
        self._processes.append(process)
        return process

    def worker(self, *, key: str = DEMO_KEY) -> Process:
        return self.command("worker", "--store", self.store, more={"RIVYA_API_KEY": key})

    def workers(self, count: int) -> list[Process]:
        """So many, or as many as Ray has nodes, each with a worker that Ray begins for a run."""
        return [self.worker() for _ in range(count)] if self._ray is None else []

    def hand_out(self, file: Path, *words: str) -> Process:
        """A run that others work on."""
        return self.run(file, "--engine", self.engine, *words)

    def at_work(self) -> list[int]:
        """The workers that have shards now, by the numbers of their processes."""
        with psycopg.connect(self.database.address()) as db:
            (schema,) = db.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rivya%'").fetchone() or ("",)
            having = (
                "SELECT DISTINCT worker FROM {} WHERE state = 'open' AND lease_until > clock_timestamp() ORDER BY 1"
            )
            rows = db.execute(psycopg.sql.SQL(having).format(psycopg.sql.Identifier(schema, "shards"))).fetchall()
        return [int(worker.split(":")[-2]) for (worker,) in rows]

    def run(self, file: Path, *words: str, store: str | None = None) -> Process:
        line = ["run", str(file), "--yes", "--no-progress", "--store", store or self.store, *words]
        return self.command(*line, folder=file.parent)

    def rows(self, file: Path, *, store: str | None = None) -> list[dict[str, Any]]:
        """The run's results."""
        out = self.folder / "rows.jsonl"
        out.unlink(missing_ok=True)
        line = ["results", "--format", "jsonl", "-o", str(out), "--store", store or self.store]
        process = self.command(*line, folder=file.parent)
        assert process.wait() == 0, process.said
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """What the service remembers: each `send` of a create, each `task` that was made."""
        whole = self.journal.read_bytes()
        lines = whole[: whole.rfind(b"\n") + 1].splitlines()
        return [fact for fact in map(json.loads, lines) if fact["fact"] == kind]

    def made(self) -> Counter[str]:
        """How many tasks were made for each prompt: one, or something was bought twice."""
        return Counter(fact["prompt"] for fact in self.facts("task"))
