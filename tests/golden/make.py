"""Write a golden ledger: small, always the same, with items in every state. One is kept for each released shape.

    python -m tests.golden.make        writes the one of today's shape; never touch those of older shapes

It is kept as SQL, so that a change of it can be read.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.record import Change
from jobs.steps import Notice
from runner.ledger.handle import LedgerHandle
from runner.ledger.sqlite import open_ledger
from runner.ledger.statements import SCHEMA_VERSION
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, Teller, item, run_info, upload

__all__ = ["dump", "golden", "golden_file", "restore", "tell"]

FOLDER = Path(__file__).parent
NO = {"code": "validation_failed", "message": "prompt: no", "request_id": "req-n"}

Story = Callable[[Teller, Item], list[Change]]


def golden_file(shape: int) -> Path:
    return FOLDER / f"ledger-{shape:04d}.sql"


def _bought(teller: Teller, one: Item) -> list[Change]:
    return [teller.intent(one, bound=10), teller.accepted(one, figure=9)]


def _succeeded(teller: Teller, one: Item) -> list[Change]:
    return [
        *_bought(teller, one),
        teller.succeeded(one, charge=9, urls=("https://cdn.example/1", "https://cdn.example/2")),
    ]


def _doubted(teller: Teller, one: Item) -> list[Change]:
    lost = {"ambiguous": True, "outcome": "ambiguous", "status": 502, "request_id": "req-d", "reason": "HTTP 502"}
    return [teller.intent(one), teller.tell(one.identity, EventType.SEND_ENDED, **lost)]


def _uncertain(teller: Teller, one: Item) -> list[Change]:
    return [*_doubted(teller, one), teller.tell(one.identity, EventType.UNCERTAIN, reason="the key's hour is over")]


def _failed(teller: Teller, one: Item) -> list[Change]:
    end = {"code": "generation_failed", "message": "no luck", "request_id": "req-f", "final_credits": 0, "charge": 0}
    return [*_bought(teller, one), teller.tell(one.identity, EventType.FAILED, assumed=False, **end)]


def _saved(teller: Teller, one: Item) -> list[Change]:
    whole = {"state": "verified", "file": f"{one.output_stem}.mp4", "sha256": "f" * 64, "bytes": 7, "type": "video/mp4"}
    return [*_succeeded(teller, one), teller.saved(one, 1, **whole), teller.saved(one, 2, state="partial")]


STORIES: dict[str, Story] = {
    "planned": lambda _, __: [],
    "submitting": lambda teller, one: [teller.intent(one)],
    "doubtful": _doubted,
    "accepted": _bought,
    "succeeded": _succeeded,
    "saved": _saved,
    "gone": lambda teller, one: [*_succeeded(teller, one), *(teller.saved(one, n, state="gone") for n in (1, 2))],
    "failed": lambda teller, one: [*_failed(teller, one), *_failed(teller, one)],
    "rejected": lambda teller, one: [
        teller.intent(one),
        teller.tell(one.identity, EventType.REJECTED, by="service", **NO),
    ],
    "skipped": lambda teller, one: [
        teller.tell(one.identity, EventType.SKIPPED, code="budget_exhausted", message="no room")
    ],
    "uncertain": _uncertain,
    "vanished": lambda teller, one: [
        *_bought(teller, one),
        teller.tell(one.identity, EventType.VANISHED, reason="HTTP 404"),
    ],
    "stalled": lambda teller, one: [
        *_bought(teller, one),
        teller.tell(one.identity, EventType.SEEN, status="processing", reserved_credits=11),
        teller.tell(one.identity, EventType.STALLED, reason="no end within 20 min"),
    ],
    "written-off": lambda teller, one: [
        *_uncertain(teller, one),
        teller.tell(one.identity, EventType.WRITTEN_OFF, message="not worth it", charge=10, by="ann"),
    ],
    "refunded": lambda teller, one: [
        *_succeeded(teller, one),
        teller.tell(one.identity, EventType.REFUNDED, credits=4),
    ],
    "adopted": lambda teller, one: [
        *_uncertain(teller, one),
        teller.tell(one.identity, EventType.ACCEPTED, task_id="task-by-hand", reserved_credits=None, by="ann"),
    ],
    "again": lambda teller, one: [*_saved(teller, one), teller.intent(one, bound=12, epoch=1), teller.accepted(one)],
}


async def tell(ledger: LedgerHandle) -> None:
    """Two runs over three lives, the second of which died."""
    night = [item(n, prompt=f"{name}, with an é and a 靴", key=f"reveal/{name}") for n, name in enumerate(STORIES)]
    dated = [item(n, key=f"dated/{n}", edition="2026-05-11") for n in range(90, 92)]
    life = await ledger.begin_life(run_info(), night, at_s=1000.0, pid=1, host="studio")
    teller = Teller()
    teller.plan(*night)
    for one, story in zip(night, STORIES.values(), strict=True):
        if changes := story(teller, one):
            await ledger.record(changes)
    for one in night[:2]:
        await ledger.save_upload(upload(one.references[0].sha256))
    slower = {"limit": "creates", "before": 1.0, "after": 0.5, "full": 1.0, "wait_s": 5.0, "why": "HTTP 429, é 靴"}
    await ledger.note([Notice(name="rate", data=slower)], at_s=1500.0)
    await ledger.end_life(life, at_s=2000.0, exit_code=3)
    await ledger.begin_life(run_info("night@2026-05-11", cap_credits=None), dated, at_s=3000.0, pid=2, host="studio")
    teller = replace(teller, scope="night@2026-05-11", now_s=3000.0)
    teller.plan(*dated)
    await ledger.record(_saved(teller, dated[0]))
    life = await ledger.begin_life(run_info(), night[:-1], at_s=4000.0, pid=3, host="studio")
    await ledger.end_life(life, at_s=5000.0, exit_code=0)
    await ledger.close()


async def _write(path: Path) -> None:
    await tell(open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False, now=lambda: 1000.0))


def golden() -> str:
    """Today's golden ledger as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        asyncio.run(_write(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE meta SET instance_id = 'golden'")
        return dump(path)


def dump(path: Path) -> str:
    """A whole file as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        marks = (
            (name, *connection.execute(f"PRAGMA {name}").fetchone()) for name in ("application_id", "user_version")
        )
        return "\n".join([*(f"PRAGMA {name} = {value};" for name, value in marks), *connection.iterdump(), ""])


def restore(shape: int, path: Path) -> None:
    """Make the golden ledger of this shape a file again."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(golden_file(shape).read_text(encoding="utf-8"))


if __name__ == "__main__":
    golden_file(SCHEMA_VERSION).write_text(golden(), encoding="utf-8")
