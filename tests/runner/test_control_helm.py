"""What a live run answers to a person at its controls, through the real engine under virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import pytest

from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.steering import Ask, Ceiling, Dial, Value, Verb
from jobs.verdict import Pause
from runner.clock import Clock
from runner.control_helm import Helm
from runner.engine import Engine
from runner.errors import UsageError
from runner.interruption import Interruption
from tests.proof.storms_house import SCOPE, House
from tests.runner.world import World
from tests.runner.world_items import item, items, picture

Say = Callable[..., Awaitable[Mapping[str, Any]]]


class Steered(House):
    """A run of 40 items at one a second, each a minute of work, and what somebody does meanwhile."""

    def __init__(self, hand: Callable[[Say, Engine], Awaitable[None]], cap: int | None = None) -> None:
        super().__init__(
            items(40),
            seed=1,
            creates=Rate(count=60, window_s=60.0),
            polls=Rate(count=600, window_s=60.0),
            profile={"durations": (("*", 60.0),)},
            floors=PollFloors(first_poll_s=2.0, poll_gap_s=2.0),
        )
        self._hand = hand
        self.cap = cap
        self.interruption = Interruption()
        self.died: list[BaseException] = []

    def filled(self, engine: Engine, clock: Clock) -> None:
        self.interruption.attach(drain=engine.drain, cut=engine.cut)
        helm = Helm(
            engine,
            run_id=SCOPE,
            ceilings={Dial.CREATES: Ceiling(value=Rate(count=90, window_s=60.0), origin="a file")},
            interruption=self.interruption,
            clock=clock,
        )

        async def say(verb: Verb, *, run: str | None = SCOPE, now: bool = False, **dials: Value) -> Mapping[str, Any]:
            turned = {Dial(name): value for name, value in dials.items()}
            return await helm.heed(Ask(verb=verb, run=run, now=now, dials=turned), "wanda")

        assert self._loop is not None
        self.auditor.allowed(SCOPE, None)  # what holds the budget is judged elsewhere: tests/proof/test_steered.py
        self.hand = self._loop.create_task(self._whole(partial(self._hand, say, engine)))

    async def _whole(self, hand: Callable[[], Awaitable[None]]) -> None:
        try:
            await hand()
        except BaseException as problem:
            self.died.append(problem)
            raise

    def passes(self) -> int | None:
        """One life; whatever the hand found wrong is raised."""
        life = self.live()
        assert self.died == []
        assert self.hand.done(), "the run outlived its steering"
        return life.exit_code


def test_status_tells_speed_places_money_and_pauses() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(10.5)
        state = (await say(Verb.STATUS))["state"]
        assert state["limits"] == {"creates": "60/min", "polls": "600/min", "in_flight": 10_000, "budget": 100}
        assert state["creates"] == {"per_min": 60.0, "window_s": 60.0, "in_window": 11, "wait_s": 0.5}
        assert (state["in_flight"], state["credits"]) == (11, {"settled": 0, "reserved": 11})
        assert (state["pauses"], state["stopping"]) == ({}, False)

    assert Steered(hand, cap=100).passes() == 0


def test_a_pause_is_told_once_and_a_resume_of_what_runs_changes_nothing() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(5.5)
        assert (await say(Verb.RESUME))["said"] == ["is not paused"]
        assert (await say(Verb.PAUSE))["said"] == ["paused: nothing new is bought; 6 in flight go on"]
        assert (await say(Verb.PAUSE))["said"] == ["is paused already: wanda paused the run"]
        await asyncio.sleep(1000.0)
        assert engine.core.state.slots == set()
        assert (await say(Verb.RESUME))["said"] == ["resumed"]

    house = Steered(hand)
    assert house.passes() == 0
    assert house.states == {"succeeded": 40}


def test_a_cut_says_how_long_it_takes_until_the_next_create() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(20.5)
        told = await say(Verb.TUNE, creates=Rate(count=10, window_s=60.0), in_flight=4)
        assert told["said"] == [
            "creates 60/min -> 10/min",
            "the next create leaves in 51s",
            "in flight 10,000 -> 4",
            "21 are in flight: nothing new until fewer than 4 are",
        ]
        told = await say(Verb.TUNE, creates=Rate(count=120, window_s=60.0), in_flight=100)
        assert told["said"][0] == "creates 10/min -> 90/min, not 120/min: a file allows no more"
        again = await say(Verb.TUNE, creates=Rate(count=90, window_s=60.0))
        assert again["said"] == ["creates stay at 90/min"]

    house = Steered(hand)
    assert house.passes() == 0
    tuned = [note for note in house.store.notes if note.name == "tuned"]
    assert [note.data["after"] for note in tuned] == ["10/min", 4, "90/min", 100], "what changed nothing is no change"


def test_a_budget_that_ended_buying_can_be_raised_while_the_run_lives() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(20.5)
        told = await say(Verb.TUNE, budget=0)
        assert told["said"][0] == "budget 10 -> 0 credits"
        assert told["said"][1].startswith("10 credits held or spent already: nothing more is bought")
        await asyncio.sleep(1.0)
        assert Pause.BUDGET in engine.core.state.pauses
        with pytest.raises(UsageError, match="for another reason: the next item needs") as refused:
            await say(Verb.RESUME)
        assert "tune --budget" in refused.value.next_step
        await say(Verb.TUNE, budget=40)
        assert engine.core.state.pauses == {}

    house = Steered(hand, cap=10)
    assert house.passes() == 0
    assert house.states == {"succeeded": 40}
    assert house.store.runs[SCOPE].cap_credits == 40


def test_a_run_that_waits_for_a_status_says_that_it_goes_on_by_itself() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(5.5)
        engine.core.state.pause(Pause.POLLS, "no status of a task was answered for 10m")
        with pytest.raises(UsageError, match="no status of a task") as refused:
            await say(Verb.RESUME)
        assert refused.value.next_step == "wait: it goes on by itself with the next status that is answered"

    house = Steered(hand)
    assert house.passes() == 0
    assert house.states == {"succeeded": 40}


def test_stop_is_the_first_signal_and_only_now_the_second() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(5.5)
        assert (await say(Verb.STOP))["said"][0].startswith("is stopping: nothing new is started")
        assert (await say(Verb.STOP))["said"][0].startswith("is stopping already")
        with pytest.raises(UsageError, match="The run is stopping") as refused:
            await say(Verb.PAUSE)
        assert refused.value.code == "run-ending"

    house = Steered(hand)
    house.passes()
    assert house.interruption.signal == 15
    assert house.states == {"accepted": 6, "planned": 34}
    assert [note.name for note in house.store.notes] == ["stopped"]


def test_stop_now_ends_a_paused_run_at_once() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(5.5)
        await say(Verb.PAUSE)
        assert (await say(Verb.STOP, now=True))["said"] == ["ends now; what was bought is in the ledger"]

    house = Steered(hand)
    house.passes()
    assert house.now_s() < 10.0


def test_a_stop_is_done_before_it_is_written_down() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        await asyncio.sleep(5.5)
        stop = asyncio.ensure_future(say(Verb.STOP))
        await asyncio.sleep(0)
        assert engine.core.state.stopping, "a slow disk holds up the note, not the stop"
        await stop

    house = Steered(hand)
    house.passes()
    assert house.states["planned"] == 34


LONGEST_S = 10_000.0  # instead of a test that never ends


def at_the_controls(world: World, asks: Mapping[float, Ask], told: list[str], **life: Any) -> Any:
    """One life of a world with what is said to it, and when; what comes of that is told."""

    def watch(engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        interruption = Interruption()
        interruption.attach(drain=engine.drain, cut=engine.cut)
        clock = Clock(mono_s=loop.time, wall_s=world.now_s)
        helm = Helm(engine, run_id="trial", ceilings={}, interruption=interruption, clock=clock)

        async def hand() -> None:
            for at_s, ask in sorted(asks.items(), key=lambda said: said[0]):
                await asyncio.sleep(at_s - loop.time())
                try:
                    answer: Mapping[str, Any] = await helm.heed(ask, "wanda")
                    told.extend(answer["said"])
                except UsageError as refusal:
                    told.append(f"{refusal.code}: {refusal.message}")

        hands.append(loop.create_task(hand()))
        loop.call_later(LONGEST_S, engine.cut)

    hands: list[asyncio.Task[None]] = []
    return world.live(watch=watch, **life)


@pytest.mark.parametrize("ask", [Ask(verb=Verb.TUNE, dials={Dial.BUDGET: 100}), Ask(verb=Verb.PAUSE)])
def test_a_run_that_only_waits_for_its_last_upload_is_not_woken_again_into_a_life_without_workers(ask: Ask) -> None:
    """Its budget had ended buying, so those who create had gone; a higher one let it wait for them for ever."""
    world = World([item(0), item(1, "nano-banana", references=[picture("slow")]), item(2)])
    told: list[str] = []

    life = at_the_controls(world, {50.0: ask}, told, cap=1, delay_s=lambda name: 200.0 if "files" in name else 0.0)

    assert told == ["run-ending: The run can do nothing more and is ending. Nothing was changed."]
    assert (life.exit_code, life.pauses.keys()) == (5, {"budget"})
    assert life.took_s < 500.0
    assert world.live(cap=100).exit_code == 0, "the same command goes on"
    world.check_all_bought_once()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_said_and_whenever_a_run_with_slow_uploads_comes_to_an_end(seed: int) -> None:
    dice = random.Random(seed)
    shared = [picture(f"shared {n}") for n in range(4)]
    world = World(
        item(n, "nano-banana", references=dice.sample(shared, 1)) if dice.random() < 0.5 else item(n)
        for n in range(dice.randrange(3, 20))
    )
    words = (
        lambda: Ask(verb=Verb.PAUSE),
        lambda: Ask(verb=Verb.RESUME),
        lambda: Ask(verb=Verb.TUNE, dials={Dial.BUDGET: dice.choice((0, 1, 5, 30))}),
        lambda: Ask(verb=Verb.TUNE, dials={Dial.IN_FLIGHT: dice.choice((1, 50))}),
    )
    asks = {dice.uniform(0.0, dice.choice((10.0, 250.0))): dice.choice(words)() for _ in range(dice.randrange(1, 9))}
    told: list[str] = []
    life = at_the_controls(
        world,
        {**asks, 300.0: Ask(verb=Verb.RESUME)},
        told,
        cap=dice.choice((None, 0, 3, 10)),
        on_exhausted=dice.choice(("stop", "skip")),
        delay_s=lambda name: 100.0 if "files" in name else 0.01,
    )

    assert life.took_s < LONGEST_S, told
    assert world.live(cap=None).exit_code == 0
    world.check_all_bought_once()


def test_the_ledger_never_holds_a_purchase_that_its_own_budget_does_not_cover() -> None:
    """A raised budget is there with its note: intents that use it come after both."""
    world, told = World(items(40)), list[str]()
    seen: list[tuple[int, int | None]] = []

    def look(number: int, moment: str) -> None:
        if moment == "after" and world.store.notes:
            books, run = world.store.books["trial"], world.store.runs["trial"]
            seen.append((books.reserved + books.settled, run.cap_credits))

    second = Rate(count=5, window_s=1.0)
    tune = Ask(verb=Verb.TUNE, dials={Dial.BUDGET: 40, Dial.CREATES: Rate(count=500, window_s=1.0)})
    life = at_the_controls(world, {1.0: tune}, told, cap=10, creates=second, faults=look)

    assert life.exit_code == 0
    assert seen
    assert all(cap == 40 for _, cap in seen)
    assert all(counted <= 40 for counted, _ in seen)


def test_a_word_to_another_run_is_refused() -> None:
    async def hand(say: Say, engine: Engine) -> None:
        with pytest.raises(UsageError, match="The run that is alive here is long, not tuesday") as refused:
            await say(Verb.PAUSE, run="tuesday")
        assert refused.value.code == "run-not-alive"
        assert (await say(Verb.STATUS, run=None))["run"] == SCOPE

    assert Steered(hand).passes() == 0
