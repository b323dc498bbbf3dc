"""A Ray cluster of the tests' own: begun and ended by them, several nodes on the loopback address of this machine.

    with RayCluster(nodes=2) as cluster:
        cluster.environ        what a process needs to belong to it

The key and the database's password are in the environment it is begun with, as a real one would have them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ray.cluster_utils import Cluster

from runner.settings import ray_variables
from runner.sim.profile import DEMO_KEY
from tests.postgres_server import PASSWORD

__all__ = ["RayCluster", "family", "new_ray_folder"]

# One of them and nothing of what is kept: the least that Ray accepts.
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024}
END_S_MAX = 20.0


def new_ray_folder() -> Path:
    """Where Ray keeps its files: the names of its sockets leave little room for the name of a folder."""
    return Path(tempfile.mkdtemp(prefix="rvb-ray-", dir="/tmp"))


class RayCluster:
    """So many nodes, each of which gets a worker when somebody hands out."""

    def __init__(self, *, nodes: int = 2) -> None:
        self._nodes = nodes
        self.folder = new_ray_folder()
        own = {
            "HOME": str(self.folder),
            "RAY_TMPDIR": str(self.folder),
            "RAY_AUTH_MODE": "disabled",
            "PATH": os.defpath,
        }
        secret = {"RIVYA_API_KEY": DEMO_KEY, "PGPASSWORD": PASSWORD}
        self.environ = ray_variables({**own, **secret, "PYTHONPATH": str(Path(__file__).parents[1])})

    def __enter__(self) -> Self:
        line = [sys.executable, "-m", "tests.ray_cluster", str(self._nodes)]
        pipe = subprocess.PIPE
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                line, env=self.environ, stdin=pipe, stdout=pipe, stderr=log, start_new_session=True
            )
        assert self._process.stdout is not None
        *_, address = self._process.stdout.readline().decode().split() or [""]
        if not address:
            said = (self.folder / "log").read_text(errors="replace")
            self.__exit__(None, None, None)
            raise AssertionError(f"no Ray:\n{said[-3000:]}")
        self.environ["RAY_ADDRESS"] = address
        return self

    def workers(self) -> set[int]:
        """The processes of ours that are there now."""
        return {pid for pid in family(self._process.pid) if _line_of(pid).startswith(b"ray::RayWorker")}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=END_S_MAX)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


def family(pid: int) -> set[int]:
    """Every process that came of this one."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, more = set[int](), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def _line_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def main(nodes: int) -> None:
    """Be the cluster until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray speaks, too
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    for _ in range(nodes - 1):
        cluster.add_node(**NODE)
    answers.write(f"{cluster.address}\n")
    answers.flush()
    sys.stdin.read()
    cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(int(sys.argv[1]))
