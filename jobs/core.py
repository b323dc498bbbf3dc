"""The core of a run: it decides, the runner acts, the ledger remembers.

A plain object with no clock, no I/O and no waiting. The runner asks what may leave now (`next_create`, `next_poll`,
`next_download`; `lacking.wanted` for uploads), makes the returned changes durable, does the request, and tells how it
ended (`create_ended`, ...), which again gives changes to make durable. Between two calls nothing moves; every decision
about money is made here.

Order that must hold, and that the runner keeps: the changes of a `Send` are committed before its request leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from jobs.answers import SendEnd
from jobs.budget import Books, Shared
from jobs.buying import Buying
from jobs.item import Item
from jobs.lacking import Lacking
from jobs.lifecycle import EventType, ItemState
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.polling import Polling
from jobs.rates import Rate
from jobs.record import Record, rebuys
from jobs.runstate import BUDGET_EXHAUSTED, CoreSettings, RunState
from jobs.steering import Dial, Turned, Value
from jobs.steps import NOTHING, Download, Notice, Now, Poll, Send, Step, Wait, join, tell
from jobs.verdict import Pause
from jobs.watching import Watching

__all__ = ["Core", "resume_rank"]

# Results waiting to be saved before buying pauses: links can die within the hour.
DOWNLOAD_BACKLOG_MAX = 256


# In which order an earlier life's work is taken up: open intents first, for their keys may be forgotten, the oldest
# first; then what runs at the service; then results; then new purchases.
_RESUME_ORDER = (ItemState.SUBMITTING, ItemState.ACCEPTED, ItemState.VANISHED, ItemState.STALLED, ItemState.SUCCEEDED)


def resume_rank(record: Record, item: Item) -> tuple[int, float, int]:
    """The order in which a new life admits its items."""
    order = _RESUME_ORDER.index(record.state) if record.state in _RESUME_ORDER else len(_RESUME_ORDER)
    opened_at_s = record.attempt.opened_at_s if record.attempt and record.state is ItemState.SUBMITTING else 0.0
    return order, opened_at_s, item.index


class Core:
    """One run of one process. Not thread-safe and need not be: every method returns without waiting."""

    def __init__(
        self,
        settings: CoreSettings,
        *,
        books: Books,
        prices: Mapping[str, int],
        creates: Pacer,
        polls: Pacer,
        polling: Polling | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits(creates, polls)
        self.state = RunState(settings, books=books, prices=prices, polling=polling or Polling(), limits=limits)
        self.pacers = (creates, polls)
        self._buying = Buying(self.state, creates)
        self._watching = Watching(self.state, polls)
        self.lacking = Lacking(self.state)
        self._downloads: deque[Download] = deque()
        self._saving: set[tuple[str, int]] = set()
        self._reasons_told: set[str] = set()  # why results were left
        self._not_asked: set[str] = set()

    # Filling

    def admit(self, item: Item, record: Record, now: Now, *, retry: bool = False, again: bool = False) -> Step:
        """Take an item into the run where its record stands.

        `retry`: a person asked to buy what failed or was refused; `again`: to buy it whatever it came to. Neither
        touches an item whose purchase is still open or in doubt.
        """
        self.state.items[item.identity] = item
        self.state.records[item.identity] = record
        if record.state is ItemState.PLANNED and item.identity not in self._not_asked:  # as nearly all are at first
            self._want(item)
            return NOTHING
        if record.attempt is not None and record.attempt.task_id is not None:
            self.state.task_keys[record.attempt.task_id] = record.attempt.key
        match record.state:
            case ItemState.SUBMITTING:
                return self._buying.attempts.adopt(item.identity, now)
            case ItemState.ACCEPTED:
                self.state.occupy(item.identity)
                self._watching.watch(item.identity, now, fresh=False)
            case ItemState.VANISHED | ItemState.STALLED:
                self._watching.watch(item.identity, now, fresh=False)
            case ItemState.UNCERTAIN:
                pass
            case _ if again and record.attempt is not None:
                self._buying.buy_again(item.identity, record.attempt.epoch + 1)
                self._want(item)
            case ItemState.SUCCEEDED:
                self._queue_downloads(record)
            case _ if retry or self._rebuys(record):
                self._want(item)
            case ItemState.FAILED if record.attempt is not None and record.attempt.task_id is not None:
                self._watching.looking_back.take_in(item.identity, now)
        return NOTHING

    def admit_planned(self, wanted: Iterable[tuple[Item, Record]]) -> None:
        """The same of items that were never bought, of which there may be a hundred thousand."""
        items, records, not_asked, planned = self.state.items, self.state.records, self._not_asked, ItemState.PLANNED
        free: list[Item] = []
        for item, record in wanted:
            assert record.state is planned, "nothing was done for it yet"
            assert item.identity not in not_asked, "it may be bought"
            items[item.identity] = item
            records[item.identity] = record
            if item.references:
                self._want(item)
            else:
                free.append(item)
        self.state.ready.extend(free)

    def finish(self, item: Item, record: Record, now: Now) -> Step:
        """Take in an item that was not asked for this time but was paid for: see it through, never buy it again."""
        self._not_asked.add(item.identity)
        return self.admit(item, record, now)

    def is_asked_for(self, identity: str) -> bool:
        """Whether it may be bought; else it is only seen through."""
        return identity not in self._not_asked

    def _rebuys(self, record: Record) -> bool:
        if record.identity in self._not_asked:
            return False
        return rebuys(record, resubmit_failed=self.state.settings.resubmit_failed)

    def _want(self, item: Item) -> None:
        if not (item.references and self.lacking.take_in(item)):
            self.state.ready.add(item)

    # Creating

    def next_create(self, now: Now, *, ahead_s: float = 0.0) -> Send | Wait | Step:
        """The next create, or how long there is none; a `Step` means changes without a request: commit, ask again.

        Up to `ahead_s` before its slot: make it durable, wait for `leave_s`, and ask whether to `keep_back`.
        """
        return self._buying.next(now, new=len(self._downloads) < DOWNLOAD_BACKLOG_MAX, ahead_s=ahead_s)

    def keep_back(self, send: Send, now: Now) -> Step | None:
        """What follows if a create that was decided on must not leave now, because of what happened since: it has no
        end then. None: it may leave.
        """
        return self._buying.keep_back(send, now)

    def may_leave(self, send: Send, now: Now) -> bool:
        """Whether its slot is still its own: a part of a limit may have gone to others."""
        return self.pacers[0].may_leave(send.token, now.mono_s)

    def take_back(self, send: Send, now: Now) -> None:
        """The ledger refused a create's intent, because others hold what it needs of shared books: it never was."""
        self._buying.take_back(send, now)

    def look_due_s(self) -> float | None:
        """When shared books are to be looked up (`found`), for what waits for them; None: nothing does."""
        return self._buying.together.due_s

    def found(self, shared: Shared, asked_s: float) -> None:
        """Shared books were looked up; they were asked for at `asked_s` (monotonic)."""
        self._buying.together.found(shared, asked_s)

    def know_task(self, task_id: str, key: str | None) -> None:
        """What the ledger knows of a task: the key of the attempt it was made for, perhaps in another run."""
        if key is not None:
            self.state.task_keys.setdefault(task_id, key)

    def create_ended(self, send: Send, end: SendEnd, now: Now) -> Step:
        """One send ended. Returns the changes that its verdict leads to."""
        step = self._buying.ended(send, end, now)
        if self.state.records[send.identity].state is not ItemState.ACCEPTED:
            return step
        if end.task is not None and end.task.status in ("succeeded", "failed"):  # a replayed key, or born failed
            return join(step, self._watched(send.identity, self._watching.seen(send.identity, end.task, end, now)))
        self._watching.watch(send.identity, now, fresh=True)
        return step

    # Polling

    def next_poll(self, now: Now) -> Poll | Wait:
        """The next status request, or how long there is none.

        Tasks that vanished or stalled hold up no run: when only they are left, the looks under way are the last. Where
        answers take long there would always be one on its way.
        """
        return self._watching.next(now, is_last=self._watching.busy and self._is_done())

    def overdue(self, now: Now) -> Step | Wait:
        """Tasks that stall now because their time is over, however their looks fare; or until when there is none."""
        return self._watching.overdue(now)

    def poll_ended(self, poll: Poll, end: SendEnd, now: Now) -> Step:
        """One status request ended."""
        return self._watched(poll.identity, self._watching.ended(poll, end, now))

    def _watched(self, identity: str, step: Step) -> Step:
        if not step.changes:
            return step
        record = self.state.records[identity]
        happened = {change.event.type for change in step.changes}
        if EventType.SUCCEEDED in happened:
            self._queue_downloads(record)
        elif EventType.FAILED in happened and self._rebuys(record):
            self._want(self.state.items[identity])
        return step

    # Downloading

    def next_download(self) -> Download | None:
        """The next result to save, oldest first: links can die."""
        if not self._downloads or self.state.stopping:
            return None
        download = self._downloads.popleft()
        self._saving.add((download.identity, download.n))
        return download

    def download_ended(self, download: Download, now: Now, saved: Mapping[str, object]) -> Step:
        """A result was saved, or will not be: `saved` holds url, state, file, sha256, bytes and type."""
        self._saving.discard((download.identity, download.n))
        return self.state.move(download.identity, EventType.SAVED, now, {"n": download.n, "url": download.url, **saved})

    def download_left(self, download: Download, why: str, *, disk: bool) -> Step:
        """A result was not saved in this life; the next one tries again. Without room for results none is bought.

        Each reason is told once, with the first item: one host out of order may hold the results of all.
        """
        self._saving.discard((download.identity, download.n))
        if disk:
            return Step(notices=self.state.pause(Pause.DISK, why))
        if why in self._reasons_told:
            return NOTHING
        self._reasons_told.add(why)
        item = self.state.items[download.identity].key
        return Step(notices=(Notice(name="left", data={"item": item, "why": why}),))

    def _queue_downloads(self, record: Record) -> None:
        if not self.state.settings.save_results or record.attempt is None:
            return
        task_id = record.attempt.task_id or ""
        self._downloads.extend(
            Download(identity=record.identity, n=artifact.n, url=artifact.url, task_id=task_id)
            for artifact in record.artifacts
            if artifact.is_unsaved
        )

    # Steering

    def hold(self, by: str) -> Step:
        """A person pauses the run: nothing new is bought, and what is bought goes on. It waits for `let_go`."""
        if Pause.PERSON in self.state.pauses:
            return NOTHING
        reason = f"{by} paused the run"
        self.state.pauses[Pause.PERSON] = reason
        return tell((Notice(name="paused", data={"why": Pause.PERSON.value, "reason": reason, "by": by}),))

    def let_go(self, by: str) -> Step:
        """A person lets a paused run go on."""
        if self.state.pauses.pop(Pause.PERSON, None) is None:
            return NOTHING
        self.state.rested()
        return tell((Notice(name="resumed", data={"by": by}),))

    def dial(self, dial: Dial) -> Value | None:
        """What a dial stands at; None is no limit."""
        creates, polls = self.pacers
        match dial:
            case Dial.CREATES:
                return creates.rate
            case Dial.POLLS:
                return polls.rate
            case Dial.IN_FLIGHT:
                return self.state.settings.in_flight_max
            case Dial.BUDGET:
                return self.state.books.cap

    def retune(self, change: Turned, now: Now, by: str) -> Step:
        """Turn a dial for the rest of this life. The budget it sets is that of every intent from now on."""
        state, value = self.state, change.after
        match change.dial:
            case Dial.CREATES | Dial.POLLS:
                assert isinstance(value, Rate), "rates are paced by rates"
                self.pacers[change.dial is Dial.POLLS].set_rate(value, now.mono_s)
            case Dial.IN_FLIGHT:
                assert isinstance(value, int), "tasks are counted"
                state.settings = replace(state.settings, in_flight_max=value)
            case Dial.BUDGET:
                assert isinstance(value, int), "so are credits"
                is_more = state.books.cap is not None and value > state.books.cap
                state.books = replace(state.books, cap=value)
                if is_more:
                    self._fund()
        return tell((change.note(by),))

    def _fund(self) -> None:
        """There is more to spend: what the budget had ended, or passed over, is looked at again."""
        self.state.pauses.pop(Pause.BUDGET, None)
        for identity in sorted(self.state.unfunded, key=lambda identity: self.state.items[identity].index):
            self._want(self.state.items[identity])
        self.state.unfunded.clear()

    # Looking on (`jobs.waiting`)

    @property
    def buying(self) -> Buying:
        """The create side, to be looked at."""
        return self._buying

    @property
    def watching(self) -> Watching:
        """The tasks that are asked for, to be looked at."""
        return self._watching

    @property
    def saving(self) -> Iterator[str]:
        """Items of which a result is being saved."""
        return iter({identity for identity, _ in self._saving})

    def under_way(self) -> set[str]:
        """Items that something is still to be done for in this life."""
        state = self.state
        busy = {*state.slots, *state.owed, *self.saving, *(download.identity for download in self._downloads)}
        if not state.stopping and state.pauses.keys() <= {Pause.PERSON}:
            busy.update(state.missing, (item.identity for item in state.ready))
        return busy

    @property
    def backlog(self) -> int:
        """Results that wait to be saved."""
        return len(self._downloads)

    # The end

    def stop(self) -> None:
        """Start nothing more; what has left is still waited for. A person's pause ends with it: nobody resumes this."""
        self.state.stopping = True
        self.state.pauses.pop(Pause.PERSON, None)

    def finished(self) -> bool:
        """Nothing is under way, and nothing more can be done by itself in this life."""
        return not self._watching.busy and self._is_done()

    def _is_done(self) -> bool:
        """But for looks that are under way."""
        state = self.state
        if self._buying.busy or self._saving:
            return False
        if state.stopping:
            return True
        if self._downloads:
            return False
        if Pause.AUTH in state.pauses or Pause.NETWORK in state.pauses:
            return True
        if state.slots or state.owed:
            return False
        if Pause.PERSON in state.pauses and (state.ready or state.missing):
            return False  # somebody will say how it goes on
        if state.pauses.keys() == {Pause.POLLS} and (state.ready or state.missing):
            return False  # so will a status
        return bool(state.pauses) or not (state.ready or state.missing)

    def leave_unbought(self, now: Now) -> Step:
        """At the end: what never left gives its credits back, what the budget kept from being bought is `skipped`."""
        step = self._buying.attempts.give_up(now)
        reason = self.state.pauses.get(Pause.BUDGET)
        if reason is None:
            return step
        waiting = (self.state.items[identity] for identity in self.lacking.leave())
        left = sorted((*self.state.ready.drain(), *waiting), key=lambda item: item.index)
        skip = self.state.skip
        return join(step, *(skip(item.identity, now, code=BUDGET_EXHAUSTED, message=reason) for item in left))
