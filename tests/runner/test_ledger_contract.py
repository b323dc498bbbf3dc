"""What every ledger promises to keep: one suite over the one in memory and those in databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.lifecycle import EventType, ItemState
from jobs.record import Money, Record
from jobs.steps import Notice
from runner.errors import LedgerLocked, LedgerUnusable
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, begin, run_info, upload
from tests.runner.ledger_houses import ALONE, ITEMS, KINDS, ONE, THREE, TWO, House, house_of


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return house_of(request.param, tmp_path)


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
    assert await again.frozen(change.record.attempt.key) == again.body(change.record.attempt.key)
    with pytest.raises(KeyError):
        await again.frozen("rvb1-nobody")
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
    assert await again.owner(str(accepted.event.data["task_id"])) == intent.record.attempt.key
    assert await again.owner("task_nobody") is None
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


@pytest.mark.parametrize("house", ALONE, indirect=True)
@pytest.mark.parametrize(("account", "base_url"), [("other", BASE_URL), (ACCOUNT, "https://elsewhere.example")])
async def test_another_account_or_service_is_refused(house: House, account: str, base_url: str) -> None:
    await house.open().close()

    with pytest.raises(LedgerUnusable, match="belongs to account `default`"):
        house.open_as(account, base_url)

    await house.open().close()  # and the refusal left no lock behind
