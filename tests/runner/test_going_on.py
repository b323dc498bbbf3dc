"""A run that goes on with an unchanged manifest takes its items from the ledger: the same ones, as they stand."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import pytest

from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.plan import Plan, Standing
from jobs.record import Record
from runner import matching, prepare
from runner.ledger import writing
from runner.prepare import Prepared
from runner.selection import Choices
from tests.runner.trial import Desk


@pytest.fixture
async def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A run that was stopped: some of it is done, some under way, some not bought yet."""
    monkeypatch.chdir(tmp_path)
    desk = Desk(folder=tmp_path, limits="creates: 10/s, polls: 50/s", profile={"durations": (("*", 60.0),)})
    desk.ears.signals_at, desk.ears.signals = 4, [(0.0, signal.SIGINT)]
    assert (await desk.run()).exit_code == 130
    return desk


def expanded_anew(trial: Desk, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """The same, as if the ledger had been told something else before."""
    with monkeypatch.context() as here:
        here.setattr(prepare, "VERSION", "another release")
        found = trial.prepared()
    assert found.admitted is None
    return found


def bare(items: Sequence[Item]) -> list[Item]:
    return [replace(item, place=None) for item in items]


def told(plan: Plan) -> dict[str, object]:
    return {name: value for name, value in asdict(plan).items() if name != "items"}


async def test_its_items_and_its_plan_are_those_of_an_expansion(trial: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    anew, going_on = expanded_anew(trial, monkeypatch), trial.prepared()

    assert going_on.admitted is not None
    assert list(going_on.items) == bare(anew.items)
    assert list(going_on.expansion.items) == list(anew.expansion.items)
    assert going_on.expansion.steps == anew.expansion.steps
    assert told(going_on.plan) == told(anew.plan)
    assert [replace(one, item=anew.items[n]) for n, one in enumerate(going_on.plan.items)] == list(anew.plan.items)
    assert 0 < going_on.plan.count(Standing.NEW) < len(going_on.items)


async def test_what_is_made_of_the_ledger_is_frozen_and_whole(trial: Desk) -> None:
    wanted = trial.prepared().admitted
    assert wanted is not None

    assert not any(hasattr(made, "__post_init__") for made in (Item, Record)), "it would not be run"
    for item, record in wanted:
        assert (type(item), type(record)) == (Item, Record)
        assert (replace(item), replace(record)) == (item, record)  # every field of it is there
        with pytest.raises(FrozenInstanceError):
            item.identity = "another"  # type: ignore[misc]
        with pytest.raises(FrozenInstanceError):
            record.state = ItemState.SUCCEEDED  # type: ignore[misc]


async def test_it_comes_to_its_end_as_any_other(trial: Desk) -> None:
    prepared = trial.prepared()
    outcome = await trial.run(prepared)

    assert prepared.admitted is not None
    assert (outcome.exit_code, trial.simulator.stats().tasks, trial.simulator.stats().duplicate_tasks) == (0, 6, 0)
    assert len([name for name in trial.files if name.endswith(".png")]) == 6


async def test_what_happened_between_plan_and_run_counts(trial: Desk) -> None:
    prepared = trial.prepared()
    assert (await trial.run()).exit_code == 0
    again = await trial.run(prepared)

    assert (again.exit_code, again.creates, trial.simulator.stats().tasks) == (0, 0, 6)


async def test_its_items_are_not_written_again(trial: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_want", lambda *_, **__: pytest.fail("they are wanted already"))

    assert (await trial.run()).exit_code == 0


CHANGES: dict[str, Callable[[Desk], object]] = {
    "another release": lambda _: None,
    "a word of the manifest": lambda desk: desk.write().write_text(desk.write().read_text().replace("cat", "dog")),
    "a reference": lambda desk: (desk.folder / "shoe.png").write_bytes((desk.folder / "shoe.png").read_bytes() + b" "),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_whatever_may_change_an_item_has_all_of_them_made_anew(
    trial: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = trial.write()
    CHANGES[name](trial)
    if name == "another release":
        monkeypatch.setattr(prepare, "VERSION", name)

    found = prepare.prepare(path, settings=trial.settings, choices=trial.choices)

    assert found.admitted is None
    assert len(found.items) == 6


@pytest.mark.parametrize(
    "choices",
    [
        Choices(select=("*red",)),
        Choices(exclude=("*red",)),
        Choices(limit=2),
        Choices(again=True),
        Choices(retry=True),
    ],
)
async def test_who_asks_for_some_of_it_gets_an_expansion(trial: Desk, choices: Choices) -> None:
    trial.choices = choices

    assert trial.prepared().admitted is None


async def test_another_manifest_in_between_has_its_items_written_again(trial: Desk) -> None:
    prepared = trial.prepared()
    assert prepared.admitted is not None
    text = trial.write().read_text()
    trial.write().write_text(text.replace("[red, green,", "[red,"))
    other = prepare.prepare(trial.folder / "trial.yaml", settings=trial.settings, choices=trial.choices)
    assert (len(other.items), other.plan.missing) == (5, 1)
    await trial.run(other)

    outcome = await trial.run(prepared)

    assert (outcome.exit_code, dict(outcome.statistics.counts)) == (0, {"succeeded": 6})
    assert trial.prepared().admitted is not None


async def test_the_day_counts_only_where_something_may_read_it(trial: Desk) -> None:
    tomorrow = replace(trial.choices, date="2099-01-01")
    path = trial.write()

    assert prepare.prepare(path, settings=trial.settings, choices=tomorrow).admitted is not None
    path.write_text(path.read_text().replace("a shoe", "a shoe of {{ run.date }}"))
    dated = prepare.prepare(path, settings=trial.settings, choices=trial.choices)
    await trial.run(dated)
    assert prepare.prepare(path, settings=trial.settings, choices=trial.choices).admitted is not None
    assert prepare.prepare(path, settings=trial.settings, choices=tomorrow).admitted is None


async def test_a_large_plan_is_explained_when_somebody_asks(trial: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    small = trial.prepared().plan
    monkeypatch.setattr(matching, "EXPLAINED_MAX", 3)
    large = trial.prepared().plan

    assert not isinstance(large.items, tuple)
    assert list(large.items) == list(small.items)
    assert told(large) == told(small)
