"""What to type next: commands that make sense after a run, the most urgent first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from jobs.lifecycle import ItemState
from jobs.steering import Dial
from jobs.verdict import Pause
from runner.commands import command_line, item_words
from runner.prepare import Prepared
from runner.reporter import RunOutcome, Trouble
from runner.settings import Settings

__all__ = ["Advice", "Onward", "Purse", "day_of"]

# How a template names the day, also as `run['date']`.
_NAMES_THE_DAY: Final = re.compile(r"\brun\s*(?:\.\s*date\b|\[)")


class Advice(NamedTuple):
    """One command, and why one would type it."""

    command: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.command}    # {self.why}" if self.why else self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """The budgets that a run heeds the lowest of."""

    command: str  # goes on with the run, without `--budget`
    flag: int | None = None  # what `--budget` said
    others: Mapping[str, int] = field(default_factory=dict)  # what else sets one, in words -> credits

    @classmethod
    def of(cls, prepared: Prepared, settings: Settings, *, command: str, flag: int | None = None) -> Purse:
        """The budgets of a run that was prepared with these settings."""
        others = {}
        if prepared.manifest.budget.credits is not None:
            others[f"`budget.credits` in {prepared.path.name}"] = prepared.manifest.budget.credits
        ceiling = settings.ceilings.get(Dial.BUDGET)
        if ceiling is not None:
            assert isinstance(ceiling.value, int), "credits are counted"
            others[f"budget of {ceiling.origin}"] = ceiling.value
        return cls(command=command, flag=flag, others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """What the commands after one run have in common."""

    command: str  # goes on with the run
    purse: Purse | None = None  # who said what the run may cost; None where nobody knows
    store_flag: Sequence[str] = ()  # what looking at it needs
    day: str | None = None  # the run is of this day, and another one without it

    def after(self, outcome: RunOutcome) -> list[Advice]:
        """Commands that make sense now; there is always one."""
        counts, run = outcome.statistics.counts, (outcome.run_id, *self.store_flag)
        told = list(self._again(outcome))
        lost = [trouble for trouble in outcome.troubles if trouble.state in (ItemState.VANISHED, ItemState.STALLED)]
        if lost and not told:
            told.append(Advice(self.command, "asks for it again; nothing is bought twice"))
        doubtful = [trouble for trouble in outcome.troubles if trouble.state == ItemState.UNCERTAIN]
        told += self._judging(outcome.run_id, doubtful, " --adopt TASK | --assume-not-created | --write-off", "")
        told += self._judging(outcome.run_id, lost, " --write-off", "if it is not worth waiting for")
        if counts.get(ItemState.FAILED) or counts.get(ItemState.REJECTED):
            day = () if self.day is None else ("--date", self.day)
            told.append(Advice(command_line("retry", *run, "--failed", *day)))
        return [*told, Advice(command_line("results", *run))]

    def _again(self, outcome: RunOutcome) -> Iterator[Advice]:
        """The same command, where it would do something."""
        code = outcome.exit_code
        if code == 4:
            yield Advice(self.command, "with a key that may; nothing is bought twice")
        elif code in (130, 143, 8, 9) or outcome.interrupted:
            yield Advice(self.command, "goes on; nothing is bought twice")
        elif code == 3 and outcome.statistics.counts.get(ItemState.PLANNED):
            yield Advice(self.command, "goes on with what was not bought yet")
        if code == 5 and Pause.CREDITS in outcome.pauses:
            yield Advice(self.command, "after a top-up")
        elif code == 5:
            yield self._richer(outcome)

    def _richer(self, outcome: RunOutcome) -> Advice:
        """The command that would buy what the budget left out: the same one alone would buy nothing."""
        enough, purse, cap = outcome.enough_credits, self.purse, outcome.statistics.cap_credits
        if enough is None or purse is None or cap is None or enough <= cap:
            return Advice(self.command, "with more budget; the lowest one set counts")
        lower = [origin for origin, credits_ in purse.others.items() if credits_ < enough]
        why = f"with {enough:,} or more as {' and '.join(lower)}" if lower else "for all that is left"
        stays = purse.others if purse.flag is None else purse.flag >= enough
        return Advice(self.command if stays else f"{purse.command} --budget {enough}", why)

    def _judging(self, run: str, troubles: Sequence[Trouble], ways: str, why: str) -> Iterator[Advice]:
        """How the first of the items that wait for a person is looked at and judged."""
        for trouble in troubles[:1]:
            item = item_words(trouble.key, run=run, identity=trouble.identity, is_found_by_key=trouble.wanted)
            yield Advice(command_line("show", *item, *self.store_flag), "what is known of it")
            yield Advice(command_line("resolve", *item, *self.store_flag) + ways, why)


def day_of(prepared: Prepared) -> str | None:
    """The day that the run is of, if what it makes depends on the day: tomorrow the same command means another run."""
    named = any(_NAMES_THE_DAY.search(text) for text in prepared.texts.values())
    return prepared.choices.date if named else None
