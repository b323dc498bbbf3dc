"""The worlds that are explored to their last state: which items, which budget, which service, and how much may happen.

One root varies few things at once, because states multiply; together they meet every answer of the service's with one
item, and what two items can do to each other (budget, price class, another's task, one service that is down).
"""

from __future__ import annotations

from dataclasses import replace

from tests.proof.exhaustive_service import Vocabulary
from tests.proof.exhaustive_world import Left, Root

__all__ = ["ROOTS", "little"]

_ONE = Left(faults=3, crashes=2, lives=2, ticks=3, jumps=1)
_TWO = Left(faults=2, crashes=1, lives=1, ticks=1)

ROOTS = (
    Root(says="the way loses, delays and refuses creates", slow=True, left=_ONE),
    Root(says="a proxy sends twice", doubles=True, unsent=False, left=_ONE),
    Root(says="gates of the moment", may=Vocabulary(gates=("429", "503")), left=_ONE),
    Root(says="gates that refuse", may=Vocabulary(gates=("400", "402")), left=_ONE),
    Root(says="gates that end a life", may=Vocabulary(gates=("401", "404")), left=_ONE),
    Root(says="answers that break after the effect", may=Vocabulary(breaks=True, garbles=True), left=_ONE),
    Root(says="refusals", may=Vocabulary(refusals=("invalid", "poor"), gates=("402",)), left=_ONE._replace(lives=3)),
    Root(
        says="refusals and failures that a key remembers",
        may=Vocabulary(refusals=("invalid, kept", "broken, kept")),
        left=_ONE,
    ),
    Root(
        says="a first create that is still in flight",
        may=Vocabulary(busy=True, gates=("409",)),
        unsent=False,
        left=_ONE._replace(faults=4, crashes=1, ticks=5),
    ),
    Root(says="keys that are kept for ever", may=Vocabulary(forgets=False, breaks=True), left=_ONE),
    Root(says="a reference, bodies compared", reference=True, may=Vocabulary(breaks=True), left=_ONE),
    Root(
        says="a reference, bodies not looked at", reference=True, may=Vocabulary(breaks=True, compares=False), left=_ONE
    ),
    Root(
        says="every end of a task",
        may=Vocabulary(ends=("paid", "says 0", "refunded", "charged", "untold")),
        left=_ONE._replace(faults=1, patience=1),
    ),
    Root(
        says="every end of a task, without figures before",
        may=Vocabulary(figures=False, ends=("paid", "says 0", "refunded", "charged", "untold")),
        left=_ONE._replace(faults=1, patience=1),
    ),
    Root(
        says="bought again after a failure",
        resubmit_failed=1,
        may=Vocabulary(ends=("paid", "refunded", "charged")),
        left=_ONE._replace(faults=2),
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
        says="a person's word",
        resends_max=0,
        may=Vocabulary(breaks=True),
        left=_ONE._replace(faults=2, words=2, lives=4),
    ),
    Root(says="two items", bases=(10, 10), cap=20, left=_TWO),
    Root(says="two items, room for one", bases=(10, 10), cap=10, left=_TWO),
    Root(says="two items at an unknown price", bases=(None, None), cap=20, may=Vocabulary(figures=False), left=_TWO),
    Root(says="two items, dearer than known", bases=(10, 10), cap=20, may=Vocabulary(price=15), left=_TWO),
    Root(says="two items, another's task", bases=(10, 10), may=Vocabulary(twins=True), unsent=False, left=_TWO),
    Root(
        says="two items, a service that is down",
        bases=(10, 10),
        lost=False,
        unsent=False,
        may=Vocabulary(gates=("503",), breaks=True),
        left=_TWO,
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


def little(one: Root) -> Root:
    """The same world with less happening in it: small enough for every day."""
    left = one.left
    less = Left(
        faults=min(1, left.faults),
        crashes=1,
        lives=1,
        ticks=1,
        jumps=min(left.jumps, int(len(one.may.ends) == 1)),
        patience=min(1, left.patience),
        words=min(1, left.words),
    )
    return replace(one, left=less)
