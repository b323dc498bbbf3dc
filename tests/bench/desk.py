"""What a person waits for before the first send: the start of the command, a plan, a resume in a full ledger."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.clients import AXIS_MAX, KEY, command, play_ours, play_peer
from tests.bench.crowd import TASKS
from tests.bench.figures import Spread, spread
from tests.bench.processes import ROOT, Server, measured, pinned
from tests.bench.workloads import FAST, WORKLOADS, Kind, Workload

__all__ = ["CROWD", "DESK", "Waited"]

PATIENCE_S = 600.0
STARTS = 10  # of one verb, in each round
DOMAIN = Workload(
    name="desk", says="", items=0, kinds=(Kind(model=FAST, median_s=0.05, sigma=0.1),), in_flight=100, interval_s=1.0
)
# What an unfinished run is left with: it buys slowly, so nearly everything is still open.
SLOWLY = "limits: {creates: 1/s, in_flight: 16}"
# So many tasks at work at once: none ends, or is asked for, before the last is there.
CROWD, CROWD_QUICK, FEW = 100_000, 2_000, 200
CROWD_KINDS = (Kind(model=FAST, median_s=7200.0, sigma=0.1),)
CROWD_INTERVAL_S = 3600.0
COPIED = 10  # settled items of a real run, which are copied until the ledger is full


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """One thing a person waits for: a target in seconds or as a ratio, or none."""

    says: str
    value: Spread
    unit: str
    goal: float | None = None

    def line(self) -> str:
        goal = "" if self.goal is None else f" <= {self.goal:g} {'met' if self.value.median <= self.goal else 'MISSED'}"
        spread = f"({self.value.least:.3f}..{self.value.most:.3f}, {self.value.rounds} rounds)"
        return f"  {self.says:<58} {self.value.median:8.3f} {self.unit:<3} {spread}{goal}"


def _said(says: str, values: Sequence[float], unit: str = "s", goal: float | None = None) -> Waited:
    value = spread(values)
    assert value is not None, "there is a round"
    return Waited(says=says, value=value, unit=unit, goal=goal)


def large(items: int, *, name: str = "large", more: str = "") -> str:
    """A manifest of so many items, by tens; an axis has at most 10,000 values."""
    tens = items // 10
    sheets = 1 if tens <= AXIS_MAX else 100
    return f"""\
version: 1
name: {name}
budget: {{credits: 20000000}}
{more}
jobs:
  - id: still
    model: {FAST}
    prompt: "a paper boat, number {{{{ vars.n }}}} of {{{{ vars.sheet }}}} in {{{{ vars.colour }}}}"
    params: {{aspect_ratio: "4:3"}}
    matrix:
      grid:
        vars.sheet: {{from: 1, to: {sheets}}}
        vars.n: {{from: 1, to: {tens // sheets}}}
        vars.colour: [red, blue, green, black, white, grey, pink, gold, teal, plum]
"""


def start(_service: Server, options: argparse.Namespace) -> Iterator[Waited]:
    """From typing to the first word."""
    verbs = {
        "bare Python": ["-c", ""],
        "--help": ["-m", "runner", "--help"],
        "version": ["-m", "runner", "version"],
        "check of a small manifest": ["-m", "runner", "check", "small.yaml"],
    }
    goals = {"--help": 0.25, "version": 0.25, "check of a small manifest": 0.6}
    took: dict[str, list[float]] = {name: [] for name in verbs}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        (place / "small.yaml").write_text(large(10), encoding="utf-8")
        for _ in range(3 if options.quick else STARTS * options.rounds):
            for name, words in verbs.items():
                took[name].append(_took(words, place, options.product))
    for name, values in took.items():
        yield _said(name, values, goal=goals.get(name))


def _took(words: list[str], folder: Path, product: Path) -> float:
    began_s = time.perf_counter()
    ended = subprocess.run(
        pinned(1, [sys.executable, *words]),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(product), "HOME": str(folder)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return time.perf_counter() - began_s


def plan(service: Server, options: argparse.Namespace) -> Iterator[Waited]:
    """Plans of ten thousand and of a million items, beside the least that such a plan must cost."""
    few, many = (1_000, 10_000) if options.quick else (10_000, 1_000_000)
    found: dict[str, list[float]] = {name: [] for name in ("few", "many", "bare", "ratio", "grown")}
    for _ in range(options.rounds):
        peaks = []
        for name, items in (("few", few), ("many", many)):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                (Path(folder) / "large.yaml").write_text(large(items), encoding="utf-8")
                words = ["plan", "large.yaml", "--json", "--allow-large"]
                ended = command(words, url=service.url, folder=Path(folder), product=options.product)
                assert ended.exit_code == 0, ended.said
                found[name].append(ended.wall_s)
                peaks.append(ended.rss_mib)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            line = [sys.executable, "-m", "tests.bench.bare_plan", "bare.db", str(many)]
            found["bare"].append(measured(line, cwd=Path(folder)).wall_s)
        found["ratio"].append(found["many"][-1] / found["bare"][-1])
        found["grown"].append(peaks[1] - peaks[0])
    yield _said(f"plan of {few:,}", found["few"], goal=2.0)
    yield _said(f"plan of {many:,}", found["many"])
    yield _said(f"bare work of {many:,}: orjson, sha256, executemany", found["bare"])
    yield _said("the plan over the bare work", found["ratio"], "x", 2.0)
    yield _said(f"memory of {many:,} over that of {few:,}", found["grown"], "MiB", 100.0)


def resume(service: Server, options: argparse.Namespace) -> Iterator[Waited]:
    """An unfinished run in a ledger that is full of finished ones: from its start to its first request."""
    settled, open_items = (2_000, 1_000) if options.quick else (1_000_000, 100_000)
    found: dict[str, list[float]] = {"resume": [], "small": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        (place / "old.yaml").write_text(large(COPIED, name="old"), encoding="utf-8")
        (place / "open.yaml").write_text(large(open_items, name="open", more=SLOWLY), encoding="utf-8")
        service.begin(DOMAIN, seed=1)
        ended = command(_run("old.yaml"), url=service.url, folder=place, product=options.product)
        assert ended.exit_code == 0, ended.said
        fill(place / ".rivya" / "ledger.db", settled)
        first_send(service, place, "open.yaml", options.product)  # the life that is cut short
        for number in range(options.rounds):
            found["resume"].append(first_send(service, place, "open.yaml", options.product))
            name = f"small-{number}"
            text = large(10, name=name).replace("a paper boat", f"another boat {number}")
            (place / f"{name}.yaml").write_text(text, encoding="utf-8")
            found["small"].append(first_send(service, place, f"{name}.yaml", options.product))
    yield _said(f"resume: {open_items:,} open beside {settled:,} settled, to the first send", found["resume"], goal=3.0)
    yield _said(f"a small new run beside {settled:,} settled, to the first send", found["small"], goal=1.0)


def _run(name: str) -> list[str]:
    return ["run", name, "--yes", "--no-progress", "--no-download", "--allow-large"]


def first_send(service: Server, folder: Path, name: str, product: Path) -> float:
    """Seconds from the start of a run to its first create or poll. The run is killed then."""
    service.begin(DOMAIN, seed=1)
    line = pinned(1, [sys.executable, "-m", "runner", *_run(name)])
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(product), "HOME": str(folder), "LANG": "C.UTF-8"}
    began_s = time.monotonic()
    with (folder / "client.log").open("wb") as log:
        process = subprocess.Popen(
            line,
            cwd=folder,
            env={**env, "RIVYA_BASE_URL": service.url, "RIVYA_API_KEY": KEY},
            stdout=log,
            stderr=log,
            process_group=0,
        )
        first_s = None
        while first_s is None and process.poll() is None and time.monotonic() - began_s < PATIENCE_S:
            time.sleep(0.2)
            first_s = service.books().first_s
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert first_s is not None, (folder / "client.log").read_text(encoding="utf-8", errors="replace")[-2000:]
    return first_s - began_s


# How the copies of a settled item differ; the rest of each row is kept.
_COPIES: Mapping[str, Mapping[str, str]] = {
    "items": {
        "identity": "identity || '-' || i",
        "latest_attempt_key": "'k' || i || substr(latest_attempt_key, 1, 50)",
    },
    "run_items": {"identity": "identity || '-' || i", "item_key": "item_key || '-' || i"},
    "attempts": {
        "key": "'k' || i || substr(\"key\", 1, 50)",
        "identity": "identity || '-' || i",
        "task_id": "task_id || '-' || i",
    },
    "artifacts": {"attempt_key": "'k' || i || substr(attempt_key, 1, 50)", "state": "'gone'"},
    "events": {
        "seq": "NULL",
        "identity": "identity || '-' || i",
        "attempt_key": "'k' || i || substr(attempt_key, 1, 50)",
    },
}


def fill(file: Path, items: int) -> None:
    """Copy what is in a ledger until it holds so many items."""
    with closing(sqlite3.connect(file, isolation_level=None)) as ledger:
        ledger.execute("BEGIN")
        ledger.execute(
            "CREATE TEMP TABLE copies AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            f"WHERE i < {items // COPIED - 1}) SELECT i FROM n"
        )
        for table, changed in _COPIES.items():
            columns = [row[1] for row in ledger.execute(f"PRAGMA table_info ({table})")]
            names = ", ".join(f'"{column}"' for column in columns)
            values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
            ledger.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM (SELECT * FROM {table}), copies")
        ledger.execute("UPDATE books SET settled = settled * (SELECT count(*) + 1 FROM copies)")
        ledger.execute("COMMIT")


def crowd(service: Server, options: argparse.Namespace) -> Iterator[Waited]:
    """What a task at work takes in memory, beside a task of asyncio for each; and the loop under very many of them."""
    many = CROWD_QUICK if options.quick else CROWD
    each: dict[str, list[float]] = {"ours": [], "careful": []}
    lags_s = []
    for number in range(options.rounds):
        for who, found in each.items():
            least, most = (_at_work_mib(service, who, items, options.product, seed=number) for items in (FEW, many))
            found.append(1024 * (most - least) / (many - FEW))
        line = pinned(1, [sys.executable, "-m", "tests.bench.crowd"])
        held = json.loads(subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        lags_s.append(held["lag_p99_s"])
    yield _said(f"{many:,} tasks at work: memory of one", each["ours"], "KiB")
    yield _said("the careful script, a task of asyncio each", each["careful"], "KiB")
    ratios = [ours / careful for ours, careful in zip(each["ours"], each["careful"], strict=True)]
    yield _said("memory / that of the careful script", ratios, "x", 0.4)
    yield _said(f"{TASKS:,} tasks at work: the loop is held up, p99", lags_s, "s", 0.05)


def _at_work_mib(service: Server, who: str, items: int, product: Path, *, seed: int) -> float:
    """A client's memory at its peak, when so many tasks are at work at once. It is killed then."""
    work = replace(WORKLOADS["W2"], items=items, kinds=CROWD_KINDS, in_flight=items, interval_s=CROWD_INTERVAL_S)
    service.begin(work, seed=seed)

    def are_all_there() -> bool:
        return service.books().creates == items

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if who == "ours":
            ran = play_ours(work, service.url, Path(folder), product, is_enough=are_all_there)
        else:
            ran = play_peer("peer_careful", work, service.url, Path(folder), is_enough=are_all_there)
    assert are_all_there(), ran.finished.said
    return ran.finished.rss_mib


DESK: Mapping[str, Callable[[Server, argparse.Namespace], Iterator[Waited]]] = {
    "start": start,
    "plan": plan,
    "resume": resume,
    "crowd": crowd,
}
