"""Items that lack references: they may be bought when the last of these is at the service, or not at all.

Whoever carries out uploads asks what is wanted, and tells how it went. An item is in `RunState.missing` for as long as
one of its references is wanted here.
"""

from __future__ import annotations

from jobs.answers import Uploaded
from jobs.item import Item
from jobs.runstate import RunState
from jobs.steps import NOTHING, Now, Step, join

__all__ = ["Lacking"]


class Lacking:
    """The references that are wanted, and by whom."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._wanting: dict[str, set[str]] = {}  # digest -> identities that wait for its upload

    def take_in(self, item: Item) -> bool:
        """Let an item wait for the references it lacks; whether it lacks any. With the last of them it is ready."""
        digests = dict.fromkeys(reference.sha256 for reference in item.references)
        lacking = [digest for digest in digests if digest not in self._state.uploads]
        if not lacking:
            return False
        self._state.missing[item.identity] = len(lacking)
        for digest in lacking:
            self._wanting.setdefault(digest, set()).add(item.identity)
        return True

    def wanted(self) -> list[str]:
        """Digests that items wait for, in the order of their first item."""
        if not self._wanting:
            return []
        first = {digest: min(self._state.items[i].index for i in who) for digest, who in self._wanting.items()}
        return sorted(first, key=lambda digest: first[digest])

    def uploaded(self, digest: str, uploaded: Uploaded) -> None:
        """A reference is at the service: items that lacked only this may go."""
        state = self._state
        state.uploads[digest] = uploaded
        for identity in self._wanting.pop(digest, set()):
            state.missing[identity] -= 1
            if state.missing[identity] == 0:
                del state.missing[identity]
                state.ready.add(state.items[identity])

    def failed(self, digest: str, now: Now, *, code: str, message: str) -> Step:
        """A reference cannot be had: items that need it are not bought."""
        state, step = self._state, NOTHING
        for identity in sorted(self._wanting.pop(digest, set()), key=lambda i: state.items[i].index):
            del state.missing[identity]
            for waiting in self._wanting.values():
                waiting.discard(identity)
            step = join(step, state.skip(identity, now, code=code, message=message))
        self._wanting = {d: who for d, who in self._wanting.items() if who}
        return step

    def leave(self) -> set[str]:
        """Nobody waits any more; gives the items that did."""
        left = {*self._state.missing}
        self._state.missing.clear()
        self._wanting.clear()
        return left
