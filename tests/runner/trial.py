"""A manifest on trial: a folder with real files and a real ledger, and a service in memory, over any number of runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.record import Change
from runner.clock import Clock
from runner.compose import Run
from runner.ledger.opening import open_ledger
from runner.prepare import Prepared, prepare
from runner.reporter import Reporter, RunOutcome, RunStarted
from runner.secret import Secret
from runner.selection import Choices
from runner.settings import Settings
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.memory import MemoryDoor
from runner.sim.profile import DEMO_KEY, Profile
from runner.testing import MemoryTransport
from tests.runner.media_samples import SAMPLES

__all__ = [
    "COST",
    "PLAIN",
    "QUICK",
    "Desk",
    "Ears",
]

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
