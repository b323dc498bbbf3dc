"""`make bench`: the product beside what people use instead, on one service, in turn.

    python -m tests.bench                        everything, three rounds: about two hours
    python -m tests.bench W1 W3a --rounds 5      some of it
    python -m tests.bench --quick                everything, small: minutes, and no figures to quote
    python -m tests.bench curves                 from few items to many
    python -m tests.bench start plan resume crowd   what a person waits for before the first send; memory

Round by round every client gets the same latencies; the seed changes between rounds. Only ratios inside one run
compare. Figures go to `out/bench/` as JSON, with the machine and its load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.clients import CLIENTS, Client
from tests.bench.desk import DESK
from tests.bench.figures import Figures, Round, Verdict, figures, verdicts
from tests.bench.processes import ROOT, Server, server
from tests.bench.tables import target_table, workload_table
from tests.bench.workloads import WORKLOADS, Workload, sized

__all__ = ["main"]

# Who plays what, in this order. The others only show where the road leads; the first are what targets are made of.
FIELDS = {
    "W1": (("ours", "careful"), ("cookbook", "aiometer", "threads64")),
    "W2": (
        ("ours", "careful", "bare", "bare-fresh", "ours-watched"),
        ("careful-uvloop", "cookbook", "aiometer", "threads64"),
    ),
    "W3a": (("ours", "careful", "ours-thrifty"), ("cookbook", "aiometer", "threads64")),
    "W3b": (("ours", "careful"), ("cookbook", "aiometer", "threads64")),
    "W4": (("ours", "careful"), ("cookbook", "threads64")),
    "W5": (("ours", "careful"), ()),
}
# Without limits a slow client gets fewer items; with them a share would have another bound.
SHARED_OUT = "W2"
NAMES = (*WORKLOADS, "curves", *DESK)
CURVE = (1_000, 10_000, 100_000)
CURVE_QUICK = (100, 200)
MIX = 1.4  # polls per item of a bare loop, until ours has shown its own
LIBRARIES = ("aiohttp", "aiolimiter", "aiometer", "anyio", "httpx", "orjson", "pydantic", "requests", "uvloop")


class Bench:
    def __init__(self, service: Server, options: argparse.Namespace) -> None:
        self.service = service
        self.options = options
        self.polls_per_item = MIX

    def play(self, workload: Workload, client: Client, *, seed: int) -> Figures:
        """One client, one batch."""
        if workload.name == SHARED_OUT and not self.options.quick:
            workload = replace(workload, items=round(workload.items * client.share))
        is_bare = client.name.startswith("bare")
        if is_bare:  # no limits, or it would only count refusals
            workload = replace(workload, creates=None, polls=None, shared=None, running=None)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            self.service.begin(workload, seed=seed)
            ran = client.play(workload, self.service.url, Path(folder), self.options.product, self.polls_per_item)
            books = self.service.books()
        found = figures(workload, ran, books)
        if is_bare:  # it waits for no end
            found = replace(found, done=ran.finished.exit_code == 0)
        if client.name == "ours" and found.done:
            self.polls_per_item = found.polls_per_item
        if ran.finished.exit_code:
            _say(f"  {client.name} ended with {ran.finished.exit_code}: {ran.finished.said[-500:]}")
        _say(
            f"  {workload.name} {client.name:<14} seed {seed}: {found.makespan_s:7.2f} s, x {found.over_bound:.3f}, "
            f"{found.requests_per_item:.2f} requests and {found.cpu_ms_per_item:.2f} ms CPU an item"
        )
        return found

    def rounds(self, workload: Workload) -> list[Round]:
        """A B A B: all clients in turn, then all again with other latencies."""
        first, others = FIELDS[workload.name]
        played: list[Round] = []
        for number in range(self.options.rounds):
            field = [*first, *(others if number < self.options.others else ())]
            names = [name for name in field if not self.options.clients or name in self.options.clients]
            played.append({name: self.play(workload, CLIENTS[name], seed=number + 1) for name in names})
        return played

    def curves(self) -> list[Round]:
        """W2, from few items to many: what an item costs must not depend on how many there are."""
        sizes = CURVE_QUICK if self.options.quick else CURVE
        played: list[Round] = []
        for items in sizes:
            workload = sized(WORKLOADS["W2"], items=items)
            played.append({name: self.play(workload, CLIENTS[name], seed=1) for name in ("ours", "careful")})
        return played


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def machine() -> dict[str, Any]:
    """Where the figures come from, and what else it did."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "load": os.getloadavg(),
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("stopped"))
    options = _options(words)
    report: dict[str, Any] = {"machine": machine(), "quick": options.quick, "workloads": {}, "targets": []}
    judged: list[Verdict] = []
    with server() as service:
        bench = Bench(service, options)
        for name in options.names or NAMES:
            if name in DESK:
                waited = list(DESK[name](service, options))
                report.setdefault("desk", {})[name] = [asdict(one) for one in waited]
                _say("\n".join(["", name, *(one.line() for one in waited), ""]))
                _write(report, options.output)
                continue
            if name == "curves":
                curves = bench.curves()
                report["curves"] = [_plain(run) for run in curves]
                _say("\n".join(_curve_lines(curves)))
                continue
            workload = sized(WORKLOADS[name], items=options.items, quick=options.quick)
            rounds = bench.rounds(workload)
            judged += (now := verdicts(name, rounds))
            report["workloads"][name] = {"workload": asdict(workload), "rounds": [_plain(run) for run in rounds]}
            report["targets"] += [asdict(verdict) for verdict in now]
            _say("\n".join(["", *workload_table(workload, rounds), "", *target_table(now), ""]))
            _write(report, options.output)
    report["machine"]["load_at_the_end"] = os.getloadavg()
    _write(report, options.output)
    if judged:
        _say("\n".join(["", *target_table(judged)]))
    if options.quick:
        _say("\nA quick run shows that everything works. Its figures are too small to be quoted.")


def _curve_lines(curves: Sequence[Round]) -> Iterator[str]:
    yield "CPU ms an item, by how many items"
    for run in curves:
        cells = (f"{name} {found.cpu_ms_per_item:.3f} ({found.rss_mib:.0f} MiB)" for name, found in run.items())
        yield f"  {next(iter(run.values())).items:>7,}  " + "  ".join(cells)


def _plain(run: Round) -> dict[str, Any]:
    return {name: asdict(found) for name, found in run.items()}


def _write(report: dict[str, Any], to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--rounds", type=int, help="rounds (3)")
    parser.add_argument("--others", type=int, help="in how many of them the slow ones take part (all)")
    parser.add_argument("--clients", type=lambda text: text.split(","), help="only these: ours,careful")
    parser.add_argument("--items", type=int, help="another size")
    parser.add_argument("--product", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "out" / "bench" / "bench.json", help="the figures as JSON"
    )
    options = parser.parse_args(words)
    unknown = set(options.names) - {*NAMES}
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    options.product = options.product.resolve()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.others = options.rounds if options.others is None else options.others
    return options


if __name__ == "__main__":
    main()
