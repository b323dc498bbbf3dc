"""`make demo-machines`: a database, the simulator, two workers and one run that they share, here and in one command.

All of it listens on this machine only and is gone in the end, but for what the run saved in out/demo-machines.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.machines import Machines, manifest

__all__ = ["main"]

HERE = Path("out/demo-machines").absolute()


def main() -> int:
    """Show it; the exit code is the run's."""
    shutil.rmtree(HERE, ignore_errors=True)
    with Machines(HERE / "logs", window="creates:20/1", speed=5.0) as machines:
        _tell("a PostgreSQL server and a simulator are there; two workers start")
        workers = [machines.worker() for _ in range(2)]
        for worker in workers:
            worker.says("is there")
        file = manifest(HERE, items=240, cap=300, creates="20/s", name="demo", references=True)
        run = machines.run(file, "--engine", "procrastinate")
        code = run.wait()
        _tell(f"$ rivya-batch run {file.name} --engine procrastinate\n{run.said.rstrip()}")
        for number, worker in enumerate(workers, 1):
            _tell(f"worker {number} said:\n{worker.said.rstrip()}")
    _tell(f"in {HERE}: the pictures in out/, what each process said in logs/")
    return code


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
