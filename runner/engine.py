"""The engine carries out what the core decides: it sends, waits, commits and tells. It decides nothing about money.

Four lanes (uploads, creates, polls, downloads) in one task group; none of them ever waits for another. The one rule of
order: what the core says must be durable is committed before the request that it allows leaves. What a request proved
is handed to the ledger at once and ahead of all that follows from it; the ledger keeps that order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Never, Protocol

import anyio
from aiolimiter import AsyncLimiter

from jobs.answers import SendEnd, Uploaded
from jobs.budget import Shared
from jobs.core import Core
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType
from jobs.rates import Rate
from jobs.retry import wait_s
from jobs.runstate import UNREACHABLE_AFTER_S
from jobs.steps import Download, Poll, Send, Step, Wait
from jobs.verdict import Pause
from runner.clock import Clock
from runner.errors import DiskFull, FetchError, LedgerConflict, OutputUnusable, RunnerError, ServiceRefused
from runner.exchange import MayLeave, Permit
from runner.failpoints import failpoint
from runner.lane import Lane
from runner.ledger import OVER_CAP, KnownUpload, Ledger
from runner.onlooker import Onlooker
from runner.reporter import Reporter, RunStatistics
from runner.upload_queue import Upload, UploadQueue, pause_for

__all__ = ["AHEAD_S", "Engine", "Lanes", "Look", "LookUp", "Saver", "Sender", "Uploader"]

# Requests of one kind at once. A place in flight is held by a task of the service, not by a worker, so thousands of
# tasks need no more workers; a service that takes two seconds for a create needs this many for 60 creates/s. They also
# are what one commit can serve.
CREATE_CREW = 128
POLL_CREW = 128
UPLOAD_CREW = 4
DOWNLOAD_CREW = 8

# A create is decided on so long before its slot, and durable by then: a commit takes as long at worst, on slow disks.
AHEAD_S = 0.05

# A saver that wants to look at a task is not told of the answers that free a turn of the poll pacer: it tries again.
LOOK_AGAIN_S = 1.0

# After the first signal, how long creates that have left may take to come back.
DRAIN_S = 30.0


class Sender(Protocol):
    """Creates and statuses (`runner.service.Service`)."""

    async def create(self, *, idempotency_key: str, body: bytes, may_leave: MayLeave | None = None) -> SendEnd: ...

    async def status(self, task_id: str) -> SendEnd: ...


class Uploader(Protocol):
    """Brings one reference to the service; raises RunnerError."""

    async def __call__(self, reference: ReferenceFile, model: str) -> Uploaded: ...


# Looks up books that others move too.
LookUp = Callable[[], Awaitable[Shared]]

# Asks for a task's status at the pace of polls.
Look = Callable[[str], Awaitable[SendEnd]]


class Saver(Protocol):
    """Saves one result; gives the data of its `saved` event.

    For a link that died it may `look` at the task again. Raises FetchError when the next life should try again,
    DiskFull or OutputUnusable when no result can be saved any more.
    """

    async def __call__(self, item: Item, wanted: Download, look: Look) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """What the lanes outside the core's pacing are limited to; None is no limit."""

    uploads: Rate | None = None
    downloads: Rate | None = None


@dataclass(slots=True)
class _Counts:
    creates: int = 0
    uploads_done: int = 0
    uploads_needed: int = 0
    downloads: Counter[str] = field(default_factory=Counter)


class Engine:
    """One life of one run. Fill the core (`admit`), then `run`."""

    def __init__(
        self,
        core: Core,
        *,
        ledger: Ledger,
        sender: Sender,
        uploader: Uploader | None,
        saver: Saver,
        reporter: Reporter,
        clock: Clock,
        lanes: Lanes | None = None,
        typical_s: Mapping[str, float] | None = None,
        look_up: LookUp | None = None,
        permit: Permit | None = None,
        ahead_s: float = AHEAD_S,
    ) -> None:
        self.core = core
        self.counts = _Counts()
        self._ledger = ledger
        self._sender = sender
        self._uploader = uploader
        self._saver = saver
        self._reporter = reporter
        self._clock = clock
        self._limits = lanes or Lanes()
        self._look_up = look_up
        self._permit = permit
        self._ahead_s = ahead_s
        self.stays = False  # while more items may come (`admitted`), it is not over for having nothing to do
        self._uploads = UploadQueue()
        self._over = False
        self._onlooker = Onlooker(core, began_s=clock.now().mono_s, typical_s=typical_s or {})
        self._drained_s: float | None = None  # when it is over with waiting for what was sent
        self._scope = anyio.CancelScope()
        self._upload_limiter = _limiter(self._limits.uploads)
        self._download_limiter = _limiter(self._limits.downloads)
        self._upload_lane = Lane("uploads", clock, crew=UPLOAD_CREW, ask=self._next_upload, work=self._upload)
        self._create_lane = Lane("creates", clock, crew=CREATE_CREW, ask=self._next_create, work=self._create)
        self._poll_lane = Lane("polls", clock, crew=POLL_CREW, ask=self._next_poll, work=self._poll)
        self._download_lane = Lane("downloads", clock, crew=DOWNLOAD_CREW, ask=self._next_download, work=self._download)
        self._timeout_lane = Lane("timeouts", clock, crew=1, ask=self._next_timeout, work=_no_work)

    async def run(self) -> None:
        """Work until nothing more can be done in this life.

        What ends a run early, such as a ledger that cannot be written, is raised as a group of RunnerErrors.
        """
        self._uploads.know(self.core.state.items.values())
        self._queue_uploads()
        self._look()
        self._heed_reserve()
        with self._scope:
            async with anyio.create_task_group() as group:
                for lane in (*self._lanes, self._timeout_lane):
                    lane.start(group)
        await self.commit(self.core.leave_unbought(self._clock.now()))

    async def admitted(self, items: Iterable[Item], step: Step) -> None:
        """More items were admitted to the core: take up what they need."""
        self._uploads.know(items)
        await self.steer(step)

    @property
    def over(self) -> bool:
        """Whether this life has come to its end: workers go, and nothing can be begun any more."""
        return self._over

    async def commit(self, step: Step, *, cap_credits: int | None = None) -> None:
        """Make a step durable, then tell. `cap_credits` is the budget that a person set with its notices."""
        if step.changes:
            await self._ledger.record(step.changes)
            for change in step.changes:
                self._onlooker.moved(change)
                self._reporter.changed(self.core.state.items[change.event.identity], change)
        if step.notices:
            await self._ledger.note(step.notices, at_s=self._clock.now().wall_s, cap_credits=cap_credits)
            for notice in step.notices:
                self._reporter.noticed(notice)
        self._heed_reserve()

    async def steer(self, step: Step, *, cap_credits: int | None = None) -> None:
        """A person has changed the run: let every lane ask anew, make it durable, tell."""
        self._queue_uploads()
        self._look(*self._lanes)
        await self.commit(step, cap_credits=cap_credits)

    def drain(self, why: str) -> None:
        """First signal: start nothing; what was sent may come back for `DRAIN_S`, then the rest is left as it is."""
        if self._over:
            return  # it is being closed: there is nothing left to stop
        self.core.stop()
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + DRAIN_S)
        self._drained_s = self._clock.now().mono_s + DRAIN_S
        self._reporter.stopping(why, DRAIN_S)
        failpoint("drain.mid")
        self._look()

    def cut(self) -> None:
        """Second signal: end now. Everything paid for is in the ledger already."""
        self._reporter.cut_short()
        self._scope.cancel()

    def statistics(self) -> RunStatistics:
        """The run at this moment."""
        now = self._clock.now()
        return self._onlooker.look(
            now,
            uploads=(self.counts.uploads_done, self.counts.uploads_needed),
            downloads=self.counts.downloads.total(),
            due={lane.name: lane.busy for lane in self._lanes if lane.busy},
            drain_left_s=None if self._drained_s is None else max(0.0, self._drained_s - now.mono_s),
        )

    @property
    def _lanes(self) -> tuple[Lane[Any], ...]:
        return self._upload_lane, self._create_lane, self._poll_lane, self._download_lane

    def _look(self, *concerned: Lane[Any]) -> None:
        """After every change: is the run over, and if not, which lanes may get another answer now?

        An end is final: workers have gone home, and who changes the core after that changes nothing they would see.
        """
        self._over = self._over or (self.core.finished() and not self._stays_on)
        for lane in (*self._lanes, self._timeout_lane) if self._over else concerned:
            lane.wake()

    @property
    def _stays_on(self) -> bool:
        """Whether there may be something to do though there is nothing."""
        state = self.core.state
        return self.stays and not state.stopping and state.pauses.keys() <= {Pause.PERSON, Pause.POLLS}

    def _heed_reserve(self) -> None:
        """A ledger that lives on its reserve buys nothing more, and what is paid for goes on."""
        if self._ledger.tight is None:
            return
        for notice in self.core.state.pause(Pause.DISK, self._ledger.tight):
            self._reporter.noticed(notice)
            self._look()

    # Uploads

    def _queue_uploads(self) -> None:
        """Take up what the core lacks; a task that failed may be wanted again with a reference the service forgot."""
        if self._uploader is None:
            return
        if self._uploads.take_up(self.core.lacking.wanted()):
            self._upload_lane.wake()
        self.counts.uploads_needed = self._uploads.needed

    async def _next_upload(self) -> Upload | Wait | None:
        if self._over or self.core.state.stopping:
            return None
        upload = self._uploads.next(self._clock.now().mono_s)
        if isinstance(upload, Upload) and self._upload_limiter is not None:
            await self._upload_limiter.acquire()
        return upload

    async def _upload(self, wanted: Upload) -> None:
        assert self._uploader is not None, "nothing was taken up"
        reference, digest = wanted.reference, wanted.reference.sha256
        if not wanted.tries:
            wanted.began_s = self._clock.now().mono_s
        wanted.tries += 1
        failpoint("upload.before_send")
        try:
            uploaded = await self._uploader(reference, wanted.model)
        except RunnerError as error:
            await self._upload_failed(wanted, error)
        else:
            failpoint("upload.after_response")
            now = self._clock.now()
            await self._ledger.save_upload(KnownUpload(sha256=digest, uploaded=uploaded, at_s=now.wall_s))
            failpoint("upload.after_commit")
            self._heed_reserve()
            self.core.lacking.uploaded(digest, uploaded)
            self.counts.uploads_done += 1
            self._reporter.uploaded(reference.path, reference.bytes)
        self._look(self._create_lane)

    async def _upload_failed(self, wanted: Upload, error: RunnerError) -> None:
        state, now, pause = self.core.state, self._clock.now(), pause_for(error)
        if pause is Pause.NETWORK and now.mono_s - wanted.began_s < UNREACHABLE_AFTER_S:
            asked_s = error.retry_after_s if isinstance(error, ServiceRefused) else None
            due_s = now.mono_s + wait_s(wanted.tries, asked_s, state.settings.spread())
            self._uploads.put_back(wanted, due_s=due_s)
            self._upload_lane.wake()
        elif pause is not None:
            await self.commit(Step(notices=state.pause(pause, error.message)))
        else:
            digest = wanted.reference.sha256
            await self.commit(self.core.lacking.failed(digest, now, code=error.code, message=error.message))

    # Creates

    async def _next_create(self) -> Send | Wait | None:
        while not self._over:
            answer = self.core.next_create(self._clock.now(), ahead_s=self._ahead_s)
            if isinstance(answer, Wait) and self._look_up is not None and await self._looked_up(self._look_up):
                continue
            if not isinstance(answer, Step):
                return answer
            await self.commit(answer)
            self._look()
        return None

    async def _looked_up(self, look_up: LookUp) -> bool:
        """Look at shared books if something waits for them by now."""
        due_s, now_s = self.core.look_due_s(), self._clock.now().mono_s
        if due_s is None or due_s > now_s:
            return False
        self.core.found(await look_up(), now_s)
        return True

    async def _create(self, send: Send) -> None:
        failpoint("intent.before_commit")
        try:
            await self.commit(send.step)
        except LedgerConflict as conflict:
            if self._look_up is None or conflict.code != OVER_CAP:
                raise
            self.core.take_back(send, self._clock.now())
            asked_s = self._clock.now().mono_s
            self.core.found(await self._look_up(), asked_s)
            self._look(self._create_lane)
            return
        failpoint("intent.after_commit")
        body = await self._body(send)  # ahead of all that says whether it may leave: an answer may take long
        while left_s := self._clock.left_s(send.leave_s):  # noqa: ASYNC110  # time is what it waits for
            await anyio.sleep(left_s)
        if self._permit is not None:
            await self._permit.held()
        kept = self.core.keep_back(send, self._clock.now())
        if kept is not None:
            await self._settle(kept, self._create_lane)
            return
        self.counts.creates += 1
        end = await self._sender.create(idempotency_key=send.key, body=body, may_leave=self._may_leave(send))
        failpoint("create.after_response")
        answered = self._clock.now()
        if end.task is not None:
            with anyio.CancelScope(shield=True):  # what the answer proves is not lost to a second signal
                self.core.know_task(end.task.id, await self._ledger.owner(end.task.id))
        step = self.core.create_ended(send, end, answered)
        await self._settle(step, self._create_lane, self._poll_lane, self._download_lane)
        failpoint("accept.after_commit")

    def _may_leave(self, send: Send) -> MayLeave | None:
        """Asked again once the way to the service stands: others count on what left being there in seconds."""
        permit = self._permit
        if permit is None:
            return None
        return lambda: permit.is_held and self.core.may_leave(send, self._clock.now())

    async def _body(self, send: Send) -> bytes:
        if not send.step.changes:
            return await self._ledger.frozen(send.key)
        body = send.step.changes[-1].body
        assert body is not None, "an intent holds its body"
        return body

    # Polls

    async def _next_poll(self) -> Poll | Wait | None:
        return None if self._over else self.core.next_poll(self._clock.now())

    async def _poll(self, poll: Poll) -> None:
        failpoint("poll.before")
        end = await self._sender.status(poll.task_id)
        failpoint("poll.after")
        taken = len(self.core.state.slots)
        step = self.core.poll_ended(poll, end, self._clock.now())
        if not step.changes:
            frees = bool(step.notices) or len(self.core.state.slots) < taken  # a pause is over, or a place is free
            await self._settle(step, self._poll_lane, *([self._create_lane] if frees else []))
            return
        failpoint("terminal.before_commit")
        await self._settle(step, *self._lanes)
        failpoint("settle.after_commit")

    async def _next_timeout(self) -> Wait | None:
        """Tasks stall by time, also while looks are under way. What is bought later is due later: no news wakes it."""
        while not self._over:
            answer = self.core.overdue(self._clock.now())
            if isinstance(answer, Wait):
                return answer
            await self._settle(answer)
        return None

    # Downloads

    async def _next_download(self) -> Download | Wait | None:
        if self._over:
            return None
        download = self.core.next_download()
        if download is None:
            return Wait(until_s=None)
        if self._download_limiter is not None:
            await self._download_limiter.acquire()
        return download

    async def _download(self, download: Download) -> None:
        try:
            saved = await self._saver(self.core.state.items[download.identity], download, self._look_at_task)
        except (FetchError, DiskFull, OutputUnusable) as error:
            self.counts.downloads["left"] += 1
            step = self.core.download_left(download, error.message, disk=not isinstance(error, FetchError))
        else:
            self.counts.downloads[str(saved["state"])] += 1
            step = self.core.download_ended(download, self._clock.now(), saved)
        await self._settle(step, self._create_lane)
        failpoint("artifact.after_commit")

    async def _look_at_task(self, task_id: str) -> SendEnd:
        """Outside the poll lane, because the task ended long ago, but within its pace."""
        _, polls = self.core.pacers
        while polls.due_s(now_s := self._clock.now().mono_s) > now_s:  # noqa: ASYNC110  # others take turns too
            await anyio.sleep(min(polls.due_s(now_s) - now_s, LOOK_AGAIN_S))
        token = polls.leave(now_s)
        end = await self._sender.status(task_id)
        await self.commit(Step(notices=self.core.state.pace(polls, token, end, self._clock.now())))
        self._poll_lane.wake()
        return end

    async def _settle(self, step: Step, *concerned: Lane[Any]) -> None:
        if any(change.event.type is EventType.FAILED for change in step.changes):
            self._queue_uploads()
        self._look(*concerned)
        await self.commit(step)


async def _no_work(_: Never) -> None:
    """What stalls needs no request."""


def _limiter(rate: Rate | None) -> AsyncLimiter | None:
    """One permit at a time, evenly: the lane's turn means a single waiter, which is what a leaky bucket is good at."""
    return None if rate is None else AsyncLimiter(1, 1.0 / rate.per_second)
