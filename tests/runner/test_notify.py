"""Who is told of a run, and when; and that nothing which goes wrong with it can hurt the run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs.manifest import Notify
from jobs.notification import Event, Notification
from jobs.record import Money
from jobs.steps import Notice
from runner.errors import AuthError, DiskFull, LedgerLocked
from runner.notify import PAUSE_HOLD_S, TOTAL_S, Notifier
from runner.notify_courier import Courier, NotDelivered
from runner.onward import Onward
from runner.reporter import RunOutcome, RunStarted, RunStatistics
from runner.testing import run_virtual


@dataclass(slots=True)
class Fake:
    """A courier that remembers, and does to an address what it was told."""

    does: Mapping[str, object] = field(default_factory=dict)
    told: list[tuple[str, Notification]] = field(default_factory=list)

    async def deliver(self, address: str, notification: Notification) -> None:
        self.told.append((address, notification))
        act = self.does.get(address)
        if isinstance(act, Exception):
            raise act
        if act == "hang":
            await asyncio.Event().wait()


def statistics(pauses: Mapping[str, str] | None = None) -> RunStatistics:
    return RunStatistics(
        counts={"succeeded": 2, "planned": 1},
        items=3,
        results={},
        saved_bytes=0,
        uploads_done=0,
        uploads_needed=0,
        credits=Money(settled=2),
        doubted_credits=0,
        cap_credits=9,
        pacers=(),
        pauses=pauses or {},
        elapsed_s=5.0,
    )


def outcome(exit_code: int, pauses: Mapping[str, str] | None = None) -> RunOutcome:
    return RunOutcome(
        run_id="nightly",
        exit_code=exit_code,
        statistics=statistics(pauses),
        done_before=0,
        creates=3,
        downloads={},
        pauses=pauses or {},
    )


def notifier(
    courier: Courier, warnings: list[str], *, on: Sequence[Any], urls: Sequence[str] = ("https://a/x",)
) -> Any:
    return Notifier(
        Notify(on=list(on), urls=list(urls)),
        run="nightly",
        edition="2026",
        onward=Onward(command="rivya-batch run nightly.yaml"),
        rehearsal=False,
        courier_for=lambda _: courier,
        warn=warnings.append,
    )


def paused(why: str) -> Notice:
    return Notice(name="paused", data={"why": why, "reason": f"because of {why}"})


def begun(pauses: Mapping[str, str]) -> RunStarted:
    return RunStarted(run_id="nightly", items=3, new=3, cap_credits=9, statistics=lambda: statistics(pauses))


ALL = ("finished", "failed", "budget", "attention")


def test_the_end_of_a_run_is_told_with_its_figures_and_the_next_command() -> None:
    courier, warnings = Fake(), list[str]()

    run_virtual(notifier(courier, warnings, on=ALL).tell_end(outcome(8)))

    ((address, told),) = courier.told
    assert (address, told.event, told.news.exit_code) == ("https://a/x", "failed", 8)
    assert told.news.next_command == "rivya-batch run nightly.yaml"
    assert (told.news.counts["succeeded"], told.news.money.settled) == (2, 2)
    assert warnings == []


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        (AuthError("The key was refused."), 4, "The key was refused."),
        (LedgerLocked("Held by pid 4711."), 9, "Held by pid 4711."),
        (ExceptionGroup("", [AuthError("No."), ExceptionGroup("", [DiskFull("Full.")])]), 9, "Full."),
        (
            ZeroDivisionError("secret"),
            1,
            "A fault of rivya-batch itself: ZeroDivisionError. What was recorded is kept.",
        ),
    ],
)
def test_an_error_that_ends_a_run_is_told_too(error: Exception, exit_code: int, reason: str) -> None:
    courier = Fake()

    run_virtual(notifier(courier, [], on=["failed"]).tell_error(error))

    ((_, told),) = courier.told
    assert (told.event, told.news.exit_code, told.news.reason) == ("failed", exit_code, reason)


def test_a_pause_that_needs_a_person_is_told_once_while_the_run_goes_on() -> None:
    courier = Fake()
    telling = notifier(courier, [], on=ALL)

    async def life() -> None:
        telling.started(begun({"credits": "the balance is empty"}))
        telling.noticed(paused("credits"))
        telling.noticed(paused("network"))
        await asyncio.sleep(29)
        assert courier.told == []
        await asyncio.sleep(2)
        telling.noticed(paused("credits"))
        await asyncio.sleep(600)
        await telling.tell_end(outcome(5))

    run_virtual(life())

    first, last = [told for _, told in courier.told]
    assert (first.event, first.news.exit_code, first.news.reason) == ("attention", None, "the balance is empty")
    assert (last.event, last.news.exit_code) == ("budget", 5)


def test_a_pause_that_ends_the_run_at_once_is_told_by_its_end_alone() -> None:
    for on, event in ((ALL, "failed"), (("attention",), "attention")):
        courier = Fake()
        telling = notifier(courier, [], on=on)

        async def life(telling: Any = telling) -> None:
            telling.started(begun({"auth": "the key was refused"}))
            telling.noticed(paused("auth"))
            await telling.tell_end(outcome(4, {"auth": "the key was refused"}))
            await asyncio.sleep(PAUSE_HOLD_S * 2)

        run_virtual(life())

        ((_, told),) = courier.told
        assert (told.event, told.news.exit_code, told.news.reason) == (event, 4, "the key was refused")


def test_a_run_that_ends_while_its_pause_is_being_told_waits_until_it_is() -> None:
    class Slow(Fake):
        async def deliver(self, address: str, notification: Notification) -> None:
            await asyncio.sleep(5.0)
            await Fake.deliver(self, address, notification)

    courier, pauses = Slow(), {"auth": "the key was refused"}
    telling = notifier(courier, [], on=["attention"])

    async def life() -> None:
        telling.started(begun(pauses))
        telling.noticed(paused("auth"))
        await asyncio.sleep(PAUSE_HOLD_S + 1.0)
        await telling.tell_end(outcome(4, pauses))

    run_virtual(life())

    assert [told.event for _, told in courier.told] == [Event.ATTENTION]


def test_a_pause_that_somebody_ended_meanwhile_is_not_told() -> None:
    courier, pauses = Fake(), {"credits": "the balance is empty"}
    telling = notifier(courier, [], on=ALL)

    async def life() -> None:
        telling.started(begun(pauses))
        telling.noticed(paused("credits"))
        pauses.clear()
        await asyncio.sleep(PAUSE_HOLD_S * 2)

    run_virtual(life())

    assert courier.told == []


def test_whoever_cannot_be_told_is_a_warning_and_keeps_nobody_else_from_hearing() -> None:
    warnings = list[str]()
    urls = ["https://fine/1", "https://down/TOKEN", "slack://TOKEN/TOKEN", "https://slow/TOKEN"]
    courier = Fake(
        {
            urls[1]: NotDelivered("it answered HTTP 500"),
            urls[2]: RuntimeError("a library that says TOKEN"),
            urls[3]: "hang",
        }
    )

    async def night() -> float:
        began_s = asyncio.get_running_loop().time()
        await notifier(courier, warnings, on=ALL, urls=urls).tell_end(outcome(3))
        return asyncio.get_running_loop().time() - began_s

    assert run_virtual(night()) == pytest.approx(20.0), "somebody waits for the exit code"
    assert [address for address, _ in courier.told] == urls
    assert warnings == [
        "`failed` was not told to https://down: it answered HTTP 500",
        "`failed` was not told to slack://: the delivery broke (RuntimeError)",
        f"`failed` was not told to https://slow: nobody took it within {TOTAL_S:.0f} s",
    ]
