"""Many processes at one ledger: one runs, the others are told so at once; and whoever looks fails nobody's commit."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from runner.errors import LedgerLocked
from runner.ledger.sqlite import open_reader
from tests.runner.ledger_cases import begin, item, run_info
from tests.runner.ledger_files import opened

CROWD = 8
ROUNDS = 5
# 0.2 s of trying, on a machine that may be busy with more than the others that try. Who waited for the owner instead
# would wait until the barrier gives up, as the owner holds on until all were told.
REFUSED_WITHIN_S = 5.0
PROCESSES = multiprocessing.get_context("fork")
ITEMS = [item(number) for number in range(60)]


def crowd(play: Callable[..., None], *told: object) -> list[Any]:
    """Eight processes that play the same."""
    started = [PROCESSES.Process(target=play, args=told) for _ in range(CROWD)]
    for process in started:
        process.start()
    return started


# One runner


def start_again_and_again(path: Path, all_here: Barrier, told: SimpleQueue[tuple[int, str, float]]) -> None:
    """In a process: start with all the others, and hold on until each of them was told."""
    for number in range(ROUNDS):
        all_here.wait()
        began_s = time.monotonic()
        try:
            ledger = opened(path, in_thread=False)
        except LedgerLocked:
            told.put((number, "locked", time.monotonic() - began_s))
            all_here.wait()
        else:
            asyncio.run(begin(ledger, ITEMS[number], run=run_info(f"run-{number}")))
            told.put((number, "runs", time.monotonic() - began_s))
            all_here.wait()
            asyncio.run(ledger.close())


def test_of_many_that_start_at_once_exactly_one_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"  # in the first round there is none yet: they also race to make it
    told: SimpleQueue[tuple[int, str, float]] = PROCESSES.SimpleQueue()
    started = crowd(start_again_and_again, path, PROCESSES.Barrier(CROWD, timeout=60), told)

    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * CROWD
    ends = [told.get() for _ in range(ROUNDS * CROWD)]
    for number in range(ROUNDS):
        assert sorted(how for n, how, _ in ends if n == number) == ["locked"] * (CROWD - 1) + ["runs"]
    assert max(took_s for _, how, took_s in ends if how == "locked") < REFUSED_WITHIN_S
    ledger = opened(path)
    assert ledger.position() == ROUNDS
    asyncio.run(ledger.close())


# Many readers


def look_all_the_time(path: Path, all_at_it: Barrier, over: Event) -> None:
    """In a process: what `status` does, without a pause. Every look sees whole commits."""
    first = True
    while first or not over.is_set():
        reader = open_reader(path)
        assert reader is not None
        with reader, reader.snapshot():
            attempts = sum(record.attempts for record in reader.records([one.identity for one in ITEMS]).values())
            assert reader.books("night").reserved == 10 * attempts
            assert reader.position() == len(ITEMS) + attempts
        if first:
            all_at_it.wait()
            first = False


async def test_readers_in_other_processes_delay_the_writer_and_never_fail_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = opened(path, in_thread=False)
    teller = await begin(ledger, *ITEMS)
    all_at_it, over = PROCESSES.Barrier(CROWD + 1, timeout=60), PROCESSES.Event()
    started = crowd(look_all_the_time, path, all_at_it, over)
    all_at_it.wait()

    for one in ITEMS:
        await ledger.record([teller.intent(one)])

    over.set()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * CROWD
    assert ledger.books("night").reserved == 600
    await ledger.close()
