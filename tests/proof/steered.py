"""Campaign `steered`: somebody at the controls who turns everything at any moment, through the real engine.

A number is a run of many items at changing prices and in some bad weather; its lives are paused, resumed, stopped and
tuned up and down without sense, and now and then die. The auditor hears of every budget when it becomes durable: each
intent is judged by the budget that held then. Judged beside it: nothing is bought while paused or after a stop, never
more are in flight than allowed, and no minute that ends after a cut of the rate holds more than the lower number.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final

from jobs.polling import PollFloors
from jobs.rates import Rate, parse_rate
from jobs.record import Change
from jobs.steering import Ask, Ceiling, Dial, Value, Verb
from jobs.steps import Notice
from runner.clock import Clock
from runner.control_helm import Helm
from runner.engine import AHEAD_S, Engine
from runner.errors import UsageError
from runner.interruption import Interruption
from tests.proof.audit import ViolationError
from tests.proof.storms_house import SCOPE, START_S, House
from tests.runner.world_items import item

__all__ = ["MUST_MEET", "Steered", "play"]

WINDOW_S: Final = 60.0
LIVES: Final = 3  # with somebody at the controls; then calm ones until everything is bought
CALM_LIVES_MAX: Final = 12
END_S: Final = 900.0  # when the last word of a life is `resume`, so that it can end
MODELS: Final = ("z-image", "grok-imagine", "nano-banana", "seedance-1-5-pro")

# What a campaign must have met, or it proves little.
MUST_MEET: Final = (
    "budget raised while it had ended buying",
    "budget set below what was bought",
    "cuts of the rate",
    "held by a ceiling",
    "intents after a change of the budget",
    "paused",
    "resumed",
    "stopped",
    "died",
)


class Steered(House):
    """One run and the hand at its controls."""

    def __init__(self, number: int) -> None:
        self.dice = random.Random(f"steered {number}")
        dice = self.dice
        wanted = [item(n, dice.choice(MODELS)) for n in range(dice.randrange(10, 60))]
        weather = [
            {"match": {"endpoint": "create", "share": share}, "do": dict(do)}
            for share, do in (
                (0.05, {"code": "rate_limited", "retry_after": 3}),
                (0.05, {"status": 503}),
                (0.03, {"drop": "after_effect"}),
                (0.05, {"fail": "generation_failed"}),
            )
            if dice.random() < 0.5
        ]
        super().__init__(
            wanted,
            seed=number,
            creates=Rate(count=dice.choice((6, 20, 60)), window_s=WINDOW_S),
            polls=Rate(count=600, window_s=WINDOW_S),
            profile={
                "durations": (("*", dice.choice((2.0, 20.0, 90.0))),),
                "create_takes_s": dice.choice((0.0, 0.5, 5.0)),
                "surprise_share": dice.choice((0.0, 0.0, 0.2)),
            },
            faults=weather,
            floors=PollFloors(first_poll_s=2.0, poll_gap_s=2.0),
            on_exhausted=dice.choice(("stop", "skip")),
            resubmit_failed=5,
        )
        self.counts: Counter[str] = Counter()
        self.calm = False
        self._core_budget: int | None = None
        self._limits: dict[Dial, Value] = {}
        self._paused = self._stopped = self._budget_moved = False
        self._since = 0  # the first create of this life, among all that the service saw
        self._engine: Engine | None = None

    # The life

    def filled(self, engine: Engine, clock: Clock) -> None:
        """A life begins: its budget holds now, and its hours at the controls are decided."""
        self.auditor.allowed(SCOPE, self.cap)
        self._engine = engine
        self._paused = self._stopped = self._budget_moved = False
        self._since = len(self.service.sends)
        self._limits = {Dial.CREATES: self._rates[0], Dial.IN_FLIGHT: 10_000}
        if self.calm:
            return
        interruption = Interruption()
        interruption.attach(drain=engine.drain, cut=engine.cut)
        dice = self.dice
        ceilings = {Dial.BUDGET: Ceiling(value=600, origin="a file")} if dice.random() < 0.5 else {}
        helm = Helm(engine, run_id=SCOPE, ceilings=ceilings, interruption=interruption, clock=clock)
        asks = sorted((dice.uniform(0.0, END_S) ** 2 / END_S, self._ask()) for _ in range(dice.randrange(1, 16)))
        for at_s, ask in (*asks, (END_S, Ask(verb=Verb.RESUME))):
            assert self._loop is not None
            self._loop.call_later(at_s, partial(self._say, helm, ask))

    def _ask(self) -> Ask:
        dice = self.dice
        match dice.choices(("tune", "pause", "resume", "stop"), (10, 3, 4, 0.4))[0]:
            case "pause":
                return _Ask(verb=Verb.PAUSE)
            case "resume":
                return _Ask(verb=Verb.RESUME)
            case "stop":
                return _Ask(verb=Verb.STOP, now=dice.random() < 0.3)
        values: dict[Dial, Value] = {
            Dial.CREATES: Rate(count=dice.choice((1, 6, 20, 60, 120)), window_s=WINDOW_S),
            Dial.POLLS: Rate(count=dice.choice((60, 600)), window_s=WINDOW_S),
            Dial.IN_FLIGHT: dice.choice((1, 2, 8, 100)),
            Dial.BUDGET: dice.choice((0, 1, 5, 28, 100, 300, 700, dice.randrange(1000))),
        }
        chosen = dice.sample(list(Dial), dice.randrange(1, 4))
        return _Ask(verb=Verb.TUNE, dials={dial: values[dial] for dial in chosen})

    def _say(self, helm: Helm, ask: Ask) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._heeded(helm, ask))
        task.add_done_callback(lambda done: None if done.cancelled() else done.result())

    async def _heeded(self, helm: Helm, ask: Ask) -> None:
        try:
            await helm.heed(ask, "wanda")
        except UsageError as refusal:
            self.counts["refused while stopping" if refusal.code == "run-ending" else "refused"] += 1

    # What is durable

    def noticed(self, notice: Notice) -> None:
        match notice.name:
            case "tuned":
                self._tuned(notice.data)
            case "paused" if notice.data.get("by"):
                self._paused = True
                self.counts["paused"] += 1
            case "resumed":
                self._paused = False
                self.counts["resumed"] += 1
            case "stopped":
                self._stopped = True
                self.counts["stopped"] += 1
            case "paused" if notice.data["why"] == "budget":
                self._core_budget = self.cap

    def _tuned(self, data: Mapping[str, object]) -> None:
        dial, after = Dial(str(data["dial"])), data["after"]
        self.counts[f"tuned {dial}"] += 1
        self.counts["held by a ceiling"] += data["held_by"] is not None
        if dial is Dial.BUDGET:
            assert isinstance(after, int)
            counted = self.auditor.reserved[SCOPE] + self.auditor.settled[SCOPE]
            before = data["before"]
            self.counts["budget set below what was bought"] += after < counted
            if self._core_budget is not None and isinstance(before, int) and after > before:
                self.counts["budget raised while it had ended buying"] += 1
                self._core_budget = None
            self.auditor.allowed(SCOPE, after)
            self._budget_moved = True
        elif dial is Dial.CREATES:
            rate = parse_rate(str(after))
            assert rate is not None
            before_rate = self._limits[Dial.CREATES]
            assert isinstance(before_rate, Rate)
            self.counts["cuts of the rate"] += rate.count < before_rate.count
            self._limits[dial] = rate
        elif dial is Dial.IN_FLIGHT:
            assert isinstance(after, int)
            self._limits[dial] = after

    def changed(self, change: Change) -> None:
        super().changed(change)
        if change.event.type.value != "intent":
            return
        if self._paused or self._stopped:
            raise self.auditor.fail(f"bought while {'stopped' if self._stopped else 'paused'}")
        self.counts["intents after a change of the budget"] += self._budget_moved
        open_now = sum(p.state in ("submitting", "accepted") for p in self.auditor.latest.values())
        limit = self._limits[Dial.IN_FLIGHT]
        assert isinstance(limit, int)
        if open_now > limit:
            raise self.auditor.fail(f"{open_now} in flight, and {limit} are allowed")
        self._pace()

    def _pace(self) -> None:
        """This purchase is about to leave: with it the last minute holds no more creates than the rate allows now."""
        rate = self._limits[Dial.CREATES]
        assert isinstance(rate, Rate)
        began_s = self.now_s() + AHEAD_S - rate.window_s + 1e-6  # it leaves so much later at most
        sends = self.service.sends
        held = 1
        for n in range(len(sends) - 1, self._since - 1, -1):
            if sends[n].at_s - START_S < began_s:
                break
            held += 1
        if held > rate.count:
            raise self.auditor.fail(f"{held} creates in a minute, and {rate} are allowed")

    # The whole

    def pass_by(self) -> None:
        """Lives with somebody at the controls, then calm ones."""
        for _ in range(LIVES):
            self.cap = self.dice.choice((None, 0, 20, 100, 400))
            die_at_s = self.dice.uniform(0.0, 300.0) if self.dice.random() < 0.3 else None
            life = self.live(die_at_s=die_at_s)
            self.counts["died"] += life.exit_code is None
        self.calm, self.cap = True, None
        for _ in range(CALM_LIVES_MAX):
            self.live()
            if set(self.states) <= {"succeeded", "uncertain", "failed", "rejected"}:
                break
            self.began_s += 120.0
        else:
            raise ViolationError(f"not everything was bought: {dict(self.states)}")
        self.judge()


class _Ask(Ask):
    """Asks that can be sorted beside their moments."""

    __slots__ = ()

    def __lt__(self, _: object) -> bool:
        return False


def play(number: int) -> Mapping[str, int]:
    """One run; raises when anything went out of its limits."""
    run = Steered(number)
    run.pass_by()
    return run.counts
