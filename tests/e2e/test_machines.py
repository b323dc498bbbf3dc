"""Several machines on one run, as processes: the same results as one, and deaths that cost nothing but time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines import Machines, manifest, until
from tests.proof.machines import play

# What differs from one time to the next, and says nothing of the results themselves.
OF_THE_MOMENT = ("_at", "task_id", "request_id", "url")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with Machines(tmp_path) as machines:
        yield machines


def test_the_same_manifest_gives_the_same_rows_on_one_machine_and_on_several(machines: Machines) -> None:
    alone = manifest(machines.folder / "alone", items=60, references=True)
    run = machines.run(alone, store=str(machines.folder / "alone.db"))
    assert run.wait() == 0, run.said
    machines.serve()  # to the first one, its references uploaded anew would be other bodies under the same keys
    several = manifest(machines.folder / "several", items=60, references=True)
    workers = [machines.worker(), machines.worker()]
    run = machines.run(several, "--engine", "procrastinate")
    assert run.wait() == 0, run.said

    rows = machines.rows(several)
    assert len(rows) == 66
    for row, other in zip(rows, machines.rows(alone, store=str(machines.folder / "alone.db")), strict=True):
        assert _lasting(row) == _lasting(other)
    assert all(worker.is_there for worker in workers)
    again = machines.run(several, "--engine", "procrastinate")
    assert again.wait() == 0, again.said
    assert len(machines.facts("task")) == 66


def _lasting(row: Any) -> Any:
    if isinstance(row, dict):
        return {name: _lasting(value) for name, value in row.items() if not name.endswith(OF_THE_MOMENT)}
    return [_lasting(one) for one in row] if isinstance(row, list) else row


@pytest.mark.parametrize("scene", ["worker", "database", "coordinator", "zombie", "budget"])
def test_a_death_in_the_middle_loses_nothing_and_buys_nothing_twice(scene: str, tmp_path: Path) -> None:
    play(scene, items=160, folder=tmp_path)


def test_a_worker_that_is_told_to_go_leaves_what_it_has_to_the_others(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=200, creates="60/s")
    first = machines.worker()
    run = machines.run(file, "--engine", "procrastinate")
    first.says("many: shard")
    second = machines.worker()
    second.says("is there")
    first.send(signal.SIGTERM)

    assert first.wait() == 143, first.said
    assert run.wait() == 0, run.said
    assert len(machines.facts("task")) == 200


def test_the_first_signal_ends_the_run_on_all_machines_and_the_same_command_goes_on(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=200, creates="40/s")
    worker = machines.worker()
    run = machines.run(file, "--engine", "procrastinate")
    worker.says("many: shard")
    run.send(signal.SIGINT)
    assert run.wait() == 130, run.said
    stopped_at = len(machines.facts("task"))

    assert stopped_at < 200
    again = machines.run(file, "--engine", "procrastinate")
    assert again.wait() == 0, again.said
    assert set(machines.made().values()) == {1}
    assert len(machines.facts("task")) == 200


def test_what_a_person_wants_again_is_bought_again_once(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=25, references=True)
    machines.worker()
    for words in ([], ["--again"], []):
        run = machines.run(file, "--engine", "procrastinate", *words)
        assert run.wait() == 0, run.said

    assert set(machines.made().values()) == {2}
    assert len(machines.facts("task")) == 2 * 31


def test_one_process_does_not_begin_beside_workers_whose_coordinator_died(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=60, creates="10/s")
    machines.worker()
    first = machines.run(file, "--engine", "procrastinate")
    until(lambda: len(machines.facts("send")) > 3, 60)
    first.send(signal.SIGKILL)
    first.wait()
    alone = machines.run(file)

    assert alone.wait() == 9, alone.said
    assert "--engine procrastinate" in alone.said
    again = machines.run(file, "--engine", "procrastinate")
    assert again.wait() == 0, again.said
    assert set(machines.made().values()) == {1}
    assert len(machines.facts("task")) == 60


def test_a_worker_whose_key_is_refused_leaves_and_ends_the_run_as_one_process_would(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=30)
    worker = machines.worker(key="rvya_sk_nobody_knows_this_one")
    run = machines.run(file, "--engine", "procrastinate")

    assert run.wait() == 4, run.said
    assert worker.wait() == 4, worker.said
    assert machines.facts("task") == []


def test_an_engine_with_workers_needs_a_store_that_they_reach(machines: Machines) -> None:
    file = manifest(machines.folder / "work", items=20)
    run = machines.run(file, "--engine", "procrastinate", store=str(machines.folder / "alone.db"))

    assert run.wait() == 2
    assert "--store postgresql://" in run.said
