"""Any legal history leads to the same in every ledger, and its rows follow from its events."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.identity import idempotency_key
from jobs.lifecycle import TABLE, EventType
from jobs.record import Change, Event, Money, Record, fold
from runner.ledger import Ledger
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.ledger.sqlite import open_ledger, open_reader
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, run_info
from tests.runner.ledger_houses import ITEMS

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
