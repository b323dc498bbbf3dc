"""Shards in a real PostgreSQL: claims, leases, fences, and books that several move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
from psycopg.errors import LockNotAvailable

from jobs.budget import Books, Shared
from jobs.core import Core
from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.record import Record
from jobs.shards import Handed, handed_in, text_of
from jobs.steps import Notice
from runner.errors import LeaseLost, LedgerConflict
from runner.ledger import OVER_CAP, RunInfo
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.postgres_link import Link
from runner.ledger.shards import Shards, Word
from runner.ledger.store import Database
from tests.jobs.workbench import at, made_core, made_item, must_send, seen
from tests.postgres_server import database_of, shared_server

RUN = RunInfo(
    run_id="run", name="run", edition="", manifest_path="m", manifest_sha256="x", cap_credits=1000, out_dir="out"
)
ITEMS = [made_item(n) for n in range(4)]


@pytest.fixture
async def store() -> Database:
    """A ledger with one run of four items in two shards, whose coordinator is gone again."""
    store = database_of(shared_server())
    ledger = open_ledger(store)
    life = await ledger.begin_life(RUN, ITEMS, at_s=1.0, pid=1, host="h")
    shards = Shards(ledger, "coordinator")
    await shards.hand_out("run", life.life_id, "terms")
    await shards.add("run", [made_text(ITEMS[:2]), made_text(ITEMS[2:])])
    await ledger.close()
    return store


@pytest.fixture
async def crew(store: Database) -> AsyncIterator[list[tuple[PostgresLedger, Shards]]]:
    ledgers = [open_ledger(store, role="worker") for _ in range(2)]
    for ledger in ledgers:
        ledger.join_life(1)
    yield [(ledger, Shards(ledger, f"worker-{n}")) for n, ledger in enumerate(ledgers)]
    for ledger in ledgers:
        await ledger.close()


def made_text(items: list[Item]) -> str:
    return text_of(Handed(item=item, version=1) for item in items)


Crew = list[tuple[PostgresLedger, Shards]]


async def test_a_shard_is_had_by_one_worker_at_a_time(crew: Crew) -> None:
    (_, first), (_, second) = crew
    one = await first.claim(1)

    assert one is not None
    assert (one.fence, [one.item for one in handed_in(one.items)]) == (1, ITEMS[:2])
    assert await second.claim(1) is None
    assert (await second.claim(2)) is not None
    assert await first.claim(7) is None


async def test_a_worker_that_begins_anew_has_its_own_shards_at_once_with_another_fence(crew: Crew) -> None:
    (_, first), _ = crew
    await first.claim(1)
    again = await first.claim(1)

    assert again is not None
    assert again.fence == 2
    assert await first.renew() == {1: 2}


async def test_what_is_given_back_or_silent_is_left_to_others(crew: Crew) -> None:
    (_, first), (_, second) = crew
    await first.claim(1)
    assert await second.left(9) == []
    await first.give_back()

    assert await second.left(9) == [1]
    claim = await second.claim(1)
    assert claim is not None
    assert claim.fence == 2
    assert await first.renew() == {}


async def test_what_a_worker_cannot_do_is_neither_left_to_it_nor_claimed_by_it(crew: Crew) -> None:
    (_, first), (_, second) = crew
    for shard_id in (1, 2):
        await first.claim(shard_id)
    await first.give_back()

    assert await second.left(1) == [1]
    assert await second.left(1, put_off=[1]) == [2]
    assert await second.left(1, refused=["another"]) == [1]
    assert await second.left(1, refused=["run"]) == []
    assert await second.claim(1, refused=["run"]) is None
    assert await second.claim(1, refused=["another"]) is not None


async def test_what_was_tried_seldom_is_left_before_what_nobody_could_do(crew: Crew) -> None:
    (_, first), (_, second) = crew
    for shard_id in (1, 1, 2):
        await first.claim(shard_id)
        await first.give_back()

    assert await second.left(9) == [2, 1]


async def test_nothing_is_left_of_a_run_that_stops(crew: Crew) -> None:
    (_, first), (_, second) = crew
    await first.claim(1)
    await first.give_back()
    await first.say("run", Word.STOP, life_id=1)

    assert await second.left(9) == []


@pytest.mark.parametrize(
    ("first", "then", "holds"),
    [
        (Word.GO, Word.HOLD, Word.HOLD),
        (Word.HOLD, Word.GO, Word.GO),
        (Word.HOLD, Word.END, Word.END),
        (Word.END, Word.GO, Word.END),
        (Word.END, Word.HOLD, Word.END),
        (Word.END, Word.STOP, Word.STOP),
        (Word.STOP, Word.END, Word.STOP),
    ],
)
async def test_nobody_goes_on_after_an_end(crew: Crew, first: Word, then: Word, holds: Word) -> None:
    (_, shards), _ = crew
    await shards.say("run", first, life_id=1)
    await shards.say("run", then, life_id=1, why="auth")

    assert (await shards.handouts(["run", "other"]))["run"].word is holds


async def test_an_end_for_a_budget_that_was_raised_is_not_said_and_one_that_was_said_is_taken_back(
    store: Database, crew: Crew
) -> None:
    (_, shards), _ = crew
    end = partial(shards.say, "run", Word.END, life_id=1, why="budget", cap=1000)
    await end()
    assert (await shards.handouts(["run"]))["run"].word is Word.END

    coordinator = open_ledger(store)
    coordinator.join_life(1)
    await coordinator.note([Notice(name="turned", data={})], at_s=2.0, cap_credits=1001)
    await coordinator.close()
    await shards.fund("run", "richer terms", life_id=1)
    await end()
    handout = (await shards.handouts(["run"]))["run"]
    assert (handout.word, handout.why, handout.terms) == (Word.GO, "", "richer terms")


async def test_no_end_but_that_of_the_budget_is_taken_back_by_a_larger_one(crew: Crew) -> None:
    (_, shards), _ = crew
    await shards.say("run", Word.END, life_id=1, why="auth")
    await shards.fund("run", "richer terms", life_id=1)

    assert (await shards.handouts(["run"]))["run"].word is Word.END


async def test_what_is_said_of_an_earlier_life_is_not_heard_in_the_next(store: Database, crew: Crew) -> None:
    (_, shards), _ = crew
    ledger = open_ledger(store)
    life = await ledger.begin_life(RUN, ITEMS, at_s=2.0, pid=1, host="h")
    await Shards(ledger, "coordinator").hand_out("run", life.life_id, "terms")
    await ledger.close()
    await shards.say("run", Word.END, life_id=1, why="credits")

    assert (await shards.handouts(["run"]))["run"].word is Word.GO


async def test_a_closed_shard_is_had_by_nobody(crew: Crew) -> None:
    (_, first), (_, second) = crew
    claim = await first.claim(1)
    assert claim is not None
    await first.close({1: claim.fence})

    assert await second.claim(1) is None
    assert [one.shard_id for one in await second.open("run")] == [2]


async def test_a_write_of_a_shard_that_went_to_another_is_refused_with_the_intent_in_it(crew: Crew) -> None:
    (zombie, first), (ledger, second) = crew
    mine = await first.claim(1)
    assert mine is not None
    zombie.belong(lambda _: (1, mine.fence))
    core = made_core(*ITEMS[:2], records=planned(), prices={"m": 10})
    await zombie.record(must_send(core, 0).step.changes)
    await first.give_back()
    theirs = await second.claim(1)
    assert theirs is not None
    ledger.belong(lambda _: (1, theirs.fence))

    with pytest.raises(LeaseLost):
        await zombie.record(must_send(core, 0).step.changes)
    assert ledger.books("run").reserved == 10
    assert ledger.records(["i1-1"])["i1-1"].state is ItemState.PLANNED
    await ledger.record(must_send(made_core(ITEMS[1], records=planned()), 0).step.changes)
    assert ledger.books("run").reserved == 20


async def test_writers_beside_one_another_are_held_to_one_budget(crew: Crew) -> None:
    (one, shards), (two, _) = crew
    cores = [_sharing(item) for item in ITEMS[:2]]
    send, refused = (must_send(core, 0) for core in cores)
    await one.record(send.step.changes)

    with pytest.raises(LedgerConflict) as caught:
        await two.record(refused.step.changes)
    assert caught.value.code == OVER_CAP
    cores[1].take_back(refused, at(0))
    cores[1].found(found := await shards.books("run"), at(0).mono_s)
    assert (found.reserved, found.settled, found.back) == (10, 0, 10)

    await one.record(cores[0].create_ended(send, seen(), at(1)).changes)
    assert (await shards.books("run")).back == 10


async def test_a_lowered_budget_holds_for_a_worker_that_has_not_heard_of_it(store: Database, crew: Crew) -> None:
    (one, shards), _ = crew
    claim = await shards.claim(1)
    assert claim is not None
    one.belong(lambda _: (1, claim.fence))
    first, second = _sharing(ITEMS[0], cap=1000), _sharing(ITEMS[1], cap=1000)
    await one.record(must_send(first, 0).step.changes)
    coordinator = open_ledger(store)
    coordinator.join_life(1)
    await coordinator.note([Notice(name="turned", data={})], at_s=2.0, cap_credits=15)
    await coordinator.close()

    with pytest.raises(LedgerConflict) as caught:
        await one.record(must_send(second, 0).step.changes)
    assert caught.value.code == OVER_CAP
    assert one.books("run").reserved == 10
    assert (await shards.books("run")).cap == 15


async def test_nobody_changes_a_budget_between_an_intent_that_was_held_to_it_and_its_commit(store: Database) -> None:
    one, other = Link(store), Link(store)
    one.control("BEGIN")
    assert one.run("reserve_beside", {"scope": "run", "bound": 10, "cap": None}) == 1

    other.control("SET lock_timeout = '50ms'")
    with pytest.raises(LockNotAvailable):
        other.run("set_cap", {"cap_credits": 5, "life_id": 1})
    one.undo()
    assert other.run("set_cap", {"cap_credits": 5, "life_id": 1}) == 1
    assert one.run("reserve_beside", {"scope": "run", "bound": 10, "cap": None}) == 0
    for link in (one, other):
        link.drop()


def _sharing(item: Item, cap: int = 15) -> Core:
    books = Books(cap=cap, shared=Shared(cap=cap, reserved=0, settled=0, back=0))
    return made_core(item, records=planned(), prices={"m": 10}, books=books)


def planned() -> dict[str, Record]:
    return {
        item.identity: Record(identity=item.identity, state=ItemState.PLANNED, version=1, first_at_s=1.0)
        for item in ITEMS
    }
