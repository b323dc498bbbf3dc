"""The end of a run in a few lines: what was done, what it cost, what failed, where the files are, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from jobs.escape import for_terminal
from jobs.lifecycle import OPEN, ItemState
from jobs.notification import News, verdict_line
from runner.cli.columns import shortened
from runner.cli.figures import credits_line, credits_object, duration, figures, noticed_line, size
from runner.cli.voice import Voice
from runner.notify import news_of
from runner.onward import Onward
from runner.reporter import RunOutcome, Trouble

__all__ = ["done_facts", "tell_summary", "tell_verdict"]

TROUBLES_SHOWN = 5  # the rest are a `results` away
KEY_CHARS = 60

# The gravest first.
TROUBLE_STATES: Final = (
    ItemState.UNCERTAIN,
    ItemState.VANISHED,
    ItemState.STALLED,
    ItemState.FAILED,
    ItemState.REJECTED,
)

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
        "polls": {
            "ends": outcome.noticed.ends,
            "per_task": round(outcome.noticed.polls_each, 2),
            "delay_s": round(outcome.noticed.delay_s, 3),
        },
        "pauses": dict(outcome.pauses),
        "seconds": round(outcome.statistics.elapsed_s, 3),
        "dir": outcome.out_dir,
        "interrupted": outcome.interrupted,
    }


def tell_summary(voice: Voice, outcome: RunOutcome, *, onward: Onward) -> None:
    """Tell a person at a screen how the run ended, and what to do now."""
    color = "green" if outcome.exit_code == 0 else "yellow"
    voice.talk()
    voice.talk(voice.paint(_headline(outcome), fg=color, bold=True))
    for name, text in _facts(outcome):
        voice.talk(f"  {name:<9} {text}")
    if voice.sim and outcome.statistics.results:
        voice.talk("  note      a rehearsal: clear these files before a run for real saves its own beside them")
    voice.talk(voice.paint("next:", bold=True) + " " + "\n      ".join(map(str, onward.after(outcome))))


def tell_verdict(voice: Voice, outcome: RunOutcome, *, onward: Onward) -> None:
    """Tell a log or a mail: what went wrong with which items, and last, everything in one line.

    With `-q` that line alone, and only when there was trouble: cron mails nothing after a good night.
    """
    advice = onward.after(outcome)
    for name, text in _trouble_facts(outcome):
        voice.talk(f"  {name:<9} {text}")
    for other in advice[1:-1]:  # the last is where the results are
        voice.talk(f"  {'or':<9} {other}")
    line = verdict_line(
        news_of(
            News(run=outcome.run_id, edition="", exit_code=outcome.exit_code, rehearsal=voice.sim),
            outcome.statistics,
            done_before=outcome.done_before,
            reason=next(iter(outcome.pauses.values()), ""),
            next_command=str(advice[0]),
        )
    )
    if outcome.exit_code:
        voice.alert(line)
    else:
        voice.talk(line)


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
    yield from _trouble_facts(outcome)
    under_way = sum(outcome.statistics.counts.get(state, 0) for state in OPEN)
    if under_way:
        yield "open", f"{under_way:,} under way, their credits held"
    for state in (ItemState.SKIPPED, ItemState.PLANNED):
        if outcome.statistics.counts.get(state):
            yield state.value, f"{outcome.statistics.counts[state]:,} not bought"
    if outcome.noticed.ends:
        yield "polls", noticed_line(outcome.noticed)
    results = outcome.statistics.results
    if results:
        where = f"{outcome.statistics.saved:,} in {for_terminal(outcome.out_dir)}"
        yield "files", f"{where} ({size(outcome.statistics.saved_bytes)})"


def _trouble_facts(outcome: RunOutcome) -> Iterator[tuple[str, str]]:
    for reason in outcome.pauses.values():
        yield "stopped", for_terminal(reason)
    for state in TROUBLE_STATES:
        yield from _state_lines(outcome, state)
    lacking = [(outcome.statistics.results.get(state, 0), words) for state, words in _LACKING.items()]
    if any(number for number, _ in lacking):
        yield "missing", "; ".join(f"{number:,} {words}" for number, words in lacking if number)


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
