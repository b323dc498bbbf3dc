"""Who is measured: the command, with its durable ledger, and what people use instead."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.processes import Finished, measured
from tests.bench.workloads import Told, Workload

__all__ = ["AXIS_MAX", "CLIENTS", "Client", "Ran", "command", "manifest", "play_ours", "play_peer"]

# What the manifest's language calls no limit.
FASTEST = 10_000
# What it allows an axis.
AXIS_MAX = 10_000

KEY = "rvya_sk_bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One client's run: what the machine says of it, and what it says of itself."""

    finished: Finished
    told: Mapping[str, Any]


# workload, the service's address, an empty folder, the checkout to be measured, polls per item of the last run of ours
Play = Callable[[Workload, str, Path, Path, float], Ran]
Enough = Callable[[], bool]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """`share` of the items is what a slow one gets."""

    name: str
    says: str
    play: Play
    share: float = 1.0


def manifest(workload: Workload, *, polls: str | None = None) -> str:
    """The batch as a user of the command writes it. The two poll floors are low enough not to matter."""
    shortest_s = min(kind.median_s for kind in workload.kinds)
    models = ", ".join(kind.model for kind in workload.kinds)
    numbers = workload.items // len(workload.kinds)
    sheets = -(-numbers // AXIS_MAX)
    assert numbers % sheets == 0, "as many on each sheet"
    return f"""\
version: 1
name: bench
budget: {{credits: 100000000}}
limits:
  creates: {workload.creates or FASTEST}/s
  polls: {polls or f"{workload.polls or FASTEST}/s"}
  in_flight: {workload.in_flight}
  first_poll: {max(10, round(shortest_s * 50))}ms
  poll_gap: {max(10, round(shortest_s * 20))}ms
jobs:
  - id: boat
    model: {workload.kinds[0].model}
    prompt: "a paper boat, number {{{{ vars.number }}}} on sheet {{{{ vars.sheet }}}}"
    matrix:
      grid:
        vars.sheet: {{from: 1, to: {sheets}}}
        vars.number: {{from: 1, to: {numbers // sheets}}}
        model: [{models}]
"""


def command(
    words: list[str], *, url: str, folder: Path, product: Path, watch: Path | None = None, is_enough: Enough = _never
) -> Finished:
    """The command of one checkout, as a process of its own."""
    line = ["-m", "runner"] if watch is None else ["-m", "tests.bench.watched", str(watch)]
    env = {"PYTHONPATH": str(product), "RIVYA_BASE_URL": url, "RIVYA_API_KEY": KEY}
    return measured([sys.executable, *line, *words], cwd=folder, env=env, is_enough=is_enough)


def play_ours(
    workload: Workload,
    url: str,
    folder: Path,
    product: Path,
    *,
    watched: bool = False,
    polls: str | None = None,
    is_enough: Enough = _never,
) -> Ran:
    """The command, until its batch has ended or shown enough."""
    (folder / "batch.yaml").write_text(manifest(workload, polls=polls), encoding="utf-8")
    watch = folder / "threads.json" if watched else None
    words = ["run", "batch.yaml", "--yes", "--no-progress", "--no-download", "--budget", "100000000"]
    if workload.items > 10_000:
        words.append("--allow-large")
    finished = command(words, url=url, folder=folder, product=product, watch=watch, is_enough=is_enough)
    told = json.loads(watch.read_text(encoding="utf-8")) if watch is not None and watch.exists() else {}
    return Ran(finished=finished, told=told)


def play_peer(module: str, workload: Workload, url: str, folder: Path, *, is_enough: Enough = _never) -> Ran:
    """One of the scripts beside this file, likewise."""
    told = Told.of(workload, url=url, out=str(folder / "results.jsonl"))
    line = [sys.executable, "-m", f"tests.bench.{module}", json.dumps(asdict(told))]
    return Ran(finished=measured(line, cwd=folder, is_enough=is_enough), told={})


def _peer(module: str) -> Play:
    return lambda workload, url, folder, _product, _polls: play_peer(module, workload, url, folder)


def _bare(kind: str) -> Play:
    def play(workload: Workload, url: str, folder: Path, _product: Path, polls_per_item: float) -> Ran:
        told = json.dumps(asdict(Told.of(workload, url=url, out="")))
        line = [sys.executable, "-m", "tests.bench.peer_bare", told, str(polls_per_item), kind]
        return Ran(finished=measured(line, cwd=folder), told={})

    return play


def _thrifty_polls(workload: Workload) -> str:
    """As many as the careful script needs in W3: 2.5 an item, and about 7 items a second.

    By the minute, as one says it who is to save requests: that no second has more than its share is not asked for.
    """
    items_per_s = (workload.running or workload.in_flight) / (workload.kinds[0].median_s * 1.15)
    return f"{round(2.5 * items_per_s * 60)}/min"


_ALL = (
    Client(
        name="ours",
        says="`run --yes --no-progress --no-download`, durable ledger",
        play=lambda workload, url, folder, product, _: play_ours(workload, url, folder, product),
    ),
    Client(
        name="ours-watched",
        says="the same, with the CPU of its threads told apart",
        play=lambda workload, url, folder, product, _: play_ours(workload, url, folder, product, watched=True),
    ),
    Client(
        name="ours-thrifty",
        says="the same with no more polls than the careful script",
        play=lambda workload, url, folder, product, _: play_ours(
            workload, url, folder, product, polls=_thrifty_polls(workload)
        ),
    ),
    Client(name="careful", says="aiohttp, semaphore, aiolimiter, fixed polls", play=_peer("peer_careful")),
    Client(name="careful-uvloop", says="the same on uvloop", play=_peer("peer_careful_uvloop")),
    Client(name="cookbook", says="the cookbook's loop", play=_peer("peer_cookbook"), share=0.2),
    Client(name="aiometer", says="httpx and aiometer", play=_peer("peer_aiometer"), share=0.1),
    Client(name="threads64", says="requests in 64 threads", play=_peer("peer_threads"), share=0.2),
    Client(name="bare", says="aiohttp on uvloop alone, the same mix", play=_bare("shared"), share=0.5),
    Client(name="bare-fresh", says="the same, a connection for each create", play=_bare("fresh"), share=0.5),
)

CLIENTS: Mapping[str, Client] = {client.name: client for client in _ALL}
