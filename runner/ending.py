"""How a life of a run ended: its exit code, the items to be told of, and the budget that would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from typing import Final

from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.outcome import exit_code, interrupted_code
from runner.engine import Engine
from runner.places import place_from_here
from runner.prepare import Prepared
from runner.reporter import RunOutcome, Trouble

__all__ = ["TROUBLES_MAX", "outcome_of"]

# Items of one state that the summary is told of; the rest are a `results` away. Each state has its own, so that many
# failures do not hide the one item that waits for a person.
TROUBLES_MAX: Final = 20


def outcome_of(
    engine: Engine, prepared: Prepared, *, done_before: int, lost: Container[str], interrupted: int | None
) -> RunOutcome:
    """What became of the run in this life; `interrupted` is the signal that ended it."""
    state = engine.core.state
    code = exit_code(
        state.records.values(),
        pauses=state.pauses,
        left=engine.counts.downloads["left"],
        keep=state.settings.save_results,
    )
    if interrupted is not None and code != 9:
        code = interrupted_code(interrupted)
    return RunOutcome(
        run_id=prepared.plan.run_id,
        exit_code=code,
        statistics=engine.statistics(),
        done_before=done_before,
        creates=engine.counts.creates,
        downloads=Counter(engine.counts.downloads),
        pauses={why.value: reason for why, reason in state.pauses.items()},
        troubles=tuple(_troubles(engine.core, lost)),
        out_dir=place_from_here(prepared.place),
        interrupted=interrupted,
        noticed=engine.core.watching.noticed,
        enough_credits=_enough_credits(engine.core),
    )


def _enough_credits(core: Core) -> int | None:
    """The cap under which what the budget left out could be bought, by prices as they are known now."""
    state = core.state
    left = [state.items[identity] for identity in state.unfunded]
    if not left or any(item.credits is None and item.price_class not in state.prices for item in left):
        return None
    return state.books.money.counted + sum(core.buying.bound(item) for item in left)


def _troubles(core: Core, lost: Container[str]) -> Iterator[Trouble]:
    fine = (ItemState.SUCCEEDED, ItemState.PLANNED, ItemState.SKIPPED)
    told = Counter[ItemState]()
    for identity, record in core.state.records.items():
        if record.state not in fine and told[record.state] < TROUBLES_MAX:
            told[record.state] += 1
            yield Trouble(
                key=core.state.items[identity].key,
                identity=identity,
                wanted=identity not in lost,
                state=record.state.value,
                code=record.error_code,
                message=record.error_message,
                task_id=record.attempt.task_id if record.attempt else None,
                request_id=record.request_id,
            )
