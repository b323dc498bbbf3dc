"""The end of a run in a few lines: what was done, what it cost, what failed, where the files are, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from jobs.escape import for_terminal
from jobs.lifecycle import OPEN, ItemState
from jobs.verdict import Pause
from runner.cli.columns import shortened
from runner.cli.figures import credits_line, credits_object, duration, figures, size
from runner.cli.voice import Voice
from runner.commands import command_line, item_words
from runner.reporter import RunOutcome, Trouble

__all__ = ["done_facts", "tell_summary"]

TROUBLES_SHOWN = 5  # the rest are a `results` away
KEY_CHARS = 60

# What became of a result that is not on disk, in a person's words.
_LACKING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wanted": "not saved yet",
        "partial": "not saved yet, in part",
        "quarantined": "quarantined: damaged, or no media",
        "gone": "gone: paid for, and the service no longer has it",
    }
)


def done_facts(outcome: RunOutcome) -> dict[str, object]:
    """What the last line of `--json` says."""
    return {
        "exit_code": outcome.exit_code,
        "run": outcome.run_id,
        "counts": dict(outcome.statistics.counts),
        "credits": credits_object(outcome.statistics),
        "creates": outcome.creates,
        "done_before": outcome.done_before,
        "downloads": dict(outcome.downloads),
        "pauses": dict(outcome.pauses),
        "seconds": round(outcome.statistics.elapsed_s, 3),
        "dir": outcome.out_dir,
        "interrupted": outcome.interrupted,
    }


def tell_summary(voice: Voice, outcome: RunOutcome, *, command: str, store_flag: Sequence[str] = ()) -> None:
    """Tell how the run ended. `command` is what to type to go on; `store_flag` what looking at it needs."""
    color = "green" if outcome.exit_code == 0 else "yellow"
    voice.talk()
    voice.talk(voice.paint(_headline(outcome), fg=color, bold=True))
    for name, text in _facts(outcome):
        voice.talk(f"  {name:<9} {text}")
    if voice.sim and outcome.statistics.results:
        voice.talk("  note      a rehearsal: clear these files before a run for real saves its own beside them")
    voice.talk(voice.paint("next:", bold=True) + " " + "\n      ".join(_next(outcome, command, store_flag)))


def _headline(outcome: RunOutcome) -> str:
    seen, statistics = figures(outcome.statistics), outcome.statistics
    wanted = seen.items - outcome.done_before
    before = f" ({outcome.done_before:,} more were done before)" if outcome.done_before else ""
    if wanted == 0:
        return f"{for_terminal(outcome.run_id)}  nothing to do{before}"
    done = seen.finished - outcome.done_before
    return f"{for_terminal(outcome.run_id)}  {done:,} of {wanted:,} done in {duration(statistics.elapsed_s)}{before}"


def _facts(outcome: RunOutcome) -> Iterator[tuple[str, str]]:
    yield "credits", credits_line(outcome.statistics)
    for reason in outcome.pauses.values():
        yield "stopped", for_terminal(reason)
    for state in (ItemState.UNCERTAIN, ItemState.VANISHED, ItemState.STALLED, ItemState.FAILED, ItemState.REJECTED):
        yield from _state_lines(outcome, state)
    under_way = sum(outcome.statistics.counts.get(state, 0) for state in OPEN)
    if under_way:
        yield "open", f"{under_way:,} under way, their credits held"
    for state in (ItemState.SKIPPED, ItemState.PLANNED):
        if outcome.statistics.counts.get(state):
            yield state.value, f"{outcome.statistics.counts[state]:,} not bought"
    results = outcome.statistics.results
    if results:
        lacking = "".join(f"; {results[state]:,} {words}" for state, words in _LACKING.items() if results.get(state))
        where = f"{outcome.statistics.saved:,} in {for_terminal(outcome.out_dir)}"
        yield "files", f"{where} ({size(outcome.statistics.saved_bytes)}){lacking}"


def _state_lines(outcome: RunOutcome, state: ItemState) -> Iterator[tuple[str, str]]:
    number = outcome.statistics.counts.get(state, 0)
    if not number:
        return
    shown = [trouble for trouble in outcome.troubles if trouble.state == state][:TROUBLES_SHOWN]
    yield state.value, f"{number:<3,} {_trouble(shown[0])}" if shown else f"{number:,}"
    for trouble in shown[1:]:
        yield "", f"    {_trouble(trouble)}"
    if number > len(shown) > 0:
        yield "", f"    and {number - len(shown):,} more"


def _trouble(trouble: Trouble) -> str:
    word = ": ".join(part for part in (trouble.code, trouble.message) if part)
    ids = [f"task {trouble.task_id}" if trouble.task_id else "", trouble.request_id or ""]
    known = ", ".join(part for part in ids if part)
    return for_terminal(f"{shortened(trouble.key, KEY_CHARS)} {word}" + (f" ({known})" if known else ""))


def _next(outcome: RunOutcome, command: str, store_flag: Sequence[str]) -> Sequence[str]:
    """Commands that make sense now, the most urgent first."""
    counts, run = outcome.statistics.counts, (outcome.run_id, *store_flag)
    lines = []
    if outcome.exit_code == 4:
        lines.append(f"{command}    # with a key that may; nothing is bought twice")
    elif outcome.exit_code in (130, 143, 8, 9) or outcome.interrupted:
        lines.append(f"{command}    # goes on; nothing is bought twice")
    elif outcome.exit_code == 3 and counts.get(ItemState.PLANNED):
        lines.append(f"{command}    # goes on with what was not bought yet")
    if outcome.exit_code == 5:
        short = Pause.CREDITS in outcome.pauses
        lines.append(f"{command}    # {'after a top-up' if short else 'with more budget; the lowest one set counts'}")
    lost = [trouble for trouble in outcome.troubles if trouble.state in (ItemState.VANISHED, ItemState.STALLED)]
    if lost and not lines:
        lines.append(f"{command}    # asks for it again; nothing is bought twice")
    doubtful = [trouble for trouble in outcome.troubles if trouble.state == ItemState.UNCERTAIN]
    lines += _judging(outcome.run_id, doubtful, "--adopt TASK | --assume-not-created | --write-off", store_flag)
    lines += _judging(outcome.run_id, lost, "--write-off    # if it is not worth waiting for", store_flag)
    if counts.get(ItemState.FAILED) or counts.get(ItemState.REJECTED):
        lines.append(command_line("retry", *run, "--failed"))
    return [*lines, command_line("results", *run)]


def _judging(run: str, troubles: Sequence[Trouble], ways: str, store_flag: Sequence[str]) -> Iterator[str]:
    """How the first of the items that wait for a person is looked at and judged."""
    for trouble in troubles[:1]:
        item = item_words(trouble.key, run=run, identity=trouble.identity, is_found_by_key=trouble.wanted)
        yield f"{command_line('show', *item, *store_flag)}    # what is known of it"
        yield f"{command_line('resolve', *item, *store_flag)} {ways}"
