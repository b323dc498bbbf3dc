"""Nobody buys an item that another may still buy: lives that begin while something is handed out to workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from jobs.lifecycle import ItemState
from jobs.verdict import Pause
from runner.errors import LeaseLost, LedgerLocked
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.shards import Shards
from runner.ledger.store import Database
from tests.jobs.workbench import at, made_core, must_send, seen
from tests.postgres_server import database_of, shared_server
from tests.runner.test_shards import ITEMS, RUN, made_text, planned

OTHER = replace(RUN, run_id="other", name="other")


@pytest.fixture
async def store() -> Database:
    """A ledger with one run of four items in two shards, whose coordinator is gone."""
    store = database_of(shared_server())
    ledger = open_ledger(store)
    life = await ledger.begin_life(RUN, ITEMS, at_s=1.0, pid=1, host="h")
    shards = Shards(ledger, "coordinator")
    await shards.hand_out("run", life.life_id, "terms")
    await shards.add("run", [made_text(ITEMS[:2]), made_text(ITEMS[2:])])
    await ledger.close()
    return store


@pytest.fixture
async def worker(store: Database) -> AsyncIterator[PostgresLedger]:
    """Somebody who has the first shard."""
    ledger = open_ledger(store, role="worker")
    ledger.join_life(1)
    claim = await Shards(ledger, "worker-1").claim(1)
    assert claim is not None
    ledger.belong(lambda _: (1, claim.fence))
    yield ledger
    await ledger.close()


async def test_no_life_of_one_process_begins_while_a_worker_has_a_shard(
    store: Database, worker: PostgresLedger
) -> None:
    runner = open_ledger(store, is_sole=True)
    with pytest.raises(LedgerLocked) as caught:
        await runner.begin_life(OTHER, [], at_s=2.0, pid=1, host="h")
    standing = await Shards(runner, "runner").open("run")
    await runner.close()

    assert "`run`" in caught.value.message
    assert "worker-1" in caught.value.message
    assert "--engine procrastinate" in caught.value.next_step
    assert [one.is_held for one in standing] == [True, False]
    await worker.record(must_send(made_core(ITEMS[0], records=planned()), 0).step.changes)


async def test_what_a_silent_worker_decided_is_refused_after_one_process_took_its_items_up(
    store: Database, worker: PostgresLedger
) -> None:
    core = made_core(ITEMS[0], records=planned(), prices={"m": 10})
    send = must_send(core, 0)
    await worker.record(send.step.changes)
    await Shards(worker, "worker-1").give_back()  # as the end of its lease

    runner = open_ledger(store, is_sole=True)
    await runner.begin_life(RUN, ITEMS, at_s=2.0, pid=1, host="h")
    records = runner.records([ITEMS[0].identity])
    heir = made_core(records=records, prices={"m": 10})
    heir.admit(ITEMS[0], records[ITEMS[0].identity], at(0.1))
    again = must_send(heir, 0.1)
    core.state.pause(Pause.CREDITS, "the account is empty")
    undone = core.keep_back(send, at(0.2))
    assert undone is not None
    with pytest.raises(LeaseLost):
        await worker.record(undone.changes)  # "it never left this machine", of a key that another one is using
    await runner.record(heir.create_ended(again, seen(), at(0.3)).changes)

    assert again.key == send.key
    assert runner.records([ITEMS[0].identity])[ITEMS[0].identity].state is ItemState.ACCEPTED
    assert await Shards(worker, "worker-1").claim(2) is None
    await runner.close()


@pytest.mark.parametrize("is_wanted_now", [True, False])
async def test_a_run_that_is_handed_out_takes_its_items_from_another_one_that_nobody_conducts(
    store: Database, worker: PostgresLedger, *, is_wanted_now: bool
) -> None:
    coordinator = open_ledger(store)
    await coordinator.begin_life(OTHER, ITEMS[1:2], at_s=2.0, pid=1, host="h")
    if not is_wanted_now:
        await Shards(coordinator, "coordinator").add("run", [made_text(ITEMS[:2])])
        await coordinator.begin_life(OTHER, [], at_s=3.0, pid=1, host="h")
    standing = await Shards(coordinator, "coordinator").open("run")
    await coordinator.close()

    assert [one.shard_id for one in standing] == [2]
    with pytest.raises(LeaseLost):
        await worker.record(must_send(made_core(ITEMS[0], records=planned()), 0).step.changes)


async def test_a_run_leaves_to_another_what_it_never_wants(store: Database, worker: PostgresLedger) -> None:
    coordinator = open_ledger(store)
    await coordinator.begin_life(OTHER, [], at_s=2.0, pid=1, host="h")
    standing = await Shards(coordinator, "coordinator").open("run")
    await coordinator.close()

    assert [one.is_held for one in standing] == [True, False]
    await worker.record(must_send(made_core(ITEMS[0], records=planned()), 0).step.changes)
