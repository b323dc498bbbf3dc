"""The benchmark's own arithmetic, on values worked out by hand, and every client once around a small batch."""

from __future__ import annotations

import math
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.wire import error_from, task_from
from tests.bench.__main__ import CURVE, FIELDS
from tests.bench.accounting import Batch, SlidingWindow, bound_s, busiest
from tests.bench.clients import CLIENTS, command, manifest
from tests.bench.desk import CROWD, DOMAIN, fill, first_send, large
from tests.bench.figures import Figures, figures, verdicts
from tests.bench.optimum import least_delay_s
from tests.bench.processes import ROOT, Server, measured, server
from tests.bench.server import Door
from tests.bench.tables import target_table, workload_table
from tests.bench.workloads import FAST, WORKLOADS, Kind, Workload

KINDS = (Kind(model=FAST, median_s=0.1, sigma=0.25),)
SMALL = Workload(
    name="W1", says="a small one", items=6, kinds=KINDS, in_flight=4, interval_s=0.05, creates=50, polls=200
)


def limited(
    *, creates: int | None = None, polls: int | None = None, shared: int | None = None, running: int | None = None
) -> Workload:
    return Workload(
        name="W",
        says="",
        items=10,
        kinds=KINDS,
        in_flight=10,
        interval_s=1.0,
        creates=creates,
        polls=polls,
        shared=shared,
        running=running,
    )


def test_a_window_is_sliding_and_exact_and_a_refusal_counts_for_nothing() -> None:
    window = SlidingWindow(2)
    seen = []
    for now_s in (0.0, 0.4, 0.9, 0.999, 1.0, 1.3, 1.4, 1.5):
        seen.append(window.has_room(now_s))
        if seen[-1]:
            window.admit(now_s)

    assert seen == [True, True, False, False, True, False, True, False]


@pytest.mark.parametrize(
    ("workload", "latencies_s", "expected_s"),
    [
        (limited(), [3.0, 1.0], 3.0),
        (limited(creates=2), [0.5, 0.5, 0.5, 0.5, 0.5], 2.5),  # two a second: the fifth leaves at 2
        (limited(running=1), [1.0, 2.0, 3.0], 6.0),
        (limited(running=2), [1.0, 4.0, 1.0, 1.0], 4.0),  # the short ones pass one after another beside the long one
        (limited(polls=1), [1.0, 1.0, 1.0], 3.0),  # all end at once, and are seen one a second
        (limited(polls=2), [1.0, 1.0, 1.0, 1.0, 1.0], 3.0),
        (limited(polls=1), [1.0, 5.0], 5.0),
        (limited(shared=2), [0.1, 0.1, 0.1, 0.1], 3.0),  # four creates and four polls, two a second: 0, 1, 2, 3
        (limited(), [], 0.0),
    ],
)
def test_the_bound_is_what_foresight_would_need(
    workload: Workload, latencies_s: list[float], expected_s: float
) -> None:
    assert bound_s(workload, latencies_s) == expected_s


def test_the_busiest_second_is_a_sliding_one() -> None:
    assert busiest([0.0, 0.6, 0.7, 1.5, 1.6, 1.65, 3.0]) == 4
    assert busiest([]) == 0


def test_the_service_keeps_exact_books_of_a_batch() -> None:
    batch = Batch(limited(creates=3, running=2), 7)
    first = batch.create(10.0, key=b"a", model=FAST, prompt="one")
    assert first == 0
    assert batch.create(10.0, key=b"a", model=FAST, prompt="one") == 0  # the same key is the same task
    assert batch.create(10.0, key=b"b", model=FAST, prompt="two") == 1
    assert batch.create(10.0, key=b"c", model=FAST, prompt="three") is None  # the fourth of this second
    assert batch.create(10.99, key=b"c", model=FAST, prompt="three") is None
    ends_s = [task.ends_s for task in batch.tasks]
    later_s = max(ends_s) + 0.25
    assert batch.status(math.nextafter(ends_s[0], 0.0), 0) is False
    assert batch.status(later_s, 0) is True
    assert batch.status(later_s + 1.0, 0) is True  # it was seen already
    assert batch.status(later_s, 1) is True
    books = batch.books()

    assert (books.tasks, books.unseen, books.twice, books.replays) == (2, 0, 0, 1)
    assert (books.creates, books.refused_creates, books.polls, books.refused_polls) == (5, 2, 4, 0)
    assert books.makespan_s == pytest.approx(later_s - 10.0)
    assert books.span_s == pytest.approx(later_s - 10.0)
    assert books.delay_mean_s == pytest.approx(sum(later_s - end_s for end_s in ends_s) / 2)
    assert books.bound_s == pytest.approx(max(ends_s) - 10.0)
    assert (books.busiest_creates, books.running_max, books.creating_s) == (2, 2, 0.0)


def test_one_more_than_may_run_is_refused_until_one_has_ended() -> None:
    batch = Batch(limited(running=1), 1)
    batch.create(0.0, key=b"a", model=FAST, prompt="one")
    ends_s = batch.tasks[0].ends_s

    assert batch.create(math.nextafter(ends_s, 0.0), key=b"b", model=FAST, prompt="two") is None
    assert batch.create(ends_s, key=b"b", model=FAST, prompt="two") == 1


def test_all_calls_share_a_window_that_nobody_is_told_of() -> None:
    batch = Batch(limited(shared=3), 1)

    assert batch.create(0.0, key=b"a", model=FAST, prompt="one") == 0
    assert batch.other(0.1)
    assert batch.status(0.2, 0) is not None
    assert batch.status(0.9, 0) is None
    assert batch.create(0.9, key=b"b", model=FAST, prompt="two") is None
    assert not batch.other(0.9)
    assert batch.books().refused_polls == batch.books().refused_creates == 1


def test_every_client_is_dealt_the_same_latencies_and_another_seed_deals_others() -> None:
    def dealt(seed: int, gap_s: float) -> list[float]:
        batch = Batch(limited(), seed)
        for number in range(5):
            batch.create(number * gap_s, key=b"%d" % number, model=FAST, prompt=f"{number}")
        return [round(task.ends_s - task.created_s, 9) for task in batch.tasks]

    assert dealt(1, 0.5) == dealt(1, 2.0)
    assert dealt(1, 0.5) != dealt(2, 0.5)


def test_answers_have_the_documented_shape() -> None:
    door = Door()
    body = b'{"model":"z-image","prompt":"a boat"}'
    created = door.answer(b"POST /api/v1/generations HTTP/1.1\r\nIdempotency-Key: k\r\n", body)
    task = task_from(created.partition(b"\r\n\r\n")[2])
    assert created.startswith(b"HTTP/1.1 201 ")
    assert task is not None
    assert (task.id, task.status, task.reserved_credits, task.urls) == ("task_00000000", "queued", 1, ())
    door.batch.tasks[0].ends_s = 0.0
    ended = task_from(door.answer(b"GET /api/v1/generations/task_00000000 HTTP/1.1\r\n", b"").partition(b"\r\n\r\n")[2])
    assert ended is not None
    assert (ended.status, ended.final_credits, len(ended.urls)) == ("succeeded", 1, 1)
    for _ in range(49):
        door.answer(b"POST /api/v1/generations HTTP/1.1\r\n", body)
    refused = door.answer(b"POST /api/v1/generations HTTP/1.1\r\n", body)
    error = error_from(refused.partition(b"\r\n\r\n")[2])

    assert refused.startswith(b"HTTP/1.1 429 ")
    assert error is not None
    assert error.code == "rate_limited"


@pytest.mark.parametrize(
    ("sigma", "polls", "delay"),
    [(0.25, 2.3, 0.109), (0.25, 4.0, 0.057), (0.25, 10.5, 0.021), (0.5, 4.0, 0.108), (0.5, 8.5, 0.049)],
)
def test_the_least_delay_agrees_with_a_finer_programme(sigma: float, polls: float, delay: float) -> None:
    kinds = [Kind(model=FAST, median_s=3.0, sigma=sigma)]

    assert least_delay_s(kinds, polls) / 3.0 == pytest.approx(delay, rel=0.04)


def test_kinds_that_share_a_budget_share_it_by_what_a_poll_is_worth() -> None:
    short, long = Kind(model=FAST, median_s=1.0, sigma=0.25), Kind(model="other", median_s=9.0, sigma=0.25)
    apart = (least_delay_s([short], 4.0) + least_delay_s([long], 4.0)) / 2

    assert least_delay_s([short, long], 4.0) < 0.9 * apart


def figures_of(**changed: float) -> Figures:
    plain = dict.fromkeys(Figures.__dataclass_fields__, 1.0)
    return Figures(**{**plain, "items": 1, "done": True, "made_twice": 0, **changed})  # type: ignore[arg-type]


def test_a_target_is_met_by_the_median_and_missed_honestly() -> None:
    rounds = [
        {"ours": figures_of(over_bound=over, refusals_per_item=0.1), "careful": figures_of()}
        for over in (1.001, 1.019, 1.9)
    ]
    told = {verdict.says: verdict for verdict in verdicts("W1", rounds)}

    assert told["makespan / bound"].word == "met"
    assert told["refusals an item"].word == "MISSED"
    assert any("MISSED" in line for line in target_table(list(told.values())))
    assert verdicts("W1", [{"careful": figures_of()}])[0].word == "not measured"


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with server() as served:
        yield served


@pytest.mark.wire
@pytest.mark.parametrize("name", [name for name in CLIENTS if not name.startswith("bare")])
def test_every_client_finishes_a_small_batch_and_buys_nothing_twice(name: str, service: Server, tmp_path: Path) -> None:
    service.begin(SMALL, seed=1)
    ran = CLIENTS[name].play(SMALL, service.url, tmp_path, ROOT, 1.0)
    found = figures(SMALL, ran, service.books())

    assert ran.finished.exit_code == 0, ran.finished.said
    assert found.done
    assert found.made_twice == 0
    assert found.over_bound >= 1.0
    assert (found.ledger_of_cpu is not None) == (name == "ours-watched")
    assert name in "\n".join(workload_table(SMALL, [{name: found}]))


@pytest.mark.wire
@pytest.mark.parametrize("name", ["bare", "bare-fresh"])
def test_a_bare_loop_sends_the_mix_it_was_asked_for(name: str, service: Server, tmp_path: Path) -> None:
    workload = limited()
    service.begin(workload, seed=1)
    ran = CLIENTS[name].play(workload, service.url, tmp_path, ROOT, 2.0)
    books = service.books()

    assert ran.finished.exit_code == 0, ran.finished.said
    assert (books.creates, books.polls) == (10, 20)


def test_a_client_that_hangs_is_ended(tmp_path: Path) -> None:
    ended = measured([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path, patience_s=0.2)

    assert ended.exit_code == -9


def test_every_workload_has_its_field_and_every_name_in_it_a_client() -> None:
    assert FIELDS.keys() == WORKLOADS.keys()
    assert {name for first, others in FIELDS.values() for name in (*first, *others)} == CLIENTS.keys()


@pytest.mark.parametrize("items", [max(CURVE), CROWD])
def test_a_batch_of_every_size_that_is_played_is_one_the_command_takes(items: int, tmp_path: Path) -> None:
    workload = replace(WORKLOADS["W2"], items=items, in_flight=max(CROWD, WORKLOADS["W2"].in_flight))
    (tmp_path / "batch.yaml").write_text(manifest(workload), encoding="utf-8")
    checked = command(["check", "batch.yaml", "--allow-large"], url="http://127.0.0.1:1", folder=tmp_path, product=ROOT)

    assert checked.exit_code == 0, checked.said
    assert f"{items:,} items" in checked.said


@pytest.mark.wire
def test_a_full_ledger_is_copied_and_a_run_in_it_is_timed_to_its_first_request(service: Server, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(large(10, name="old"), encoding="utf-8")
    (tmp_path / "new.yaml").write_text(large(20, name="new"), encoding="utf-8")
    service.begin(DOMAIN, seed=1)
    words = ["run", "old.yaml", "--yes", "--no-progress", "--no-download"]
    ended = command(words, url=service.url, folder=tmp_path, product=ROOT)
    assert ended.exit_code == 0, ended.said
    fill(tmp_path / ".rivya" / "ledger.db", 100)
    with closing(sqlite3.connect(tmp_path / ".rivya" / "ledger.db")) as ledger:
        counts = [ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("items", "attempts")]
        settled = ledger.execute("SELECT settled FROM books").fetchone()[0]

    assert counts == [100, 100]
    assert settled == 100
    assert 0.0 < first_send(service, tmp_path, "new.yaml", ROOT) < 60.0
