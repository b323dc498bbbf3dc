"""Where a run is put together: the one place that names concrete classes. Everything below sees protocols."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from jobs.answers import Uploaded
from jobs.core import Core
from jobs.item import ReferenceFile
from jobs.plan import Standing, typical_s
from jobs.steps import Notice
from jobs.unswept import unswept
from runner.admission import Admission
from runner.aws import aws_access
from runner.blobs import Blobs, LocalBlobs
from runner.clock import Clock
from runner.control_door import control_door
from runner.control_helm import Helm
from runner.ending import outcome_of
from runner.engine import Engine, Lanes, Saver, Sender, Uploader
from runner.errors import UsageError
from runner.exchange import Fetcher, Transport
from runner.failpoints import failpoint
from runner.halting import halt_after
from runner.interruption import Interruption, heard
from runner.ledger import Ledger, RunInfo
from runner.ledger.handle import LedgerHandle
from runner.ledger.opening import open_ledger
from runner.ledger.shards import Shards
from runner.ledger.store import Database, local_place
from runner.making import made_core, terms_of
from runner.models_cache import store_catalogue
from runner.on_demand import bucket, queue, traces
from runner.open_files import make_room_for_files
from runner.places import absolute, is_bucket
from runner.prepare import Prepared
from runner.reporter import Reporter, Reporters, RunOutcome, RunStarted
from runner.saving import ResultSaver
from runner.service import Service
from runner.settings import SIM_SPEED, Settings, aws_variables
from runner.shards.conductor import Conducting, Conductor
from runner.shards.queueing import Queue
from runner.transport import AiohttpFetcher, AiohttpTransport
from runner.uploads import ReadReference, read_reference

__all__ = ["Run", "balance", "refresh_models", "run_prepared"]


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
    open_queue = None if settings.engine == "local" else _queue_of(settings)
    blobs = await _results_at(prepared)
    ledger = open_ledger(
        settings.store, account=settings.account, base_url=settings.service, hands_out=open_queue is not None
    )
    try:
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(AiohttpTransport(settings.base_url, settings.need_key()))
            fetcher = await stack.enter_async_context(AiohttpFetcher.beside(settings.base_url))
            made = Engine if open_queue is None else await _conductor(stack, open_queue(), ledger, prepared)
            run = Run(
                prepared,
                settings=settings,
                ledger=ledger,
                reporter=reporter,
                clock=Clock(),
                blobs=blobs,
                made=made,
                interruption=interruption,
                hears_signals=hears_signals,
                controlled=local_place(settings.store),
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


def _queue_of(settings: Settings) -> Callable[[], AbstractAsyncContextManager[Queue]]:
    """Opens the queue by which workers hear of the run. Raises `UsageError` where they could not."""
    if settings.embedded:
        raise UsageError(
            f"--engine {settings.engine} cannot use the simulator inside this command: workers are other processes. "
            "Nothing was sent.",
            next_step="start `rivya-batch sim`, set RIVYA_BASE_URL as it says, and leave --sim out",
        )
    if not isinstance(settings.store, Database):
        raise UsageError(
            f"--engine {settings.engine} needs a ledger that several machines reach. Nothing was sent.",
            next_step="name a database with --store postgresql://USER@HOST/DATABASE",
        )
    return partial(queue(settings.engine).open_queue, settings.store.whose(settings.account, settings.service))


async def _conductor(
    stack: AsyncExitStack, opening: AbstractAsyncContextManager[Queue], ledger: LedgerHandle, prepared: Prepared
) -> Callable[..., Engine]:
    """What makes the engine of a run that others work on."""
    handed_out = await stack.enter_async_context(opening)
    conducting = Conducting(
        terms=terms_of(prepared), ledger=ledger, shards=Shards(ledger, "coordinator"), queue=handed_out
    )
    return partial(Conductor, conducting=conducting)


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
        made: Callable[..., Engine] = Engine,
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
        self._made = made
        self._read = read
        self._spread = spread
        self._interruption = interruption or Interruption()
        self._hears_signals = hears_signals
        self._controlled = controlled

    async def live(self, transport: Transport, fetcher: Fetcher) -> RunOutcome:
        """Open a life in the ledger, work, close it."""
        prepared, ledger = self._prepared, self._ledger
        service = Service(transport)
        info = self._info()
        now = self._clock.now()
        failpoint("plan.before_commit")
        life = await ledger.begin_life(
            info, prepared.expansion.items, at_s=now.wall_s, pid=os.getpid(), host=socket.gethostname()
        )
        failpoint("plan.after_commit")
        core = await ledger.reading(self._core)
        engine = self._engine(core, service, fetcher)
        admission = Admission(prepared=prepared, ledger=ledger, clock=self._clock, service=service)
        with unswept():
            done_before = await admission.admit(engine, self._traces)
        started = RunStarted(
            run_id=info.run_id,
            items=len(prepared.items),
            new=prepared.plan.count(Standing.NEW),
            cap_credits=info.cap_credits,
            statistics=engine.statistics,
        )
        try:
            # From before anybody sees a run that could be interrupted, until it is closed: that takes its time too.
            with heard(self._interruption, signals=self._hears_signals):
                self._reporter.started(started)
                self._interruption.attach(drain=engine.drain, cut=engine.cut)
                for warning in ledger.warnings:
                    self._reporter.noticed(Notice(name="ledger", data={"why": warning}))
                async with self._controls(engine) as deaf:
                    if deaf is not None:
                        self._reporter.noticed(Notice(name="ledger", data={"why": deaf}))
                    await engine.run()
                interrupted = self._interruption.signal
                outcome = outcome_of(
                    engine, prepared, done_before=done_before, lost=admission.lost, interrupted=interrupted
                )
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
            fingerprint=prepared.fingerprint,
            cap_credits=prepared.plan.cap_credits,
            out_dir=absolute(prepared.place),
            layout={job.id: job.report.model_dump() for job in prepared.manifest.jobs if job.report is not None},
        )

    def _core(self) -> Core:
        prepared = self._prepared
        return made_core(
            terms_of(prepared),
            account=self._settings.account,
            ledger=self._ledger,
            price_classes=prepared.plan.totals.classes,
            spread=self._spread,
            halt_after=halt_after(prepared.choices.halt, len(prepared.items)),
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
        return self._made(
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


def _typical_s(prepared: Prepared, speed: float) -> Mapping[str, float]:
    """The plan's guess of a task's seconds, by price class."""
    models = prepared.catalogue.models
    return {name: typical_s(models[model].category, speed) for name, model in prepared.plan.totals.classes.items()}
