"""A manifest's run put together: what it buys, saves and tells, in memory or on a loopback port."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.item import Item
from jobs.polling import Polling
from jobs.record import Change
from runner.compose import balance, refresh_models, run_prepared
from runner.ending import TROUBLES_MAX
from runner.errors import AuthError, LedgerLocked
from runner.ledger.opening import open_ledger
from runner.models_cache import load_catalogue
from runner.prepare import prepare
from runner.sim.profile import REVOKED_KEY
from runner.sim.server import serve
from runner.views import run_summary
from tests.runner.media_samples import SAMPLES
from tests.runner.trial import COST, PLAIN, QUICK, Desk, Ears


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


async def test_the_service_s_clock_is_asked_before_anything_is_bought_and_not_when_nothing_is(
    desk: Callable[..., Desk],
) -> None:
    trial = desk()

    await trial.run()
    asked = trial.simulator.stats().requests["credits"]
    await trial.run()

    assert (asked, trial.simulator.stats().requests["credits"]) == (1, 1)


async def test_signals_are_the_process_s_own_again_after_the_run(desk: Callable[..., Desk]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    await desk().run()

    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_refused_key_ends_with_its_own_code(desk: Callable[..., Desk]) -> None:
    outcome = await desk(key=REVOKED_KEY).run()

    assert (outcome.exit_code, set(outcome.pauses), outcome.statistics.credits.settled) == (4, {"auth"}, 0)


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
