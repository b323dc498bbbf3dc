"""Whoever hands out, on a real PostgreSQL: what it brings, hands out, hears and says while others work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest

from jobs.answers import Uploaded
from jobs.budget import Books, Shared
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.shards import Handed, identities_in, text_of
from jobs.steering import Dial, turned
from jobs.steps import Notice
from jobs.terms import terms_in
from jobs.verdict import Pause
from runner.clock import Clock
from runner.errors import Unreachable
from runner.ledger import KnownUpload
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.shards import Shards, Word
from runner.reporter import Reporter
from runner.shards import conductor as conductor_module
from runner.shards.conductor import Conducting, Conductor, next_look_s
from tests.jobs.workbench import at, made_core, made_item, must_send, seen
from tests.postgres_server import database_of, shared_server
from tests.runner.test_shards import RUN, planned
from tests.runner.worker_house import PATIENCE_S, TERMS

LOOK_S = 0.02


class Queue:
    """Nobody takes anything from it."""

    remedy = "somebody should start some"

    def __init__(self) -> None:
        self.submitted: list[int] = []

    async def submit(self, shard_ids: Sequence[int]) -> None:
        self.submitted += shard_ids

    async def sweep(self) -> None:
        pass


class Told(Reporter):
    """What a person hears."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def noticed(self, notice: Notice) -> None:
        self.notices.append(notice)


class World:
    """A ledger with a run of two items, and what hands it out."""

    def __init__(self, *items: Item) -> None:
        self.items = items
        self.store = database_of(shared_server())
        self.ledger: PostgresLedger = open_ledger(self.store)
        self.shards = Shards(self.ledger, "coordinator")
        self.clock = Clock()
        self.queue, self.told = Queue(), Told()
        self.uploads = 0
        self.trouble: Unreachable | None = None
        self.core: Core = made_core()

    async def begin(self, **core: Any) -> Conductor:
        """A life of the run."""
        await self.ledger.begin_life(RUN, self.items, at_s=1.0, pid=1, host="h")
        self.core = made_core(**core)
        made = Conductor(
            self.core,
            conducting=Conducting(terms=TERMS, ledger=self.ledger, shards=self.shards, queue=self.queue),
            ledger=self.ledger,
            sender=None,
            uploader=self._upload,
            saver=None,
            reporter=self.told,
            clock=self.clock,
        )
        known = self.ledger.records([item.identity for item in self.items])
        for item in self.items:
            await made.commit(self.core.admit(item, known[item.identity], self.clock.now()))
        return made

    async def _upload(self, reference: ReferenceFile, _: str) -> Uploaded:
        self.uploads += 1
        if self.trouble is not None:
            raise self.trouble
        return uploaded()

    def state(self, item: Item) -> ItemState:
        """Where the conductor sees it."""
        return self.core.state.records[item.identity].state

    def age_s(self, item: Item) -> float:
        """For how long the service has the item's reference, as workers read it."""
        (file,) = item.references
        return self.clock.now().wall_s - self.ledger.uploads([file.sha256])[file.sha256].at_s


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(conductor_module, "LOOK_S", LOOK_S)
    world = World(made_item(0), made_item(1, references=1))
    yield world
    await world.ledger.close()


async def beside(conductor: Conductor, play: Callable[[], Awaitable[None]]) -> None:
    """Play while it conducts."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(conductor.run)
            await play()
            group.cancel_scope.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # a database says nothing by itself
        await anyio.sleep(LOOK_S)


def uploaded() -> Uploaded:
    return Uploaded(file_id="f", url="https://cdn.example/f", kind="image", name="f.png", mime_type="image/png")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_reference_is_brought_anew_before_it_grows_too_old_for_what_is_not_bought(
    world: World, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(conductor_module, "RENEW_S", 10 * LOOK_S)
    item = world.items[1]
    conductor = await world.begin()
    (file,) = item.references

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        assert world.uploads == 1
        old = KnownUpload(sha256=file.sha256, uploaded=uploaded(), at_s=world.clock.now().wall_s - 20.5 * 3600)
        await world.ledger.save_upload(old)
        if fails:
            world.trouble = Unreachable("nobody is there")
            await until(lambda: world.uploads >= 3)  # tried again and again, and no reason to end
            world.trouble = None
        await until(lambda: world.age_s(item) < 60)
        seen = world.uploads
        await anyio.sleep(30 * LOOK_S)
        assert world.uploads == seen, "what is fresh is left alone"

    await beside(conductor, play)
    assert not world.core.state.pauses
    assert bool(world.told.notices) is fails


async def test_what_a_worker_has_against_the_run_is_told_once(world: World) -> None:
    conductor = await world.begin()

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        for _ in range(2):
            await world.shards.complain("run", "nobody may write there", life_id=world.ledger.life_id)
            await anyio.sleep(5 * LOOK_S)

    await beside(conductor, play)
    (notice,) = world.told.notices
    assert notice.data["why"] == "a worker leaves this run to others: coordinator: nobody may write there"
    assert not world.core.state.pauses


async def test_what_another_release_handed_out_is_cut_anew_once_nobody_has_it(world: World) -> None:
    await world.ledger.begin_life(RUN, world.items, at_s=1.0, pid=1, host="h")
    await world.shards.hand_out("run", world.ledger.life_id, "terms")
    (left,) = await world.shards.add("run", ['{"items": [{"item": {"identity": "i1-0", "what_is_new": 1}}]}'])
    await beside(await world.begin(), lambda: until(lambda: bool(world.queue.submitted)))

    assert left not in world.queue.submitted
    assert left not in [one.shard_id for one in await world.shards.open("run")]


@pytest.mark.parametrize("is_held", [False, True])
async def test_an_old_open_intent_is_left_to_who_has_its_shard_or_will(world: World, is_held: bool) -> None:
    life = await world.ledger.begin_life(RUN, world.items, at_s=1.0, pid=1, host="h")
    await world.shards.hand_out("run", life.life_id, "terms")
    item = world.items[0]
    (shard_id,) = await world.shards.add("run", [text_of([Handed(item=item, version=1)])])
    worker = open_ledger(world.store, role="worker")
    worker.join_life(life.life_id)
    claim = await Shards(worker, "w").claim(shard_id)
    assert claim is not None
    worker.belong(lambda _: (shard_id, claim.fence))
    working = made_core(item, records=planned())
    send = must_send(working, 0)  # years ago
    await worker.record(send.step.changes)
    if not is_held:
        await Shards(worker, "w").give_back()

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        assert world.ledger.records([item.identity])[item.identity].state is ItemState.SUBMITTING
        if is_held:
            await worker.record(working.create_ended(send, seen(), at(1)).changes)
            await until(lambda: world.core.state.records[item.identity].state is ItemState.ACCEPTED)

    await beside(await world.begin(), play)
    standing = await world.shards.open("run", whole=True)
    assert (shard_id in [one.shard_id for one in standing]) is is_held
    assert sorted(identity for one in standing for identity in identities_in(one.items)) == ["i1-0", "i1-1"]
    await worker.close()


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_budget_that_is_raised_while_the_run_lives_takes_up_what_the_old_one_left_out(
    world: World, is_late: bool
) -> None:
    conductor = await world.begin(books=Books(cap=TERMS.cap_credits))
    life_id = world.ledger.life_id
    worker = open_ledger(world.store, role="worker")
    worker.join_life(life_id)
    shards = Shards(worker, "w")

    async def leave_out() -> None:
        records = worker.records([item.identity for item in world.items])
        working = made_core(*world.items, records=records)
        working.state.pause(Pause.BUDGET, "it is spent")
        await worker.record(working.leave_unbought(at(0)).changes)
        await until(lambda: {world.state(item) for item in world.items} == {ItemState.SKIPPED})

    async def raised(before: int, cap: int) -> None:
        shard_id = max(world.queue.submitted)
        claim = await shards.claim(shard_id)
        assert claim is not None
        assert identities_in(claim.items) == [item.identity for item in world.items]
        worker.belong(lambda _: (shard_id, claim.fence))
        claimed_s = world.clock.now().mono_s
        await until(lambda: conductor._alone_since_s > claimed_s)  # it has seen who has it
        await shards.say("run", Word.END, life_id=life_id, why="budget", reason="it is spent", cap=before)
        await until(lambda: Pause.BUDGET in world.core.state.pauses)
        if not is_late:
            await leave_out()
        change = turned(Dial.BUDGET, before=before, asked=cap, ceiling=None)
        await conductor.steer(world.core.retune(change, world.clock.now(), "me"), cap_credits=cap)
        await until(lambda: conductor._terms.cap_credits == cap)
        said = (await world.shards.handouts(["run"]))["run"]
        assert (said.word, terms_in(said.terms).cap_credits) == (Word.GO, cap)
        if is_late:
            await leave_out()
        await anyio.sleep(10 * LOOK_S)
        assert max(world.queue.submitted) == shard_id, "nothing is in two hands"
        await shards.close({shard_id: claim.fence})
        await until(lambda: max(world.queue.submitted) > shard_id)
        assert not world.core.state.pauses

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        await raised(1000, 2000)
        await raised(2000, 3000)

    await beside(conductor, play)
    await worker.close()


async def test_a_budget_that_is_turned_while_books_are_looked_up_stays_turned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor = await world.begin(books=Books(cap=1000))
    look_up = world.shards.books

    async def books(run_id: str) -> Shared:
        found = await look_up(run_id)
        world.core.retune(turned(Dial.BUDGET, before=1000, asked=2000, ceiling=None), world.clock.now(), "me")
        return found

    monkeypatch.setattr(world.shards, "books", books)
    await conductor._follow()

    assert world.core.state.books.cap == 2000


async def test_who_takes_a_shard_in_the_last_moment_is_not_written_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor = await world.begin()
    worker = open_ledger(world.store, role="worker")
    worker.join_life(world.ledger.life_id)
    item, say = world.items[0], world.shards.say

    async def take_before(run_id: str, word: Word, **told: Any) -> None:
        if word is Word.STOP:
            (shard_id,) = set(world.queue.submitted)
            claim = await Shards(worker, "w").claim(shard_id)
            assert claim is not None
            worker.belong(lambda _: (shard_id, claim.fence))
            await worker.record(must_send(made_core(item, records=planned()), 0).step.changes)
        await say(run_id, word, **told)

    monkeypatch.setattr(world.shards, "say", take_before)

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        await say("run", Word.END, life_id=world.ledger.life_id, why="budget", reason="it is spent")
        await until(lambda: conductor.over)

    async with anyio.create_task_group() as group:
        group.start_soon(conductor.run)
        await play()

    records = world.ledger.records([one.identity for one in world.items])
    assert {one.state for one in records.values()} == {ItemState.SUBMITTING, ItemState.PLANNED}
    await worker.close()


def test_looks_are_twice_a_second_and_near_the_end_what_ends_brings_the_next_ones_soon() -> None:
    gaps_s = [0.5]
    for is_last_news in [False, True, False, False, False, False]:
        gaps_s.append(next_look_s(gaps_s[-1], is_last_news=is_last_news))

    assert gaps_s == pytest.approx([0.5, 0.5, 0.05, 0.1, 0.2, 0.4, 0.5])


async def test_only_of_the_last_items_an_end_brings_the_next_look_soon(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def spy(_: float, *, is_last_news: bool) -> float:
        asked.append(is_last_news)
        return LOOK_S

    monkeypatch.setattr(conductor_module, "next_look_s", spy)
    world.items = (made_item(0), made_item(1))
    conductor, working = await world.begin(), made_core(*world.items, records=planned())
    worker = open_ledger(world.store, role="worker")

    async def play() -> None:
        await until(lambda: bool(world.queue.submitted))
        worker.join_life(world.ledger.life_id)
        claim = await Shards(worker, "w").claim(world.queue.submitted[0])
        assert claim is not None
        worker.belong(lambda _: (claim.shard_id, claim.fence))
        for number, item in enumerate(world.items):
            assert not any(asked), "not all is bought"
            send = must_send(working, 0)
            await worker.record(send.step.changes)
            await worker.record(working.create_ended(send, seen(f"task_{number}"), at(1)).changes)
            await until(lambda at_work=item: world.state(at_work) is ItemState.ACCEPTED)  # type: ignore[misc]
        await until(lambda: any(asked))
        await until(lambda: not any(asked[-3:]))

    await beside(conductor, play)
    await worker.close()
