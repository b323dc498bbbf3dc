"""A run that goes on from a golden ledger, whatever database that is in."""

from __future__ import annotations

from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.record import Record
from jobs.runstate import CoreSettings
from jobs.steps import Download, Now, Poll, Send, Wait
from runner.ledger.handle import LedgerHandle
from tests.runner.ledger_cases import ACCOUNT, item, run_info

__all__ = ["go_on"]

FAST = Rate(count=1000, window_s=1.0)


async def go_on(ledger: LedgerHandle) -> None:
    """Begin a life: what was open goes again, with its key and its bytes, and what runs or is not saved is taken up."""
    wanted = [item(past.index, prompt=past.prompt, key=past.key) for past in ledger.past_items("night") if past.wanted]
    await ledger.begin_life(run_info(), wanted, at_s=6000.0, pid=9, host="here")
    records = ledger.records([one.identity for one in wanted])
    core = admitted(ledger, wanted, records)

    sends, polls, downloads, mono_s = set(), set(), set(), 100.0
    while not isinstance(send := core.next_create(Now(mono_s=mono_s, wall_s=1000.0 + mono_s)), Wait) or send.until_s:
        if isinstance(send, Wait):
            mono_s = send.until_s or mono_s
        elif isinstance(send, Send) and not send.step.changes:  # what was open goes again, with its key and its bytes
            assert send.key.encode() in await ledger.frozen(send.key)
            sends.add(name_of(core, send.identity))
    while isinstance(poll := core.next_poll(Now(mono_s=mono_s, wall_s=1000.0 + mono_s)), Poll):
        polls.add(name_of(core, poll.identity))
    while isinstance(download := core.next_download(), Download):
        downloads.add(name_of(core, download.identity))

    assert sends == {"submitting", "doubtful"}
    assert "accepted" in polls
    assert downloads >= {"succeeded", "saved", "refunded"}


def admitted(ledger: LedgerHandle, wanted: list[Item], records: dict[str, Record]) -> Core:
    """A core with these items, shortly after the golden intents."""
    held = ledger.books("night")
    core = Core(
        CoreSettings(account=ACCOUNT, scope="night", in_flight_max=100),
        books=Books(cap=None, per_item=None, reserved=held.reserved, settled=held.settled),
        prices=ledger.class_prices(),
        creates=Pacer("creates", FAST),
        polls=Pacer("polls", FAST),
    )
    for one in wanted:
        core.admit(one, records[one.identity], Now(mono_s=0.0, wall_s=1100.0))
    return core


def name_of(core: Core, identity_: str) -> str:
    return core.state.items[identity_].key.removeprefix("reveal/")
