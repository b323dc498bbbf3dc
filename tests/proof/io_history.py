"""A small purchase history on a ledger, the same every time: every kind of write, two lives, and what stood after each.

`play` tells after every write that became durable; `expected` says what a ledger must hold after so many of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jobs.lifecycle import EventType
from jobs.record import Change, Money, Record
from runner.ledger import KnownUpload, Ledger
from runner.ledger.memory import MemoryLedger, MemoryStore
from runner.ledger.reading import LedgerReads
from runner.ledger.sqlite import open_ledger
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, item, run_info, upload

__all__ = ["ITEMS", "Snapshot", "expected", "play", "play_on_file", "snapshot"]

ITEMS = [item(number) for number in range(7)]

# A body of some pages: with it commits grow the file, so that a full disk strikes at the file and at its journal.
BODY = b'{"prompt":"' + b"x" * 9000 + b'"}'

Open = Callable[[], Ledger]
Ack = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that can be read of a ledger."""

    records: dict[str, Record]
    books: Money
    uploads: dict[str, KnownUpload]
    bodies: dict[str, bytes]
    position: int


def snapshot(ledger: Ledger | LedgerReads) -> Snapshot:
    records = ledger.records([one.identity for one in ITEMS])
    keys = [record.attempt.key for record in records.values() if record.attempt]
    return Snapshot(
        records=records,
        books=ledger.books("night"),
        uploads=ledger.uploads([one.references[0].sha256 for one in ITEMS]),
        bodies={key: ledger.body(key) for key in keys},
        position=ledger.position(),
    )


def bought(teller: Teller, number: int) -> Change:
    return replace(teller.intent(ITEMS[number]), body=BODY)


async def play(open_one: Open, ack: Ack) -> None:
    """The whole history. Raises what the ledger raises."""
    one, two, three, four, five, six, seven = ITEMS
    teller = Teller()
    ledger = open_one()
    ack(0)
    life = await ledger.begin_life(run_info(), ITEMS[:5], at_s=1000.0, pid=1, host="here")
    teller.plan(*ITEMS[:5])
    ack(1)
    await ledger.save_upload(upload(one.references[0].sha256))
    ack(2)
    await ledger.record([bought(teller, 0)])
    ack(3)
    await ledger.record([teller.accepted(one)])
    ack(4)
    changes = [bought(teller, 1), bought(teller, 2), teller.succeeded(one)]
    await asyncio.gather(*(ledger.record([change]) for change in changes))  # one commit
    ack(5)
    no = teller.tell(
        two.identity, EventType.REJECTED, code="validation_failed", message="no", request_id="r", by="service"
    )
    await ledger.record([no, teller.accepted(three)])
    ack(6)
    await ledger.record([teller.saved(one, state="verified", file="a.mp4", sha256="f" * 64, bytes=7, type="video/mp4")])
    ack(7)
    await ledger.record([bought(teller, 3), bought(teller, 4)])
    ack(8)
    await ledger.end_life(life, at_s=2000.0, exit_code=9)
    ack(9)
    await ledger.close()
    ledger = open_one()
    teller.now_s = 3000.0
    life = await ledger.begin_life(run_info(), ITEMS, at_s=3000.0, pid=2, host="here")
    teller.plan(six, seven)
    ack(10)
    await ledger.record([teller.accepted(four), bought(teller, 5)])
    ack(11)
    await ledger.record([teller.tell(seven.identity, EventType.SKIPPED, code="budget_exhausted", message="no room")])
    ack(12)
    await ledger.record([teller.succeeded(four, charge=8), teller.accepted(five), teller.accepted(six)])
    ack(13)
    await ledger.end_life(life, at_s=4000.0, exit_code=3)
    ack(14)
    await ledger.close()


async def play_on_file(path: Path, ack: Ack, *, seen: Callable[[Ledger], None] = lambda _: None) -> None:
    """The history on a real file; `seen` is told of every ledger that was opened."""

    def open_one() -> Ledger:
        ledger = open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)
        seen(ledger)
        return ledger

    await play(open_one, ack)


@cache
def expected() -> tuple[Snapshot, ...]:
    """What a ledger holds after each write; played once, in memory."""
    store, opened, after = MemoryStore(), list[MemoryLedger](), list[Snapshot]()

    def open_one() -> Ledger:
        opened.append(MemoryLedger(store, account=ACCOUNT, base_url=BASE_URL))
        return opened[-1]

    asyncio.run(play(open_one, lambda _: after.append(snapshot(opened[-1]))))
    return tuple(after)
