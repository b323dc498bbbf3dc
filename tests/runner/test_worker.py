"""A worker on a real PostgreSQL, with a service of the test's own: what it takes on, what it leaves, how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import psycopg
import pytest
from psycopg import sql

from jobs.answers import SendEnd, Uploaded
from jobs.lifecycle import ItemState
from jobs.rates import Rate
from jobs.shards import Handed, text_of
from jobs.terms import Terms, text_of_terms
from jobs.verdict import Pause
from runner.blobs import LocalBlobs
from runner.clock import Clock
from runner.errors import AuthError, InternalError, LeaseLost, OutputUnusable
from runner.exchange import MayLeave
from runner.interruption import Interruption
from runner.ledger import KnownUpload, RunInfo
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.shards import Shards, Word
from runner.reporter import Reporter
from runner.shards import serving
from runner.shards import worker as worker_module
from runner.shards.lease import running_s
from runner.shards.queueing import Take
from runner.shards.worker import Tools, Worker
from runner.shared_limits import MemoryShares, SharedLimits
from tests.jobs.workbench import NOT_SENT, made_item, refused, seen
from tests.postgres_server import database_of, shared_server

BRISK = Rate(count=10, window_s=0.2)
BEAT_S = 0.05
# What hangs has hung by then; what does not has ended long before.
PATIENCE_S = 15.0


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
        return Terms(
            run_id=run_id,
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
            place=str(self._folder),
            save_results=False,
            sidecars=False,
            retry=False,
            again=False,
        )

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


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(worker_module, "BEAT_S", BEAT_S)
    world = World(tmp_path)
    yield world
    await world.close()


async def at_work(world: World, play: Callable[[], Awaitable[None]]) -> None:
    """Play, beside the worker; then it leaves."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(world.worker.run)
            await anyio.wait_all_tasks_blocked()
            await play()
            group.cancel_scope.cancel()


async def test_first_shards_of_two_runs_at_once_are_both_done(world: World) -> None:
    a, b = await world.begin("a"), await world.begin("b")

    async def play() -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(world.worker.take, a)
            both.start_soon(world.worker.take, b)

    await at_work(world, play)
    assert world.states(0, 1, 2, 3) == {ItemState.SUCCEEDED}
    assert await world.others.open("a") == await world.others.open("b") == []


async def test_a_worker_told_to_leave_while_its_first_shard_is_prepared_leaves(world: World) -> None:
    a = await world.begin("a")
    world.service.looks = anyio.Event()

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(world.worker.run)
            group.start_soon(world.worker.take, a)
            await world.service.looking.wait()
            world.worker.leave("SIGTERM")

    assert [one.is_held for one in await world.others.open("a")] == [False]
    assert world.service.tasks == 0


@pytest.mark.parametrize("word", [Word.STOP, Word.END])
async def test_a_run_that_ends_while_its_first_shard_is_prepared_makes_room_for_the_next(
    world: World, word: Word
) -> None:
    a, b = await world.begin("a"), await world.begin("b")
    world.service.looks = anyio.Event()

    async def play() -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(world.worker.take, a)
            await world.service.looking.wait()
            await world.say("a", word, why="credits", reason="the account is empty")
            await world.beats()
            world.service.looks.set()
            await world.worker.take(b)

    await at_work(world, play)
    assert world.states(0, 1) == {ItemState.PLANNED}
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def test_a_shard_of_a_stopped_run_is_left_by_a_worker_that_is_at_another(world: World) -> None:
    a, b = await world.begin("a"), await world.begin("b")
    world.service.status_word = "running"
    held = []

    async def play() -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(world.worker.take, b)
            await world.service.creating.wait()
            await world.say("a", Word.STOP)
            await world.worker.take(a)  # its job is in the queue still
            await world.beats()
            held.extend([one.is_held for run in "ab" for one in await world.others.open(run)])
            world.service.status_word = "succeeded"

    await at_work(world, play)
    assert held == [False, True]


async def test_a_shard_that_is_closed_by_a_beat_and_by_the_end_of_its_run_is_closed_once(world: World) -> None:
    a = await world.begin("a")
    world.service.status_word = "running"

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            async with anyio.create_task_group() as both:
                both.start_soon(world.worker._close, [a])
                both.start_soon(world.worker._close, [a])

    await at_work(world, play)
    assert await world.others.open("a") == []


async def test_a_create_that_takes_long_to_connect_is_asked_again_for_its_shard_and_for_its_slot(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()
    said = []

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            may_leave, lease, limits = world.service.may_leave, world.worker._lease, world._limits
            assert may_leave is not None
            assert limits is not None
            said.append(may_leave())
            until_s, lease._until_s = lease._until_s, float("-inf")
            said.append(may_leave())
            lease._until_s = until_s
            limits.creates.shut()  # as the end of its lease
            said.append(may_leave())
            world.service.creates.set()

    await at_work(world, play)
    assert said == [True, False, False]


async def test_an_item_whose_reference_has_grown_too_old_is_left_and_the_run_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "PUT_OFF_S", 4 * BEAT_S)
    a, b = await world.begin("a", references=1), await world.begin("b")
    await world.upload(age_s=22 * 3600)
    said = []

    async def play() -> None:
        await world.worker.take(a)
        said.extend([world.states(0), world.states(1), [one.is_held for one in await world.others.open("a")]])
        await world.worker.take(b)
        said.append(await world.word("a"))
        await world.upload(age_s=0)
        while world.states(1) != {ItemState.SUCCEEDED}:
            await world.beats()

    await at_work(world, play)
    assert said == [{ItemState.SUCCEEDED}, {ItemState.PLANNED}, [False], Word.GO]
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def test_a_reference_that_is_about_to_grow_too_old_is_used_still(world: World) -> None:
    a = await world.begin("a", references=1)
    await world.upload(age_s=20.5 * 3600)

    async def play() -> None:
        await world.worker.take(a)

    await at_work(world, play)
    assert world.states(0, 1) == {ItemState.SUCCEEDED}


async def test_one_whose_statuses_stay_away_for_a_while_does_not_end_the_run_for_all(world: World) -> None:
    a = await world.begin("a")
    world.service.statuses = anyio.Event()
    said = []

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            await world.beats()
            bench = world.worker._bench
            assert bench is not None
            bench.engine.core.state.pause(Pause.POLLS, "no status is answered")
            await world.beats()
            said.append(await world.word("a"))
            world.service.statuses.set()

    await at_work(world, play)
    assert said == [Word.GO]
    assert world.states(0, 1) == {ItemState.SUCCEEDED}


async def test_a_worker_goes_on_with_other_runs_after_another_ones_key_was_refused(world: World) -> None:
    a, b = await world.begin("a"), await world.begin("b")
    world.service.status_word = "running"

    async def play() -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            await world.say("a", Word.END, why=Pause.AUTH, reason="the key is refused")
            await world.beats()
            world.service.status_word = "succeeded"
            await world.worker.take(b)

    await at_work(world, play)
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def test_a_worker_whose_own_key_is_refused_ends_and_says_so_to_all(world: World) -> None:
    a = await world.begin("a")
    world.service.refusal = refused(401, "unauthorized")

    async def play() -> None:
        await world.worker.take(a)

    with pytest.raises(ExceptionGroup) as caught:
        await at_work(world, play)
    assert caught.group_contains(AuthError)
    assert await world.word("a") is Word.END
    assert [one.is_held for one in await world.others.open("a")] == [False]


async def test_a_new_life_does_not_lie_down_on_the_bench_of_the_one_that_stops(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with anyio.create_task_group() as both:
            both.start_soon(world.worker.take, a)
            await world.service.creating.wait()  # a create is under way: the drain waits for it
            await world.say("a", Word.STOP)
            await world.beats()
            more = await world.begin("a")
            both.start_soon(world.worker.take, more)
            await world.beats()
            world.service.creates.set()

    await at_work(world, play)
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def _other_terms(world: World) -> None:
    await world.others.say_terms("a", '{"run_id": "a", "what_is_new": 1}')


async def _other_items(world: World) -> None:
    with psycopg.connect(world.store.address, autocommit=True) as connection:
        items = (
            '{"files": [], "items": [{"item": {"identity": "i1-0", "what_is_new": 1}, "version": 1, "wanted": true}]}'
        )
        update = sql.SQL("UPDATE {} SET items = %s WHERE run_id = 'a'")
        connection.execute(update.format(sql.Identifier(world.store.schema, "shards")), [items])


async def _no_place(world: World) -> None:
    world.no_place_for.add("a")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_other_terms, "handed out by another release"),
        (_other_items, "cut by another release"),
        (_no_place, "nobody may write there"),
    ],
)
async def test_a_worker_says_once_what_it_has_against_a_run_and_goes_on_with_others(
    world: World, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[World], Awaitable[None]], why: str
) -> None:
    monkeypatch.setattr(worker_module, "PUT_OFF_S", 2 * BEAT_S)
    a, b = await world.begin("a"), await world.begin("b")
    await spoil(world)

    async def play() -> None:
        await world.worker.take(a)
        await world.worker.take(b)
        await world.beats()

    await at_work(world, play)
    assert world.states(2, 3) == {ItemState.SUCCEEDED}
    assert world.service.tasks == 2
    handout = (await world.others.handouts(["a"]))["a"]
    assert handout.word is Word.GO
    assert handout.reason.startswith("w: ")
    assert why in handout.reason
    assert [line for line in world.said if "left to others" in line] == [f"a is left to others: {handout.reason[3:]}"]
    assert [one.was_held for one in await world.others.open("a")] == [True]


async def test_a_place_that_cannot_be_written_is_tried_once_for_all_shards_of_a_run(world: World) -> None:
    a = await world.begin("a")
    (other,) = await world.others.add("a", [text_of([])])
    await _no_place(world)

    async def play() -> None:
        for shard_id in (a, other, a, other):
            await world.worker.take(shard_id)
        await world.beats()

    await at_work(world, play)
    assert world.places_tried == 1


async def test_a_run_that_goes_on_under_terms_of_another_release_ends_this_work_and_not_the_worker(
    world: World,
) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            await _other_terms(world)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await at_work(world, play)
    assert caught.group_contains(LeaseLost, match="another release")


async def test_a_queue_that_breaks_down_ends_the_process_that_would_get_nothing_from_it(
    world: World,
) -> None:
    async def serve(_: Take) -> None:
        raise InternalError("the queue broke down")

    process = serving._Process(world.store, "w2", world.tools, Interruption(), serve)
    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(PATIENCE_S):
        await process.serve()
    assert caught.group_contains(InternalError, match="broke down")


async def test_what_an_earlier_life_ended_for_does_not_end_the_next_one(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()  # what is under way keeps the run's bench
            bench = world.worker._bench
            assert bench is not None
            bench.engine.core.state.pause(Pause.CREDITS, "the account is empty")
            await world.beats()
            assert await world.word("a") is Word.END
            await world.begin("a")
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await at_work(world, play)
    assert caught.value.subgroup(LeaseLost) is not None
    assert await world.word("a") is Word.GO


async def test_a_life_that_stops_says_nothing_to_the_next_one(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(world.worker.take, a)
            await world.service.creating.wait()
            bench = world.worker._bench
            assert bench is not None
            bench.engine.core.state.pause(Pause.CREDITS, "the account is empty")
            await world.say("a", Word.STOP)
            await world.beats()
            more = await world.begin("a")
            await world.beats()
            world.service.creates.set()
            await world.worker.take(more)

    await at_work(world, play)
    assert await world.word("a") is Word.GO
    assert world.states(2, 3) == {ItemState.SUCCEEDED}
