"""Shards by way of Ray: whoever hands out has a process beside it that speaks with Ray, and tells it shard numbers.

Ray ends the process that speaks with it when its cluster is gone, writes to its terminal, and may be silent for a
minute: none of that may happen to a run. So it happens to a process that is begun again, and that nobody waits for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio

from runner.errors import LedgerUnusable, UsageError
from runner.ledger.store import Database, local_place, masked
from runner.settings import ray_variables

__all__ = ["RayQueue", "open_queue"]

# A Ray of one's own is there after five seconds, on a busy machine after fifteen; a cluster is, or is said to be away.
BEGIN_S_MAX: Final = 90.0
# What the end of a Ray of one's own may take.
END_S_MAX: Final = 10.0

# Nothing is imported out of the folder of a manifest, which may come from a stranger; Ray would let its workers do so.
_LINE: Final = (sys.executable, "-P", "-m", "runner.shards.ray_hand")
_FOLDER: Final = "/"


class RayQueue:
    """The way to the workers of one account's ledger, for who hands out."""

    def __init__(self, store: Database, environ: Mapping[str, str]) -> None:
        self._address = environ["RAY_ADDRESS"]
        where = {"store": store.address, "account": store.account, "base_url": store.base_url}
        # Workers go by this name: two databases on one cluster may both hold this account's ledger.
        self._order = {"address": self._address, "ledger": local_place(store).name, "where": where}
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_there = asyncio.Event()
        self._trouble = ""

    @property
    def remedy(self) -> str:
        return self._trouble or "Ray has begun none yet; `ray status` and its logs may say why"

    async def begin(self) -> None:
        """Raises `LedgerUnusable` when Ray cannot be had."""
        try:
            await self._start()
        except OSError as error:
            raise LedgerUnusable(
                _no_process(error),
                code="ray-unusable",
                next_step="free what this machine is short of (see `ulimit -a`), then run the same command again",
            ) from error
        assert self._listening is not None, "it was started"
        there = asyncio.ensure_future(self._is_there.wait())
        await asyncio.wait({there, self._listening}, timeout=BEGIN_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        there.cancel()
        if not self._is_there.is_set():
            raise LedgerUnusable(
                f"Ray at {self._address} cannot be had: {self._trouble or 'it said nothing'}",
                code="ray-unusable",
                next_step="set RAY_ADDRESS to a cluster that this machine belongs to, or unset it",
            )

    async def submit(self, shard_ids: Sequence[int]) -> None:
        """Tell Ray's workers. Where none is, or the way to them broke, it is made anew."""
        if not shard_ids:
            return
        if self._listening is None or self._listening.done():
            try:
                await self._start()
            except OSError as error:  # the next sweep tries again
                self._trouble = _no_process(error)
                return
        self._tell(list(shard_ids))

    async def sweep(self) -> None:
        """Nothing to do: a worker that died is seen when there is something to submit."""

    async def end(self) -> None:
        """Tell workers that nobody needs them any more, and end a Ray of one's own."""
        process = self._process
        if process is None:
            return
        self._tell("leave")
        assert process.stdin is not None, "it is a pipe"
        process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_S_MAX)

    async def kill(self) -> None:
        """End the process at once, and a Ray of one's own with it."""
        if self._process is not None and self._listening is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            self._listening.cancel()

    async def _start(self) -> None:
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *_LINE,
            stdin=pipe,
            stdout=pipe,
            stderr=nowhere,
            cwd=_FOLDER,
            env=self._environ,
            start_new_session=True,  # signals of a terminal are for whoever hands out
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        self._tell(self._order)

    def _tell(self, order: object) -> None:
        """What a silent process does not read is not kept for it: it is told again."""
        assert self._process is not None, "it was started"
        pipe = self._process.stdin
        assert pipe is not None, "it is a pipe"
        if not pipe.is_closing() and pipe.transport.get_write_buffer_size() == 0:
            pipe.write(json.dumps(order).encode() + b"\n")

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Until it has ended."""
        assert process.stdout is not None, "it is a pipe"
        async for line in process.stdout:
            self._trouble = str(json.loads(line))
            if not self._trouble:
                self._is_there.set()


def _no_process(error: OSError) -> str:
    return f"the process that speaks with Ray cannot be begun: {error.strerror or error}"


@asynccontextmanager
async def open_queue(store: Database) -> AsyncIterator[RayQueue]:
    """The way to Ray: to the cluster that RAY_ADDRESS names, else to a Ray that is begun here and ends with the run."""
    if store.passwords or masked(store.address) != store.address:  # also what only looks like one
        raise UsageError(
            "The address of the store has a password in it, which would be in Ray's logs. Nothing was sent.",
            code="store-password-shown",
            next_step="leave it out of the address, and set PGPASSFILE or PGPASSWORD here and where Ray was started",
        )
    queue = RayQueue(store, ray_variables())
    try:
        await queue.begin()
        yield queue
        await queue.end()
    finally:
        with anyio.CancelScope(shield=True):
            await queue.kill()
