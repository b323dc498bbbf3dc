"""What every ledger promises about a write: all of it or nothing, alone or beside others, on a full disk, cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.lifecycle import EventType
from jobs.record import Change, Money
from runner.errors import DiskFull, LedgerConflict, LedgerUnusable
from tests.runner.ledger_cases import Teller, begin
from tests.runner.ledger_houses import ALONE, ITEMS, KINDS, ONE, THREE, TWO, House, house_of


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return house_of(request.param, tmp_path)


async def test_a_write_over_a_newer_row_is_refused_and_changes_nothing(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    stale = Teller()
    stale.records = dict(teller.records)
    await ledger.record([teller.intent(ONE)])
    position, books = ledger.position(), ledger.books("night")

    with pytest.raises(LedgerConflict):
        await ledger.record([stale.tell(ONE.identity, EventType.SKIPPED, code="budget_exhausted")])

    assert ledger.records([ONE.identity]) == teller.records
    assert (ledger.position(), ledger.books("night")) == (position, books)
    await ledger.close()


# A full disk


def long(change: Change) -> Change:
    """The intent with a body that fits into no page the ledger has."""
    return replace(change, body=b"x" * 20_000)


@pytest.mark.parametrize("house", ALONE, indirect=True)
async def test_a_full_disk_takes_the_reserve_and_loses_no_write(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    await ledger.record([teller.intent(THREE)])
    roomy = ledger.tight
    house.fill(ledger)

    await asyncio.gather(*(ledger.record([long(teller.intent(one))]) for one in (ONE, TWO)))

    assert (roomy is None, ledger.tight is None) == (True, False)
    await ledger.record([teller.accepted(THREE), teller.succeeded(THREE)])
    assert ledger.records(list(teller.records)) == teller.records
    assert ledger.books("night") == Money(reserved=20, settled=10)
    await ledger.close()


@pytest.mark.parametrize("house", ALONE, indirect=True)
async def test_a_refused_call_is_refused_in_the_reserve_too_and_leaves_the_others_alone(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    stale = Teller()
    stale.records = dict(teller.records)
    await ledger.record([teller.intent(ONE)])
    house.fill(ledger)

    old = stale.tell(ONE.identity, EventType.SKIPPED, code="budget_exhausted")
    ends = await asyncio.gather(ledger.record([long(teller.intent(TWO))]), ledger.record([old]), return_exceptions=True)

    assert [type(end) for end in ends] == [type(None), LedgerConflict]
    assert ledger.records(list(teller.records)) == teller.records
    await ledger.close()


@pytest.mark.parametrize("house", ALONE, indirect=True)
async def test_a_disk_without_even_the_reserve_fails_all_who_wait(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    await ledger.record([teller.intent(THREE)])
    kept = dict(teller.records)
    house.spend(ledger)

    writes = (ledger.record([long(teller.intent(one))]) for one in (ONE, TWO))
    ends = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(end) for end in ends] == [DiskFull, DiskFull]
    with pytest.raises(DiskFull):
        await ledger.record([teller.accepted(THREE)])
    assert ledger.records(list(kept)) == kept
    await ledger.close()


async def test_an_item_that_no_life_planned_is_refused(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    teller.plan(TWO)

    with pytest.raises(LedgerConflict):
        await ledger.record([teller.intent(TWO)])

    assert ledger.books("night") == Money()
    await ledger.close()


async def test_the_changes_of_a_call_are_written_all_or_not_at_all(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO)
    before = ledger.records([ONE.identity, TWO.identity])
    good, bad = teller.intent(ONE), teller.intent(TWO)

    with pytest.raises(LedgerConflict):
        await ledger.record([good, replace(bad, record=replace(bad.record, version=9))])

    assert ledger.records([ONE.identity, TWO.identity]) == before
    assert ledger.books("night") == Money()
    assert ledger.position() == 2
    await ledger.close()


async def test_one_item_can_take_many_steps_in_one_call(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)

    await ledger.record([teller.intent(ONE), teller.accepted(ONE), teller.succeeded(ONE)])

    assert ledger.records([ONE.identity]) == teller.records
    await ledger.close()


async def test_a_refused_call_leaves_those_that_wait_beside_it_alone(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    changes = [teller.intent(one) for one in ITEMS]
    changes[3] = replace(changes[3], record=replace(changes[3].record, version=9))

    ends = await asyncio.gather(*(ledger.record([change]) for change in changes), return_exceptions=True)

    assert [type(end) for end in ends].count(LedgerConflict) == 1
    assert isinstance(ends[3], LedgerConflict)
    assert ledger.books("night") == Money(reserved=70)
    await ledger.close()


async def test_a_fault_in_one_call_leaves_those_that_wait_beside_it_alone(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO)
    good, bad = teller.intent(ONE), replace(teller.intent(TWO), body=None)

    ends = await asyncio.gather(ledger.record([bad]), ledger.record([good]), return_exceptions=True)

    assert isinstance(ends[0], AssertionError)
    assert ends[1] is None
    await ledger.close()


async def test_a_writer_cancelled_while_it_waits_has_written_all_of_its_call(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO)
    call = asyncio.create_task(ledger.record([teller.intent(ONE), teller.intent(TWO)]))
    await asyncio.sleep(0)

    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await ledger.close()

    again = house.open()
    assert again.records(list(teller.records)) == teller.records
    assert again.books("night") == Money(reserved=20)
    await again.close()


async def test_a_cancelled_writer_does_not_keep_those_beside_it_waiting(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    calls = [asyncio.create_task(ledger.record([teller.intent(one)])) for one in ITEMS]
    await asyncio.sleep(0)

    for call in calls[::2]:
        call.cancel()

    assert await asyncio.gather(*calls[1::2]) == [None] * 4
    await ledger.close()


async def test_closing_writes_what_is_still_waiting(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    calls = [asyncio.create_task(ledger.record([teller.intent(one)])) for one in ITEMS]
    await asyncio.sleep(0)

    await ledger.close()

    assert await asyncio.gather(*calls) == [None] * len(ITEMS)
    again = house.open()
    assert again.records(list(teller.records)) == teller.records
    await again.close()


async def test_a_closed_ledger_writes_nothing_more(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.close()
    await ledger.close()

    with pytest.raises(LedgerUnusable):
        await ledger.record([teller.intent(ONE)])
