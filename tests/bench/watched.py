"""The command, with the CPU time of each of its threads written to a file at the end.

python -m tests.bench.watched FILE run batch.yaml ...
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from runner.cli import main

__all__: list[str] = []

_CPU_S: defaultdict[str, float] = defaultdict(float)
_run = threading.Thread.run


def _timed(thread: threading.Thread) -> None:
    try:
        _run(thread)
    finally:
        _CPU_S[thread.name] += time.thread_time()


if __name__ == "__main__":
    threading.Thread.run = _timed  # type: ignore[method-assign, assignment]
    told = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        told.write_text(json.dumps({"process": time.process_time(), **_CPU_S}), encoding="utf-8")
