"""Campaign `lives`: the real engine on a real ledger, dying anywhere, in all weathers.

A number stands for one small world: its items, which faults are on and how often they strike, the service's open
questions, the lives and how each ends, and what happens between them. After some lives the weather clears, a person
says what became of the items in doubt, and then every item must have come to an end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

from jobs.answers import TaskSeen
from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.rates import Rate
from jobs.record import Record
from jobs.resolving import Said, Word, resolved
from runner.sim.task import status_at
from tests.proof.lives_house import House
from tests.proof.lives_told import SCOPE, Ended, Told
from tests.proof.lives_weather import FAULTS, MONEY_BENDING, WIRE, drawn_faults, drawn_profile, name_of
from tests.runner.world_items import item, picture

__all__ = ["MUST_MEET", "Scenario", "play"]

# From the end of the faults to the end of every item.
LIVENESS_S = 30 * 60.0

# After this a key is too old to be tried.
KEY_FORGOTTEN_S = 3700.0

STORMY_CODES = frozenset({0, 3, 4, 5, 7, 8, 130})
DOUBTFUL = frozenset({ItemState.UNCERTAIN, ItemState.VANISHED, ItemState.STALLED})
ENDED = frozenset({ItemState.SUCCEEDED, ItemState.FAILED, ItemState.REJECTED})

# Points that a life may be made to die at by name; a number alone would seldom meet the rare ones.
NAMED_POINTS = (
    "commit.begin",
    "plan.in_commit",
    "upload.after_response",
    "intent.in_commit",
    "intent.after_commit",
    "create.leaves",
    "create.answered",
    "accept.in_commit",
    "accept.after_commit",
    "poll.leaves",
    "poll.answered",
    "terminal.in_commit",
    "settle.after_commit",
    "result.leaves",
    "result.answered",
    "artifact.in_commit",
    "commit.before",
    "commit.after",
    "end_life.before",
    "end_life.after",
)

# Ways a life may end before its time, as often as they stand here.
ENDINGS = (*("point",) * 8, *("named",) * 5, *("time",) * 3, "signal", "signals", *("none",) * 3)

# Whom a fault of each endpoint can strike; a task's item is nearly always accepted when it is asked for.
_STRUCK = {"create": ("clear", "in doubt"), "poll": ("accepted",), "upload": ("asked",), "result": ("asked",)}

# What a whole campaign must have met, each often enough.
MUST_MEET = (
    *(f"{name_of(at, do)} x {whom}" for at, do in FAULTS for whom in _STRUCK[at]),
    *(f"wire: {what}" for what in WIRE),
    *(f"died at {point}" for point in NAMED_POINTS),
    *(f"exit code {code}" for code in sorted(STORMY_CODES)),
    *(f"uncertain: {why}" for why in ("clock", "conflict", "old", "sends")),
    *(f"a person said {word} of uncertain" for word in ("adopt", "assume-not-created", "write-off")),
    "died some time",
    "signal heard",
    "ledger lost",
    "ledger restored",
    "budget changed",
    "clock turned between lives",
    "create under way alone",
    "wallet agreed",
)


def play(number: int) -> Mapping[str, int]:
    """One scenario; what it met."""
    return Scenario(number).play()


class Scenario:
    """One world with its lives, all drawn from its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dice = dice = random.Random(number)
        faults, profile = drawn_faults(dice), drawn_profile(dice)
        if profile.get("tasks_at_once") is not None:  # a stuck task would hold its place, and the run with it, for ever
            faults = [(at, do, share) for at, do, share in faults if "stuck" not in do]
            profile.pop("stuck_share", None)
        wire = {name: dice.choice((0.2, 0.5)) for name in WIRE if dice.random() < 0.15}
        self.exact = not any(name_of(at, do).partition(" ")[2] in MONEY_BENDING for at, do, _ in faults)
        self.exact = self.exact and profile.get("refund", "immediate") == "immediate"
        self.cap = dice.choice((None, 1000, 6, 2))
        self.house = House(
            self._wanted(),
            seed=number,
            faults=faults,
            profile={"durations": (("*", dice.choice((2.0, 2.0, 2.0, 2.0, 8.0, 20.0))),), **profile},
            wire=wire,
            lag_s=dice.choice((0.0, 0.05, 2.0)),
        )

    def _wanted(self) -> list[Item]:
        dice, shoe = self.dice, picture("shoe")
        return [
            item(n, "nano-banana", references=[shoe, picture(f"sole {n % 2}")][: dice.randint(1, 2)])
            if dice.random() < 0.2
            else item(n)
            for n in range(dice.choice((1,) * 10 + (2,) * 6 + (3, 3, 4)))
        ]

    def play(self) -> Counter[str]:
        """To the end, or to the first thing that must never happen."""
        random.seed(self.number)  # the free repetitions of `stamina` draw their jitter from here
        with _quiet_retries(), self.house as house:
            for _ in range(self.dice.choice((1,) * 14 + (2,) * 5 + (3,))):
                self._stormy_life()
                self._between()
            house.heal()
            self._end_of_all()
            return house.counts

    @property
    def digest(self) -> str:
        """Tells two stories apart."""
        return self.house.judge.digest

    # The storm

    def _stormy_life(self) -> None:
        dice = self.dice
        sleep = self._meddling(0.06, (100.0, 3_700.0, 72 * 3600.0))
        turn = self._meddling(0.06, (-4000.0, -60.0, 60.0, 4000.0, -400 * 86_400.0, 400 * 86_400.0))
        told = Told(
            cap=self.cap,
            on_exhausted=dice.choice(("stop", "skip")),
            in_flight=dice.choice((1, 2, 50)),
            creates=dice.choice((Rate(count=50, window_s=1.0), Rate(count=3, window_s=5.0))),
            polls=dice.choice((Rate(count=50, window_s=1.0), Rate(count=2, window_s=1.0))),
            resends_max=dice.choice((0, 2, None, None)),
            resubmit_failed=dice.choice((0, 0, 2)),
            retry=dice.random() < 0.1,
            again=dice.random() < 0.07,
            only=dice.choice((None, None, None, 1)),
            lost=dice.choice((0, 0, 0, 0, 1)) if len(self.house.items) > 1 else 0,
            sleep=sleep,
            turn_clock=None if sleep else turn,  # one that slept and is set back by as much has nothing to know it by
        )
        ended = self.house.live(replace(told, **self._ending()))
        if ended.exit_code is not None and ended.exit_code not in STORMY_CODES:
            raise self.house.fail(f"a life in a storm ended with {ended.exit_code}")

    def _meddling(self, share: float, amounts: tuple[float, ...]) -> tuple[float, float] | None:
        dice = self.dice
        return (dice.uniform(0.0, 20.0), dice.choice(amounts)) if dice.random() < share else None

    def _ending(self) -> dict[str, Any]:
        dice = self.dice
        match dice.choice(ENDINGS):
            case "point":
                return {"die_at": dice.randint(3, 90)}
            case "named":
                return {"die_at_point": (dice.choice(NAMED_POINTS), dice.randint(1, 3))}
            case "time":
                return {"die_at_s": dice.uniform(0.0, dice.choice((1.0, 10.0, 60.0)))}
            case "signal":
                return {"signals_s": (dice.uniform(0.0, 20.0),)}
            case "signals":
                first_s = dice.uniform(0.0, 20.0)
                return {"signals_s": (first_s, first_s + dice.choice((0.0, 0.3, 5.0)))}
        return {}

    def _between(self) -> None:
        """From one life to the next: time passes, and people and disks do what they do."""
        house, dice = self.house, self.dice
        house.pass_time(dice.choice((0.0, 0.0, 0.0, 0.0, 5.0, 60.0, 1800.0, 4000.0)))
        if dice.random() < 0.05:
            house.clocks.turn(dice.choice((-4000.0, -30.0, 30.0, 4000.0)))
            house.counts["clock turned between lives"] += 1
        if dice.random() < 0.15:
            self.cap = dice.choice((None, 1000, 6, 2, 0))
            house.counts["budget changed"] += 1
        drawn = dice.random()
        if drawn < 0.04:
            house.lose_ledger()
            self.exact = False
        elif drawn < 0.07:
            self._keep_a_copy()
        elif drawn < 0.13:
            self._person()

    def _keep_a_copy(self) -> None:
        """The ledger is restored from a copy that one more life made old."""
        copy = self.house.copy_ledger()
        if copy is None:  # the process died before it had one
            return
        self._stormy_life()
        self.house.pass_time(0.0)
        self.house.restore_ledger(copy)
        self.exact = False

    # A person

    def _person(self) -> None:
        """Says, truly, what became of the items in doubt."""
        changes = []
        house = self.house
        for record in house.records.values():
            if record.state in DOUBTFUL:
                said = self._word(record)
                if said is not None:
                    changes.append(resolved(record, said, at_s=house.clocks.wall_s()))
                    house.counts[f"a person said {said.word.value} of {record.state.value}"] += 1
                    self.exact &= said.word is not Word.WRITE_OFF
        if changes:
            house.write_down(changes)

    def _word(self, record: Record) -> Said | None:
        assert record.attempt is not None
        house, key = self.house, record.attempt.key
        if record.state is not ItemState.UNCERTAIN or self.dice.random() < 0.2:
            return Said(word=Word.WRITE_OFF, by="a person")
        made = [task for task in house.service.tasks if task.key == key]
        if made:
            status = status_at(made[0], house.clocks.now_s(), house.service.profile) or "queued"
            seen = TaskSeen(id=made[0].id, status=status, reserved_credits=made[0].reserved)
            return Said(word=Word.ADOPT, by="a person", task=seen)
        if house.wire.under_way.has(key):
            return None  # nobody could say so truly
        return Said(word=Word.ASSUME_NOT_CREATED, by="a person")

    # The end

    def _end_of_all(self) -> None:
        """Fine weather: first by itself, then with a person's word, then what failed once more."""
        house = self.house
        self._calm(Told(resubmit_failed=self.dice.choice((0, 0, 1))))
        house.pass_time(200.0)  # whatever is still under way arrives
        states = self._states()
        if ItemState.SUBMITTING in states:  # the service repeats an error to its key for as long as it knows that
            house.pass_time(KEY_FORGOTTEN_S)
            self._calm(Told())
            states = self._states()
        if states & DOUBTFUL:
            self._person()
            self._calm(Told())
            states = self._states()
        if not states <= {ItemState.SUCCEEDED}:
            self._calm(Told(retry=True))
            states = self._states()
        if states & DOUBTFUL:  # what was bought anew may be found stuck anew
            self._person()
            self._calm(Told())
            states = self._states()
        if not states <= ENDED:
            raise house.fail(f"at the end there are {sorted(states)}")
        house.auditor.finished()
        if self.exact:
            self._judge_wallet()

    def _calm(self, told: Told) -> Ended:
        ended = self.house.live(replace(told, judged=True))
        if ended.took_s > LIVENESS_S:
            raise self.house.fail(f"it took {ended.took_s:.0f} s after the last fault")
        codes = self._codes()
        if ended.exit_code not in codes:
            raise self.house.fail(f"a calm life ended with {ended.exit_code}, and its items with {codes}")
        return ended

    def _codes(self) -> tuple[int, ...]:
        """What a life in fine weather must end with, one of these."""
        states, records = self._states(), self.house.records.values()
        if states & DOUBTFUL:
            return (7,)
        if ItemState.SUBMITTING in states and "5xx" in self.house.service.profile.remembers:
            return (5, 8)  # it may repeat for as long as it knows the key that the account is empty, with a 5xx
        if any(one.state is ItemState.FAILED and one.error_code == "insufficient_credits" for one in records):
            return (5,)  # a task, and not its create, was told so
        got = all(artifact.state not in ("gone", "quarantined") for one in records for artifact in one.artifacts)
        return (0,) if states == {ItemState.SUCCEEDED} and got else (3,)

    def _states(self) -> set[ItemState]:
        return {record.state for record in self.house.records.values()}

    def _judge_wallet(self) -> None:
        """The service's own figures, where nothing kept them from us."""
        stats = self.house.service.stats()
        settled = self.house.auditor.settled[SCOPE]
        self.house.counts["wallet agreed"] += 1
        if (stats.charged_total, stats.held_total) != (settled, 0):
            raise self.house.fail(f"the wallet says {stats.charged_total} + {stats.held_total}, the books {settled}")


@contextmanager
def _quiet_retries() -> Iterator[None]:
    """Free repetitions are not logged: that would be a third of the time."""
    hooks = get_on_retry_hooks()
    set_on_retry_hooks([])
    try:
        yield
    finally:
        set_on_retry_hooks(hooks)
