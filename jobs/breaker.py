"""Stop buying what the service refuses again and again for the same reason.

A refusal is free, but a sweep of a thousand items with one bad value would send a thousand creates that cannot work.
Each item carries signatures: every value of its axes, its job, its model. When `REFUSALS_MAX` items that share a
signature were refused with the same code and words, and none with it was ever taken, that signature is shut: what is
left of it is skipped, and everything else goes on. Of several that qualify, the one with the fewest items left is shut,
because the narrowest is the likeliest cause; of two alike, the axis before the job before the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.item import Item

__all__ = ["REFUSALS_MAX", "Breaker", "Shut"]

# Two alike may be chance; a fourth would teach nothing new.
REFUSALS_MAX = 3

Signature = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """A signature that is not bought any more, and the refusal that shut it."""

    signature: Signature
    code: str
    message: str

    @property
    def what(self) -> str:
        """The signature in words: `params.duration=12`, or `job reveal`."""
        name, value = self.signature
        return f"{name} {value}" if name in ("job", "model") else f"{name}={value}"


class Breaker:
    """Counts refusals by what the refused items have in common."""

    def __init__(self) -> None:
        self._refused: dict[Signature, Counter[tuple[str, str]]] = {}
        self._taken: set[Signature] = set()
        self._shut: dict[Signature, Shut] = {}

    def taken(self, item: Item) -> None:
        """The service took an item: nothing that it carries is at fault by itself."""
        for signature in signatures(item):
            self._taken.add(signature)
            self._refused.pop(signature, None)

    def refused(self, item: Item, *, code: str, message: str, left: Iterable[Item]) -> Shut | None:
        """The service refused an item for good. `left` are the items still to be bought; returns what is shut now."""
        candidates = []
        for signature in signatures(item):
            if signature in self._taken or signature in self._shut:
                continue
            counts = self._refused.setdefault(signature, Counter())
            counts[code, message] += 1
            if counts[code, message] >= REFUSALS_MAX:
                candidates.append(signature)
        if not candidates:
            return None
        affected = Counter(signature for other in left for signature in signatures(other))
        narrowest = min(candidates, key=lambda signature: affected[signature])
        if not affected[narrowest]:
            return None
        for signature in candidates:  # the wider ones begin again: what they counted has found its cause
            self._refused.pop(signature, None)
        self._shut[narrowest] = shut = Shut(signature=narrowest, code=code, message=message)
        return shut

    def why(self, item: Item) -> Shut | None:
        """What stands in the way of buying this item."""
        if not self._shut:
            return None
        return next((self._shut[signature] for signature in signatures(item) if signature in self._shut), None)


def signatures(item: Item) -> list[Signature]:
    """What an item may share with others, the narrow first."""
    own = [(name, str(value)) for name, value in item.axes.items()]
    return [*own, ("job", item.job), ("model", item.model)]
