"""A worker on a real PostgreSQL, with a service of the test's own: what it takes on, what it leaves, how it ends."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from jobs.lifecycle import ItemState
from jobs.steps import Notice
from jobs.terms import text_of_terms
from jobs.verdict import Pause
from runner.errors import AuthError, InternalError, LeaseLost
from runner.interruption import Interruption
from runner.ledger.shards import Word
from runner.shards import serving
from runner.shards import worker as worker_module
from runner.shards.queueing import Take
from tests.jobs.workbench import refused
from tests.runner.worker_house import PATIENCE_S, World, at_work, world_in


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world_in(tmp_path, monkeypatch) as world:
        yield world


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
        async with world.creating_of(b):
            await world.say("a", Word.STOP)
            await world.worker.take(a)  # its job is in the queue still
            await world.beats()
            held.extend([one.is_held for run in "ab" for one in await world.others.open(run)])
            world.service.status_word = "succeeded"

    await at_work(world, play)
    assert held == [False, True]


async def _as_handed_out(_: World) -> None:
    """Nothing keeps a worker from the run "a"."""


async def _stopped(world: World) -> None:
    await world.say("a", Word.STOP)


async def _with_no_place(world: World) -> None:
    world.no_place_for.add("a")


@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        (_as_handed_out, ItemState.SUCCEEDED),
        (_stopped, ItemState.PLANNED),
        (_with_no_place, ItemState.PLANNED),
    ],
)
async def test_a_shard_that_comes_twice_in_one_moment_is_claimed_once_and_keeps_nobody_waiting(
    world: World, prepare: Callable[[World], Awaitable[None]], state: ItemState
) -> None:
    a = await world.begin("a")
    await prepare(world)

    async def play() -> None:
        async with anyio.create_task_group() as both:  # by the queue, and because it was left
            both.start_soon(world.worker.take, a)
            both.start_soon(world.worker.take, a)

    await at_work(world, play)
    assert world.states(0, 1) == {state}


async def test_a_shard_that_is_closed_by_a_beat_and_by_the_end_of_its_run_is_closed_once(world: World) -> None:
    a = await world.begin("a")
    world.service.status_word = "running"

    async def play() -> None:
        async with world.creating_of(a), anyio.create_task_group() as both:
            both.start_soon(world.worker._close, [a])
            both.start_soon(world.worker._close, [a])

    await at_work(world, play)
    assert await world.others.open("a") == []


async def test_a_create_that_takes_long_to_connect_is_asked_again_for_its_shard_and_for_its_slot(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()
    said = []

    async def play() -> None:
        async with world.creating_of(a):
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


async def test_one_whose_statuses_stay_away_for_a_while_does_not_end_the_run_for_all(world: World) -> None:
    a = await world.begin("a")
    world.service.statuses = anyio.Event()
    said = []

    async def play() -> None:
        async with world.creating_of(a):
            await world.beats()
            world.pause(Pause.POLLS, "no status is answered")
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
        async with world.creating_of(a):
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
        async with world.creating_of(a) as beside:  # a create is under way: the drain waits for it
            await world.say("a", Word.STOP)
            await world.beats()
            more = await world.begin("a")
            beside.start_soon(world.worker.take, more)
            await world.beats()
            world.service.creates.set()

    await at_work(world, play)
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def test_a_queue_that_breaks_down_ends_the_process_that_would_get_nothing_from_it(
    world: World,
) -> None:
    async def serve(_: Take) -> None:
        raise InternalError("the queue broke down")

    process = serving._Process(world.store, "w2", world.tools, Interruption(), serve)
    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(PATIENCE_S):
        await process.serve()
    assert caught.group_contains(InternalError, match="broke down")


async def test_a_worker_that_the_budget_had_ended_begins_anew_under_a_larger_one(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with world.creating_of(a):
            world.pause(Pause.BUDGET, "it is spent")
            await world.beats()
            assert await world.word("a") is Word.END
            richer = text_of_terms(replace(world.terms("a"), cap_credits=2000))
            await world.others.fund("a", richer, life_id=world._lives["a"])
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await at_work(world, play)
    assert caught.group_contains(LeaseLost, match="budget was raised")


async def test_a_worker_says_nothing_of_the_end_of_a_budget_that_was_raised_meanwhile(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with world.creating_of(a):
            await world.ledger.note([Notice(name="turned", data={})], at_s=2.0, cap_credits=2000)
            world.pause(Pause.BUDGET, "it is spent")
            await world.beats()
            world.service.creates.set()

    await at_work(world, play)
    assert await world.word("a") is Word.GO


async def test_a_worker_leaves_when_it_had_no_work_for_a_while_and_not_while_it_has(world: World) -> None:
    async def serve(_: Take) -> None:
        await anyio.sleep_forever()

    interruption = Interruption()
    process = serving._Process(world.store, "w2", world.tools, interruption, serve)
    process._worker = world.worker
    world.worker._held[1] = worker_module._Held(fence=1)
    with anyio.move_on_after(1.5):
        await process.leave_when_idle(0.2)
    assert interruption.signal is None

    world.worker._held.clear()
    with anyio.fail_after(PATIENCE_S):
        await process.leave_when_idle(0.2)
    assert interruption.signal == signal.SIGTERM


async def test_what_an_earlier_life_ended_for_does_not_end_the_next_one(world: World) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with world.creating_of(a):  # what is under way keeps the run's bench
            world.pause(Pause.CREDITS, "the account is empty")
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
        async with world.creating_of(a):
            world.pause(Pause.CREDITS, "the account is empty")
            await world.say("a", Word.STOP)
            await world.beats()
            more = await world.begin("a")
            await world.beats()
            world.service.creates.set()
            await world.worker.take(more)

    await at_work(world, play)
    assert await world.word("a") is Word.GO
    assert world.states(2, 3) == {ItemState.SUCCEEDED}
