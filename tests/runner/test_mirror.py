"""What workers do, as the one who handed out sees it: every event once, in whatever order commits become visible."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from runner.clock import Clock
from runner.ledger.postgres import PostgresLedger, open_ledger
from runner.ledger.shards import Shards
from runner.shards.mirror import GAP_S, Mirror, Tail
from tests.jobs.workbench import at, made_core, must_poll, must_send, seen
from tests.postgres_server import database_of, shared_server
from tests.runner.test_shards import ITEMS, RUN, planned


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 4), min_size=8, max_size=8))
def test_what_becomes_visible_late_is_seen_once(order: list[int], sizes: list[int]) -> None:
    tail = Tail(low=0, stands_since_s=0.0)
    visible: list[int] = []
    told: list[int] = []
    for size in sizes:
        visible += order[len(visible) : len(visible) + size]
        rows = [{"seq": seq} for seq in sorted(visible) if seq > tail.low]
        told += [row["seq"] for row in tail.take(rows, 1.0)]

    assert sorted(told) == list(range(1, 9))
    assert tail.low == 8


def test_a_number_that_nobody_committed_is_waited_for_only_so_long() -> None:
    tail = Tail(low=0, stands_since_s=0.0)
    rows = [{"seq": 2}, {"seq": 3}]

    assert len(list(tail.take(rows, 1.0))) == 2
    assert tail.low == 0
    assert list(tail.take(rows, GAP_S + 2.0)) == []
    assert tail.low == 3


@pytest.fixture
async def ledger() -> AsyncIterator[PostgresLedger]:
    ledger = open_ledger(database_of(shared_server()))
    await ledger.begin_life(RUN, ITEMS, at_s=1.0, pid=1, host="h")
    yield ledger
    await ledger.close()


async def test_a_core_that_rests_comes_to_what_the_working_one_did(ledger: PostgresLedger) -> None:
    working, resting = _core(), _core()
    mirror = Mirror(resting, ledger, Clock())
    send = must_send(working, 0)
    await ledger.record(send.step.changes)
    assert [change.event.type for change in await mirror.look()] == [EventType.INTENT]
    assert resting.state.slots == {send.identity}

    await ledger.record(working.create_ended(send, seen(), at(1)).changes)
    end = working.poll_ended(must_poll(working, 10), seen(status="succeeded", final=10, urls=("u",)), at(10))
    await ledger.record(end.changes)
    told = await mirror.look()

    assert [change.event.type for change in told] == [EventType.ACCEPTED, EventType.SUCCEEDED]
    assert told[-1].delta == end.changes[0].delta
    assert resting.state.records[send.identity] == ledger.records([send.identity])[send.identity]
    assert resting.state.records[send.identity].state is ItemState.SUCCEEDED
    assert resting.state.slots == set()
    assert await mirror.look() == []
    assert await mirror.settle()


async def test_what_was_in_a_record_already_is_not_told_again(ledger: PostgresLedger) -> None:
    working = _core()
    resting = _core()
    mirror = Mirror(resting, ledger, Clock())
    send = must_send(working, 0)
    await ledger.record(send.step.changes)
    resting.state.records.update(ledger.records([send.identity]))  # as who admits items just then would find it

    assert await mirror.look() == []
    assert (await Shards(ledger, "w").books("run")).back == 10


def _core() -> Core:
    return made_core(*ITEMS, records=planned(), prices={"m": 10})
