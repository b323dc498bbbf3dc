"""Which of a million texts may be there twice, in 8 bytes for each."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import Final

__all__ = ["Hashes"]

# They are sorted part by part: numbers in a list take four times as much as in an array.
PARTS: Final = 64


class Hashes:
    """Hashes of texts, of this process only."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts = tuple(array("q") for _ in range(PARTS))

    def add(self, text: str) -> None:
        number = hash(text)
        self._parts[number % PARTS].append(number)

    def doubled(self) -> frozenset[int]:
        """Those that were added more than once."""
        return frozenset(one for part in self._parts for one, next_ in pairwise(sorted(part)) if one == next_)
