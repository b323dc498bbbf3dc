"""The worlds that are explored to their last state: which items, which budget, which service, and how much may happen.

One root varies few things at once, because states multiply; together they meet every answer of the service's with one
item, and what two items can do to each other (budget, price class, another's task, one service that is down).
"""

from __future__ import annotations

from dataclasses import replace

from tests.proof.exhaustive_bounds import Left, Root
from tests.proof.exhaustive_service import GATES, Bill, Vocabulary

__all__ = ["ROOTS", "little"]

_ONE = Left(faults=3, crashes=2, lives=2, ticks=2, jumps=1)
_TWO = Left(faults=2, crashes=1, lives=1, ticks=1)
_BILLS: tuple[Bill, ...] = ("paid", "says 0", "refunded", "charged", "untold")

# What one item can meet: three faults, two deaths.
_ALONE = (
    Root(says="the way loses, delays and refuses creates", slow=True, left=_ONE),
    Root(says="a proxy sends twice", doubles=True, unsent=False, left=_ONE),
    *(Root(says=f"a gate says {gate}", may=Vocabulary(gates=(gate,)), left=_ONE) for gate in GATES),
    Root(says="a 500 after the effect", may=Vocabulary(breaks=True), left=_ONE),
    Root(says="a garbled 201", may=Vocabulary(garbles=True), left=_ONE),
    Root(says="invalid", may=Vocabulary(refusals=("invalid",)), left=_ONE),
    Root(says="poor, and poor again", may=Vocabulary(refusals=("poor",), gates=("402",)), left=_ONE),
    Root(says="invalid, and the key remembers it", may=Vocabulary(refusals=("invalid, kept",)), left=_ONE),
    Root(says="broken, and the key remembers it", may=Vocabulary(refusals=("broken, kept",)), left=_ONE),
    Root(
        says="a first create that is still in flight",
        may=Vocabulary(busy=True),
        unsent=False,
        left=_ONE._replace(faults=4, ticks=5, crashes=1),
    ),
    Root(says="keys that are kept for ever", may=Vocabulary(forgets=False, breaks=True), left=_ONE),
    Root(says="a reference, bodies compared", reference=True, left=_ONE),
    Root(says="a reference, bodies not looked at", reference=True, may=Vocabulary(compares=False), left=_ONE),
    Root(
        says="every end of a task",
        may=Vocabulary(ends=_BILLS),
        left=_ONE._replace(faults=1, patience=1, crashes=1),
    ),
    Root(
        says="every end of a task, without a figure before",
        may=Vocabulary(figures=False, ends=_BILLS),
        left=_ONE._replace(faults=1, patience=1, crashes=1),
    ),
    Root(
        says="bought again after a failure",
        resubmit_failed=1,
        may=Vocabulary(ends=("paid", "charged")),
        left=_ONE._replace(faults=1, crashes=2),
    ),
    Root(says="a price above what is held", may=Vocabulary(price=15, ends=("paid", "untold")), cap=12, left=_ONE),
    Root(
        says="tasks that vanish and stall",
        item_timeout_s=128.0,
        lost=False,
        unsent=False,
        may=Vocabulary(loses_tasks=True, poll_faults=("reset", "401", "429")),
        left=_ONE._replace(patience=2, ticks=4, words=1),
    ),
    Root(
        says="bought again on command",
        commands=True,
        lost=False,
        unsent=False,
        may=Vocabulary(ends=("paid", "charged"), refusals=("invalid",)),
        left=_ONE._replace(faults=1, words=2, lives=3, jumps=0),
    ),
    Root(
        says="a person's word",
        resends_max=0,
        may=Vocabulary(breaks=True),
        left=_ONE._replace(faults=2, words=2, lives=3),
    ),
)

# What two items can do to each other.
_TOGETHER = (
    Root(says="two items, room for both", bases=(10, 10), cap=20, left=_TWO._replace(faults=3)),
    Root(says="two items, two deaths", bases=(10, 10), cap=20, unsent=False, left=_TWO._replace(crashes=2, lives=2)),
    Root(says="two items, room for one", bases=(10, 10), cap=10, left=_ONE),
    Root(
        says="two items, room for one after the other",
        bases=(10, 20),
        cap=20,
        on_exhausted="skip",
        left=_TWO._replace(faults=3),
    ),
    Root(
        says="two items, three sends, two deaths",
        bases=(10, 10),
        cap=20,
        unsent=False,
        left=_ONE._replace(ticks=2, jumps=0),
    ),
    Root(
        says="two items at an unknown price",
        bases=(None, None),
        cap=20,
        may=Vocabulary(figures=False),
        left=_ONE._replace(jumps=0),
    ),
    Root(says="two items, dearer than known", bases=(10, 10), cap=20, may=Vocabulary(price=15), left=_ONE),
    Root(says="two items, one at a time", bases=(10, 10), in_flight_max=1, left=_ONE._replace(faults=2, jumps=0)),
    Root(says="two items, another's task", bases=(10, 10), may=Vocabulary(twins=True), unsent=False, left=_TWO),
    Root(
        says="two items, a service that is down",
        bases=(10, 10),
        lost=False,
        unsent=False,
        may=Vocabulary(gates=("503",), breaks=True),
        left=_TWO._replace(faults=3),
    ),
    Root(
        says="two items, refused and limited",
        bases=(10, 10),
        lost=False,
        unsent=False,
        may=Vocabulary(gates=("429", "402", "400")),
        left=_TWO,
    ),
)

ROOTS = (*_ALONE, *_TOGETHER)


def little(one: Root) -> Root:
    """The same world with less happening in it: small enough for every day."""
    left = one.left
    less = Left(
        faults=min(1, left.faults),
        crashes=1,
        lives=1,
        ticks=3 if one.may.loses_tasks else 1,
        jumps=int(one.may.breaks and len(one.bases) == 1),
        patience=min(1, left.patience),
        words=min(1, left.words),
    )
    return replace(one, left=less)
