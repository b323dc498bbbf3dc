"""What is held against a house: the auditor's books, and what the auditor cannot know because it asks for time.

It hears of each event the moment it is durable, of each create the moment it leaves, and of each task the moment the
service makes it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from jobs.lifecycle import EventType
from jobs.record import Change
from runner.ledger.group import Outcome
from runner.ledger.reading import LedgerReads
from runner.ledger.sqlite import SqliteLedger
from runner.ledger.writing import Recording
from tests.proof.audit import Auditor, ViolationError
from tests.proof.lives_clocks import START_S, Clocks
from tests.proof.lives_story import judge_story, retold
from tests.proof.lives_told import SCOPE, Told

__all__ = ["Judge", "Witness"]

# So long a key is trusted to be known; and what may lie between the decision to send and the sending.
KEY_WINDOW_S: Final = 3600.0 + 5.0

RESENDS_MAX: Final = 16  # where nothing was said; said again here, apart from the product


class Judge:
    """One for all lives of a house."""

    def __init__(self, clocks: Clocks) -> None:
        self.counts: Counter[str] = Counter()
        self.story: list[tuple[object, ...]] = []  # what happened, each with its moment first
        self.auditor = Auditor(caps={}, where=self._where)
        self.lives = 0
        self.points = 0  # that the current life has passed
        self._clocks = clocks
        self._bought: dict[str, tuple[float, int]] = {}  # by key: when its intent was written, and `turned`
        self._keys: dict[tuple[object, ...], str] = {}  # by item, epoch and ordinal: the same in every ledger
        self._sends: Counter[str] = Counter()  # of this life, by key
        self._conflicts: dict[str, tuple[float, bool]] = {}  # of this life: the first 409, and was it to a first send
        self._forgetful = False  # the ledger was lost, or an older one restored
        self._turned = 0  # what `clocks.turned` was when this life began
        self._resends_max = RESENDS_MAX

    def _where(self) -> str:
        return f"life {self.lives}, point {self.points}, {self._clocks.now_s() - START_S:.3f} s"

    def fail(self, what: str) -> ViolationError:
        return self.auditor.fail(what)

    def note(self, *what: object) -> None:
        """One line of the story."""
        self.story.append((self._clocks.now_s(), *what))

    @property
    def digest(self) -> str:
        """Tells two stories apart."""
        return hashlib.blake2b("\n".join(map(repr, self.story)).encode(), digest_size=16).hexdigest()

    def begin_life(self, told: Told) -> None:
        self.lives += 1
        self.points = 0
        self._sends.clear()
        self._conflicts.clear()
        self._turned = self._clocks.turned
        self._resends_max = RESENDS_MAX if told.resends_max is None else told.resends_max
        self.auditor.allowed(SCOPE, told.cap)
        self.auditor.restarted()

    # The wire and the service

    def left(self, key: str, body: bytes) -> None:
        """A create leaves. One that may have arrived before leaves only while the service surely knows its key."""
        self.auditor.left(key, body)
        self._sends[key] += 1
        age_s = self._clocks.now_s() - self._bought[key][0]
        if self.auditor.purchases[key].in_doubt and age_s > KEY_WINDOW_S:
            raise self.fail(f"{key} was sent again after {age_s:.0f} s")

    def made(self, key: str, task_id: str) -> None:
        """The service made a task of a create."""
        if self._forgetful and key not in self.auditor.purchases:
            self.counts["task of a forgotten attempt"] += 1
        else:
            self.auditor.made(key, task_id)

    def conflicted(self, key: str, now_s: float) -> None:
        """The service said 409 of a key."""
        if key in self.auditor.purchases:
            self._conflicts.setdefault(key, (now_s, self.auditor.purchases[key].sends == 1))

    # The ledger

    def durable(self, change: Change) -> None:
        """A commit has it."""
        event, attempt = change.event, change.record.attempt
        key = attempt.key if attempt else None
        self.note(event.identity, event.type.value, event.data)
        self.counts[f"event {event.type.value}"] += 1
        self.auditor.committed(event.identity, event.type.value, event.data, key=key, body=change.body)
        if key is None:
            return
        if event.type is EventType.INTENT:
            named = event.identity, event.data["epoch"], event.data["ordinal"]
            if self._keys.setdefault(named, key) != key:
                raise self.fail(f"{key} names what {self._keys[named]} named before the ledger was lost")
            self._bought[key] = self._clocks.now_s(), self._turned
        elif event.type is EventType.UNCERTAIN:
            self._deserved(key)

    def _deserved(self, key: str) -> None:
        """Nothing is given up that could be known: the key is old, or a clock lies, or all sends were used up."""
        now_s = self._clocks.now_s()
        since_s, turned = self._bought[key]
        conflict_s, first = self._conflicts.get(key, (now_s, False))
        reasons = {
            "old": now_s - since_s >= KEY_WINDOW_S - 15.0,
            "clock": turned != self._clocks.turned,
            "sends": self._sends[key] > self._resends_max,
            "conflict": now_s - conflict_s >= (14.0 if first else 119.0),
        }
        if not any(reasons.values()):
            raise self.fail(f"{key} was given up within its window")
        for why, true in reasons.items():
            self.counts[f"uncertain: {why}"] += true

    def books(self, ledger: LedgerReads) -> None:
        """Those of the ledger are those of the events."""
        books, ours = ledger.books(SCOPE), self.auditor
        if (books.reserved, books.settled) != (ours.reserved[SCOPE], ours.settled[SCOPE]):
            raise self.fail(f"the books say {books}")

    def whole_story(self, ledger: LedgerReads, identities: Sequence[str]) -> None:
        """What the file tells is what the auditor was told."""
        told = judge_story(ledger, identities, SCOPE)
        if told.purchases.keys() != self.auditor.purchases.keys():
            raise self.fail("the log holds other attempts than were bought")
        for key, purchase in told.purchases.items():
            ours = self.auditor.purchases[key]
            if (purchase.state, purchase.reserved, purchase.settled, purchase.task_id, purchase.body) != (
                ours.state,
                ours.reserved,
                ours.settled,
                ours.task_id,
                ours.body,
            ):
                raise self.fail(f"the log tells {purchase}, and what happened was {ours}")

    # The ledger's own fate

    def forget(self) -> None:
        """The ledger is lost."""
        self._forgetful = True
        self.auditor = Auditor(caps={}, where=self._where)

    def remember(self, ledger: LedgerReads, identities: Sequence[str]) -> None:
        """Of all that was bought, only what an older ledger knows of."""
        self._forgetful = True
        tasks = self.auditor.tasks
        self.auditor = retold(ledger, identities, self._where)
        self.auditor.tasks.update({key: task for key, task in tasks.items() if key in self.auditor.purchases})


class Witness:
    """Stands between the queue of writes and the ledger, and tells the judge what became durable."""

    def __init__(self, ledger: SqliteLedger, judge: Judge, pass_point: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._judge = judge
        self._pass_point = pass_point
        self._written: list[Callable[[], object]] = []
        self._do = ledger._do
        ledger._do = self._did  # type: ignore[method-assign]

    def commit(self, works: Sequence[Callable[[], object]]) -> Sequence[Outcome]:
        self._written = []
        self._pass_point("commit.begin")
        return self._ledger._commit(works)

    def _did(self, works: Sequence[Callable[[], object]]) -> list[Outcome]:
        """The calls of a commit, of which some may be refused."""
        outcomes = self._do(works)
        self._written = [work for work, outcome in zip(works, outcomes, strict=True) if outcome.error is None]
        return outcomes

    def committed(self) -> None:
        """What was written is durable."""
        written, self._written = self._written, []
        for work in written:
            if isinstance(work, Recording):
                for change in work.changes:
                    self._judge.durable(change)
