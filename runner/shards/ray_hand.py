"""The process that speaks with Ray for whoever hands a run out: it keeps a worker on each node and tells it of shards.

Orders come as lines of JSON: first where everything is, then lists of shard numbers, in the end perhaps "leave". Lines
go back: an empty text when Ray is there, or what went wrong. When no more orders can come, whoever gave them is gone:
then a Ray that was begun here ends, and workers on a cluster go on with what they have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TextIO

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runner.shards.ray_worker import RayWorker

__all__ = ["main"]

NAMESPACE: Final = "rivya-batch"
# One worker holds thousands of tasks, so a node needs one. More than this are beats at the database and little else.
NODES_MAX: Final = 50
# After one that died or cannot work, a node gets a worker so often at most.
AGAIN_S: Final = 10.0
# The least that Ray accepts. Nothing is kept in it: what travels is numbers.
OBJECT_STORE_BYTES: Final = 80 * 1024 * 1024
# What workers may take to go when they are not needed any more: they have nothing left to wait for.
LEAVE_S: Final = 5.0
TROUBLE_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    actor: Any
    life: Any  # the reference to what it says when it ends


class _Hand:
    def __init__(self, ledger: str, where: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._where = where
        self._tell = tell
        self._workers: dict[str, _Begun] = {}
        self._begun_s: dict[str, float] = {}
        self._turn = 0

    def submit(self, shard_ids: Sequence[int]) -> None:
        """Spread them over the workers; each time it is the next one's turn, so that all are told of all in time."""
        self._bury()
        self._begin()
        workers = [self._workers[node] for node in sorted(self._workers)]
        if not workers:
            return
        self._turn += 1
        for number, worker in enumerate(workers, self._turn):
            if part := shard_ids[number % len(workers) :: len(workers)]:
                worker.actor.take.remote(part)

    def leave(self) -> None:
        """Nobody needs the workers any more."""
        for one in self._workers.values():
            one.actor.leave.remote()
        self._bury(LEAVE_S)

    def _bury(self, wait_s: float = 0.0) -> None:
        """Forget workers that ended, and tell what those said that could not work."""
        nodes = {one.life: node for node, one in self._workers.items()}
        ended, _ = ray.wait(list(nodes), num_returns=len(nodes), timeout=wait_s) if nodes else ([], [])
        for life in ended:
            one = self._workers.pop(nodes[life])
            words = _end_of(life)
            if words:
                self._tell(f"that of {nodes[life][:8]} has ended: {words}")
            else:  # it was told to go, and is wanted again
                del self._begun_s[nodes[life]]
            with suppress(RayError):
                ray.kill(one.actor)  # a process that has ended its work gives its name free

    def _begin(self) -> None:
        known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        alive = sorted(node["NodeID"] for node in known if node["Alive"])[:NODES_MAX]
        now_s = time.monotonic()
        for node in alive:
            if node in self._workers or now_s - self._begun_s.get(node, -AGAIN_S) < AGAIN_S:
                continue
            self._begun_s[node] = now_s
            actor = self._actor(node)
            self._workers[node] = _Begun(actor=actor, life=actor.live.remote())

    def _actor(self, node: str) -> Any:
        """The worker on a node: one that is there from before, or a new one. Whatever is tried again, we try it."""
        made = ray.remote(RayWorker).options(
            name=f"{self._ledger}:{node}",
            get_if_exists=True,
            lifetime="detached",  # else it would end with this process
            num_cpus=0,  # it waits nearly all the time
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False),
        )
        return made.remote(self._where)


def _end_of(life: Any) -> str:
    try:
        return str(ray.get(life))
    except RayError as error:
        return _line_of(error)


def _line_of(error: BaseException) -> str:
    """One line of what Ray says on a page: the last says what, where code failed."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if "Traceback" in str(error) else 0].strip()[:TROUBLE_CHARS_MAX]


def _connect(address: str) -> None:
    quiet: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "configure_logging": False}
    if address:
        ray.init(address=address, **quiet)
    else:
        ray.init(address="local", num_cpus=0, object_store_memory=OBJECT_STORE_BYTES, include_dashboard=False, **quiet)


def _wires() -> tuple[TextIO, Callable[[str], None]]:
    """Our ends of the pipes; what Ray writes to them goes nowhere."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for end in (0, 1):
        os.dup2(nowhere, end)
    os.close(nowhere)

    def tell(text: str) -> None:
        with suppress(BrokenPipeError):
            answers.write(f"{json.dumps(text)}\n")
            answers.flush()

    return orders, tell


def main() -> int:
    orders, tell = _wires()
    first = json.loads(orders.readline() or "{}")
    if not first:
        return 0
    try:
        _connect(first["address"])
    except Exception as trouble:  # noqa: BLE001 - whatever it is, somebody waits for a word
        tell(_line_of(trouble))
        return 1
    tell("")
    hand = _Hand(first["ledger"], first["where"], tell)
    for line in orders:
        order = json.loads(line)
        try:
            if order == "leave":
                hand.leave()
            else:
                hand.submit(order)
        except Exception as trouble:  # noqa: BLE001 - it is told, and the same comes again
            tell(_line_of(trouble))
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
