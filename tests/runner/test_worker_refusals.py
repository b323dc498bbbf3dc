"""What a worker leaves to others: runs that it cannot do, and items whose references have grown too old."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import psycopg
import pytest
from psycopg import sql

from jobs.lifecycle import ItemState
from jobs.shards import text_of
from runner.errors import LeaseLost
from runner.ledger.shards import Shards, Word
from runner.shards import worker as worker_module
from tests.runner.worker_house import BEAT_S, World, at_work, world_in


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world_in(tmp_path, monkeypatch) as world:
        yield world


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


async def test_a_worker_tells_each_command_that_begins_a_run_what_it_has_against_it(world: World) -> None:
    await _no_place(world)
    reasons = []

    async def play() -> None:
        for _ in range(2):
            shard_id = await world.begin("a")
            reasons.append((await world.others.handouts(["a"]))["a"].reason)
            await world.worker.take(shard_id)
            reasons.append((await world.others.handouts(["a"]))["a"].reason)
            world.worker._refused.clear()  # time goes by

    await at_work(world, play)
    assert reasons == ["", "w: nobody may write there"] * 2


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
    assert [one.was_held for one in await world.others.open("a")] == [True, False]


async def _died(world: World, *shard_ids: int) -> None:
    """Somebody had these shards, and nobody has them now."""
    dead = Shards(world.ledger, "dead")
    for shard_id in shard_ids:
        await dead.claim(shard_id)
    await dead.give_back()


@pytest.mark.parametrize(("runs", "shards"), [(4, 1), (1, 9)])
async def test_left_shards_of_runs_that_a_worker_refuses_do_not_keep_it_from_others(
    world: World, runs: int, shards: int
) -> None:
    for n in range(runs):
        run_id = f"a{n}"
        world.no_place_for.add(run_id)
        first = await world.begin(run_id)
        await _died(world, first, *await world.others.add(run_id, [text_of([])] * (shards - 1)))
    await _died(world, await world.begin("b"))

    async def play() -> None:
        while await world.others.open("b"):
            await world.beats()

    await at_work(world, play)
    assert world.states(2 * runs, 2 * runs + 1) == {ItemState.SUCCEEDED}


async def test_left_shards_that_wait_for_something_do_not_keep_a_worker_from_others(world: World) -> None:
    waiting = [await world.begin("a"), *await world.others.add("a", [text_of([])] * 3)]
    await _died(world, *waiting, await world.begin("b"))
    world.worker._put_off = dict.fromkeys(waiting, float("inf"))

    async def play() -> None:
        while await world.others.open("b"):
            await world.beats()

    await at_work(world, play)
    assert world.states(2, 3) == {ItemState.SUCCEEDED}


async def test_a_run_that_goes_on_under_terms_of_another_release_ends_this_work_and_not_the_worker(
    world: World,
) -> None:
    a = await world.begin("a")
    world.service.creates = anyio.Event()

    async def play() -> None:
        async with world.creating_of(a):
            await _other_terms(world)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await at_work(world, play)
    assert caught.group_contains(LeaseLost, match="another release")


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
