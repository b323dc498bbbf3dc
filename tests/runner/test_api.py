"""The Python interface: plans, runs, events, results and errors, for programs that ask nobody."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, assert_type

import anyio
import pytest

from jobs.results import ResultRow
from runner import ManifestPlan, RunEvent, RunResult, plan_manifest, run_manifest
from runner.api import Ended, ItemChanged, Noticed, Started, Stopping, _landing
from runner.errors import AuthError, LedgerLocked, ManifestRejected, UsageError
from runner.interruption import Interruption
from runner.ledger.sqlite import open_ledger
from runner.views import run_summary

MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
limits: {creates: 100/s, polls: 100/s, in_flight: 2, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat in {{ vars.colour }}"
    matrix: {grid: {vars.colour: [red, blue, green, black, white, grey]}}
"""
# A picture that takes the simulator half a second: long enough to be stopped in the middle.
SLOW = MANIFEST.replace("z-image", "nano-banana-2").replace(", black, white, grey", "")


def saved() -> list[str]:
    return sorted(map(str, Path("out").rglob("*.png")))


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def boats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "slow.yaml").write_text(SLOW, encoding="utf-8")
    return tmp_path / "boats.yaml"


async def test_a_manifest_is_planned_run_heard_of_and_read(boats: Path) -> None:
    heard: list[RunEvent] = []

    plan = await plan_manifest(boats, sim=True)
    result = await run_manifest(boats, sim=True, confirm_spend=True, on_event=heard.append)

    assert (plan.run_id, plan.new, plan.open, plan.done, plan.credits) == ("boats", 6, 0, 0, (6, 6, 6))
    assert plan.warnings == ()
    assert (result.run_id, result.exit_code, result.ok, result.credits_spent) == ("boats", 0, True, 6)
    assert result.counts == {"succeeded": 6}
    rows = list(result.rows())
    assert {row.item for row in rows} == {one.item.key for one in plan.plan.items}
    assert sorted(row.outputs[0].file or "" for row in rows) == saved()
    assert isinstance(heard[0], Started)
    assert isinstance(heard[-1], Ended)
    changes = [event.change for event in heard if isinstance(event, ItemChanged) and event.item == rows[0].item]
    assert changes[:2] == ["intent", "accepted"]
    assert (await plan_manifest(boats, sim=True)).done == 6


async def test_the_types_are_what_they_say(boats: Path) -> None:
    plan = await plan_manifest(str(boats), sim=True, limit=1, date=dt.date(2026, 11, 20))
    assert_type(plan, ManifestPlan)
    assert_type(plan.credits, tuple[int, int, int])
    result = await run_manifest(boats, sim=True, limit=1, confirm_spend=True)
    assert_type(result, RunResult)
    for row in result.rows():
        assert_type(row, ResultRow)
    assert plan.new == 1


@pytest.mark.parametrize("given", [{}, {"budget": 10}, {"confirm_spend": True}])
async def test_nothing_is_bought_without_both_a_yes_and_a_budget(boats: Path, given: dict[str, int]) -> None:
    write(boats, MANIFEST.replace("budget: {credits: 50}\n", ""))

    with pytest.raises(UsageError) as refused:
        await run_manifest(boats, sim=True, **given)  # type: ignore[arg-type]

    assert refused.value.code == "not-confirmed"
    assert "confirm_spend=True" in refused.value.next_step
    assert not (boats.parent / "out").exists()


async def test_what_is_wrong_is_raised_as_what_it_is(boats: Path) -> None:
    with pytest.raises(AuthError):
        await run_manifest(boats, confirm_spend=True)
    with pytest.raises(UsageError, match="no day"):
        await plan_manifest(boats, date="yesterday")
    with pytest.raises(UsageError, match="halt"):
        await run_manifest(boats, sim=True, halt="sometimes", confirm_spend=True)
    with pytest.raises(UsageError, match="limit=-1 leaves no item"):
        await plan_manifest(boats, limit=-1)
    with pytest.raises(UsageError, match="coroutine"):
        await run_manifest(boats, sim=True, confirm_spend=True, on_event=asyncio.sleep)  # type: ignore[arg-type]
    write(boats, MANIFEST.replace("z-image", "z-imago"))
    with pytest.raises(ManifestRejected) as rejected:
        await plan_manifest(boats)
    assert [finding.code for finding in rejected.value.findings] == ["unknown-model"]


async def test_one_glob_is_one_glob_and_not_its_letters(boats: Path) -> None:
    assert (await plan_manifest(boats, sim=True, select="*red*")).new == 1
    assert (await plan_manifest(boats, sim=True, select=["*red*", "*blue*"], exclude="*blue*")).new == 1


async def test_a_ledger_that_somebody_holds_is_one_error_that_names_the_holder(boats: Path) -> None:
    (boats.parent / ".rivya").mkdir()
    ledger = open_ledger(Path(".rivya/sim.db"), account="sim", base_url="simulator")
    try:
        with pytest.raises(LedgerLocked, match=f"pid {os.getpid()}"):
            await run_manifest(boats, sim=True, confirm_spend=True)
    finally:
        await ledger.close()


async def stopped(boats: Path, *, times: int = 1) -> tuple[list[RunEvent], float]:
    """A run that is cancelled when its first item was taken; what was heard, and how long its landing took."""
    heard: list[RunEvent] = []
    loop = asyncio.get_running_loop()
    asked_s = 0.0

    def hear(event: RunEvent) -> None:
        nonlocal asked_s
        heard.append(event)
        if not asked_s and is_accepted(event):
            asked_s = loop.time()
            for nth in range(times):
                loop.call_later(0.01 * nth, task.cancel)

    task = asyncio.create_task(
        run_manifest(boats.with_name("slow.yaml"), sim=True, confirm_spend=True, on_event=hear, no_download=True)
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    return heard, loop.time() - asked_s


def is_accepted(event: RunEvent) -> bool:
    return isinstance(event, ItemChanged) and event.change == "accepted"


async def test_cancelling_drains_the_run_and_saves_it(boats: Path) -> None:
    heard, _ = await stopped(boats)

    stop = next(index for index, event in enumerate(heard) if isinstance(event, Stopping))
    begun = [event for event in heard[stop:] if isinstance(event, ItemChanged) and event.change == "intent"]
    assert len(begun) <= 1, "an intent may be just being written when the word comes; nothing else begins"
    assert isinstance(heard[-1], Ended)
    assert heard[-1].outcome.exit_code == 130
    assert heard[-1].outcome.statistics.counts["planned"] >= 1
    summary = run_summary(Path(".rivya/sim.db"), "boats")
    assert (summary.state, summary.exit_code) == ("ended", 130)

    result = await run_manifest(boats.with_name("slow.yaml"), sim=True, confirm_spend=True, no_download=True)
    assert result.ok
    assert all(row.state == "succeeded" for row in result.rows())
    # What stayed here is begun anew: it was being written when the word came, or waited for its slot.
    assert sum(row.attempts for row in result.rows()) <= 3 + max(1, len(begun))


async def test_a_second_cancellation_ends_the_run_at_once(boats: Path) -> None:
    heard, took_s = await stopped(boats, times=2)

    assert took_s < 0.4, "a picture would have taken longer"
    assert isinstance(heard[-1], Ended)
    assert run_summary(Path(".rivya/sim.db"), "boats").state == "ended"


async def test_a_cancellation_before_the_run_began_leaves_nothing(boats: Path) -> None:
    task = asyncio.create_task(run_manifest(boats, sim=True, confirm_spend=True))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(path.name for path in boats.parent.iterdir()) == ["boats.yaml", "slow.yaml"]


async def test_a_second_cancellation_ends_also_what_does_not_listen() -> None:
    busy: asyncio.Task[Any] = asyncio.create_task(asyncio.Event().wait())  # such as with who is to be told
    caller = asyncio.create_task(_landing(busy, Interruption()))
    for _ in range(2):
        await asyncio.sleep(0)
        caller.cancel()
    ended, _ = await asyncio.wait([caller], timeout=5.0)
    busy.cancel()

    assert ended == {caller}
    assert caller.cancelled()
    assert busy.cancelled()


async def test_a_scope_of_anyio_that_is_cancelled_drains_too(boats: Path) -> None:
    heard: list[RunEvent] = []
    with anyio.CancelScope() as scope:

        def hear(event: RunEvent) -> None:
            heard.append(event)
            if is_accepted(event):
                scope.cancel()

        await run_manifest(boats.with_name("slow.yaml"), sim=True, confirm_spend=True, on_event=hear, no_download=True)

    assert scope.cancelled_caught
    assert isinstance(heard[-1], Ended)
    assert heard[-1].outcome.statistics.counts.get("submitting", 0) == 0, "what was sent has landed"


async def test_what_the_listener_raises_drains_the_run_and_is_raised(boats: Path) -> None:
    def hear(event: RunEvent) -> None:
        if is_accepted(event):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_manifest(boats, sim=True, confirm_spend=True, on_event=hear)

    summary = run_summary(Path(".rivya/sim.db"), "boats")
    assert (summary.state, summary.exit_code) == ("ended", 130)


async def test_signals_stay_the_program_s_own_unless_it_gives_them_away(boats: Path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    during: list[object] = []

    def hear(event: RunEvent) -> None:
        if is_accepted(event) and not during:
            during.extend(signal.getsignal(number) for number in before)

    await run_manifest(boats, sim=True, confirm_spend=True, on_event=hear)
    assert during == list(before.values())

    during.clear()
    await run_manifest(boats, sim=True, again=True, confirm_spend=True, on_event=hear, hear_signals=True)
    assert during != list(before.values())
    assert {number: signal.getsignal(number) for number in before} == before


async def test_who_cannot_be_told_is_an_event_and_the_run_ends_as_it_ended(boats: Path) -> None:
    write(boats, MANIFEST + "notify: {on: [finished], urls: ['https://10.0.0.1/TOKEN']}\n")
    heard: list[RunEvent] = []

    result = await run_manifest(boats, sim=True, confirm_spend=True, on_event=heard.append)

    assert result.ok
    (told,) = [event for event in heard if isinstance(event, Noticed) and event.name == "notify"]
    assert told.data == {"why": "`finished` was not told to https://10.0.0.1: The address is not on a public address."}


def test_importing_the_package_imports_next_to_nothing() -> None:
    script = "import sys, runner; print('runner.api' in sys.modules, 'aiohttp' in sys.modules, 'jobs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.split() == ["False"] * 3
