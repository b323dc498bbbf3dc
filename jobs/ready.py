"""The queue of items that may be bought, and who is next.

Order is the manifest's. Two things let a later item go first: its price class is waiting for its first price (one
attempt in flight until a price is seen), or the budget's `skip` rule passes over an item that does not fit. Items wait
in one lane per price class, so that finding the next one never walks over thousands that cannot go.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jobs.budget import Fit
from jobs.item import Item

__all__ = ["Pick", "ReadyQueue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The next item, how it fits the budget, or nothing that can go now (`item` None)."""

    item: Item | None
    fit: Fit | None = None


_NONE = Pick(item=None)
_HELD_BACK = Pick(item=None, fit=Fit.WAIT)


class ReadyQueue:
    """Items with everything they need, in manifest order, one lane per price class."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[tuple[int, str]]] = {}
        self._items: dict[str, Item] = {}
        self._heads: list[tuple[int, str, str]] = []  # (index, identity, class); stale entries are dropped when met
        self._shut: set[str] = set()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        """Everything that is queued, in no order that matters."""
        return iter(self._items.values())

    def add(self, item: Item) -> None:
        """Queue an item; adding one that is queued already changes nothing."""
        if item.identity in self._items:
            return
        self._items[item.identity] = item
        lane = self._lanes.setdefault(item.price_class, [])
        heapq.heappush(lane, (item.index, item.identity))
        if lane[0][1] == item.identity and item.price_class not in self._shut:
            heapq.heappush(self._heads, (item.index, item.identity, item.price_class))

    def extend(self, items: Iterable[Item]) -> None:
        """The same for a great many: each lane is put in order once."""
        longer: dict[str, list[tuple[int, str]]] = {}
        for item in items:
            if item.identity not in self._items:
                self._items[item.identity] = item
                longer.setdefault(item.price_class, []).append((item.index, item.identity))
        for price_class, more in longer.items():
            lane = self._lanes.setdefault(price_class, [])
            lane += more
            heapq.heapify(lane)
            self._push_head(price_class)

    def shut(self, price_class: str) -> None:
        """Hold a class back until its price is seen."""
        self._shut.add(price_class)

    def reopen(self, price_class: str) -> None:
        """Let a class go on."""
        if price_class in self._shut:
            self._shut.remove(price_class)
            self._push_head(price_class)

    def pick(self, fit: Callable[[Item], Fit], *, pass_over: bool) -> Pick:
        """The first item that can go, is too dear or can never fit; it stays queued until `take`.

        With `pass_over` an item that has to wait for credits does not hold back cheaper ones behind it.
        """
        waiting: list[tuple[int, str, str]] = []
        found = _NONE
        while self._heads:
            head = self._heads[0]
            if not self._is_head(head):
                heapq.heappop(self._heads)
                continue
            item = self._items[head[1]]
            verdict = fit(item)
            if verdict is not Fit.WAIT:
                found = Pick(item=item, fit=verdict)
                break
            found = _HELD_BACK
            if not pass_over:
                break
            waiting.append(heapq.heappop(self._heads))
        for head in waiting:
            heapq.heappush(self._heads, head)
        return found

    def take(self, identity: str) -> Item:
        """Remove an item that was picked."""
        item = self._items.pop(identity)
        lane = self._lanes[item.price_class]
        assert lane[0][1] == identity, "only the head of a lane is taken"
        heapq.heappop(lane)
        if not lane:
            del self._lanes[item.price_class]
        self._push_head(item.price_class)
        return item

    def drain(self) -> list[Item]:
        """Everything that is left, in order; the queue is empty afterwards."""
        left = sorted(self._items.values(), key=lambda item: item.index)
        self._lanes.clear()
        self._items.clear()
        self._heads.clear()
        return left

    @property
    def by_class(self) -> dict[str, int]:
        """How many items of each price class are queued."""
        return {price_class: len(lane) for price_class, lane in self._lanes.items()}

    @property
    def held_back(self) -> int:
        """How many wait for the first price of their class."""
        return sum(len(self._lanes.get(price_class, ())) for price_class in self._shut)

    @property
    def first(self) -> Item | None:
        """The first that is not held back."""
        head = min((head for head in self._heads if self._is_head(head)), default=None)
        return None if head is None else self._items[head[1]]

    def _push_head(self, price_class: str) -> None:
        lane = self._lanes.get(price_class)
        if lane and price_class not in self._shut:
            heapq.heappush(self._heads, (*lane[0], price_class))

    def _is_head(self, head: tuple[int, str, str]) -> bool:
        index, identity, price_class = head
        lane = self._lanes.get(price_class)
        return bool(lane) and lane[0] == (index, identity) and price_class not in self._shut  # type: ignore[index]
