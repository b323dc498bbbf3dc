"""Whose the items of a ledger are while several machines may work on it: of one run's shards, or of one process.

Fences guard shards, and an item may be wanted by several runs, or by a process that buys without any shard. So the
transaction that begins a life takes from all others what that life may buy: they write nothing of it any more, whatever
they had in mind, and what they sent already has its key in the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.item import Item
from jobs.shards import identities_in
from runner.errors import LedgerLocked
from runner.ledger.rows import Row, json_of
from runner.ledger.statements import Statements

__all__ = ["own_all", "own_these"]

NO_RUN = ""  # no run has this name


def own_all(db: Statements) -> None:
    """Everything is this process's alone. Raises `LedgerLocked` while workers are at it: they buy at their own pace."""
    shards = db.rows("others_shards", {"run_id": NO_RUN})
    held = [row for row in shards if row["is_held"]]
    if held:
        raise _handed_out(held)
    _withdraw(db, shards)


def own_these(db: Statements, run_id: str, items: Sequence[Item]) -> None:
    """What this run wants, or wanted once, is not another's. Whoever lost a shard by that goes on with the others."""
    shards = db.rows("others_shards", {"run_id": run_id})
    if not shards:
        return
    wanted = {item.identity for item in items}

    def is_common(shard: Row) -> bool:
        handed = set(identities_in(shard["items"]))
        asked = {"run_id": run_id, "identities": json_of(sorted(handed))}
        return not wanted.isdisjoint(handed) or bool(db.rows("named", asked)[0]["items"])

    _withdraw(db, [shard for shard in shards if is_common(shard)])


def _withdraw(db: Statements, shards: Sequence[Row]) -> None:
    for row in shards:
        db.run("withdraw_shard", {"shard_id": row["shard_id"]})


def _handed_out(held: Sequence[Row]) -> LedgerLocked:
    runs = ", ".join(f"`{name}`" for name in dict.fromkeys(row["run_id"] for row in held))
    workers = ", ".join(dict.fromkeys(row["worker"] for row in held))
    return LedgerLocked(
        f"workers are at work on {runs}, which was handed out to them: {workers}. Nothing was sent.",
        next_step="go on with them: the same command with `--engine procrastinate`, or `--engine ray` if Ray has "
        "them; or end them, wait ten seconds, and run this command again",
    )
