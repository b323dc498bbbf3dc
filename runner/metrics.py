"""A run's figures for Prometheus, read from its ledger. The only file that imports prometheus-client.

    metrics_text(store, run_id)         what `serve --metrics` gives to whoever scrapes
    MetricsFile(file, ...)              the same in a file while a run lasts, for node_exporter's textfile collector

Labels are few and bounded: the run's name (not its edition, of which there is a new one every night), states, models,
kinds. No prompt, no item and no address is in it. What only the running process knows (polls, the speed of this moment)
stands in its own file alone.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from jobs.lifecycle import ItemState
from jobs.record import ArtifactState
from runner.errors import RunnerError
from runner.ledger.opening import open_reader
from runner.ledger.reading import LedgerReader
from runner.ledger.rows import Row
from runner.ledger.store import Store
from runner.reporter import Reporter, RunOutcome, RunStarted, RunStatistics
from runner.views import RunSummary, need_ledger, run_summary
from runner.whole_files import whole_file

__all__ = ["MetricsFile", "metrics_text"]

# A scrape every minute finds figures that are at most half as old.
EVERY_S: Final = 30.0

# The collector that reads the file runs as another user; there is nothing private in it.
READABLE: Final = 0o644

RESULT_STATES: Final[tuple[ArtifactState, ...]] = get_args(ArtifactState)

# A create is an HTTP request; a generation takes seconds for a picture and minutes for a clip.
CREATE_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
GENERATION_S: Final = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0)

# Polling aims at eleven a task while polls are plenty, and the end of a clip is noticed within a second or a few.
POLLS: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 48.0)
NOTICED_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# What of a send that did not lead to a task was the service's word, and not the network's.
_REFUSALS: Final = ("rejected", "limited", "refused_key", "conflict", "misrouted")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the ledger says. Each figure is of a moment of its own: one moment for all would hold up a run's commits."""

    summary: RunSummary
    results: Mapping[str, tuple[int, int]]  # state -> files, bytes
    sends: int
    refusals: Mapping[str, int]
    times: tuple[Row, ...]  # model, create_s, generation_s
    looks: tuple[Row, ...]  # model, polls, noticed_s
    success_s: float | None
    speeds: Mapping[str, float]  # of a living run: limit -> requests a second


def metrics_text(store: Store, run_id: str, *, live: RunStatistics | None = None) -> bytes:
    """The figures in Prometheus's text format. `live` is what the running process knows besides. Raises RunnerError."""
    summary = run_summary(store, run_id)
    with need_ledger(store) as reader:
        known = _known(reader, summary)
    return _text(_families(known, live))


def _text(families: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(list(families)))
    return generate_latest(registry)


class MetricsFile(Reporter):
    """Writes a run's figures to a file every 30 s and at its end. That it cannot is told, and stops no run."""

    def __init__(self, file: Path, *, store: Store, name: str, run_id: str, warn: Callable[[str], None]) -> None:
        self._file = file
        self._store = store
        self._name = name
        self._run_id = run_id
        self._warn = warn
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[str] | None = None
        self._one_at_a_time = threading.Lock()
        self._has_last = False
        self._run: RunStarted | None = None
        self._is_warned = False

    def prove(self) -> None:
        """Write what is known before the run begins. Raises OutputUnusable or DiskFull."""
        self._put(self._before())

    def started(self, run: RunStarted) -> None:
        self._run = run
        self._again()

    def ended(self, outcome: RunOutcome) -> None:
        self._tell(self._write(outcome.statistics, is_last=True))

    def broken(self, last: RunStatistics) -> None:
        self._tell(self._write(last, is_last=True))

    def closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tick)

    def _tick(self) -> None:
        assert self._run is not None, "a run ticks after it began"
        if self._writing is None or self._writing.done():  # a large ledger is read for a while: not on the loop
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, self._write, self._run.statistics())
            self._writing.add_done_callback(self._written)
        self._again()

    def _write(self, live: RunStatistics, *, is_last: bool = False) -> str:
        """Why it could not be written; empty if it was. What a thread still has to say never replaces the last word."""
        with self._one_at_a_time:
            if self._has_last and not is_last:
                return ""
            self._has_last = is_last
            try:
                self._put(metrics_text(self._store, self._run_id, live=live))
            except RunnerError as problem:
                return problem.message
        return ""

    def _written(self, writing: asyncio.Future[str]) -> None:
        if not writing.cancelled():
            self._tell(writing.result())

    def _tell(self, problem: str) -> None:
        if problem and not self._is_warned:
            self._is_warned = True
            self._warn(f"no metrics: {problem}")

    def _before(self) -> bytes:
        """A night that never gets as far as the ledger must leave what alerts on missing nights look at."""
        reader = open_reader(self._store)
        if reader is None:
            return b""
        with reader:
            is_known = bool(reader.ask("runs", {"run_id": self._run_id}))
            success_s = _success_s(reader, self._name)
        if is_known:
            return metrics_text(self._store, self._run_id)
        return _text(_last_success(self._name, success_s))

    def _put(self, text: bytes) -> None:
        with whole_file(self._file, mode=READABLE) as part:
            part.write_bytes(text)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._found = families

    def collect(self) -> Iterable[Metric]:
        return self._found


def _known(reader: LedgerReader, summary: RunSummary) -> _Known:
    asked = {"run_id": summary.run_id}
    return _Known(
        summary=summary,
        results={row["state"]: (row["files"], row["bytes"]) for row in reader.ask("result_states", asked)},
        sends=reader.ask("run_sends", asked)[0]["sends"],
        refusals={row["reason"]: row["sends"] for row in reader.ask("run_refusals", asked)},
        times=tuple(reader.ask("run_times", asked)),
        looks=tuple(reader.ask("run_looks", asked)),
        success_s=_success_s(reader, summary.name),
        speeds=_speeds(reader, summary) if summary.state == "alive" else {},
    )


def _success_s(reader: LedgerReader, name: str) -> float | None:
    found: float | None = reader.ask("last_success", {"name": name})[0]["ended_at_s"]
    return found


def _speeds(reader: LedgerReader, summary: RunSummary) -> dict[str, float]:
    """The speeds that the living run last told; nothing of a limit that it never changed."""
    notes = [note.data for note in reader.notes(summary.run_id) if note.life_id == summary.life.life_id]
    return {str(data["limit"]): float(str(data["after"])) for data in notes if {"limit", "after"} <= data.keys()}


def _families(known: _Known, live: RunStatistics | None) -> Iterator[Metric]:
    summary, run = known.summary, known.summary.name
    items = GaugeMetricFamily("rivya_batch_items", "Items of the run by state.", labels=("run", "state"))
    for state in ItemState:
        items.add_metric((run, state.value), summary.counts.get(state, 0))
    yield items
    credits_ = GaugeMetricFamily(
        "rivya_batch_credits",
        "Credits of the run: settled, reserved, of these in doubt (uncertain), and the cap.",
        labels=("run", "kind"),
    )
    held = {"settled": summary.settled, "reserved": summary.reserved, "uncertain": summary.uncertain}
    for kind, amount in {**held, **({} if summary.cap_credits is None else {"cap": summary.cap_credits})}.items():
        credits_.add_metric((run, kind), amount)
    yield credits_
    yield from _result_families(known)
    yield _counter("creates", "POSTs of creates that left, over all lives of the run.", run, known.sends)
    refusals = CounterMetricFamily(
        "rivya_batch_refusals", "Creates that the service answered with no, by reason.", labels=("run", "reason")
    )
    for reason in _REFUSALS:
        refusals.add_metric((run, reason), known.refusals.get(reason, 0))
    yield refusals
    yield from _histograms(known)
    yield from _speed_families(known, live)
    yield from _end_families(known)


def _histograms(known: _Known) -> Iterator[Metric]:
    run, times, looks = known.summary.name, known.times, known.looks
    creating, making = "Seconds from an intent to its task, by model.", "Seconds from a task to its success, by model."
    yield _histogram("create_seconds", creating, run, times, "create_s", CREATE_S)
    yield _histogram("generation_seconds", making, run, times, "generation_s", GENERATION_S)
    yield _histogram(
        "polls_per_task", "Polls until the end of a task was noticed, by model.", run, looks, "polls", POLLS
    )
    noticing = "Seconds from the end of a task to its notice, by model: half of the time it had not been looked at."
    yield _histogram("noticed_seconds", noticing, run, looks, "noticed_s", NOTICED_S)


def _result_families(known: _Known) -> Iterator[Metric]:
    results = GaugeMetricFamily("rivya_batch_results", "Result files by state.", labels=("run", "state"))
    for state in RESULT_STATES:
        results.add_metric((known.summary.name, state), known.results.get(state, (0, 0))[0])
    yield results
    saved = sum(size for _, size in known.results.values())
    yield _gauge("saved_bytes", "Bytes of results that were saved.", known.summary.name, saved)


def _speed_families(known: _Known, live: RunStatistics | None) -> Iterator[Metric]:
    run = known.summary.name
    now = GaugeMetricFamily(
        "rivya_batch_rate_limit_per_second", "Requests a second that are allowed now.", labels=("run", "limit")
    )
    pacers = () if live is None else live.pacers
    for limit, per_s in {**known.speeds, **{pacer.name: pacer.per_s for pacer in pacers}}.items():
        now.add_metric((run, limit), per_s)
    yield now
    for pacer in pacers:
        if pacer.name == "polls":
            yield _counter("polls", "Polls that left in this life of the run.", run, pacer.left)


def _end_families(known: _Known) -> Iterator[Metric]:
    summary = known.summary
    run, life = summary.name, summary.life
    yield _gauge("running", "1 while the run is alive.", run, int(summary.state == "alive"))
    yield _gauge("started_timestamp_seconds", "When the latest life of the run began.", run, life.started_at_s)
    if life.exit_code is not None and life.ended_at_s is not None:
        yield _gauge("exit_code", "Exit code of the latest life, if it ended.", run, life.exit_code)
        yield _gauge("ended_timestamp_seconds", "When the latest life of the run ended.", run, life.ended_at_s)
    yield from _last_success(run, known.success_s)


def _last_success(run: str, success_s: float | None) -> Iterator[Metric]:
    if success_s is not None:
        what = "When a run of this name, of any edition, last ended with 0."
        yield _gauge("last_success_timestamp_seconds", what, run, success_s)


def _gauge(name: str, what: str, run: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"rivya_batch_{name}", what, labels=("run",))
    family.add_metric((run,), value)
    return family


def _counter(name: str, what: str, run: str, value: int) -> Metric:
    family = CounterMetricFamily(f"rivya_batch_{name}", what, labels=("run",))
    family.add_metric((run,), value)
    return family


def _histogram(name: str, what: str, run: str, rows: Iterable[Row], column: str, bounds: tuple[float, ...]) -> Metric:
    family = HistogramMetricFamily(f"rivya_batch_{name}", what, labels=("run", "model"))
    counts: dict[str, list[int]] = {}
    sums: dict[str, float] = {}
    for row in rows:
        value = row[column]
        if value is None:
            continue
        model, value = row["model"], max(0.0, value)  # clocks are set back now and then
        counts.setdefault(model, [0] * (len(bounds) + 1))[bisect_left(bounds, value)] += 1
        sums[model] = sums.get(model, 0.0) + value
    for model in sorted(counts):
        total, buckets = 0, []
        for bound, number in zip((*map(str, bounds), "+Inf"), counts[model], strict=True):
            total += number
            buckets.append((bound, float(total)))
        family.add_metric((run, model), buckets, sums[model])
    return family
