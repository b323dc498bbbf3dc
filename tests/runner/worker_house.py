"""A worker's world on a real PostgreSQL: two runs, a service of the test's own, and somebody who tells and looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from jobs.answers import SendEnd, Uploaded
from jobs.lifecycle import ItemState
from jobs.rates import Rate
from jobs.shards import Handed, text_of
from jobs.terms import Terms, text_of_terms
from jobs.verdict import Pause
from runner.blobs import LocalBlobs
from runner.clock import Clock
from runner.errors import OutputUnusable
from runner.exchange import MayLeave
from runner.ledger import KnownUpload, RunInfo
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.shards import Shards, Word
from runner.reporter import Reporter
from runner.shards import worker as worker_module
from runner.shards.lease import running_s
from runner.shards.worker import Tools, Worker
from runner.shared_limits import MemoryShares, SharedLimits
from tests.jobs.workbench import NOT_SENT, made_item, seen
from tests.postgres_server import database_of, shared_server

__all__ = ["BEAT_S", "PATIENCE_S", "TERMS", "World", "at_work", "world_in"]

BRISK = Rate(count=10, window_s=0.2)
BEAT_S = 0.05
# What hangs has hung by then; what does not has ended long before.
PATIENCE_S = 15.0
TERMS = Terms(
    run_id="run",
    cap_credits=1000,
    per_item=None,
    on_exhausted="stop",
    resubmit_failed=0,
    resends_max=None,
    in_flight=10,
    creates=BRISK,
    polls=BRISK,
    uploads=BRISK,
    downloads=None,
    timeout_s=60.0,
    first_poll_s=0.05,
    poll_gap_s=0.05,
    place="out",
    save_results=False,
    sidecars=False,
    retry=False,
    again=False,
)


class Service:
    """Every task is done at once, unless the test closes a gate."""

    def __init__(self) -> None:
        self.tasks = 0
        self.looking, self.creating = anyio.Event(), anyio.Event()  # somebody stands before the gate
        self.looks, self.creates, self.statuses = anyio.Event(), anyio.Event(), anyio.Event()  # the gates
        for gate in (self.looks, self.creates, self.statuses):
            gate.set()
        self.status_word = "succeeded"
        self.refusal: SendEnd | None = None
        self.may_leave: MayLeave | None = None

    async def look(self) -> SendEnd:
        self.looking.set()
        await self.looks.wait()
        return NOT_SENT

    async def create(self, *, idempotency_key: str, body: bytes, may_leave: MayLeave | None = None) -> SendEnd:
        self.may_leave = may_leave
        self.creating.set()
        await self.creates.wait()
        if self.refusal is not None:
            return self.refusal
        self.tasks += 1
        return seen(f"task_{self.tasks}")

    async def status(self, task_id: str) -> SendEnd:
        await self.statuses.wait()
        return seen(task_id, self.status_word, final=10)


class World:
    """A ledger with the runs "a" and "b" of two items each, a worker on it, and somebody else who tells and looks."""

    def __init__(self, folder: Path) -> None:
        self.service = Service()
        self._folder = folder
        self._runs = 0
        self._lives: dict[str, int] = {}
        self._clock = Clock(mono_s=running_s)
        self.said: list[str] = []
        self.places_tried = 0
        self.no_place_for: set[str] = set()
        self.store = database_of(shared_server())
        self.ledger: PostgresLedger = open_ledger(self.store)
        self.others = Shards(self.ledger, "coordinator")
        self._own: PostgresLedger = open_ledger(self.store, role="worker")
        self.shards = Shards(self._own, "w")
        self.tools = Tools(
            account="default",
            service=self.service,  # type: ignore[arg-type]
            fetcher=None,  # type: ignore[arg-type]
            open_place=self._open_place,
            limits_for=self._limits_for,
            reporter=Reporter(),
            clock=self._clock,
            spread=lambda: 0.5,
            say=self.said.append,
        )
        self._limits: SharedLimits | None = None
        self.worker = Worker(self._own, self.shards, self.tools)

    async def _open_place(self, terms: Terms) -> LocalBlobs:
        self.places_tried += 1
        if terms.run_id in self.no_place_for:
            raise OutputUnusable("nobody may write there")
        return LocalBlobs(terms.place)

    def _limits_for(self, _: Terms) -> SharedLimits:
        if self._limits is None:
            shares = MemoryShares(running_s)
            self._limits = SharedLimits(shares, worker="w", clock=self._clock, creates=BRISK, polls=BRISK, places=10)
        return self._limits

    async def begin(self, run_id: str, *, references: int = 0) -> int:
        """A run with one shard; gives the number of that. The second of its items has that many references."""
        items = [made_item(2 * self._runs), made_item(2 * self._runs + 1, references=references)]
        self._runs += 1
        info = RunInfo(
            run_id=run_id, name=run_id, edition="", manifest_path="m", manifest_sha256="x", cap_credits=1000, out_dir=""
        )
        life = await self.ledger.begin_life(info, items, at_s=1.0, pid=1, host="h")
        self._lives[run_id] = life.life_id
        await self.others.hand_out(run_id, life.life_id, text_of_terms(self.terms(run_id)))
        (shard_id,) = await self.others.add(run_id, [text_of(Handed(item=item, version=1) for item in items)])
        return shard_id

    async def upload(self, *, age_s: float) -> None:
        """The reference of every item is at the service, for so long."""
        (file,) = made_item(references=1).references
        uploaded = Uploaded(file_id="f", url="https://cdn.example/f", kind="image", name="f.png", mime_type="image/png")
        at_s = self._clock.now().wall_s - age_s
        await self.ledger.save_upload(KnownUpload(sha256=file.sha256, uploaded=uploaded, at_s=at_s))

    async def say(self, run_id: str, word: Word, *, why: str = "", reason: str = "") -> None:
        await self.others.say(run_id, word, life_id=self._lives[run_id], why=why, reason=reason)

    def terms(self, run_id: str) -> Terms:
        return replace(TERMS, run_id=run_id, place=str(self._folder))

    @asynccontextmanager
    async def creating_of(self, shard_id: int) -> AsyncIterator[TaskGroup]:
        """The worker takes the shard, and its first create has come to the service."""
        async with anyio.create_task_group() as beside:
            beside.start_soon(self.worker.take, shard_id)
            await self.service.creating.wait()
            yield beside

    def pause(self, why: Pause, reason: str) -> None:
        """What the worker is at pauses, for what its service said."""
        bench = self.worker._bench
        assert bench is not None
        bench.engine.core.state.pause(why, reason)

    async def beats(self) -> None:
        """Some of the worker's beats go by."""
        await anyio.sleep(10 * BEAT_S)

    async def word(self, run_id: str) -> Word:
        return (await self.others.handouts([run_id]))[run_id].word

    def states(self, *numbers: int) -> set[ItemState]:
        return {one.state for one in self.ledger.records([f"i1-{n}" for n in numbers]).values()}

    async def close(self) -> None:
        await self._own.close()
        await self.ledger.close()


async def at_work(world: World, play: Callable[[], Awaitable[None]]) -> None:
    """Play, beside the worker; then it leaves."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(world.worker.run)
            await anyio.wait_all_tasks_blocked()
            await play()
            group.cancel_scope.cancel()


@asynccontextmanager
async def world_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world whose worker's beats take no time worth mentioning."""
    monkeypatch.setattr(worker_module, "BEAT_S", BEAT_S)
    world = World(folder)
    yield world
    await world.close()
