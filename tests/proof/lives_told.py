"""What one life is told and what befalls it, and the plan that the runner makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jobs.expand import Expansion
from jobs.item import Item
from jobs.manifest import Manifest, parse
from jobs.plan import Plan, PlannedItem, Standing
from jobs.rates import Rate
from jobs.record import Money
from jobs.yaml12 import load
from runner.models_cache import packaged_catalogue
from runner.prepare import Limits, Prepared
from runner.selection import Choices

__all__ = ["SCOPE", "Ended", "Told", "prepared"]

SCOPE: Final = "lives"
CATALOGUE: Final = packaged_catalogue()
FAST: Final = Rate(count=50, window_s=1.0)
MANIFEST: Final = """
version: 1
name: lives
output: {sidecar: false}
jobs: [{id: job, model: z-image, prompt: a cat}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one life is told, what befalls it, and how it ends before its time."""

    cap: int | None = None
    on_exhausted: str = "stop"
    in_flight: int = 50
    creates: Rate = FAST
    polls: Rate = FAST
    timeout_s: float = 300.0
    resends_max: int | None = None
    resubmit_failed: int = 0
    retry: bool = False
    again: bool = False
    only: int | None = None  # so many of the items are asked for
    lost: int = 0  # so many of them are no longer in the manifest
    judged: bool = False  # at its end all that the ledger tells is looked at
    die_at: int | None = None  # the how-manieth point it passes
    die_at_point: tuple[str, int] | None = None  # a point by its name, and the how-manieth time
    die_at_s: float | None = None
    signals_s: tuple[float, ...] = ()
    sleep: tuple[float, float] | None = None  # at a moment of the life, the machine is suspended for so long
    turn_clock: tuple[float, float] | None = None  # at a moment of the life, the wall clock is set by so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a life ended. `exit_code` None: it died."""

    exit_code: int | None
    took_s: float
    points: int  # places where it could have died


def prepared(items: Sequence[Item], told: Told) -> Prepared:
    """A plan for those of the items that this life knows and is asked for."""
    there = tuple(items[told.lost :])
    asked = there[: told.only]
    plan = Plan(
        run_id=SCOPE,
        items=tuple(PlannedItem(item=item, standing=Standing.NEW, reason="", record=None) for item in asked),
        uploads=(),
        uploads_known=0,
        books=Money(),
        cap_credits=told.cap,
        seconds=0.0,
        missing=0,
        position=0,
    )
    return Prepared(
        path=Path("lives.yaml"),
        manifest=_manifest(told.on_exhausted, told.resends_max, told.resubmit_failed),
        catalogue=CATALOGUE,
        expansion=Expansion(items=there, findings=(), steps={}, edition="", run_id=SCOPE),
        items=asked,
        plan=plan,
        limits=Limits(
            creates=told.creates,
            polls=told.polls,
            uploads=Rate(count=50, window_s=1.0),
            downloads=None,
            in_flight=told.in_flight,
            timeout_s=told.timeout_s,
            first_poll_s=2.0,
            poll_gap_s=1.0,
        ),
        choices=Choices(retry=told.retry, again=told.again),
        digest="0",
        warnings=(),
        texts={},
    )


@cache
def _manifest(on_exhausted: str, resends_max: int | None, resubmit_failed: int) -> Manifest:
    document, _ = load(MANIFEST, "lives.yaml")
    assert document is not None
    manifest, _ = parse(document)
    assert manifest is not None
    return manifest.model_copy(
        update={
            "budget": manifest.budget.model_copy(update={"on_exhausted": on_exhausted}),
            "retries": manifest.retries.model_copy(update={"sends": resends_max, "resubmit_failed": resubmit_failed}),
        }
    )
