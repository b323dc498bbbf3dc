"""What every ledger promises about money: the cap, the books, one purchase for one attempt, and prices seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs.lifecycle import EventType, ItemState
from jobs.record import Money
from runner.errors import LedgerConflict
from runner.ledger import reading
from tests.runner.ledger_cases import begin, run_info
from tests.runner.ledger_houses import ITEMS, KINDS, ONE, TWO, House, house_of


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return house_of(request.param, tmp_path)


async def test_intents_never_pass_the_cap_however_many_come_at_once(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS, cap=45)
    changes = [teller.intent(one, bound=10) for one in ITEMS]

    ends = await asyncio.gather(*(ledger.record([change]) for change in changes), return_exceptions=True)

    assert [end is None for end in ends].count(True) == 4
    assert all(isinstance(end, LedgerConflict) for end in ends if end is not None)
    assert ledger.books("night") == Money(reserved=40)
    await ledger.close()


async def test_credits_that_come_back_later_make_no_room_for_an_intent_before(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO, cap=10)
    await ledger.record([teller.intent(ONE)])
    dear, back = teller.intent(TWO), teller.tell(ONE.identity, EventType.REJECTED, code="invalid", message="no")

    too_early, in_time = await asyncio.gather(ledger.record([dear]), ledger.record([back]), return_exceptions=True)

    assert isinstance(too_early, LedgerConflict)
    assert in_time is None
    assert ledger.books("night") == Money()
    await ledger.close()


async def test_an_intent_may_fill_the_cap_to_the_last_credit(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, cap=10)

    await ledger.record([teller.intent(ONE, bound=10)])

    assert ledger.books("night") == Money(reserved=10)
    await ledger.close()


async def test_settled_credits_count_against_the_cap(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO, cap=19)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE), teller.succeeded(ONE, charge=10)])

    with pytest.raises(LedgerConflict):
        await ledger.record([teller.intent(TWO, bound=10)])

    await ledger.close()


async def test_a_charge_above_the_cap_is_written_all_the_same(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, cap=10)
    await ledger.record([teller.intent(ONE, bound=10), teller.accepted(ONE, figure=30)])

    await ledger.record([teller.succeeded(ONE, charge=30)])

    assert ledger.books("night") == Money(settled=30)
    await ledger.close()


async def test_an_attempt_is_bought_once(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE, ordinal=1), teller.tell(ONE.identity, EventType.REJECTED, code="no")])

    with pytest.raises(LedgerConflict):
        await ledger.record([teller.intent(ONE, ordinal=1)])

    assert ledger.books("night") == Money()
    await ledger.close()


async def test_the_same_place_under_another_key_is_refused(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE, ordinal=1), teller.tell(ONE.identity, EventType.REJECTED, code="no")])
    data = dict(teller.intent(ONE, ordinal=1).event.data) | {"key": "rvb1-other"}
    teller.records = ledger.records([ONE.identity])

    with pytest.raises(LedgerConflict):
        await ledger.record([teller.tell(ONE.identity, EventType.INTENT, **data)])

    await ledger.close()


async def test_a_task_belongs_to_one_attempt(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE, task_id="task-7")])
    await ledger.record([teller.intent(TWO)])

    with pytest.raises(LedgerConflict):
        await ledger.record([teller.accepted(TWO, task_id="task-7")])

    assert ledger.records([TWO.identity])[TWO.identity].state is ItemState.SUBMITTING
    await ledger.close()


async def test_buying_again_keeps_what_the_first_purchase_cost(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE), teller.succeeded(ONE, charge=9)])

    await ledger.record([teller.intent(ONE, bound=8, epoch=1)])

    assert ledger.books("night") == Money(reserved=8, settled=9)
    assert ledger.records([ONE.identity])[ONE.identity].artifacts == ()
    await ledger.close()


async def test_an_attempt_stays_in_the_books_of_the_run_that_opened_it(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE)])
    other = await begin(ledger, ONE, run=run_info("day"))

    await ledger.record([other.accepted(ONE), other.succeeded(ONE, charge=7)])

    assert ledger.books("night") == Money(settled=7)
    assert ledger.books("day") == Money()
    await ledger.close()


async def test_class_prices_are_the_highest_figures_the_service_gave(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    await ledger.record([teller.intent(ITEMS[0], bound=99)])
    assert ledger.class_prices() == {}  # our own bound is no price

    await ledger.record([teller.intent(ITEMS[1]), teller.accepted(ITEMS[1])])
    await ledger.record([teller.tell(ITEMS[1].identity, EventType.FAILED, final_credits=0, charge=0, code="x")])
    assert ledger.class_prices() == {}  # a refund is no price

    await ledger.record([teller.intent(ITEMS[2]), teller.accepted(ITEMS[2]), teller.succeeded(ITEMS[2], charge=0)])
    assert ledger.class_prices() == {}  # nor is a zero that may only be early

    await ledger.record([teller.intent(ITEMS[3]), teller.accepted(ITEMS[3]), teller.succeeded(ITEMS[3], charge=21)])
    await ledger.record([teller.intent(ITEMS[4]), teller.accepted(ITEMS[4], figure=20)])
    assert ledger.class_prices() == {"seedance?duration=8": 21}
    await ledger.close()


@pytest.mark.parametrize("latest", [reading.LATEST_ATTEMPTS, 2])
async def test_the_ends_that_were_seen_are_remembered_by_price_class(
    house: House, latest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that come before the latest attempts, at which it looks first."""
    monkeypatch.setattr(reading, "LATEST_ATTEMPTS", latest)
    ledger = house.open()
    teller = await begin(ledger, *ITEMS)
    for one, unseen in (
        (ITEMS[0], {}),
        (ITEMS[1], {"polls": 3, "unseen_s": 0.25}),
        (ITEMS[2], {"polls": 1, "unseen_s": None}),
    ):
        await ledger.record([teller.intent(one), teller.accepted(one)])
        end = {"final_credits": 0, "charge": 0, "code": "x", **unseen}
        await ledger.record([teller.tell(one.identity, EventType.FAILED, **end)])
    await ledger.record([teller.intent(ITEMS[3]), teller.accepted(ITEMS[3])])

    assert ledger.ends_seen(["none"]) == {}
    assert ledger.ends_seen(["none", ITEMS[0].price_class]) == {ITEMS[0].price_class: [(0.9, 1.0), (0.75, 1.0)]}
    await ledger.close()
