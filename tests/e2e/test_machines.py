"""Several machines on one run, as processes: the same results as one, and deaths that cost nothing but time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines import Machines, manifest, until
from tests.proof.machines import play


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with Machines(tmp_path) as machines:
        yield machines


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
