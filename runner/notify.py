"""Who hears of a run when nobody watches: it follows one life, and sends what the manifest asks for.

A notification is never worth a run: whatever goes wrong with one becomes a line of warning, and nothing else. None is
sent for longer than a few seconds, and no address is shown, because tokens stand in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import anyio

from jobs.manifest import Notify
from jobs.notification import NEEDS_A_PERSON, Event, News, Notification, event_of_end, shown_address
from jobs.steps import Notice
from jobs.verdict import Pause
from runner.gravity import gravest
from runner.notify_courier import Courier, NotDelivered
from runner.onward import Onward
from runner.reporter import Reporter, RunOutcome, RunStarted, RunStatistics

__all__ = ["Notifier", "news_of"]

# Everybody is told at the same time, and somebody waits for the exit code.
TOTAL_S: Final = 20.0
# More at once than any list of addresses that a person wrote has.
TOLD_AT_ONCE: Final = 8
# A pause that ends the run within this time is told by its end: two messages a second apart say no more than one.
PAUSE_HOLD_S: Final = 30.0


class Notifier(Reporter):
    """Follows one life of one run. `tell_end` or `tell_error` is awaited once, after it."""

    def __init__(
        self,
        wanted: Notify,
        *,
        run: str,
        edition: str,
        onward: Onward,
        rehearsal: bool,
        courier_for: Callable[[str], Courier],
        warn: Callable[[str], None],
    ) -> None:
        self._wanted = wanted
        self._blank = News(run=run, edition=edition, exit_code=None, rehearsal=rehearsal)
        self._onward = onward
        self._courier_for = courier_for
        self._warn = warn
        self._statistics: Callable[[], RunStatistics] | None = None
        self._held: dict[Pause, asyncio.TimerHandle] = {}
        self._told = set[Pause]()
        self._under_way: list[asyncio.Task[None]] = []

    # What it hears while the run lasts

    def started(self, run: RunStarted) -> None:
        self._statistics = run.statistics

    def noticed(self, notice: Notice) -> None:
        """A pause that needs a person is told once, unless the run ends soon anyway."""
        if notice.name != "paused" or notice.data.get("why") not in NEEDS_A_PERSON:
            return
        why = Pause(str(notice.data["why"]))
        if why not in self._told and why not in self._held:
            self._held[why] = asyncio.get_running_loop().call_later(PAUSE_HOLD_S, self._pause_lasts, why)

    def broken(self, last: RunStatistics) -> None:
        self._statistics = lambda: last

    def _pause_lasts(self, why: Pause) -> None:
        del self._held[why]
        assert self._statistics is not None, "a run pauses after it began"
        now = self._statistics()
        if why in now.pauses and Event.ATTENTION in self._wanted.on:
            self._told.add(why)
            news = news_of(self._blank, now, reason=now.pauses[why], next_command=self._onward.command)
            self._under_way.append(asyncio.ensure_future(self._tell(Notification(event=Event.ATTENTION, news=news))))

    # What it says at the end

    async def tell_end(self, outcome: RunOutcome) -> None:
        """The life ended by itself, or was told to end."""
        news = news_of(
            self._blank,
            outcome.statistics,
            exit_code=outcome.exit_code,
            done_before=outcome.done_before,
            reason=next(iter(outcome.pauses.values()), ""),
            next_command=self._onward.after(outcome)[0].command,
        )
        await self._end(news)

    async def tell_error(self, error: Exception) -> None:
        """An error ended the life, or kept it from beginning."""
        known = gravest(error)
        news = replace(self._blank, exit_code=known.exit_code, reason=known.message, next_command=self._onward.command)
        if self._statistics is not None:
            news = news_of(news, self._statistics())
        await self._end(news)

    async def _end(self, news: News) -> None:
        waiting = set(self._held)
        for timer in self._held.values():
            timer.cancel()
        event = event_of_end(news, on=self._wanted.on, waiting=waiting)
        for task in self._under_way:
            await task
        if event is not None:
            await self._tell(Notification(event=event, news=news))

    async def _tell(self, notification: Notification) -> None:
        """Tell everybody, at the same time and within one time limit."""
        left = dict.fromkeys(self._wanted.urls, f"nobody took it within {TOTAL_S:.0f} s")
        crew = anyio.CapacityLimiter(TOLD_AT_ONCE)

        async def tell(address: str) -> None:
            async with crew:
                problem = await self._delivered(address, notification)
            left.pop(address)
            if problem:
                self._failed(address, notification, problem)

        with anyio.move_on_after(TOTAL_S):
            async with anyio.create_task_group() as group:
                for address in left.copy():
                    group.start_soon(tell, address)
        for address, problem in left.items():
            self._failed(address, notification, problem)

    async def _delivered(self, address: str, notification: Notification) -> str:
        """Why it was not delivered; empty if it was."""
        try:
            await self._courier_for(address).deliver(address, notification)
        except NotDelivered as problem:
            return str(problem)
        except Exception as fault:  # noqa: BLE001 - of a library for a hundred services; its words may hold the address
            return f"the delivery broke ({type(fault).__name__})"
        return ""

    def _failed(self, address: str, notification: Notification, why: str) -> None:
        self._warn(f"`{notification.event}` was not told to {shown_address(address)}: {why}")


def news_of(news: News, now: RunStatistics, **more: Any) -> News:
    """The news with the run's figures in it."""
    return replace(
        news, counts=now.counts, money=now.credits, cap_credits=now.cap_credits, elapsed_s=now.elapsed_s, **more
    )
