"""For programs: plan a manifest, run it, hear of it, read its results. The command does the same by the same parts.

    from runner import plan_manifest, run_manifest

    plan = await plan_manifest("sweep.yaml", budget=500)
    result = await run_manifest("sweep.yaml", budget=500, confirm_spend=True, on_event=print)
    for row in result.rows(): ...

Settings come from the same layers as the command's: these arguments, the environment, `rivya-batch.toml`, the user's
config. Nothing is ever asked: `confirm_spend=True` and a budget of any layer are the consent. What the world does is
raised as one of `runner.errors`; how a run ended is `RunResult.exit_code`.

Cancelling the task drains the run as a first Ctrl-C does: no new key is sent, what was sent is waited for (30 s at
most), everything is saved, and then the cancellation goes on its way. A second one ends the run at once; it can be
taken up again in any case.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path

import anyio

from jobs.findings import Finding
from jobs.plan import Plan, Standing
from jobs.results import ResultRow
from runner.commands import command_line
from runner.errors import UsageError
from runner.events import Ended, EventReporter, ItemChanged, Noticed, RunEvent, Started, Stopping, Uploaded
from runner.gravity import gravest
from runner.halting import halt_after
from runner.interruption import Interruption
from runner.launch import Launch, is_agreed
from runner.ledger.store import Store
from runner.onward import Onward, Purse, day_of
from runner.prepare import Prepared, prepare
from runner.reporter import RunOutcome
from runner.selection import Choices
from runner.settings import Settings, load_settings
from runner.views import result_rows

__all__ = [
    "Ended",
    "ItemChanged",
    "ManifestPlan",
    "Noticed",
    "RunEvent",
    "RunResult",
    "Started",
    "Stopping",
    "Uploaded",
    "plan_manifest",
    "run_manifest",
]

Day = dt.date | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPlan:
    """What a run would do. `plan.items` says for each item how it stands and why; `warnings` stop nothing."""

    plan: Plan
    warnings: tuple[Finding, ...]

    @property
    def run_id(self) -> str:
        return self.plan.run_id

    @property
    def new(self) -> int:
        """Items that would be bought."""
        return self.plan.count(Standing.NEW)

    @property
    def open(self) -> int:
        """Items that were bought and are under way or in doubt."""
        return self.plan.count(Standing.OPEN)

    @property
    def done(self) -> int:
        """Items that ended."""
        return self.plan.count(Standing.DONE)

    @property
    def credits(self) -> tuple[int, int, int]:
        """What the new items cost: the least, by base prices, and a dear guess."""
        return self.plan.low, self.plan.likely, self.plan.high


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How one life of a run ended."""

    outcome: RunOutcome
    store: Store  # the ledger: a file, or a database

    @property
    def run_id(self) -> str:
        return self.outcome.run_id

    @property
    def exit_code(self) -> int:
        """What the command would exit with."""
        return self.outcome.exit_code

    @property
    def ok(self) -> bool:
        """Whether every item succeeded, now or before."""
        return self.outcome.exit_code == 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Items by state."""
        return self.outcome.statistics.counts

    @property
    def credits_spent(self) -> int:
        """What this run cost for good, over all its lives."""
        return self.outcome.statistics.credits.settled

    def rows(self) -> Iterator[ResultRow]:
        """One row for each item, read from the ledger now."""
        return result_rows(self.store, self.run_id)


async def plan_manifest(
    path: str | PathLike[str],
    *,
    budget: int | None = None,
    creates: str | None = None,
    polls: str | None = None,
    in_flight: int | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    limit: int | None = None,
    variables: Mapping[str, str] | None = None,
    date: Day | None = None,
    again: bool = False,
    allow_large: bool = False,
    store: str | PathLike[str] | None = None,
    sim: bool = False,
) -> ManifestPlan:
    """Check a manifest and match it against the ledger. Sends nothing, needs no key; the arguments are `plan`'s flags.

    Raises ManifestRejected with every finding, UsageError, or LedgerUnusable.
    """
    picked = _picked(select, exclude, limit, variables, date)
    choices = replace(picked, again=again, allow_large=allow_large)
    settings = _settings(path, store, sim=sim, budget=budget, creates=creates, polls=polls, in_flight=in_flight)
    prepared = await _prepared(path, settings, choices)
    return ManifestPlan(plan=prepared.plan, warnings=prepared.warnings)


async def run_manifest(
    path: str | PathLike[str],
    *,
    budget: int | None = None,
    creates: str | None = None,
    polls: str | None = None,
    in_flight: int | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    limit: int | None = None,
    variables: Mapping[str, str] | None = None,
    date: Day | None = None,
    halt: str | None = None,
    again: bool = False,
    no_download: bool = False,
    allow_large: bool = False,
    store: str | PathLike[str] | None = None,
    sim: bool = False,
    confirm_spend: bool = False,
    on_event: Callable[[RunEvent], object] | None = None,
    hear_signals: bool = False,
) -> RunResult:
    """Plan and do; the same call again goes on. The arguments are `run`'s flags; `sim` rehearses without a key.

    `on_event` is called in the loop and must return at once; what it raises drains the run as a cancellation does, and
    is raised here. `hear_signals` makes Ctrl-C and SIGTERM drain the run, as the command does; only in the main thread.
    Raises what `plan_manifest` does, and AuthError, ServiceError, LedgerError and DiskFull.
    """
    picked = _picked(select, exclude, limit, variables, date)
    choices = replace(picked, halt=halt, again=again, no_download=no_download, allow_large=allow_large)
    halt_after(halt, 1)  # slips are told before anything is read
    if inspect.iscoroutinefunction(on_event):
        raise UsageError("on_event is a coroutine function.", next_step="pass a function that returns at once")
    settings = _settings(path, store, sim=sim, budget=budget, creates=creates, polls=polls, in_flight=in_flight)
    prepared = await _prepared(path, settings, choices)
    if not is_agreed(prepared.plan, yes=confirm_spend):
        raise _not_agreed(prepared.plan)
    outcome = await _run(prepared, settings, on_event or _nobody, hear_signals=hear_signals)
    return RunResult(outcome=outcome, store=settings.store)


def _nobody(_event: RunEvent) -> None:
    """Nobody wants to hear of it."""


def _settings(
    path: str | PathLike[str], store: str | PathLike[str] | None, *, sim: bool, **flags: str | int | None
) -> Settings:
    where = None if store is None else fspath(store)
    settings = load_settings(flags={**flags, "store": where}, beside=Path(path).parent)
    return settings.simulated() if sim else settings


async def _prepared(path: str | PathLike[str], settings: Settings, choices: Choices) -> Prepared:
    """Reading and hashing may take seconds; the caller's loop goes on meanwhile."""
    return await anyio.to_thread.run_sync(partial(prepare, Path(path), settings=settings, choices=choices))


def _picked(
    select: str | Sequence[str],
    exclude: str | Sequence[str],
    limit: int | None,
    variables: Mapping[str, str] | None,
    date: Day | None,
) -> Choices:
    """Which items, and what their templates see."""
    return Choices(
        select=_globs(select),
        exclude=_globs(exclude),
        limit=_limit(limit),
        variables=dict(variables or {}),
        date=_day(date),
    )


def _globs(globs: str | Sequence[str]) -> tuple[str, ...]:
    return (globs,) if isinstance(globs, str) else tuple(globs)


def _limit(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise UsageError(f"limit={limit} leaves no item.", next_step="pass a number of items, or leave it out")
    return limit


def _day(date: Day | None) -> str | None:
    if date is None or isinstance(date, dt.date):
        return None if date is None else date.isoformat()[:10]
    try:
        return dt.date.fromisoformat(date).isoformat()
    except ValueError:
        raise UsageError(f"date={date!r} is no day.", next_step="write it as date='2026-01-31'") from None


def _not_agreed(plan: Plan) -> UsageError:
    lacking = "confirm_spend=True" if plan.cap_credits is not None else f"confirm_spend=True, budget={plan.likely or 1}"
    return UsageError(
        f"Buying {plan.count(Standing.NEW):,} items needs consent and a budget. Nothing was sent.",
        code="not-confirmed",
        next_step=f"run_manifest(..., {lacking})",
    )


async def _run(
    prepared: Prepared, settings: Settings, on_event: Callable[[RunEvent], object], *, hear_signals: bool
) -> RunOutcome:
    interruption = Interruption()
    reporter = EventReporter(on_event, failed=partial(interruption.say, signal.SIGINT))
    day = day_of(prepared)
    ledger = _store_flag(settings)
    again = command_line("run", str(prepared.path), *(() if day is None else ("--date", day)), *ledger)
    flag = settings.caps.budget if settings.origins["budget"] == "--budget" else None
    launch = Launch(
        prepared=prepared,
        settings=settings,
        onward=Onward(
            command=again,
            purse=Purse.of(prepared, settings, command=again, flag=flag),
            store_flag=ledger,
            day=day,
        ),
        warn=lambda why: reporter.tell(Noticed(name="notify", data={"why": why})),
    )
    work = launch.run(reporter, interruption=interruption, hears_signals=hear_signals)
    try:
        outcome = await _landing(asyncio.ensure_future(work), interruption)
    except ExceptionGroup as several:
        raise gravest(several) from several
    if reporter.failure is not None:
        raise reporter.failure
    return outcome


def _store_flag(settings: Settings) -> tuple[str, ...]:
    """What a command to copy needs to find the same ledger."""
    named = ("--store", str(settings.store)) if settings.origins.get("store") == "--store" else ()
    return (*(("--sim",) if settings.embedded else ()), *named)


async def _landing(work: asyncio.Task[RunOutcome], interruption: Interruption) -> RunOutcome:
    """The outcome. A cancellation of the caller drains the run first, and is raised when it has landed."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        interruption.say(signal.SIGINT)
        with anyio.CancelScope(shield=True):  # anyio cancels again and again until it is heard; one word is one word
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError:
                    if interruption.is_heard:
                        interruption.say(signal.SIGINT)
                    else:  # it is about to begin, or busy with who is to be told: nothing in it is lost
                        work.cancel()
        if not work.cancelled():
            work.exception()  # looked at: the caller wants to be cancelled, whatever else went wrong
        raise
