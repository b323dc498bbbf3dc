"""What holds whoever does the work: this process, workers that somebody started, or those of a Ray cluster."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.sim.profile import DEMO_KEY
from tests.machines import Machines, manifest, until
from tests.postgres_server import PASSWORD
from tests.proof.machines import play
from tests.ray_cluster import RayCluster, family, new_ray_folder

# What differs from one time to the next, and says nothing of the results themselves.
OF_THE_MOMENT = ("_at", "task_id", "request_id", "url")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with RayCluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for a Ray that a run begins by itself."""
    folder = new_ray_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ray(request: pytest.FixtureRequest) -> Mapping[str, str] | None:
    """The engine that a test is played with."""
    return request.getfixturevalue("cluster").environ if request.param == "ray" else None


def _lasting(row: Any) -> Any:
    if isinstance(row, dict):
        return {name: _lasting(value) for name, value in row.items() if not name.endswith(OF_THE_MOMENT)}
    return [_lasting(one) for one in row] if isinstance(row, list) else row


def test_the_same_manifest_gives_the_same_rows_whoever_does_the_work(cluster: RayCluster, tmp_path: Path) -> None:
    rows = {
        "local": _rows(tmp_path / "local", None, alone=True),
        "procrastinate": _rows(tmp_path / "procrastinate", None),
        "ray": _rows(tmp_path / "ray", cluster.environ),
    }

    until(lambda: cluster.workers() == set(), 30, lambda: "workers to leave with the runs that wanted them")
    assert len(rows["local"]) == 66
    assert rows["procrastinate"] == rows["local"]
    assert rows["ray"] == rows["local"]


def _rows(folder: Path, ray: Mapping[str, str] | None, *, alone: bool = False) -> Any:
    """What a run comes to."""
    with Machines(folder, ray=ray) as machines:
        store = str(folder / "alone.db") if alone else machines.store
        file = manifest(folder / "work", items=60, references=True)
        workers = machines.workers(0 if alone else 2)
        run = machines.run(file, "--engine", "local" if alone else machines.engine, store=store)
        assert run.wait() == 0, run.said
        assert all(worker.is_there for worker in workers)
        assert len(machines.facts("task")) == 66
        return _lasting(machines.rows(file, store=store))


@pytest.mark.parametrize("scene", ["worker", "coordinator"])
def test_a_death_in_the_middle_costs_nothing_on_ray_either(scene: str, cluster: RayCluster, tmp_path: Path) -> None:
    play(scene, items=160, folder=tmp_path, ray=cluster.environ)


@pytest.mark.parametrize("ray", ["procrastinate", "ray"], indirect=True)
def test_the_first_signal_ends_the_run_on_all_machines_and_the_same_command_goes_on(
    ray: Mapping[str, str] | None, tmp_path: Path
) -> None:
    with Machines(tmp_path, ray=ray) as machines:
        file = manifest(tmp_path / "work", items=100, creates="30/s")
        machines.workers(1)
        run = machines.hand_out(file)
        until(lambda: len(machines.facts("task")) > 10, 60, lambda: run.said)
        run.send(signal.SIGINT)
        assert run.wait() == 130, run.said
        assert len(machines.facts("task")) < 100

        again = machines.hand_out(file)
        assert again.wait() == 0, again.said
        assert set(machines.made().values()) == {1}
        assert len(machines.facts("task")) == 100


def test_a_ray_of_its_own_hears_nobody_else_and_no_ray_ever_writes_down_the_key(
    cluster: RayCluster, folder: Path, tmp_path: Path
) -> None:
    environ = {"HOME": str(folder), "RAY_TMPDIR": str(folder), "PGPASSWORD": PASSWORD}
    with Machines(tmp_path, ray=environ) as machines:
        file = manifest(tmp_path / "work", items=40, creates="10/s")
        (tmp_path / "work" / "ray.py").write_text("raise SystemExit('a stranger's folder is not where Ray comes from')")
        run = machines.hand_out(file)
        until(lambda: len(machines.facts("task")) > 5, 60, lambda: run.said)
        ray = family(run.pid)
        listening = _listening(ray)
        assert run.wait() == 0, run.said

    for place in (folder, cluster.folder):
        files = [file for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
        assert any(file.name.startswith("raylet") for file in files), files
        for secret in (DEMO_KEY, PASSWORD):
            assert [file for file in files if secret.encode() in file.read_bytes()] == []
    assert len(ray) > 4
    assert listening, "a Ray listens"
    assert all(address.endswith("0100007F") for address in listening), listening  # 127.0.0.1, as the kernel writes it
    until(lambda: not any(_is_there(pid) for pid in ray), 10, lambda: f"{ray} to end with the run")


def _listening(pids: set[int]) -> set[str]:
    """The addresses at which these listen, as the kernel writes them, without ports."""
    sockets = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(file.readlink()))
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                found.add(local.partition(":")[0])
    return found


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
