"""A manifest's run after another: stopped by a signal and gone on with, left work taken up, bought again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.core import resume_rank
from jobs.lifecycle import ItemState
from jobs.record import Attempt, Record
from runner.prepare import prepare
from runner.selection import Choices
from tests.runner.trial import PLAIN, QUICK, Desk
from tests.runner.world_items import item


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    monkeypatch.chdir(tmp_path)  # results go below the current folder
    return lambda **named: Desk(folder=tmp_path, **named)


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
