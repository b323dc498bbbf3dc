"""Numbers as people read them, and the few that a run's progress comes down to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.lifecycle import ItemState
from jobs.polling import Noticed
from jobs.wording import count, duration, size
from runner.clock import stamp
from runner.reporter import RunStatistics
from runner.views import RunSummary

__all__ = [
    "Figures",
    "count",
    "credits_line",
    "credits_object",
    "duration",
    "figures",
    "noticed_line",
    "run_object",
    "size",
]

_CREATED = (
    ItemState.ACCEPTED,
    ItemState.SUCCEEDED,
    ItemState.FAILED,
    ItemState.UNCERTAIN,
    ItemState.VANISHED,
    ItemState.STALLED,
)
_FAILED = (ItemState.FAILED, ItemState.REJECTED, ItemState.VANISHED, ItemState.STALLED, ItemState.UNCERTAIN)
_OPEN = (ItemState.PLANNED, ItemState.SUBMITTING, ItemState.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Items of a run in the words of its progress line; `credits` is what was spent and what is held."""

    items: int
    created: int
    finished: int
    failed: int
    open: int
    credits: int
    cap: int | None


def figures(now: RunStatistics) -> Figures:
    """The figures of this moment."""
    return Figures(
        items=now.items,
        created=_sum(now.counts, _CREATED),
        finished=_sum(now.counts, (ItemState.SUCCEEDED,)),
        failed=_sum(now.counts, _FAILED),
        open=_sum(now.counts, _OPEN),
        credits=now.credits.counted,
        cap=now.cap_credits,
    )


def _sum(counts: Mapping[str, int], states: tuple[ItemState, ...]) -> int:
    return sum(counts.get(state, 0) for state in states)


def noticed_line(noticed: Noticed) -> str:
    """How many polls the end of a task took, and how soon it was noticed."""
    return f"{noticed.polls_each:.1f} a task; ends were noticed after {noticed.delay_s:.1f} s on average"


def credits_line(statistics: RunStatistics) -> str:
    """What was spent, what is held, what of it is unknown, and what the cap leaves."""
    money, doubted, cap = statistics.credits, statistics.doubted_credits, statistics.cap_credits
    unknown = f" ({doubted:,} of them in doubt)" if doubted else ""
    left = "" if cap is None else f", {money.left_of(cap):,} of the cap left"
    return f"{money.settled:,} spent, {money.reserved:,} held{unknown}{left}"


def credits_object(statistics: RunStatistics) -> dict[str, object]:
    """The same for programs."""
    money = statistics.credits
    return {
        "settled": money.settled,
        "reserved": money.reserved,
        "doubted": statistics.doubted_credits,
        "cap": statistics.cap_credits,
    }


def run_object(run: RunSummary) -> dict[str, object]:
    """A run as `--json` writes it."""
    return {
        "run": run.run_id,
        "state": run.state,
        "exit_code": run.exit_code,
        "items": run.items,
        "counts": {state.value: number for state, number in run.counts.items()},
        "credits": {
            "settled": run.settled,
            "reserved": run.reserved,
            "uncertain": run.uncertain,
            "cap": run.cap_credits,
        },
        "lives": run.lives,
        "started_at": stamp(run.life.started_at_s),
        "ended_at": None if run.life.ended_at_s is None else stamp(run.life.ended_at_s),
        "manifest": run.manifest_path,
        "dir": run.out_dir,
    }
