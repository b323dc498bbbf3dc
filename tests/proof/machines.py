"""Whole runs on several machines that are one: real processes, a real database, and deaths of each of them.

    python -m tests.proof.machines                       all scenes at the size of the proof, a table at the end
    python -m tests.proof.machines --items 200 worker    one of them, smaller
    python -m tests.proof.machines --engine ray          on the nodes of a Ray cluster

The service is the simulator with a strict sliding window; its journal judges what was made. Every scene must lose
nothing, make nothing twice, and never have spent more than its budget.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import psycopg

from tests.machines import Machines, Process, manifest, until
from tests.ray_cluster import RayCluster

__all__ = ["SCENES", "Played", "main", "play"]

WORKERS: Final = 3
CREATES: Final = 80  # a second
PRICE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a scene came to."""

    items: int
    took_s: float
    tasks: int
    sends: int
    refused: int
    twice: int
    lost: int
    exit_code: int
    recovered_s: float | None = None  # from the strike to the next task that was made


@dataclass(slots=True, kw_only=True)
class Stage:
    """A scene while it is played."""

    machines: Machines
    file: Path
    items: int
    run: Process
    struck_s: float | None = None  # on the wall

    def made(self) -> int:
        return len(self.machines.facts("task"))

    def await_share(self, share: float) -> None:
        """Until that share of the items is bought."""
        until(lambda: self.made() >= share * self.items or not self.run.is_there, 120.0, lambda: self.run.said[-2000:])
        assert self.run.is_there, f"it ended before anything happened to it:\n{self.run.said[-2000:]}"


def _quiet(_: Stage) -> None:
    """Nothing happens."""


def _worker(stage: Stage) -> None:
    """A worker is killed."""
    stage.await_share(0.25)
    stage.struck_s = time.time()
    os.kill(stage.machines.at_work()[0], signal.SIGKILL)


def _database(stage: Stage) -> None:
    """The database is killed, and comes back after two seconds."""
    stage.await_share(0.25)
    stage.struck_s = time.time()
    stage.machines.database.kill()
    time.sleep(2.0)
    stage.machines.database.start()


def _coordinator(stage: Stage) -> None:
    """Whoever runs is killed, and runs again after two seconds."""
    stage.await_share(0.25)
    stage.struck_s = time.time()
    stage.run.send(signal.SIGKILL)
    stage.run.wait()
    workers = stage.machines.at_work()
    time.sleep(2.0)
    for worker in workers:
        os.kill(worker, 0)  # raises for one that is gone: they need nobody
    stage.run = stage.machines.hand_out(stage.file)


def _zombie(stage: Stage) -> None:
    """A worker is stopped until others have its shards, and wakes amid them."""
    stage.await_share(0.25)
    stage.struck_s = time.time()
    worker = stage.machines.at_work()[0]
    os.kill(worker, signal.SIGSTOP)
    time.sleep(9.0)
    os.kill(worker, signal.SIGCONT)


def _alone(_: Stage) -> None:
    """One process on the same database, without workers."""


SCENES: Final[Mapping[str, Callable[[Stage], None]]] = {
    "alone": _alone,
    "quiet": _quiet,
    "worker": _worker,
    "database": _database,
    "coordinator": _coordinator,
    "zombie": _zombie,
    "budget": _quiet,
}


def play(name: str, *, items: int, folder: Path, speed: float = 10.0, ray: Mapping[str, str] | None = None) -> Played:
    """One scene. Raises AssertionError for whatever must never be."""
    bought = items // 2 if name == "budget" else items
    with Machines(folder, window=f"creates:{CREATES}/1", speed=speed, ray=ray) as machines:
        file = manifest(folder / "work", items=items, cap=bought * PRICE, creates=f"{CREATES}/s")
        waiting = machines.workers(0 if name == "alone" else WORKERS)  # they wait for work from long before
        until(lambda: all(" is there" in worker.said for worker in waiting), 60.0, lambda: waiting[0].said)
        began_s = time.monotonic()
        run = machines.run(file) if name == "alone" else machines.hand_out(file)
        stage = Stage(machines=machines, file=file, items=items, run=run)
        watch = Watch(machines.database.address(), cap=bought * PRICE)
        watch.start()
        try:
            SCENES[name](stage)
            code = stage.run.wait(60.0 + items / 10)
        finally:
            watch.end()
        took_s = time.monotonic() - began_s
        tasks, sends = machines.facts("task"), machines.facts("send")
        rows = machines.rows(file)
        made = machines.made()
        played = Played(
            items=items,
            took_s=took_s,
            tasks=len(tasks),
            sends=len(sends),
            refused=sum(send.get("status") == 429 for send in sends),
            twice=sum(times - 1 for times in made.values()),
            lost=bought - sum(row["state"] == "succeeded" for row in rows),
            exit_code=code,
            recovered_s=_recovered_s(stage, [task["created_s"] for task in tasks]),
        )
        assert (played.twice, played.lost, played.tasks) == (0, 0, bought), f"{played}\n{stage.run.said[-3000:]}"
        assert code == (5 if bought < items else 0), stage.run.said[-3000:]
        assert watch.over == [], f"more than the budget was held: {watch.over}"
        assert watch.looks > 0
        return played


def _recovered_s(stage: Stage, made_s: Sequence[float]) -> float | None:
    """The longest that nothing was made after the strike."""
    if stage.struck_s is None:
        return None
    after = [stage.struck_s, *sorted(at_s for at_s in made_s if at_s > stage.struck_s)]
    return max((b - a for a, b in pairwise(after)), default=0.0)


class Watch(threading.Thread):
    """Looks at the books from beside, all the time."""

    def __init__(self, store: str, *, cap: int) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._cap = cap
        self._over_event = threading.Event()
        self.over: list[int] = []
        self.looks = 0

    def end(self) -> None:
        self._over_event.set()
        self.join()

    def run(self) -> None:
        while not self._over_event.wait(0.2):
            try:
                with psycopg.connect(self._store, connect_timeout=2) as db:
                    self._look(db)
            except psycopg.Error:
                continue

    def _look(self, db: psycopg.Connection) -> None:
        for (schema,) in db.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rivya%'").fetchall():
            books = psycopg.sql.SQL("SELECT reserved + settled FROM {}").format(psycopg.sql.Identifier(schema, "books"))
            for (held,) in db.execute(books).fetchall():
                self.looks += 1
                if held > self._cap:
                    self.over.append(held)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.machines", description=__doc__)
    parser.add_argument("scene", nargs="*", choices=[[], *SCENES], help="all of them if none is named")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--engine", choices=["procrastinate", "ray"], default="procrastinate")
    asked = parser.parse_args(words)
    if asked.engine == "procrastinate":
        return _play_all(asked, None)
    with RayCluster(nodes=WORKERS) as cluster:
        return _play_all(asked, cluster.environ)


def _play_all(asked: argparse.Namespace, ray: Mapping[str, str] | None) -> int:
    wrong = 0
    _tell(f"{asked.items} items, {CREATES} creates/s, {WORKERS} workers")
    _tell(f"{'scene':12} {'took':>7} {'tasks':>6} {'sends':>6} {'429':>4} {'twice':>6} {'lost':>5} {'gap':>6}")
    for name in asked.scene or SCENES:
        with tempfile.TemporaryDirectory(prefix="rvb-machines-") as folder:
            try:
                one = play(name, items=asked.items, folder=Path(folder), ray=ray)
            except AssertionError as error:
                wrong += 1
                _tell(f"{name:12} {error}")
                continue
        gap = "" if one.recovered_s is None else f"{one.recovered_s:.1f}s"
        counts = f"{one.tasks:6} {one.sends:6} {one.refused:4} {one.twice:6} {one.lost:5}"
        _tell(f"{name:12} {one.took_s:6.1f}s {counts} {gap:>6}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
