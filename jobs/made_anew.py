"""A sequence that is made again each time somebody walks over it: what costs too much to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar, overload

__all__ = ["MadeAnew"]

T_co = TypeVar("T_co", covariant=True)


class MadeAnew(Sequence[T_co]):
    """`size` things of which `make` gives all, the same ones each time. A place far behind takes a walk up to it."""

    __slots__ = ("_make", "_size")

    def __init__(self, make: Callable[[], Iterator[T_co]], size: int) -> None:
        self._make = make
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T_co]:
        return self._make()

    @overload
    def __getitem__(self, index: int) -> T_co: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...

    def __getitem__(self, index: int | slice) -> T_co | tuple[T_co, ...]:
        if isinstance(index, slice):
            places = range(self._size)[index]
            found = dict(islice(enumerate(self), max(places, default=-1) + 1)) if places else {}
            return tuple(found[place] for place in places)
        place = range(self._size)[index]
        return next(islice(self, place, None))
