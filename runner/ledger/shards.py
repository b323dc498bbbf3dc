"""Shards in the ledger's database: who hands them out, who has them and for how long, and what is said to all.

A shard is claimed for some seconds, and each claim makes its fence grow: a write of whoever had it before is refused in
the same transaction (`writing`). Moments are by the clock of the database; the worker's own began before it asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from jobs.budget import Shared
from runner.ledger.handle import LedgerHandle
from runner.ledger.rows import Row, json_of

__all__ = ["LEASE_S", "Claim", "Handout", "Shards", "Standing", "Word"]

# A worker says every second that it is there; after six seconds of silence others may have its shards. A database that
# restarts is away for as long, and then everybody begins to count anew.
LEASE_S: Final = 6.0


class Word(StrEnum):
    """What is said to all who work on a run. Each weighs more than those before it."""

    GO = "go"
    HOLD = "hold"  # a person paused it
    END = "end"  # buy nothing more, for a reason; see through what runs
    STOP = "stop"  # let answers come in that are due, and leave the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """A run that is worked on by several."""

    run_id: str
    life_id: int
    terms: str
    word: Word
    why: str = ""  # with END: the pause
    reason: str = ""  # of that; before, what a worker has against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A shard that this worker has now."""

    shard_id: int
    run_id: str
    fence: int
    items: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A shard that is not done: whether anybody ever had it, and whether somebody has it now."""

    shard_id: int
    worker: str | None
    was_held: bool
    is_held: bool
    items: str = ""


class Shards:
    """The shards of one ledger, for one of its writers; `worker` is the name it claims them by."""

    def __init__(self, ledger: LedgerHandle, worker: str) -> None:
        self.worker = worker
        self._ledger = ledger

    # Who hands out

    async def hand_out(self, run_id: str, life_id: int, terms: str) -> None:
        """The run is worked on by several from now on, on these terms."""
        await self._run("hand_out", {"run_id": run_id, "life_id": life_id, "terms": terms})

    async def add(self, run_id: str, items: Sequence[str]) -> list[int]:
        """One shard for each of these texts; gives their numbers."""
        return await self._ledger.write(partial(self._add, run_id, items))

    def _add(self, run_id: str, items: Sequence[str]) -> list[int]:
        rows = [self._ledger.db.rows("add_shard", {"run_id": run_id, "items": text}) for text in items]
        return [int(row["shard_id"]) for (row,) in rows]

    async def withdraw(self, shard_ids: Sequence[int]) -> None:
        """Take them back, from whoever has them."""
        await self._ledger.write(partial(self._each, "withdraw_shard", [{"shard_id": one} for one in shard_ids]))

    async def say(
        self, run_id: str, word: Word, *, life_id: int, why: str = "", reason: str = "", cap: int | None = None
    ) -> None:
        """Tell all who work on the run in this life, unless more was said before, or its budget is above `cap` now."""
        told = {"run_id": run_id, "life_id": life_id, "word": word.value, "why": why, "reason": reason, "cap": cap}
        await self._run("say_word", told)

    async def fund(self, run_id: str, terms: str, *, life_id: int) -> None:
        """Let a life that the budget ended go on, on terms with a larger one."""
        await self._run("fund", {"run_id": run_id, "life_id": life_id, "terms": terms})

    async def say_terms(self, run_id: str, terms: str) -> None:
        await self._run("say_terms", {"run_id": run_id, "terms": terms})

    async def open(self, run_id: str, *, whole: bool = False) -> list[Standing]:
        """What is not done of a run; `whole` brings the items."""
        name = "open_shards" if whole else "standing_shards"
        return [_standing(row, whole=whole) for row in await self._rows(name, {"run_id": run_id})]

    # Who works

    async def handouts(self, run_ids: Sequence[str]) -> dict[str, Handout]:
        rows = await self._rows("handouts", {"runs": json_of(list(run_ids))}) if run_ids else []
        return {row["run_id"]: _handout(row) for row in rows}

    async def claim(self, shard_id: int, *, refused: Sequence[str] = ()) -> Claim | None:
        """Have it for a while; None when it is done, somebody else has it, or it is of a refused run."""
        params = {
            "shard_id": shard_id,
            "worker": self.worker,
            "lease_s": LEASE_S,
            "refused": json_of(list(refused)),
        }
        rows = await self._ledger.write(partial(self._ledger.db.rows, "claim_shard", params))
        return _claim(rows[0]) if rows else None

    async def left(self, limit: int, *, put_off: Sequence[int] = (), refused: Sequence[str] = ()) -> list[int]:
        """Shards that somebody had and nobody has now, but for those put off and those of refused runs."""
        params = {"limit": limit, "put_off": json_of(list(put_off)), "refused": json_of(list(refused))}
        return [int(row["shard_id"]) for row in await self._rows("left_shards", params)]

    async def renew(self) -> dict[int, int]:
        """Keep what this worker has: shard -> fence, of all that are open."""
        params = {"worker": self.worker, "lease_s": LEASE_S}
        rows = await self._ledger.write(partial(self._ledger.db.rows, "renew_shards", params))
        return {int(row["shard_id"]): int(row["fence"]) for row in rows}

    async def close(self, fences: Mapping[int, int]) -> None:
        """Nothing more is to be done of these."""
        rows = [{"shard_id": shard_id, "fence": fence} for shard_id, fence in fences.items()]
        await self._ledger.write(partial(self._each, "close_shard", rows))

    async def put_down(self, shard_id: int, fence: int) -> None:
        """Leave one of them to others."""
        await self._run("put_down_shard", {"shard_id": shard_id, "fence": fence})

    async def give_back(self) -> None:
        """Leave to others what this worker has."""
        await self._run("give_back_shards", {"worker": self.worker})

    async def complain(self, run_id: str, why: str, *, life_id: int) -> None:
        """Tell whoever handed it out why this worker does nothing of it."""
        await self._run("complain", {"run_id": run_id, "life_id": life_id, "reason": f"{self.worker}: {why}"})

    async def books(self, run_id: str) -> Shared:
        """The run's budget and books as they are."""
        (row,) = await self._rows("shared_books", {"scope": run_id})
        return Shared(cap=row["cap_credits"], reserved=row["reserved"], settled=row["settled"], back=row["back"])

    async def _run(self, name: str, params: Mapping[str, object]) -> None:
        await self._ledger.write(partial(self._ledger.db.run, name, params))

    async def _rows(self, name: str, params: Mapping[str, object]) -> list[Row]:
        return await self._ledger.question(partial(self._ledger.db.rows, name, params))

    def _each(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        for row in rows:
            self._ledger.db.run(name, row)


def _handout(row: Row) -> Handout:
    return Handout(
        run_id=row["run_id"],
        life_id=row["life_id"],
        terms=row["terms"],
        word=Word(row["word"]),
        why=row["why"],
        reason=row["reason"],
    )


def _claim(row: Row) -> Claim:
    return Claim(shard_id=row["shard_id"], run_id=row["run_id"], fence=row["fence"], items=row["items"])


def _standing(row: Row, *, whole: bool) -> Standing:
    return Standing(
        shard_id=row["shard_id"],
        worker=None if whole else row["worker"],
        was_held=row["fence"] > 0,
        is_held=bool(row["is_held"]),
        items=row["items"] if whole else "",
    )
