"""The queue of items: manifest order, one lane per price class, against a model that looks at everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.budget import Fit
from jobs.item import Item
from jobs.ready import Pick, ReadyQueue
from tests.jobs.workbench import made_item

CLASSES = ("a", "b", "c")
ITEMS = [made_item(index, price_class=CLASSES[(index * 5) % 3]) for index in range(9)]
FITS = st.sampled_from(list(Fit))


@dataclass(frozen=True, kw_only=True)
class _Act:
    """One thing done to a queue: `number` is an item's or a class's, `fits` are by class."""

    name: str
    number: int
    fits: tuple[Fit, ...]
    pass_over: bool

    @property
    def price_class(self) -> str:
        return CLASSES[self.number % 3]

    def fit(self, item: Item) -> Fit:
        return self.fits[CLASSES.index(item.price_class)]


ACTS = st.builds(
    _Act,
    name=st.sampled_from(["add", "add", "add", "extend", "shut", "reopen", "take", "take", "take", "drain"]),
    number=st.integers(0, 8),
    fits=st.tuples(FITS, FITS, FITS),
    pass_over=st.booleans(),
)


class _Naive:
    """The same queue without a thought for speed."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.shut: set[str] = set()

    def add(self, item: Item) -> None:
        if item not in self.items:
            self.items.append(item)

    def pick(self, fit: Callable[[Item], Fit], *, pass_over: bool) -> Pick:
        found = Pick(item=None)
        heads: set[str] = set()
        for item in sorted(self.items, key=lambda item: item.index):
            if item.price_class in self.shut or item.price_class in heads:
                continue
            heads.add(item.price_class)
            if fit(item) is not Fit.WAIT:
                return Pick(item=item, fit=fit(item))
            found = Pick(item=None, fit=Fit.WAIT)
            if not pass_over:
                return found
        return found


@settings(max_examples=300)
@given(st.lists(ACTS, max_size=40))
def test_the_queue_is_the_naive_one(acts: list[_Act]) -> None:
    queue, naive = ReadyQueue(), _Naive()
    for act in acts:
        match act.name:
            case "add":
                queue.add(ITEMS[act.number])
                naive.add(ITEMS[act.number])
            case "extend":
                many = ITEMS[act.number : act.number + 4][:: -1 if act.pass_over else 1]
                queue.extend(iter(many))
                for item in many:
                    naive.add(item)
            case "shut":
                queue.shut(act.price_class)
                naive.shut.add(act.price_class)
            case "reopen":
                queue.reopen(act.price_class)
                naive.shut.discard(act.price_class)
            case "drain":
                assert queue.drain() == sorted(naive.items, key=lambda item: item.index)
                naive.items.clear()
            case _:
                picked = queue.pick(act.fit, pass_over=act.pass_over)
                assert picked == naive.pick(act.fit, pass_over=act.pass_over)
                if picked.item is not None:
                    assert queue.take(picked.item.identity) is picked.item
                    naive.items.remove(picked.item)
        assert len(queue) == len(naive.items)


def _always(fit: Fit) -> Callable[[Item], Fit]:
    return lambda _: fit


def test_an_empty_queue_has_nothing() -> None:
    assert ReadyQueue().pick(_always(Fit.YES), pass_over=False) == Pick(item=None)


def test_an_item_is_picked_in_manifest_order_whenever_it_came() -> None:
    queue = ReadyQueue()
    for index in (4, 2, 7, 0):
        queue.add(ITEMS[index])

    order = []
    while (picked := queue.pick(_always(Fit.YES), pass_over=False).item) is not None:
        order.append(queue.take(picked.identity).index)
    assert order == [0, 2, 4, 7]


def test_a_picked_item_stays_until_it_is_taken() -> None:
    queue = ReadyQueue()
    queue.add(ITEMS[0])

    assert queue.pick(_always(Fit.YES), pass_over=False) == queue.pick(_always(Fit.YES), pass_over=False)
    assert len(queue) == 1


def test_an_item_that_waits_for_credits_holds_back_cheaper_ones_unless_they_may_pass() -> None:
    queue = ReadyQueue()
    dear, cheap = made_item(0, price_class="dear"), made_item(1, price_class="cheap")
    queue.add(dear)
    queue.add(cheap)

    def fit(item: Item) -> Fit:
        return Fit.WAIT if item is dear else Fit.YES

    assert queue.pick(fit, pass_over=False) == Pick(item=None, fit=Fit.WAIT)
    assert queue.pick(fit, pass_over=True) == Pick(item=cheap, fit=Fit.YES)
    assert queue.pick(_always(Fit.YES), pass_over=True).item is dear


def test_only_the_head_of_a_lane_is_taken() -> None:
    queue = ReadyQueue()
    queue.add(made_item(0))
    queue.add(made_item(1))

    with pytest.raises(AssertionError, match="head"):
        queue.take("i1-1")


def test_picking_does_not_walk_over_items_that_cannot_go() -> None:
    queue = ReadyQueue()
    for index in range(2000):
        queue.add(made_item(index, price_class="shut"))
    queue.add(made_item(2000, price_class="open"))
    queue.shut("shut")
    asked: list[Item] = []

    def fit(item: Item) -> Fit:
        asked.append(item)
        return Fit.YES

    assert queue.pick(fit, pass_over=True).item is not None
    assert len(asked) == 1
