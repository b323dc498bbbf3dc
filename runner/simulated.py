"""The simulator inside one command: `--sim`. It listens on loopback, needs no key, and spends nothing.

Its memory is a journal beside the ledger, so that a run that was killed goes on with the tasks it had bought.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec

from runner.ledger.store import local_place
from runner.secret import Secret
from runner.settings import SIM_SPEED, Settings
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.media import Fidelity
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.server import serve

__all__ = ["draws", "simulated"]

SIM_SEED = 1

# Rates are what the manifest and the flags say; the service's own are unknown, so the rehearsal sets none.
_PROFILE = Profile(windows=())


def draws() -> bool:
    """Whether results are real clips with their prompt in them, or one tiny constant file of each kind."""
    return find_spec("av") is not None and find_spec("PIL") is not None


@asynccontextmanager
async def simulated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings that lead to a simulator of this process, for as long as the block lasts."""
    simulator = Simulator(_PROFILE, packaged_catalogue(), seed=SIM_SEED)
    beside = local_place(settings.store)
    beside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the first here makes it, for its owner alone
    journal = beside.with_name(f"{beside.stem}-simulator.jsonl")
    fidelity: Fidelity = "real" if draws() else "fast"
    async with serve(simulator, speed=SIM_SPEED, journal=journal, fidelity=fidelity) as server:
        yield replace(settings, base_url=server.base_url, key=Secret(DEMO_KEY))
