"""The uploads that a run still has to make: which wait, when each may be tried again, and what a failure is about."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobs.item import Item, ReferenceFile
from jobs.steps import Wait
from jobs.verdict import Pause
from runner.errors import AuthError, RunnerError, ServiceError, ServiceRefused

__all__ = ["Upload", "UploadQueue", "pause_for"]

# Refusals below 500 that are about the moment, not about what was sent.
_NOT_NOW = frozenset({408, 425, 429})


@dataclass(slots=True, kw_only=True)
class Upload:
    """One file on its way to the service."""

    reference: ReferenceFile
    model: str  # the first that wants it
    tries: int = 0
    began_s: float = 0.0
    due_s: float = 0.0


class UploadQueue:
    """Each content once in a life, whether it came through or was given up, unless it is renewed."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[ReferenceFile, str]] = {}  # by digest: a file, and the model that first wants it
        self._taken: set[str] = set()
        self._waiting: deque[Upload] = deque()
        self._renewed = 0

    @property
    def needed(self) -> int:
        """How many uploads this life needs, those that are done included."""
        return len(self._taken) + self._renewed

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def know(self, items: Iterable[Item]) -> None:
        """Where to find what may be wanted."""
        for item in items:
            for reference in item.references:
                self._sources.setdefault(reference.sha256, (reference, item.model))

    def take_up(self, digests: Iterable[str]) -> bool:
        """Have these wait for their turn; False when there is none among them that was not taken up before."""
        new = [digest for digest in digests if digest not in self._taken]
        for digest in new:
            self._taken.add(digest)
            self._add(digest)
        return bool(new)

    def renew(self, digests: Collection[str]) -> None:
        """Have these wait once more: what the service holds of them grows old."""
        for digest in digests:
            self._add(digest)
        self._renewed += len(digests)

    def _add(self, digest: str) -> None:
        reference, model = self._sources[digest]
        self._waiting.append(Upload(reference=reference, model=model))

    def put_back(self, upload: Upload, *, due_s: float) -> None:
        """Behind all others, and not before its time."""
        upload.due_s = due_s
        self._waiting.append(upload)

    def next(self, now_s: float) -> Upload | Wait:
        """The first in the queue, which is out of it then; those behind one that is not due wait with it."""
        if not self._waiting:
            return Wait(until_s=None)
        if self._waiting[0].due_s > now_s:
            return Wait(until_s=self._waiting[0].due_s)
        return self._waiting.popleft()


def pause_for(error: RunnerError) -> Pause | None:
    """An upload's failure that says nothing about the file, but about the key, the service or its address."""
    if isinstance(error, AuthError):
        return Pause.AUTH
    if isinstance(error, ServiceRefused):
        if error.status < 400 or error.status == 404:  # a redirect, a page where an answer should be, no such path
            return Pause.CONFIG
        if error.status < 500 and error.status not in _NOT_NOW:
            return None
    return Pause.NETWORK if isinstance(error, ServiceError) else None
