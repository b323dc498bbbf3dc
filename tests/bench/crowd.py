"""A hundred thousand tasks at work at once, on a service in memory: how long the loop is held up.

    python -m tests.bench.crowd

The engine takes them up as `tests.proof.crowd` does, and asks 1,000 times a second. Prints JSON.
"""

from __future__ import annotations

import json
import sys

import uvloop

from tests.proof.crowd import held

__all__ = ["TASKS"]

TASKS = 100_000
WATCHED_S = 20.0

if __name__ == "__main__":
    found = held(TASKS, real_s=WATCHED_S, new_loop=uvloop.new_event_loop)
    sys.stdout.write(json.dumps({"kib_each": 1024 * found.memory_mb / TASKS, "lag_p99_s": found.lag_p99_s}) + "\n")
