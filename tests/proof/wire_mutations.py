"""Campaign `mutations`: answers bent in every way, through the whole client; a number is the seed of a hundred.

What comes of each is compared with `wire_oracle`'s own reading of the same bytes. Most mutations bend bytes; some bend
the JSON and frame it anew, so that it is read at all; some lie about the frame or pile up what is legal only once.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

from jobs.verdict import VerdictKind
from tests.proof.wire import Ending, Script
from tests.proof.wire_answers import Answer, answers
from tests.proof.wire_bends import BENDS
from tests.proof.wire_bends_json import JSON_BENDS
from tests.proof.wire_calls import Caller

__all__ = ["BATCH", "MUST_MEET", "play"]

BATCH: Final = 100
SAID_MAX: Final = 400_000  # of one answer; floods above it are the business of `test_hostile_answers.py`

_ENDINGS: Final[tuple[Ending, ...]] = ("fin", "fin", "rst", "open")
_CALLS: Final = {"create", "status", "credits", "upload", "download"}
_MUTATIONS: Final = (*BENDS, *JSON_BENDS)

MUST_MEET: Final = (
    *sorted({f"mutated: {name}" for name, _ in _MUTATIONS}),
    *(f"create: {kind.value}" for kind in VerdictKind if kind is not VerdictKind.NOT_SENT),
    *("status: news", "status: no news", "upload: taken", "upload: refused", "credits: taken", "credits: refused"),
    *("download: nothing", "download: verified", "download: unverified", "download: quarantined"),
)


def play(number: int) -> Counter[str]:
    """One batch."""
    dice = random.Random(number)
    bases = [answer for answer in answers() if answer.call in _CALLS]
    with Caller() as caller:
        for _ in range(BATCH):
            answer = dice.choice(bases)
            if answer.call != "create" and dice.random() < 0.6:
                answer = dice.choice([each for each in bases if each.call == "create"])
            _one(caller, dice, answer)
    return caller.counts


def _one(caller: Caller, dice: random.Random, answer: Answer) -> None:
    data = answer.data
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        name, mutate = dice.choice(_MUTATIONS)
        data = mutate(dice, data)[:SAID_MAX]
        caller.counts[f"mutated: {name}"] += 1
    ended = dice.choice(_ENDINGS)
    script = Script(says=_segments(dice, data), ends=ended, early=dice.random() < 0.1)
    caller.check(answer.call, data, script, task_id=answer.task_id, original=None)


def _segments(dice: random.Random, data: bytes) -> tuple[bytes, ...]:
    """As the network may cut it up."""
    if dice.random() < 0.6 or len(data) < 2:
        return (data,) if data else ()
    places = sorted(dice.randrange(1, len(data)) for _ in range(dice.randrange(1, 6)))
    return tuple(data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b)
