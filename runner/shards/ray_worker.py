"""A worker in a process that Ray began, on one node of its cluster: the same as `rivya-batch worker`, told by calls.

Ray carries shard numbers and where the ledger is, never a secret: the key and the database's password come from the
environment in which Ray was started on the node, because what passes through Ray is kept and shown by it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

from runner.errors import InternalError
from runner.gravity import gravest
from runner.interruption import Interruption
from runner.settings import load_settings
from runner.shards.queueing import Take
from runner.shards.serving import serve_shards
from runner.shards.worker import SHARDS_MAX

__all__ = ["Inbox", "RayWorker"]

# A worker that nobody told to go, because whoever began the run is gone, leaves the cluster after so long without work.
IDLE_S: Final = 60.0
# What its last words may take to reach who asked for them.
GONE_S: Final = 5.0


class Inbox:
    """Shards that this worker was told of and has not taken yet, each of them once."""

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}
        self._more = asyncio.Event()

    def put(self, shard_ids: Sequence[int]) -> None:
        self._waiting.update(dict.fromkeys(shard_ids))
        self._more.set()

    async def serve(self, take: Take) -> None:
        """Take them in turn, so many at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SHARDS_MAX):
                group.create_task(self._each(take))

    async def _each(self, take: Take) -> None:
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            shard_id = next(iter(self._waiting))
            del self._waiting[shard_id]
            await take(shard_id)


class RayWorker:
    """What Ray keeps on a node. All its methods run in one event loop; `where` is settings that are no secrets."""

    def __init__(self, where: Mapping[str, str]) -> None:
        self._where = where
        self._inbox = Inbox()
        self._interruption = Interruption()
        self._life: asyncio.Task[str] | None = None

    async def live(self) -> str:
        """Work until told to leave, or there was nothing to do for a while; gives what went wrong, in words.

        The first call begins it; others, of whoever runs the same command again, wait for the same end.
        """
        if self._life is None:
            self._life = asyncio.create_task(self._lived())
        return await asyncio.shield(self._life)

    async def take(self, shard_ids: Sequence[int]) -> None:
        """Hear of shards that somebody should work on."""
        self._inbox.put(shard_ids)

    async def leave(self) -> None:
        """Take nothing new, let answers come in, and go."""
        if self._interruption.signal is None:
            self._interruption.say(signal.SIGTERM, "the run has ended")

    async def _lived(self) -> str:
        words = ""
        try:
            settings = load_settings(flags=self._where)
            await serve_shards(
                settings, say=_note, serve=self._inbox.serve, interruption=self._interruption, idle_s=IDLE_S
            )
        except Exception as trouble:  # noqa: BLE001 - the last one to ask
            words = _words(trouble)
        asyncio.get_running_loop().call_later(GONE_S if words else 0.0, _end)
        return words


def _end() -> None:
    """End this process, which Ray would keep."""
    os.kill(os.getpid(), signal.SIGTERM)


def _words(trouble: Exception) -> str:
    told = gravest(trouble)
    if isinstance(told, InternalError):
        _note("".join(traceback.format_exception(trouble)))
    return f"{told.message} {told.next_step}".rstrip()


def _note(line: str) -> None:
    """A line into the file that Ray keeps for this process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
