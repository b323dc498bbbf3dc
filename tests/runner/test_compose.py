"""A manifest's run put together: real files and a real ledger, the service in memory or on a loopback port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jobs.core import resume_rank
from jobs.item import Item
from jobs.lifecycle import EventType, ItemState
from jobs.polling import Polling
from jobs.record import Attempt, Change, Record
from runner.clock import Clock
from runner.compose import Run, balance, halt_after, refresh_models, run_prepared
from runner.ending import TROUBLES_MAX
from runner.errors import AuthError, LedgerLocked, UsageError
from runner.ledger.sqlite import open_ledger
from runner.models_cache import load_catalogue
from runner.prepare import Choices, Prepared, prepare
from runner.reporter import Reporter, RunOutcome, RunStarted
from runner.secret import Secret
from runner.settings import Settings
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, REVOKED_KEY, Profile
from runner.sim.server import serve
from runner.testing import MemoryTransport
from runner.views import run_summary
from tests.runner.media_samples import SAMPLES
from tests.runner.world import item

QUICK = "creates: 1000/s, polls: 1000/s, uploads: 1000/s, first_poll: 10ms, poll_gap: 10ms"
MANIFEST = """
version: 1
name: trial
budget: {{credits: {credits}}}
limits: {{{limits}, in_flight: 50}}
retries: {retries}
references:
  shoe: {{file: shoe.png}}
jobs:
  - id: plain
    model: z-image
    prompt: a {{{{ vars.colour }}}} cat
    matrix: {{grid: {{vars.colour: [red, green, blue, black, white]}}}}
  - id: dressed
    model: nano-banana
    prompt: a shoe
    references: [shoe]
"""
COST = 5 + 3
PLAIN = Choices()


class Ears(Reporter):
    """Hears the two ends of a life, and sends this process signals in between."""

    def __init__(self) -> None:
        self.begun: list[RunStarted] = []
        self.over: list[RunOutcome] = []
        self.intents = 0
        self.signals_at = 0  # the intent after which they come
        self.signals: list[tuple[float, int]] = []  # seconds after that, and which
        self._timers: list[asyncio.TimerHandle] = []

    def started(self, run: RunStarted) -> None:
        self.begun.append(run)

    def changed(self, item: Item, change: Change) -> None:
        self.intents += change.event.type is EventType.INTENT
        if self.signals and self.intents == self.signals_at:
            loop, me = asyncio.get_running_loop(), os.getpid()
            self._timers = [loop.call_later(after_s, os.kill, me, number) for after_s, number in self.signals]
            self.signals = []

    def ended(self, outcome: RunOutcome) -> None:
        self.over.append(outcome)
        for timer in self._timers:
            timer.cancel()


@dataclass(kw_only=True)
class Desk:
    """A folder with a manifest, a ledger and a service, over any number of runs."""

    folder: Path
    faults: object = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    credits: int = 100
    limits: str = QUICK
    retries: str = "{}"
    choices: Choices = PLAIN
    key: str = DEMO_KEY

    def __post_init__(self) -> None:
        (self.folder / "shoe.png").write_bytes(SAMPLES["png"][1])
        profile = Profile(**{"windows": (), "durations": (("*", 2.0),), **self.profile})
        self.simulator = Simulator(profile, packaged_catalogue(), 3, parse_faults(self.faults, 3))
        self.simulator.speed = 200.0
        self.ears = Ears()
        self.settings = Settings(store=self.folder / "ledger.db", key=Secret(self.key))

    def write(self) -> Path:
        path = self.folder / "trial.yaml"
        path.write_text(MANIFEST.format(credits=self.credits, limits=self.limits, retries=self.retries))
        return path

    def prepared(self) -> Prepared:
        return prepare(self.write(), settings=self.settings, choices=self.choices)

    async def run(self, prepared: Prepared | None = None) -> RunOutcome:
        clock = Clock()
        transport = MemoryTransport(MemoryDoor(self.simulator, lambda: clock.now().wall_s), key=self.key)
        ledger = open_ledger(self.settings.store, account=self.settings.account, base_url=self.settings.service)
        try:
            ready = prepared or self.prepared()
            run = Run(ready, settings=self.settings, ledger=ledger, reporter=self.ears, clock=clock)
            return await run.live(transport, transport)
        finally:
            await ledger.close()

    @property
    def files(self) -> list[str]:
        out = self.folder / "out" / "trial"
        return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    monkeypatch.chdir(tmp_path)  # results go below the current folder
    return lambda **named: Desk(folder=tmp_path, **named)


async def test_a_run_buys_saves_tells_and_closes_its_life(desk: Callable[..., Desk]) -> None:
    trial = desk()

    outcome = await trial.run()

    assert (outcome.exit_code, outcome.creates, outcome.done_before) == (0, 6, 0)
    assert (outcome.run_id, outcome.troubles, outcome.pauses) == ("trial", (), {})
    assert outcome.downloads == {"verified": 6}
    assert trial.simulator.stats().charged_total == outcome.statistics.credits.settled == COST
    assert len([name for name in trial.files if name.endswith(".png")]) == 6
    told = json.loads((trial.folder / "out/trial" / next(n for n in trial.files if n.endswith(".json"))).read_text())
    assert (told["run"], told["state"], told["credits"]) == ("trial", "verified", 3)
    [begun], [over] = trial.ears.begun, trial.ears.over
    assert (begun.items, begun.new, begun.cap_credits) == (6, 6, 100)
    assert over == outcome
    assert outcome.out_dir == "out/trial"


async def test_a_second_run_begins_with_the_times_that_the_first_one_saw(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, recalled = desk(), list[tuple[float, float]]()
    monkeypatch.setattr(Polling, "recall", lambda _, __, spans_s: recalled.extend(spans_s))
    await trial.run()
    assert recalled == []
    await trial.run()

    assert len(recalled) == 6
    assert all(0.0 <= ran_s < age_s for ran_s, age_s in recalled)


async def test_the_same_command_again_goes_on_and_a_finished_run_does_nothing(desk: Callable[..., Desk]) -> None:
    trial = desk()
    await trial.run()

    again = await trial.run()

    assert (again.exit_code, again.creates, again.done_before) == (0, 0, 6)
    assert trial.ears.begun[-1].new == 0
    assert trial.simulator.stats().tasks == 6


async def test_the_manifest_s_budget_is_the_cap_over_all_lives(desk: Callable[..., Desk]) -> None:
    trial = desk(credits=4)

    first = await trial.run()
    second = await trial.run()
    assert (first.exit_code, first.statistics.credits.settled) == (5, 4)
    assert (second.exit_code, second.creates) == (5, 0)

    trial.credits = COST
    assert (await trial.run()).exit_code == 0
    assert trial.simulator.stats().charged_total == COST


async def test_what_went_wrong_is_named_for_the_summary(desk: Callable[..., Desk]) -> None:
    trial = desk(faults=[{"match": {"endpoint": "create", "prompt_contains": "green"}, "do": {"fail": "no_cats"}}])

    outcome = await trial.run()

    [trouble] = outcome.troubles
    assert outcome.exit_code == 3
    assert (trouble.key, trouble.state, trouble.code) == ("plain/vars.colour=green", "failed", "no_cats")
    assert trouble.task_id
    assert trouble.task_id.startswith("task_")


async def test_a_summary_names_only_the_first_troubles(desk: Callable[..., Desk], tmp_path: Path) -> None:
    trial = desk(faults=[{"match": {"endpoint": "create"}, "do": {"fail": "no_cats"}}])
    path = trial.write()
    path.write_text(path.read_text().replace("[red, green, blue, black, white]", "{from: 1, to: 30}"))
    prepared = prepare(path, settings=trial.settings, choices=PLAIN)

    outcome = await trial.run(prepared)

    assert (outcome.exit_code, len(outcome.troubles)) == (3, TROUBLES_MAX)


async def test_many_failures_do_not_hide_the_one_item_that_waits_for_a_person(desk: Callable[..., Desk]) -> None:
    stuck = {"match": {"endpoint": "create", "prompt_contains": "a 30 cat"}, "do": {"stuck": True}}
    failing = {"match": {"endpoint": "create"}, "do": {"fail": "no_cats"}}
    trial = desk(faults=[stuck, failing], limits=f"{QUICK}, timeout: 1s")
    path = trial.write()
    path.write_text(path.read_text().replace("[red, green, blue, black, white]", "{from: 1, to: 30}"))

    outcome = await trial.run(prepare(path, settings=trial.settings, choices=PLAIN))

    assert outcome.exit_code == 7
    assert Counter(trouble.state for trouble in outcome.troubles) == {"failed": TROUBLES_MAX, "stalled": 1}
    assert {trouble.key for trouble in outcome.troubles if trouble.state == "stalled"} == {"plain/vars.colour=30"}
    assert all(trouble.wanted for trouble in outcome.troubles)


async def test_what_is_refused_again_and_again_is_bought_no_more(desk: Callable[..., Desk]) -> None:
    trial = desk(faults=[{"match": {"endpoint": "create"}, "do": {"code": "validation_failed"}}])
    path = trial.write()
    path.write_text(path.read_text().replace("[red, green, blue, black, white]", "{from: 1, to: 300}"))
    prepared = prepare(path, settings=trial.settings, choices=PLAIN)

    outcome = await trial.run(prepared)

    assert outcome.exit_code == 3
    assert outcome.statistics.counts["skipped"] > 250
    assert outcome.creates < 50, "those that were under way when the third was refused"


async def test_a_person_may_buy_what_failed_once_more(desk: Callable[..., Desk]) -> None:
    fails = {"match": {"endpoint": "create", "prompt_contains": "green"}, "do": {"fail": "no_cats"}, "times": 1}
    trial = desk(faults=[fails])
    await trial.run()

    assert (await trial.run()).exit_code == 3
    trial.choices = Choices(retry=True)
    outcome = await trial.run()
    assert (outcome.exit_code, outcome.creates, trial.simulator.stats().tasks) == (0, 1, 7)


async def test_a_retry_uploads_its_references_anew(desk: Callable[..., Desk]) -> None:
    refused = {"match": {"endpoint": "create", "prompt_contains": "a shoe"}, "do": {"code": "validation_failed"}}
    trial = desk(faults=[{**refused, "times": 1}])
    assert (await trial.run()).exit_code == 3

    trial.choices = Choices(retry=True)
    prepared = trial.prepared()
    outcome = await trial.run(prepared)

    assert (outcome.exit_code, len(prepared.plan.uploads)) == (0, 1)
    assert trial.simulator.stats().uploads == 2, "the service may have forgotten the first"


async def test_a_person_may_buy_everything_selected_again(desk: Callable[..., Desk]) -> None:
    trial = desk()
    await trial.run()
    trial.choices = Choices(again=True, select=("*green",))

    outcome = await trial.run()

    assert (outcome.exit_code, outcome.creates, trial.simulator.stats().tasks) == (0, 1, 7)
    assert trial.simulator.stats().duplicate_tasks == 0


def test_work_left_by_earlier_lives_is_taken_up_in_the_order_of_what_may_be_lost() -> None:
    def left(state: ItemState, opened_at_s: float) -> Record:
        attempt = Attempt(
            epoch=0,
            ordinal=0,
            key="k",
            scope="trial",
            price_class="c",
            bound=1,
            opened_at_s=opened_at_s,
            server_at_s=0.0,
            reserved=1,
        )
        return Record(identity="i", state=state, version=2, first_at_s=0.0, attempt=attempt)

    records = {
        "new": Record(identity="i", state=ItemState.PLANNED, version=1, first_at_s=0.0),
        "to be saved": left(ItemState.SUCCEEDED, 10.0),
        "stalled": left(ItemState.STALLED, 10.0),
        "at work, later item": left(ItemState.ACCEPTED, 10.0),
        "young intent": left(ItemState.SUBMITTING, 30.0),
        "old intent": left(ItemState.SUBMITTING, 20.0),
    }
    numbers = {name: 10 - number for number, name in enumerate(records)}

    order = sorted(records, key=lambda name: resume_rank(records[name], item(numbers[name])))

    assert order == ["old intent", "young intent", "at work, later item", "stalled", "to be saved", "new"]


async def test_without_downloads_a_run_ends_well_and_a_later_one_fetches(desk: Callable[..., Desk]) -> None:
    trial = desk(choices=Choices(no_download=True))
    assert (await trial.run()).exit_code == 0
    assert not (trial.folder / "out").exists()

    trial.choices = PLAIN
    later = await trial.run()
    assert (later.exit_code, later.creates, later.downloads) == (0, 0, {"verified": 6})


async def test_the_number_of_sends_is_the_manifest_s(desk: Callable[..., Desk]) -> None:
    broken = {"match": {"endpoint": "create", "prompt_contains": "green"}, "do": {"status": 502}}
    trial = desk(faults=[broken], retries="{sends: 1}")

    outcome = await trial.run()

    assert (outcome.exit_code, outcome.statistics.counts["uncertain"]) == (7, 1)
    assert Counter(sent.status for sent in trial.simulator.stats().sends) == {200: 5, 502: 2}


async def test_a_reference_that_changed_after_the_plan_is_not_uploaded_and_its_items_are_not_bought(
    desk: Callable[..., Desk],
) -> None:
    trial = desk()
    prepared = trial.prepared()
    (trial.folder / "shoe.png").write_bytes(SAMPLES["jpg"][1])

    outcome = await trial.run(prepared)

    assert outcome.exit_code == 3
    assert (trial.simulator.stats().uploads, trial.simulator.stats().tasks) == (0, 5)


async def test_open_intents_of_an_earlier_life_are_sent_before_anything_new(desk: Callable[..., Desk]) -> None:
    lost = {"match": {"endpoint": "create", "nth": 3}, "do": {"never_answer": "after_effect"}}
    trial = desk(faults=[lost])
    trial.ears.signals_at, trial.ears.signals = 3, [(0.05, signal.SIGINT), (0.06, signal.SIGINT)]
    first = await trial.run()
    before = len(trial.simulator.stats().sends)
    trial.write().write_text(trial.write().read_text().replace("[red,", "[pink, red,"))
    prepared = prepare(trial.folder / "trial.yaml", settings=trial.settings, choices=PLAIN)

    second = await trial.run(prepared)

    sends = trial.simulator.stats().sends
    assert first.exit_code == 130
    assert sends[before].key == sends[2].key, "the doubtful one goes first, with its own key"
    assert (second.exit_code, trial.simulator.stats().tasks) == (0, 7)


async def test_what_was_paid_for_is_seen_through_though_nobody_asks_for_it_any_more(desk: Callable[..., Desk]) -> None:
    trial = desk(profile={"durations": (("*", 100.0),)})
    trial.ears.signals_at, trial.ears.signals = 6, [(0.05, signal.SIGINT)]
    first = await trial.run()
    trial.ears.signals = []
    trial.write().write_text(trial.write().read_text().replace("[red, green, blue, black, white]", "[red, green]"))
    only_red = replace(PLAIN, select=("*red",))
    prepared = prepare(trial.folder / "trial.yaml", settings=trial.settings, choices=only_red)

    second = await trial.run(prepared)

    assert (first.exit_code, dict(first.statistics.counts)) == (130, {"accepted": 6})
    assert (second.exit_code, second.creates, dict(second.statistics.counts)) == (0, 0, {"succeeded": 6})
    assert len([name for name in trial.files if name.endswith(".png")]) == 6
    assert [one.item.key for one in prepared.plan.items] == ["plain/vars.colour=red"]


async def test_the_service_s_clock_is_asked_before_an_old_key_is_trusted_that_nobody_asked_for(
    desk: Callable[..., Desk],
) -> None:
    lost = {"match": {"endpoint": "create", "nth": 3}, "do": {"never_answer": "after_effect"}}
    trial = desk(faults=[lost])
    trial.ears.signals_at, trial.ears.signals = 3, [(0.05, signal.SIGINT), (0.06, signal.SIGINT)]
    await trial.run()
    asked = trial.simulator.stats().requests.get("credits", 0)
    trial.ears.signals = []
    trial.choices = replace(PLAIN, exclude=("*blue",))

    await trial.run()

    assert trial.simulator.stats().requests["credits"] == asked + 1


async def test_the_service_s_clock_is_asked_before_anything_is_bought_and_not_when_nothing_is(
    desk: Callable[..., Desk],
) -> None:
    trial = desk()

    await trial.run()
    asked = trial.simulator.stats().requests["credits"]
    await trial.run()

    assert (asked, trial.simulator.stats().requests["credits"]) == (1, 1)


async def test_what_nobody_asks_for_any_more_is_not_bought_again_when_it_fails(desk: Callable[..., Desk]) -> None:
    fails = {"match": {"endpoint": "create", "prompt_contains": "green"}, "do": {"fail": "generation_failed"}}
    trial = desk(faults=[fails], profile={"durations": (("*", 100.0),)}, retries="{resubmit_failed: 3}")
    trial.ears.signals_at, trial.ears.signals = 6, [(0.05, signal.SIGINT)]
    await trial.run()
    trial.ears.signals = []
    prepared = prepare(trial.write(), settings=trial.settings, choices=replace(PLAIN, select=("*red",)))

    second = await trial.run(prepared)

    assert (second.exit_code, second.creates, second.statistics.counts["failed"]) == (3, 0, 1)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=str
)
async def test_a_signal_ends_a_run_that_the_same_command_goes_on_with(
    desk: Callable[..., Desk], number: signal.Signals, code: int
) -> None:
    trial = desk(profile={"create_takes_s": 0.1}, limits=QUICK.replace("creates: 1000/s", "creates: 20/s"))
    trial.ears.signals_at, trial.ears.signals = 2, [(0.01, number)]

    outcome = await trial.run()

    assert (outcome.exit_code, outcome.interrupted) == (code, number)
    assert 0 < outcome.creates < 6
    assert outcome.statistics.counts.get("submitting", 0) == 0, "what was sent has landed"
    assert (await trial.run()).exit_code == 0
    assert trial.simulator.stats().tasks == 6
    assert trial.simulator.stats().duplicate_tasks == 0


async def test_a_second_signal_does_not_wait_for_anything(desk: Callable[..., Desk]) -> None:
    trial = desk(profile={"create_takes_s": 60.0})
    trial.ears.signals_at, trial.ears.signals = 2, [(0.01, signal.SIGTERM), (0.05, signal.SIGTERM)]

    outcome = await trial.run()

    assert outcome.exit_code == 143
    assert outcome.statistics.elapsed_s < 20.0
    assert outcome.statistics.counts["submitting"] == 2, "one of each price class was on its way"


async def test_signals_are_the_process_s_own_again_after_the_run(desk: Callable[..., Desk]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    await desk().run()

    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_refused_key_ends_with_its_own_code(desk: Callable[..., Desk]) -> None:
    outcome = await desk(key=REVOKED_KEY).run()

    assert (outcome.exit_code, set(outcome.pauses), outcome.statistics.credits.settled) == (4, {"auth"}, 0)


@pytest.mark.parametrize(
    ("text", "items", "limit"),
    [(None, 50, None), ("fail=3", 50, 3), ("fail=5%", 50, 3), ("fail=5%", 1000, 50), ("fail=1%", 3, 1)],
)
def test_the_limit_of_failures_is_a_number_or_a_share(text: str | None, items: int, limit: int | None) -> None:
    assert halt_after(text, items) == limit


@pytest.mark.parametrize(
    "text", ["", "3", "fail", "fail=", "fail=0", "fail=-1", "fail=5.5%", "fail=٣", "ok=3", "fail=%"]
)
def test_any_other_limit_of_failures_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--halt"):
        halt_after(text, 50)


# On a real port


@pytest.mark.wire
async def test_a_whole_run_over_a_real_port_and_again(desk: Callable[..., Desk]) -> None:
    trial = desk()
    async with serve(trial.simulator, speed=200.0) as server:
        settings = replace(trial.settings, base_url=server.base_url)
        prepared = prepare(trial.write(), settings=settings, choices=PLAIN)

        outcome = await run_prepared(prepared, settings=settings, reporter=trial.ears)
        again = await run_prepared(
            prepare(trial.write(), settings=settings, choices=PLAIN), settings=settings, reporter=trial.ears
        )

    assert (outcome.exit_code, outcome.downloads, again.creates) == (0, {"verified": 6}, 0)
    assert len([name for name in trial.files if name.endswith(".png")]) == 6
    assert trial.simulator.stats().charged_total == COST
    kept = run_summary(settings.store, "trial")
    assert (kept.lives, kept.exit_code, kept.settled, kept.reserved) == (2, 0, COST, 0)


@pytest.mark.wire
async def test_the_balance_and_the_live_catalogue_are_one_question_each(desk: Callable[..., Desk]) -> None:
    trial = desk()
    async with serve(trial.simulator) as server:
        settings = replace(trial.settings, base_url=server.base_url)

        assert await balance(settings) == 100_000
        await refresh_models(settings, now_epoch_s=1000.0)

    assert "z-image" in load_catalogue(settings.base_url, now_epoch_s=1001.0).models


async def test_whoever_listens_is_told_that_nothing_more_comes_also_after_a_fault(desk: Callable[..., Desk]) -> None:
    class Deaf(Ears):
        closings = 0

        def changed(self, item: Item, change: Change) -> None:
            raise ValueError("a fault of ours")

        def closed(self) -> None:
            self.closings += 1

    trial = desk()
    ears = trial.ears = Deaf()

    with pytest.raises(ExceptionGroup):
        await trial.run()

    assert (ears.closings, ears.over) == (1, [])


async def test_a_run_without_a_key_leaves_the_ledger_free(desk: Callable[..., Desk]) -> None:
    trial = desk()
    prepared = trial.prepared()
    with pytest.raises(AuthError):
        await run_prepared(prepared, settings=replace(trial.settings, key=None), reporter=trial.ears)

    ledger = open_ledger(trial.settings.store, account="default", base_url=trial.settings.service)
    with pytest.raises(LedgerLocked):
        await run_prepared(prepared, settings=trial.settings, reporter=trial.ears)
    await ledger.close()
