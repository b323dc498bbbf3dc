"""What every ledger promises: one suite over the one in memory and the one on SQLite, in a thread and on the loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.identity import idempotency_key
from jobs.lifecycle import TABLE, EventType, ItemState
from jobs.record import Change, Event, Money, Record, fold
from jobs.steps import Notice
from runner.errors import DiskFull, LedgerConflict, LedgerLocked, LedgerUnusable
from runner.ledger import Ledger
from runner.ledger.ballast import Ballast
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.ledger.sqlite import SqliteLedger, open_ledger, open_reader
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, begin, item, run_info, upload

ITEMS = [item(number) for number in range(8)]
ONE, TWO, THREE = ITEMS[:3]


@dataclass
class House:
    """A place for one ledger, which can be opened again."""

    open: Callable[[], Ledger]
    open_as: Callable[[str, str], Ledger]
    fill: Callable[[Ledger], None]  # from now on the disk has no room but that of the reserve
    spend: Callable[[Ledger], None]  # and somebody else takes that as soon as it is given back


class Dropping(Ballast):
    """A ballast whose room is really there once it is dropped, unless somebody else was faster."""

    def __init__(self, path: Path, then: Callable[[], object]) -> None:
        super().__init__(path)
        self._then = then

    def drop(self) -> bool:
        dropped = super().drop()
        self._then()
        return dropped


def full(ledger: Ledger, *, pages_then: int) -> None:
    """The disk as SQLite sees it: so many pages, and `pages_then` more once the ballast is gone."""
    assert isinstance(ledger, SqliteLedger)
    writer = ledger._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    room = partial(writer.execute, f"PRAGMA max_page_count = {pages + pages_then}")
    ledger._ballast = Dropping(ledger.path, room)


@pytest.fixture(params=["memory", "thread", "loop"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    store = MemoryStore()

    def open_as(account: str, base_url: str) -> Ledger:
        if request.param == "memory":
            return MemoryLedger(store, account=account, base_url=base_url)
        return open_ledger(
            tmp_path / "ledger.db", account=account, base_url=base_url, in_thread=request.param == "thread"
        )

    def fill(ledger: Ledger) -> None:
        if request.param == "memory":
            store.room = 0
        else:
            full(ledger, pages_then=1000)

    def spend(ledger: Ledger) -> None:
        if request.param == "memory":
            store.room, store.reserve = 0, 0
        else:
            full(ledger, pages_then=0)

    return House(open=lambda: open_as(ACCOUNT, BASE_URL), open_as=open_as, fill=fill, spend=spend)


async def test_new_items_begin_as_planned(house: House) -> None:
    ledger = house.open()

    await begin(ledger, ONE, TWO)

    found = ledger.records([ONE.identity, TWO.identity, "i1-nobody"])
    assert set(found) == {ONE.identity, TWO.identity}
    assert found[ONE.identity] == Record(identity=ONE.identity, state=ItemState.PLANNED, version=1, first_at_s=1000.0)
    await ledger.close()


async def test_items_known_before_stay_where_they_stand(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE)])
    position = ledger.position()

    await begin(ledger, ONE, TWO)

    assert ledger.records([ONE.identity])[ONE.identity] == teller.records[ONE.identity]
    assert ledger.position() == position + 1  # only the new one was planned
    await ledger.close()


async def test_what_was_recorded_is_there_after_closing_and_opening_again(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE, TWO)
    await ledger.record([teller.intent(ONE)])
    await ledger.record([teller.accepted(ONE, figure=14)])
    await ledger.record([teller.succeeded(ONE, charge=12, urls=("https://cdn.example/1", "https://cdn.example/2"))])
    saved = teller.saved(ONE, 2, state="verified", file="a.mp4", sha256="f" * 64, bytes=7, type="video/mp4")
    await ledger.record([saved])
    await ledger.record([teller.tell(TWO.identity, EventType.SKIPPED, code="budget_exhausted", message="no room")])
    await ledger.close()

    again = house.open()

    identities = [ONE.identity, TWO.identity]
    assert again.records(identities) == {identity: teller.records[identity] for identity in identities}
    assert again.books("night") == Money(reserved=0, settled=12)
    assert again.class_prices() == {"seedance?duration=8": 14}
    await again.close()


async def test_the_body_of_an_attempt_is_kept_byte_for_byte(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    change = replace(teller.intent(ONE), body=b'{"prompt":"\xc3\xa9\x00 "}')
    await ledger.record([change])
    await ledger.close()

    again = house.open()

    assert change.record.attempt is not None
    assert again.body(change.record.attempt.key) == b'{"prompt":"\xc3\xa9\x00 "}'
    with pytest.raises(KeyError):
        again.body("rvb1-nobody")
    await again.close()


async def test_a_task_belongs_to_the_attempt_it_was_made_for(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, ONE)
    intent, accepted = teller.intent(ONE), teller.accepted(ONE)
    await ledger.record([intent, accepted])
    await ledger.close()

    again = house.open()

    assert intent.record.attempt is not None
    assert again.task_key(str(accepted.event.data["task_id"])) == intent.record.attempt.key
    assert again.task_key("task_nobody") is None
    await again.close()


async def test_what_goes_on_is_told_apart_from_what_ended(house: House) -> None:
    ledger = house.open()
    planned, submitting, accepted, unsaved, saved = wanted = ITEMS[:5]
    teller = await begin(ledger, *wanted)
    await ledger.record([teller.intent(one) for one in (submitting, accepted, unsaved, saved)])
    await ledger.record([teller.accepted(one) for one in (accepted, unsaved, saved)])
    await ledger.record([teller.succeeded(one) for one in (unsaved, saved)])
    await ledger.record([teller.saved(saved, state="verified")])

    going_on = [past.identity for past in ledger.unfinished_items("night")]

    assert going_on == [one.identity for one in (submitting, accepted, unsaved)]
    assert planned.identity not in going_on
    await ledger.close()


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


async def test_intents_never_pass_the_cap_however_many_come_at_once(house: House) -> None:
    ledger = house.open()
    teller = await begin(ledger, *ITEMS, cap=45)
    changes = [teller.intent(one, bound=10) for one in ITEMS]

    ends = await asyncio.gather(*(ledger.record([change]) for change in changes), return_exceptions=True)

    assert [end is None for end in ends].count(True) == 4
    assert all(isinstance(end, LedgerConflict) for end in ends if end is not None)
    assert ledger.books("night") == Money(reserved=40)
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


async def test_the_ends_that_were_seen_are_remembered_by_price_class(house: House) -> None:
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


async def test_uploads_are_remembered_and_refreshed(house: House) -> None:
    ledger = house.open()
    one, two = upload("a" * 64), upload("b" * 64)
    await ledger.save_upload(one)
    await ledger.save_upload(two)
    await ledger.save_upload(replace(one, at_s=9.0))
    assert ledger.uploads(["a" * 64, "c" * 64]) == {"a" * 64: replace(one, at_s=9.0)}
    await ledger.close()

    again = house.open()
    assert again.uploads(["b" * 64]) == {"b" * 64: two}
    await again.close()


def test_a_known_upload_never_shows_its_token() -> None:
    assert "secret" not in repr(upload("a" * 64))


async def test_a_life_that_wants_other_items_keeps_the_old_ones_in_mind(house: House) -> None:
    ledger = house.open()
    await begin(ledger, ONE, TWO)
    renamed = replace(TWO, key="reveal/second", tags=(), axes={"vars.n": 2.5}, index=0)
    await begin(ledger, renamed, THREE)
    await begin(ledger, ONE, run=run_info("day"))

    past = ledger.past_items("night")

    assert [(one.key, one.index, one.wanted) for one in past] == [
        ("reveal/second", 0, True),
        ("reveal/n=0", 0, False),
        ("reveal/n=2", 2, True),
    ]
    assert (past[0].identity, past[0].axes, past[0].tags) == (TWO.identity, {"vars.n": 2.5}, ())
    assert past[0].reference_digests == (TWO.references[0].sha256,)
    assert (past[1].params, past[1].repeat, past[1].output_stem) == ({"duration": "8"}, 1, "reveal/0")
    assert ledger.past_items("nothing") == []
    await ledger.close()


async def test_two_items_may_swap_their_names(house: House) -> None:
    ledger = house.open()
    await begin(ledger, ONE, TWO)

    await begin(ledger, replace(ONE, key=TWO.key), replace(TWO, key=ONE.key))

    assert {past.identity: past.key for past in ledger.past_items("night")} == {
        ONE.identity: TWO.key,
        TWO.identity: ONE.key,
    }
    await ledger.close()


async def test_lives_are_numbered_and_can_end(house: House) -> None:
    ledger = house.open()
    first = await ledger.begin_life(run_info(), [ONE], at_s=1.0, pid=1, host="a")
    await ledger.end_life(first, at_s=2.0, exit_code=3)
    second = await ledger.begin_life(run_info(), [ONE], at_s=3.0, pid=2, host="b")

    assert second.life_id > first.life_id
    assert (second.run_id, second.started_at_s, second.exit_code) == ("night", 3.0, None)
    await ledger.close()


async def test_what_happened_to_a_run_is_kept_in_order_over_its_lives(house: House) -> None:
    ledger = house.open()
    first = await ledger.begin_life(run_info(), [ONE], at_s=1.0, pid=1, host="a")
    slower = Notice(name="rate", data={"limit": "creates", "before": 1.0, "after": 0.5})
    await ledger.note([slower, Notice(name="paused", data={"why": "budget"})], at_s=2.0)
    await ledger.begin_life(run_info("another"), [TWO], at_s=3.0, pid=2, host="b")
    await ledger.note([Notice(name="paused", data={"why": "disk"})], at_s=4.0)
    last = await ledger.begin_life(run_info(), [ONE], at_s=5.0, pid=3, host="c")
    await ledger.note([], at_s=6.0)
    await ledger.note([Notice(name="refund", data={"credits": 4})], at_s=6.0)

    notes = ledger.notes("night")

    assert [(note.life_id, note.at_s, note.name) for note in notes] == [
        (first.life_id, 2.0, "rate"),
        (first.life_id, 2.0, "paused"),
        (last.life_id, 6.0, "refund"),
    ]
    assert notes[0].data == slower.data
    assert ledger.notes("night", after=notes[1].note_id) == notes[2:]
    await ledger.close()


async def test_a_second_owner_is_refused_until_the_first_lets_go(house: House) -> None:
    ledger = house.open()

    with pytest.raises(LedgerLocked):
        house.open()

    await ledger.close()
    await house.open().close()


@pytest.mark.parametrize(("account", "base_url"), [("other", BASE_URL), (ACCOUNT, "https://elsewhere.example")])
async def test_another_account_or_service_is_refused(house: House, account: str, base_url: str) -> None:
    await house.open().close()

    with pytest.raises(LedgerUnusable, match="belongs to account `default`"):
        house.open_as(account, base_url)

    await house.open().close()  # and the refusal left no lock behind


# Legal histories: at each step one of the moves the item's state allows, with data drawn for it.


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, EventType, int]]:
    moves = st.tuples(st.integers(0, 3), st.sampled_from(list(EventType)), st.integers(0, 30))
    return draw(st.lists(moves, min_size=1, max_size=40))


def tell_history(history: list[tuple[int, EventType, int]]) -> list[Change]:
    """The legal part of a history as changes."""
    teller, changes = Teller(), []
    teller.plan(*ITEMS[:4])
    for place, kind, number in history:
        one = ITEMS[place]
        record = teller.records[one.identity]
        if kind not in TABLE[record.state]:
            kind = list(TABLE[record.state])[number % len(TABLE[record.state])]  # noqa: PLW2901 - a legal move instead
        change = tell_move(teller, place, kind, number)
        if change is not None:
            changes.append(change)
    return changes


def tell_move(teller: Teller, place: int, kind: EventType, number: int) -> Change | None:
    one = ITEMS[place]
    record, text = teller.records[one.identity], f"said \N{SNOWMAN} {number}"
    figure = number if number % 3 else None
    match kind:
        case EventType.INTENT:
            return teller.intent(one, bound=number, epoch=number % 2)
        case EventType.ACCEPTED:
            return teller.accepted(one, figure=figure)
        case EventType.SEND_ENDED:
            outcome = "not_sent" if number % 2 else "ambiguous"
            return teller.tell(one.identity, kind, ambiguous=outcome == "ambiguous", outcome=outcome, reason=text)
        case EventType.SUCCEEDED | EventType.FAILED | EventType.WRITTEN_OFF:
            urls = [f"https://cdn.example/{n}" for n in range(number % 3)]
            return teller.tell(
                one.identity, kind, final_credits=figure, charge=number, urls=urls, code="c", message=text
            )
        case EventType.SAVED:
            if not record.artifacts:
                return None
            return teller.saved(one, 1 + number % len(record.artifacts), state="partial", file=text, bytes=number)
        case EventType.REFUNDED:
            if record.attempt is None or record.attempt.settled == 0:
                return None
            return teller.tell(one.identity, kind, credits=1 + number % record.attempt.settled)
        case _:
            return teller.tell(one.identity, kind, code="c", message=text, reason=text, request_id=f"req-{number}")


@settings(max_examples=60)
@given(histories())
def test_both_ledgers_tell_the_same_of_any_legal_history(history: list[tuple[int, EventType, int]]) -> None:
    changes = tell_history(history)
    identities = [one.identity for one in ITEMS[:4]]

    async def told(ledger: Ledger) -> list[object]:
        await ledger.begin_life(run_info(), ITEMS[:4], at_s=1000.0, pid=1, host="h")
        for change in changes:
            await ledger.record([change])
        keys = [change.record.attempt.key for change in changes if change.record.attempt]
        facts: list[object] = [
            ledger.records(identities),
            ledger.books("night"),
            ledger.class_prices(),
            ledger.position(),
            [ledger.body(key) for key in keys],
        ]
        await ledger.close()
        return facts

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        in_file = asyncio.run(told(open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)))
        in_memory = asyncio.run(told(MemoryLedger(MemoryStore(), account=ACCOUNT, base_url=BASE_URL)))

        assert in_file == in_memory
        assert_rows_follow_from_events(path)


def assert_rows_follow_from_events(path: Path) -> None:
    """Items are the fold of their events, books the sum of attempts, keys and digests what their rows say."""
    reader = open_reader(path)
    assert reader is not None
    with reader:
        sums: dict[str, Money] = {}
        for one in ITEMS[:4]:
            folded: Record | None = None
            for row in reader.ask("events_of_item", {"identity": one.identity}):
                folded = fold(folded, event_of(one.identity, row["type"], row["at_s"], row["data"]))
            assert {one.identity: folded} == reader.records([one.identity])
            for _, body_sha256, key, epoch, ordinal, scope, *rest in reader.ask(
                "attempts_of_item", {"identity": one.identity}
            ):
                assert key == idempotency_key(
                    account=reader.account,
                    edition=one.edition,
                    identity=one.identity,
                    repeat=one.repeat,
                    epoch=epoch,
                    ordinal=ordinal,
                )
                assert body_sha256 == hashlib.sha256(reader.body(key)).hexdigest()
                held, settled = rest[4], rest[5]
                was = sums.get(scope, Money())
                sums[scope] = Money(reserved=was.reserved + held, settled=was.settled + settled)
        assert reader.books("night") == sums.get("night", Money())


def event_of(identity: str, kind: str, at_s: float, data: str) -> Event:
    return Event(type=EventType(kind), at_s=at_s, identity=identity, data=json.loads(data))
