"""Many things, some thousands at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

__all__ = ["batched"]

# Items asked of the ledger at once: a question costs as much as some dozens of rows.
BATCH: Final = 2_000

T = TypeVar("T")


def batched(things: Iterable[T]) -> Iterator[list[T]]:
    """All of them, in lists that are small beside a run."""
    rest = iter(things)
    while batch := list(islice(rest, BATCH)):
        yield batch
