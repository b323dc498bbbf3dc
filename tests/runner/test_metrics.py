"""A run's figures for Prometheus, read back with its own parser."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.lifecycle import EventType, ItemState
from jobs.paces import PacerStatistics
from jobs.record import Money
from jobs.steps import Notice
from runner.cli.entry import run_command
from runner.errors import OutputUnusable, UsageError
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.metrics import MetricsFile, metrics_text
from runner.reporter import RunOutcome, RunStarted, RunStatistics
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, item, run_info

ITEMS = [item(number, prompt=f"SECRET PROMPT {number}") for number in range(6)]
ONE, TWO, THREE, FOUR, FIVE, SIX = ITEMS
RUN = "night@2026-05-11"

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation, family.name
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"rivya_batch_{name}", tuple(sorted({"run": "night", **labels}.items()))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def lived(path: Path, *, until: str = "ended") -> SqliteLedger:
    """Two successes (one after a refusal for its rate), one rejected, one uncertain, one at work, one planned."""
    ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
    life = await ledger.begin_life(run_info(RUN), ITEMS, at_s=900.0, pid=os.getpid(), host="h")
    teller = Teller(scope=RUN, now_s=1000.0)
    teller.plan(*ITEMS)
    limited = teller.intent(ONE), teller.tell(ONE.identity, EventType.SEND_ENDED, outcome="limited", status=429)
    await ledger.record([*limited, teller.accepted(ONE, figure=12)])
    teller.now_s += 40.0
    await ledger.record([teller.succeeded(ONE, charge=11, polls=5, unseen_s=3.0)])
    await ledger.record([teller.saved(ONE, state="verified", file="a.mp4", bytes=700, type="video/mp4")])
    await ledger.record(
        [teller.intent(TWO), teller.accepted(TWO), teller.succeeded(TWO, charge=12, polls=0, unseen_s=None)]
    )
    await ledger.record([teller.intent(THREE), teller.tell(THREE.identity, EventType.REJECTED, code="x", message="no")])
    await ledger.record([teller.intent(FOUR), teller.tell(FOUR.identity, EventType.UNCERTAIN, reason="no answer")])
    await ledger.record([teller.intent(FIVE), teller.accepted(FIVE)])
    slower = {"limit": "creates", "before": 5.0, "after": 2.5, "full": 5.0, "wait_s": 1.0, "why": "HTTP 429"}
    await ledger.note([Notice(name="rate", data=slower)], at_s=1100.0)
    if until == "ended":
        await ledger.end_life(life, at_s=1200.0, exit_code=7)
    return ledger


async def test_every_figure_is_what_the_ledger_says(path: Path) -> None:
    await (await lived(path)).close()

    found = samples(metrics_text(path, RUN))

    states = {state.value: of(found, "items", state=state.value) for state in ItemState}
    seen = {"succeeded": 2.0, "rejected": 1.0, "uncertain": 1.0, "accepted": 1.0, "planned": 1.0}
    assert states == dict.fromkeys(states, 0.0) | seen
    kinds = ("settled", "reserved", "uncertain", "cap")
    assert [of(found, "credits", kind=kind) for kind in kinds] == [23, 20, 10, 700]
    assert of(found, "creates_total") == 5
    assert of(found, "refusals_total", reason="limited") == of(found, "refusals_total", reason="rejected") == 1
    assert of(found, "results", state="verified") == of(found, "results", state="wanted") == 1
    assert of(found, "saved_bytes") == 700
    assert (of(found, "running"), of(found, "exit_code")) == (0, 7)
    assert (of(found, "started_timestamp_seconds"), of(found, "ended_timestamp_seconds")) == (900, 1200)
    assert of(found, "last_success_timestamp_seconds") is None
    assert of(found, "rate_limit_per_second", limit="creates") is None, "nothing runs"
    assert of(found, "polls_total") is None


async def test_times_are_histograms_by_model(path: Path) -> None:
    await (await lived(path)).close()

    found = samples(metrics_text(path, RUN))

    assert of(found, "create_seconds_count", model="seedance") == 3
    assert of(found, "create_seconds_sum", model="seedance") == 4.0
    assert of(found, "create_seconds_bucket", model="seedance", le="1.0") == 2
    assert of(found, "create_seconds_bucket", model="seedance", le="2.5") == 3
    assert of(found, "create_seconds_bucket", model="seedance", le="+Inf") == 3
    assert of(found, "generation_seconds_count", model="seedance") == 2
    assert of(found, "generation_seconds_bucket", model="seedance", le="30.0") == 1
    assert of(found, "generation_seconds_bucket", model="seedance", le="60.0") == 2


async def test_how_soon_ends_were_noticed_is_told_of_those_that_were_seen(path: Path) -> None:
    await (await lived(path)).close()

    found = samples(metrics_text(path, RUN))

    assert (
        of(found, "polls_per_task_count", model="seedance") == of(found, "noticed_seconds_count", model="seedance") == 1
    )
    assert of(found, "polls_per_task_sum", model="seedance") == 5.0
    assert of(found, "polls_per_task_bucket", model="seedance", le="4.0") == 0
    assert of(found, "polls_per_task_bucket", model="seedance", le="6.0") == 1
    assert of(found, "noticed_seconds_sum", model="seedance") == 1.5, "half of what was not seen"


async def test_the_last_success_of_any_edition_counts(path: Path) -> None:
    ledger = await lived(path)
    life = await ledger.begin_life(run_info("night@2026-05-10"), [SIX], at_s=300.0, pid=1, host="h")
    await ledger.end_life(life, at_s=400.0, exit_code=0)
    await ledger.close()

    assert of(samples(metrics_text(path, RUN)), "last_success_timestamp_seconds") == 400


async def test_a_living_run_tells_its_speed(path: Path) -> None:
    ledger = await lived(path, until="alive")

    found = samples(metrics_text(path, RUN))
    assert of(found, "running") == 1
    assert of(found, "exit_code") is None
    assert of(found, "rate_limit_per_second", limit="creates") == 2.5

    found = samples(metrics_text(path, RUN, live=statistics()))
    assert of(found, "rate_limit_per_second", limit="creates") == 4.0
    assert of(found, "rate_limit_per_second", limit="polls") == 9.0
    assert of(found, "polls_total") == 321
    await ledger.close()


async def test_nothing_of_an_item_is_in_it(path: Path) -> None:
    await (await lived(path)).close()

    text = metrics_text(path, RUN).decode()
    assert [word for word in ("SECRET", "reveal", "i1-", "task-", "cdn.example", "2026-05-11") if word in text] == []


def test_without_a_ledger_there_are_no_figures(path: Path) -> None:
    with pytest.raises(UsageError):
        metrics_text(path, RUN)


def statistics() -> RunStatistics:
    pacers = tuple(
        PacerStatistics(name=name, ceiling_per_s=9.0, per_s=per_s, unanswered=0, paused_until_s=0.0, left=left)
        for name, per_s, left in (("creates", 4.0, 5), ("polls", 9.0, 321))
    )
    return RunStatistics(
        counts={},
        items=6,
        results={},
        saved_bytes=0,
        uploads_done=0,
        uploads_needed=0,
        credits=Money(),
        doubted_credits=0,
        cap_credits=None,
        pacers=pacers,
        pauses={},
        elapsed_s=1.0,
    )


def started() -> RunStarted:
    return RunStarted(run_id=RUN, items=6, new=6, cap_credits=None, statistics=statistics)


def outcome() -> RunOutcome:
    return RunOutcome(
        run_id=RUN, exit_code=7, statistics=statistics(), done_before=0, creates=0, downloads={}, pauses={}
    )


class Kept:
    """A writer of a file, and what it warned of."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.file = folder / "night.prom"
        self.warnings: list[str] = []
        self.writer = MetricsFile(self.file, store=path, name="night", run_id=RUN, warn=self.warnings.append)

    def found(self) -> Samples:
        return samples(self.file.read_bytes())


async def test_the_file_is_written_at_the_start_every_so_often_and_at_the_end(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.metrics.EVERY_S", 0.01)
    kept = Kept(path, tmp_path)
    kept.writer.prove()
    assert kept.file.read_bytes() == b"", "nothing is known yet, and the place can be written to"

    ledger = await lived(path, until="alive")
    kept.writer.started(started())
    async with asyncio.timeout(10):
        while not kept.file.read_bytes():  # noqa: ASYNC110 - another process would look the same way
            await asyncio.sleep(0.01)
    assert of(kept.found(), "running") == 1
    kept.writer.closed()
    await ledger.close()

    kept.file.unlink()
    kept.writer.ended(outcome())
    assert of(kept.found(), "polls_total") == 321
    assert of(kept.found(), "creates_total") == 5
    assert kept.warnings == []


async def test_a_night_that_never_begins_leaves_what_an_alert_looks_at(path: Path, tmp_path: Path) -> None:
    ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
    life = await ledger.begin_life(run_info("night@2026-05-10"), [SIX], at_s=300.0, pid=1, host="h")
    await ledger.end_life(life, at_s=400.0, exit_code=0)
    await ledger.close()

    kept = Kept(path, tmp_path)
    kept.writer.prove()

    assert kept.found() == {("rivya_batch_last_success_timestamp_seconds", (("run", "night"),)): 400.0}


async def test_what_a_thread_still_has_to_say_does_not_replace_the_end(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.metrics.EVERY_S", 0.001)
    await (await lived(path)).close()
    kept, may_go_on, is_reading = Kept(path, tmp_path), threading.Event(), threading.Event()

    def slowly(*asked: Any, live: RunStatistics) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            is_reading.set()
            may_go_on.wait(10)
            return b"old"
        return b"last"

    monkeypatch.setattr("runner.metrics.metrics_text", slowly)
    kept.writer.started(started())
    await asyncio.to_thread(is_reading.wait, 10)
    threading.Timer(0.05, may_go_on.set).start()
    kept.writer.ended(outcome())
    await asyncio.sleep(0.02)  # ticks that come too late
    kept.writer.closed()
    await asyncio.get_running_loop().shutdown_default_executor()

    assert kept.file.read_bytes() == b"last"


async def test_the_file_is_whole_and_readable_by_the_collector(path: Path, tmp_path: Path) -> None:
    await (await lived(path)).close()
    kept = Kept(path, tmp_path)
    before = os.umask(0o077)
    try:
        kept.writer.prove()
    finally:
        os.umask(before)

    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o644
    assert of(kept.found(), "exit_code") == 7
    assert {name for name in os.listdir(tmp_path) if "prom" in name} == {"night.prom"}  # noqa: PTH208


async def test_a_place_that_cannot_be_written_is_told_at_the_start_and_stops_no_run(path: Path, tmp_path: Path) -> None:
    await (await lived(path)).close()
    with pytest.raises(OutputUnusable):
        Kept(path, tmp_path / "missing").writer.prove()

    late = Kept(path, tmp_path / "missing")
    late.writer.broken(statistics())
    late.writer.ended(outcome())
    assert len(late.warnings) == 1
    assert late.warnings[0].startswith("no metrics: ")


MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - {id: boat, model: z-image, prompt: "a paper boat in {{ vars.c }}", matrix: {grid: {vars.c: [red, blue, green]}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST)
    return tmp_path


def test_a_run_keeps_its_figures_in_a_file(folder: Path) -> None:
    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--metrics-file", "boats.prom"]) == 0

    found = samples((folder / "boats.prom").read_bytes())
    labels = (("run", "boats"),)
    assert found["rivya_batch_items", (("run", "boats"), ("state", "succeeded"))] == 3
    assert found["rivya_batch_exit_code", labels] == found["rivya_batch_running", labels] == 0
    assert found["rivya_batch_polls_total", labels] >= 3
    assert found["rivya_batch_last_success_timestamp_seconds", labels] > 1_600_000_000
    assert found["rivya_batch_saved_bytes", labels] > 0


@pytest.mark.parametrize(
    ("file", "code", "says"),
    [("boats.txt", 2, "write --metrics-file boats.prom"), ("no/boats.prom", 9, "cannot be written")],
)
def test_a_file_that_nobody_would_read_is_refused_before_anything_is_bought(
    folder: Path, capfd: pytest.CaptureFixture[str], file: str, code: int, says: str
) -> None:
    assert run_command(["run", "boats.yaml", "--sim", "--yes", "--metrics-file", file]) == code
    assert says in capfd.readouterr().err
    with suppress(FileNotFoundError):
        assert not list((folder / ".rivya").glob("sim.db"))


@contextmanager
def served(*flags: str) -> Iterator[tuple[str, str]]:
    """The page's address, and its origin."""
    command = [sys.executable, "-m", "runner", "serve", "--store", "ledger.db", "--json", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "}\n")
        url = str(json.loads("".join(lines) + "}")["url"])
        try:
            yield url, url[: url.index("/", len("http://"))]
        finally:
            process.terminate()


def asked(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as refused:
        return refused.code, refused.read()


@pytest.mark.wire
def test_figures_are_served_to_whoever_scrapes_this_machine_and_asked_for(folder: Path) -> None:
    asyncio.run(closed(folder / "ledger.db"))

    with served("--metrics") as (page, origin):
        status, text = asked(f"{origin}/metrics")
        assert status == 200
        assert of(samples(text), "items", state="succeeded") == 2
        assert asked(f"{origin}/metrics", Host="evil.example")[0] == 404
        assert asked(f"{origin}/a-wrong-token/")[0] == asked(f"{origin}/")[0] == 404, "the page still wants its token"
        assert asked(page)[0] == 200
    with served() as (_, origin):
        assert asked(f"{origin}/metrics")[0] == 404


async def closed(path: Path) -> None:
    await (await lived(path)).close()
