"""The ledger of a run in a database of whatever kind: what is asked of it, and how the calls of one commit are done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Generic, TypeVar, cast

from jobs.item import Item
from jobs.record import Change
from jobs.steps import Notice
from runner.ledger import KnownUpload, Life, RunInfo, writing
from runner.ledger.group import Outcome
from runner.ledger.reading import LedgerReads
from runner.ledger.rows import Row
from runner.ledger.statements import Statements
from runner.ledger.writing import Fences, Recording

__all__ = ["LedgerHandle"]

T = TypeVar("T")
Call = Callable[[], object]


@dataclass(frozen=True, slots=True, eq=False)
class _Question(Generic[T]):
    """A call that writes nothing."""

    ask: Callable[[], T]

    def __call__(self) -> T:
        return self.ask()


class LedgerHandle(LedgerReads):
    """A ledger that may be written: each write becomes a call, which `write` does durably, whatever waits beside it."""

    def __init__(
        self,
        ask: Callable[[str, Mapping[str, object]], list[Row]],
        snapshot: Callable[[], AbstractContextManager[None]],
        *,
        db: Statements,
        warnings: Sequence[str],
    ) -> None:
        super().__init__(ask, snapshot)
        self.tight: str | None = None
        self.warnings = tuple(warnings)
        self.db = db
        self._life_id: int | None = None
        self._shard_of: Callable[[str], tuple[int, int]] | None = None

    @abstractmethod
    async def write(self, work: Callable[[], T]) -> T:
        """Do this in a transaction, and return once that is durable."""

    @abstractmethod
    async def close(self) -> None:
        """Write what is waiting, and let go."""

    async def begin_life(self, run: RunInfo, items: Sequence[Item], *, at_s: float, pid: int, host: str) -> Life:
        def begin() -> Life:
            self._own(run.run_id, items)
            return writing.begin_life(self.db, run, items, at_s=at_s, pid=pid, host=host)

        life = await self.write(begin)
        self._life_id = life.life_id
        return life

    def _own(self, run_id: str, items: Sequence[Item], /) -> None:  # a file is one process's anyway
        """Within the transaction that begins a life: take what it may buy from all others."""

    async def end_life(self, life: Life, *, at_s: float, exit_code: int) -> None:
        await self.write(partial(writing.end_life, self.db, life, at_s=at_s, exit_code=exit_code))

    async def record(self, changes: Sequence[Change]) -> None:
        if changes:
            await self.write(Recording(self.db, changes, self._life_id, self._fences(changes)))

    def belong(self, shard_of: Callable[[str], tuple[int, int]]) -> None:
        """From now on every item belongs to a shard: `shard_of` gives its number and fence. Others may claim it."""
        self._shard_of = shard_of

    @property
    def life_id(self) -> int:
        """The life that is written to."""
        assert self._life_id is not None, "nothing is written before a life began"
        return self._life_id

    def join_life(self, life_id: int) -> None:
        """Write what happens as part of a life that another process began."""
        self._life_id = life_id

    def _fences(self, changes: Sequence[Change]) -> Fences:
        if self._shard_of is None:
            return ()
        return tuple({self._shard_of(change.event.identity): None for change in changes})

    async def note(self, notices: Sequence[Notice], *, at_s: float, cap_credits: int | None = None) -> None:
        assert self._life_id is not None, "a note belongs to a life"
        if notices:
            work = partial(writing.add_notes, self.db, notices, life_id=self._life_id, at_s=at_s)
            await self.write(partial(work, cap_credits=cap_credits))

    async def save_upload(self, upload: KnownUpload) -> None:
        await self.write(partial(writing.put_upload, self.db, upload))

    async def question(self, work: Callable[[], T]) -> T:
        """Ask this in a transaction, beside the writes and not on the loop."""
        return await self.write(_Question(work))

    async def reading(self, look: Callable[[], T]) -> T:
        return look()

    async def frozen(self, key: str) -> bytes:
        return self.body(key)

    async def owner(self, task_id: str) -> str | None:
        return await self.question(partial(self._owner, task_id))

    def _owner(self, task_id: str) -> str | None:
        rows = self.db.rows("task_key", {"task_id": task_id})
        return cast("str", rows[0]["key"]) if rows else None

    @abstractmethod
    def _try(self, work: Call, /) -> Outcome:
        """Do one call, or undo it, within the transaction."""

    def _do(self, works: Sequence[Call]) -> list[Outcome]:
        """What each call of a commit gave. Neighbours that only append events are done at once, unless one is refused.

        Questions go first: they are asked of what was there before, and would part the neighbours.
        """
        outcomes: dict[Call, Outcome] = {}
        for work in works:
            if isinstance(work, _Question):
                outcomes[work] = self._try(work)
        for kind, neighbours in groupby((work for work in works if work not in outcomes), key=type):
            calls = list(neighbours)
            together = None
            if kind is Recording and len(calls) > 1:
                together = self._try(partial(writing.add_together, cast("list[Recording]", calls)))
            if together is None or together.error is not None:
                outcomes |= {call: self._try(call) for call in calls}
            else:
                outcomes |= dict.fromkeys(calls, together)
        return [outcomes[work] for work in works]
