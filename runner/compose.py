"""Where a run is put together: the one place that names concrete classes. Everything below sees protocols."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from jobs.answers import Uploaded
from jobs.budget import Books
from jobs.core import Core, resume_rank
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import OPEN, ItemState
from jobs.outcome import exit_code, interrupted_code
from jobs.pacing import Pacer
from jobs.plan import Standing, typical_s
from jobs.polling import PollFloors
from jobs.record import Attempt, Record
from jobs.runstate import CoreSettings
from jobs.steps import Notice, Step
from jobs.verdict import SendPolicy
from runner.aws import aws_access
from runner.blobs import Blobs, LocalBlobs
from runner.clock import Clock
from runner.control_door import control_door
from runner.control_helm import Helm
from runner.engine import Engine, Lanes, Saver, Sender, Uploader
from runner.errors import UsageError
from runner.exchange import Fetcher, Transport
from runner.failpoints import failpoint
from runner.interruption import Interruption
from runner.ledger import Ledger, PastItem, RunInfo
from runner.ledger.sqlite import open_ledger
from runner.models_cache import store_catalogue
from runner.on_demand import bucket, traces
from runner.open_files import make_room_for_files
from runner.places import absolute, is_bucket, place_from_here
from runner.prepare import Prepared, usable_uploads
from runner.reporter import Reporter, Reporters, RunOutcome, RunStarted, Trouble
from runner.saving import ResultSaver
from runner.service import Service
from runner.settings import SIM_SPEED, Settings, aws_variables
from runner.transport import AiohttpFetcher, AiohttpTransport
from runner.uploads import ReadReference, read_reference

__all__ = ["Run", "balance", "halt_after", "refresh_models", "run_prepared"]

# Items of one state that the summary is told of; the rest are a `results` away. Each state has its own, so that many
# failures do not hide the one item that waits for a person.
TROUBLES_MAX = 20

# By so much the wall clock runs ahead of the monotonic one when the machine slept; honest clocks differ by far less.
SLEPT_S_MIN = 2.0
# A clock that still jumps is broken; without the service's word, an intent is as old as our own clocks say.
LOOKS_MAX = 3


async def balance(settings: Settings) -> int:
    """The account's credits, which also proves the key. Raises AuthError, Unreachable or ServiceRefused."""
    async with AiohttpTransport(settings.base_url, settings.need_key()) as transport:
        return await Service(transport).credits()


async def refresh_models(settings: Settings, *, now_epoch_s: float) -> None:
    """Fetch the live catalogue and keep it for `check` and `plan`. Needs no key."""
    async with AiohttpTransport(settings.base_url, None) as transport:
        store_catalogue(settings.base_url, await Service(transport).models(), now_epoch_s=now_epoch_s)


async def run_prepared(
    prepared: Prepared,
    *,
    settings: Settings,
    reporter: Reporter,
    interruption: Interruption | None = None,
    hears_signals: bool = True,
) -> RunOutcome:
    """Do what the plan says, or go on with it. Raises RunnerError for what ends a run before or outside its items.

    Ctrl-C and SIGTERM are heard unless the process is somebody else's; `interruption` says the same by a call.
    """
    make_room_for_files()
    blobs = await _results_at(prepared)
    ledger = open_ledger(settings.store, account=settings.account, base_url=settings.service)
    try:
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(AiohttpTransport(settings.base_url, settings.need_key()))
            fetcher = await stack.enter_async_context(AiohttpFetcher.beside(settings.base_url))
            run = Run(
                prepared,
                settings=settings,
                ledger=ledger,
                reporter=reporter,
                clock=Clock(),
                blobs=blobs,
                interruption=interruption,
                hears_signals=hears_signals,
                controlled=settings.store,
            )
            return await run.live(transport, fetcher)
    finally:
        with anyio.CancelScope(shield=True):
            await ledger.close()


async def _results_at(prepared: Prepared) -> Blobs:
    """Where results go, which a bucket proves before anything is bought."""
    if not is_bucket(prepared.place) or prepared.choices.no_download:
        return LocalBlobs(prepared.place)
    return await bucket()(prepared.place, aws_access(aws_variables(), home=Path.home()))


class Run:
    """One life of one run over any ledger, transport, fetcher and folder.

    `blobs` is the manifest's folder if not given; `spread` gives the jitter, uniform in 0..1. `controlled` is
    the ledger beside which the run listens to people in other shells; without it to nobody.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        settings: Settings,
        ledger: Ledger,
        reporter: Reporter,
        clock: Clock,
        blobs: Blobs | None = None,
        read: ReadReference = read_reference,
        spread: Callable[[], float] = random.random,
        interruption: Interruption | None = None,
        hears_signals: bool = True,
        controlled: Path | None = None,
    ) -> None:
        self._prepared = prepared
        self._settings = settings
        self._ledger = ledger
        self._traces = traces()
        self._reporter = reporter if self._traces is None else Reporters(reporter, self._traces)
        self._clock = clock
        self._blobs = blobs or LocalBlobs(prepared.place)
        self._read = read
        self._spread = spread
        self._interruption = interruption or Interruption()
        self._hears_signals = hears_signals
        self._controlled = controlled

    async def live(self, transport: Transport, fetcher: Fetcher) -> RunOutcome:
        """Open a life in the ledger, work, close it."""
        prepared, ledger = self._prepared, self._ledger
        service = Service(transport)
        items = [planned.item for planned in prepared.plan.items]
        info = self._info()
        now = self._clock.now()
        failpoint("plan.before_commit")
        life = await ledger.begin_life(
            info, prepared.expansion.items, at_s=now.wall_s, pid=os.getpid(), host=socket.gethostname()
        )
        failpoint("plan.after_commit")
        core = self._core()
        engine = self._engine(core, service, fetcher)
        done_before = await self._admit(engine, service, items)
        started = RunStarted(
            run_id=info.run_id,
            items=len(items),
            new=prepared.plan.count(Standing.NEW),
            cap_credits=info.cap_credits,
            statistics=engine.statistics,
        )
        try:
            with self._signals():  # before anybody sees a run that could be interrupted
                self._reporter.started(started)
                self._interruption.attach(drain=engine.drain, cut=engine.cut)
                for warning in ledger.warnings:
                    self._reporter.noticed(Notice(name="ledger", data={"why": warning}))
                async with self._controls(engine) as deaf:
                    if deaf is not None:
                        self._reporter.noticed(Notice(name="ledger", data={"why": deaf}))
                    await engine.run()
            outcome = self._outcome(engine, done_before)
            failpoint("end_life.before")
            await ledger.end_life(life, at_s=self._clock.now().wall_s, exit_code=outcome.exit_code)
            failpoint("end_life.after")
            self._reporter.ended(outcome)
            return outcome
        except Exception:
            self._reporter.broken(engine.statistics())
            raise
        finally:
            self._reporter.closed()

    def _info(self) -> RunInfo:
        prepared = self._prepared
        return RunInfo(
            run_id=prepared.plan.run_id,
            name=prepared.manifest.name,
            edition=prepared.expansion.edition,
            manifest_path=str(prepared.path.absolute()),
            manifest_sha256=prepared.digest,
            cap_credits=prepared.plan.cap_credits,
            out_dir=absolute(prepared.place),
            layout={job.id: job.report.model_dump() for job in prepared.manifest.jobs if job.report is not None},
        )

    def _core(self) -> Core:
        prepared, limits, manifest = self._prepared, self._prepared.limits, self._prepared.manifest
        scope = prepared.plan.run_id
        held = self._ledger.books(scope)
        sends = manifest.retries.sends
        settings = CoreSettings(
            account=self._settings.account,
            scope=scope,
            in_flight_max=limits.in_flight,
            on_exhausted=manifest.budget.on_exhausted,
            resubmit_failed=manifest.retries.resubmit_failed,
            item_timeout_s=limits.timeout_s,
            floors=PollFloors(first_poll_s=limits.first_poll_s, poll_gap_s=limits.poll_gap_s),
            send_policy=SendPolicy() if sends is None else SendPolicy(resends_max=sends),
            save_results=not prepared.choices.no_download,
            halt_after=halt_after(prepared.choices.halt, len(prepared.plan.items)),
            spread=self._spread,
        )
        return Core(
            settings,
            books=Books(
                cap=prepared.plan.cap_credits,
                per_item=manifest.budget.per_item,
                reserved=held.reserved,
                settled=held.settled,
            ),
            prices=self._ledger.class_prices(),
            creates=Pacer("creates", limits.creates),
            polls=Pacer("polls", limits.polls),
        )

    def _engine(self, core: Core, service: Service, fetcher: Fetcher) -> Engine:
        prepared = self._prepared

        async def upload(reference: ReferenceFile, model: str) -> Uploaded:
            content = await self._read(reference.location, sha256=reference.sha256)
            return await service.upload(
                content,
                name=reference.name,
                kind=reference.kind,
                mime=reference.mime,
                model=model,
                client_request_id=reference.sha256,
            )

        sender: Sender = service
        uploader: Uploader = upload
        saver: Saver = ResultSaver(
            core,
            fetcher=fetcher,
            blobs=self._blobs,
            clock=self._clock,
            run_id=prepared.plan.run_id,
            sidecars=prepared.manifest.output.sidecar,
        )
        if self._traces is not None:
            sender, uploader, saver = self._traces.around(sender, uploader, saver)
        return Engine(
            core,
            ledger=self._ledger,
            sender=sender,
            uploader=uploader,
            saver=saver,
            reporter=self._reporter,
            clock=self._clock,
            lanes=Lanes(uploads=prepared.limits.uploads, downloads=prepared.limits.downloads),
            typical_s=_typical_s(prepared, SIM_SPEED if self._settings.embedded else 1.0),
        )

    async def _admit(self, engine: Engine, service: Service, items: Sequence[Item]) -> int:
        """Fill the core with the items as the ledger has them now; returns how many had succeeded before."""
        core, choices = engine.core, self._prepared.choices
        records = self._ledger.records([item.identity for item in items])
        rest = self._paid_for({item.identity for item in items})
        if self._traces is not None:
            self._traces.know([*records.values(), *(record for _, record in rest)])
        opened = any(record.state is ItemState.SUBMITTING for record in (*records.values(), *(one for _, one in rest)))
        if opened or self._prepared.plan.count(Standing.NEW):
            # How old an intent is decides whether its key may be used again: ask the clock that counts, before the
            # first is written or taken up.
            await self._ask_time(core, service)
        now = self._clock.now()
        for item, record in rest:
            step = core.finish(item, record, now)
            if step != Step():
                await engine.commit(step)
        digests = {reference.sha256 for item in items for reference in item.references}
        if not choices.retry:  # a reference that the service forgot may be why an item was refused: upload it anew
            core.state.uploads.update(usable_uploads(self._ledger.uploads(sorted(digests)), now_s=now.wall_s))
        for item in sorted(items, key=lambda item: resume_rank(records[item.identity], item)):
            step = core.admit(item, records[item.identity], now, retry=choices.retry, again=choices.again)
            if step != Step():
                await engine.commit(step)
        return 0 if choices.again else sum(record.state is ItemState.SUCCEEDED for record in records.values())

    async def _ask_time(self, core: Core, service: Service) -> None:
        """Let the core know the service's clock. An answer that this machine slept over tells of a time long gone."""
        for _ in range(LOOKS_MAX):
            asked = self._clock.now()
            end = await service.look()
            heard = self._clock.now()
            if (heard.wall_s - asked.wall_s) - (heard.mono_s - asked.mono_s) < SLEPT_S_MIN:
                core.state.contact(end, heard)
                return

    def _paid_for(self, asked: Container[str]) -> list[tuple[Item, Record]]:
        """Items of this run that this command did not select, or that the manifest lost, but whose purchase goes on."""
        run_id, now_wanted = self._prepared.plan.run_id, self._prepared.expansion.items
        rest = {item.identity: item for item in now_wanted if item.identity not in asked}
        past = {one.identity: one for one in self._ledger.unfinished_items(run_id) if one.identity not in asked}
        found = []
        for identity, record in self._ledger.records([*past]).items():
            unsaved = any(artifact.state in ("wanted", "partial") for artifact in record.artifacts)
            if record.attempt is not None and (record.state in OPEN or unsaved):
                found.append((rest.get(identity) or _no_longer_wanted(past[identity], record.attempt), record))
        return found

    def _outcome(self, engine: Engine, done_before: int) -> RunOutcome:
        state = engine.core.state
        code = exit_code(
            state.records.values(),
            pauses=state.pauses,
            left=engine.counts.downloads["left"],
            keep=state.settings.save_results,
        )
        if self._interruption.signal is not None and code != 9:
            code = interrupted_code(self._interruption.signal)
        return RunOutcome(
            run_id=self._prepared.plan.run_id,
            exit_code=code,
            statistics=engine.statistics(),
            done_before=done_before,
            creates=engine.counts.creates,
            downloads=Counter(engine.counts.downloads),
            pauses={why.value: reason for why, reason in state.pauses.items()},
            troubles=tuple(_troubles(engine.core, {item.identity for item in self._prepared.expansion.items})),
            out_dir=place_from_here(self._prepared.place),
            interrupted=self._interruption.signal,
        )

    @asynccontextmanager
    async def _controls(self, engine: Engine) -> AsyncIterator[str | None]:
        """Let the run be steered from another shell while the block lasts; gives why it cannot be."""
        if self._controlled is None:
            yield None
            return
        helm = Helm(
            engine,
            run_id=self._prepared.plan.run_id,
            ceilings=self._settings.ceilings,
            interruption=self._interruption,
            clock=self._clock,
        )
        async with control_door(self._controlled, helm.heed) as deaf:
            yield deaf

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First Ctrl-C or SIGTERM: drain. Second: now."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if self._hears_signals else ()
        before = {number: signal.getsignal(number) for number in numbers}
        for number in numbers:
            loop.add_signal_handler(number, self._interruption.say, number)
        try:
            yield
        finally:
            self._interruption.detach()
            for number, handler in before.items():  # the loop itself would leave Python's own
                loop.remove_signal_handler(number)
                if handler is not None:
                    signal.signal(number, handler)


def _typical_s(prepared: Prepared, speed: float) -> Mapping[str, float]:
    """The plan's guess of a task's seconds, by price class."""
    models, items = prepared.catalogue.models, prepared.expansion.items
    return {item.price_class: typical_s(models[item.model].category, speed) for item in items}


def _no_longer_wanted(past: PastItem, attempt: Attempt) -> Item:
    """The item as it was when it was bought. Its body is in the ledger, so its references are not needed again."""
    return Item(
        identity=past.identity,
        model=past.model,
        prompt=past.prompt,
        params=past.params,
        references=(),
        repeat=past.repeat,
        edition=past.edition,
        index=past.index,
        key=past.key,
        job=past.job,
        axes=past.axes,
        tags=past.tags,
        output_stem=past.output_stem,
        credits=None,
        price_class=attempt.price_class,
    )


def _troubles(core: Core, wanted: Container[str]) -> Iterator[Trouble]:
    fine = (ItemState.SUCCEEDED, ItemState.PLANNED, ItemState.SKIPPED)
    told = Counter[ItemState]()
    for identity, record in core.state.records.items():
        if record.state not in fine and told[record.state] < TROUBLES_MAX:
            told[record.state] += 1
            yield Trouble(
                key=core.state.items[identity].key,
                identity=identity,
                wanted=identity in wanted,
                state=record.state.value,
                code=record.error_code,
                message=record.error_message,
                task_id=record.attempt.task_id if record.attempt else None,
                request_id=record.request_id,
            )


def halt_after(text: str | None, items: int) -> int | None:
    """`fail=3` or `fail=5%` as a number of items. Raises UsageError for anything else."""
    if text is None:
        return None
    name, _, amount = text.partition("=")
    number = amount.removesuffix("%")
    if name != "fail" or not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UsageError(f"--halt {text} is no limit.", next_step="write --halt fail=3 or --halt fail=5%")
    if not amount.endswith("%"):
        return int(number)
    return max(1, -(-items * int(number) // 100))
