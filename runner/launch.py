"""One life of a prepared run with all that belongs around it: the simulator of a rehearsal, and who is told.

The command and the Python API both start runs here, so neither can forget one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from jobs.plan import Plan, Standing
from runner.clock import Clock
from runner.compose import balance, run_prepared
from runner.errors import RunnerError
from runner.interruption import Interruption
from runner.notify import Notifier
from runner.notify_courier import INSTALL_CHAT, Courier, NotDelivered, Webhook, is_webhook
from runner.on_demand import chat, simulator
from runner.onward import Onward
from runner.prepare import Prepared
from runner.reporter import Reporter, Reporters, RunOutcome
from runner.settings import Settings
from runner.transport import AiohttpPoster

__all__ = ["Launch", "is_agreed"]


def is_agreed(plan: Plan, *, yes: bool) -> bool:
    """Whether this may be bought without asking anybody: a budget alone is no consent, and consent alone has no end."""
    return not plan.count(Standing.NEW) or (yes and plan.cap_credits is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A prepared run, how to go on with it, and where to say that somebody could not be told."""

    prepared: Prepared
    settings: Settings
    onward: Onward
    warn: Callable[[str], None]

    async def balance(self) -> int:
        """The account's credits. A key that is refused here makes as bad a night as one refused later."""
        async with self._telling():
            return await balance(self.settings)

    async def fail(self, error: RunnerError) -> NoReturn:
        """What keeps the run from beginning, told to who wants to know, and raised."""
        async with self._telling():
            raise error
        raise AssertionError("what is told is raised")

    async def run(
        self, reporter: Reporter, *, interruption: Interruption | None = None, hears_signals: bool = True
    ) -> RunOutcome:
        """Do what the plan says, tell who wants to know, return how it ended."""
        async with self._telling() as notifier, self._service() as settings:
            outcome = await run_prepared(
                self.prepared,
                settings=settings,
                reporter=Reporters(reporter, notifier),
                interruption=interruption,
                hears_signals=hears_signals,
            )
        await notifier.tell_end(outcome)
        return outcome

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[Notifier]:
        notifier = Notifier(
            self.prepared.manifest.notify,
            run=self.prepared.plan.run_id,
            edition=self.prepared.expansion.edition,
            onward=self.onward,
            rehearsal=self.settings.embedded,
            courier_for=self._courier_for,
            warn=self.warn,
        )
        try:
            yield notifier
        except Exception as error:
            await notifier.tell_error(error)
            raise

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[Settings]:
        if not self.settings.embedded:
            yield self.settings
            return
        async with simulator()(self.settings) as served:
            yield served

    def _courier_for(self, address: str) -> Courier:
        settings = self.settings
        if not is_webhook(address):
            courier = chat()
            if courier is None:
                raise NotDelivered(f"it needs `{INSTALL_CHAT}`")
            return courier
        if settings.notify_problem:
            raise NotDelivered(settings.notify_problem)
        scrub = settings.key.scrub if settings.key is not None else bytes
        return Webhook(AiohttpPoster(), secret=settings.notify_secret, wall_s=lambda: Clock().now().wall_s, scrub=scrub)
