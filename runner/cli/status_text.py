"""How a run stands, in words: from the ledger, and from the run itself while it lives."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jobs.escape import for_terminal
from jobs.lifecycle import ItemState
from jobs.rates import Rate, parse_rate
from jobs.steering import steering_words
from jobs.steps import Notice
from runner.cli.controls import ended_words
from runner.cli.figures import duration, run_object
from runner.cli.notices import told
from runner.clock import stamp
from runner.commands import command_line
from runner.control_call import NobodyThere, ask_run
from runner.errors import UsageError
from runner.ledger import Note
from runner.ledger.store import Store, local_place
from runner.views import InFlight, RunSummary, notes, run_summary, slowest

__all__ = ["Standing", "facts", "headline", "note_line", "one_line", "standing", "standing_object"]

NOTES_SHOWN: Final = 6  # the latest; `status --json` has all

# A wait for the next create that does not explain itself by the rate.
WAIT_WORTH_TELLING_S: Final = 5.0

_WINDOWS: Final = {1.0: "second", 60.0: "minute", 3600.0: "hour"}

# Notes that a person who looks at a run wants to see, besides steering.
_WORTH_SHOWING: Final = frozenset({"paused", "places", "price", "rate", "resumed", "shut"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run at one moment. `live` is what the run itself says (`runner.control_helm`); None when nobody answers."""

    run: RunSummary
    slowest: Sequence[InFlight]
    notes: Sequence[Note]
    live: Mapping[str, Any] | None
    at_s: float
    silence: str | None = None  # why a run that lives did not answer, where that is worth a word


def standing(store: Store, run_id: str) -> Standing:
    """Look at the ledger, and ask the run if it is alive."""
    run = run_summary(store, run_id)
    live = silence = None
    if run.state == "alive":
        try:
            live = ask_run(local_place(store), {"do": "status", "run": run_id})["state"]
        except NobodyThere:
            pass  # it is just beginning or ending; the ledger has the rest
        except UsageError as problem:
            silence = problem.message
    return Standing(
        run=run,
        slowest=slowest(store, run_id),
        notes=notes(store, run_id),
        live=live,
        at_s=time.time(),
        silence=silence,
    )


def standing_object(now: Standing) -> dict[str, object]:
    """The same for programs."""
    waiting = [
        {"item": one.item, "state": one.state, "seconds": round(now.at_s - one.since_s), "task_id": one.task_id}
        for one in now.slowest
    ]
    steering = [
        {"at": stamp(note.at_s), "name": note.name, **note.data}
        for note in now.notes
        if steering_words(note.name, note.data) is not None
    ]
    return {**run_object(now.run), "slowest": waiting, "steering": steering, "live": now.live}


def headline(now: Standing) -> str:
    """The run and what it is at."""
    run, life = now.run, now.run.life
    if run.state != "alive":
        return f"{for_terminal(run.run_id)}  {ended_words(run, now.at_s).removeprefix('it ')}"
    doing = "running"
    if now.live is not None and now.live["stopping"]:
        doing = "stopping"
    elif now.live is not None and "person" in now.live["pauses"]:
        doing = "paused"
    since = duration(now.at_s - life.started_at_s)
    verb = "running for" if doing == "running" else f"{doing}, begun {since} ago"
    return f"{for_terminal(run.run_id)}  {f'{verb} {since}' if doing == 'running' else verb}, {_where(run)}"


def _where(run: RunSummary) -> str:
    return f"pid {run.life.pid} on {for_terminal(run.life.host)}"


def facts(now: Standing, *, flags: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Lines with a name each; an empty name goes on with the one before."""
    run = now.run
    counts = ", ".join(f"{run.counts[state]:,} {state.value}" for state in ItemState if run.counts.get(state))
    yield "items", f"{run.items:,}: {counts}" if counts else "none"
    cap = "no cap" if run.cap_credits is None else f"cap {run.cap_credits:,}"
    doubt = f" ({run.uncertain:,} of them in doubt)" if run.uncertain else ""
    yield "credits", f"{run.settled:,} spent, {run.reserved:,} held{doubt}, {cap}"
    if now.live is not None:
        yield "speed", _speed(now.live)
        for why, reason in now.live["pauses"].items():
            way = f"; `{command_line('resume', run.run_id, *flags)}` goes on" if why == "person" else ""
            yield "paused", for_terminal(f"{reason}{way}")
    elif now.silence is not None:
        yield "silent", for_terminal(f"{now.silence} This is what the ledger has.")
    lines = [line for line in (note_line(note) for note in now.notes) if line]
    for n, line in enumerate(lines[-NOTES_SHOWN:]):
        yield ("" if n else "changes"), line
    yield "manifest", for_terminal(run.manifest_path)
    yield "results", for_terminal(run.out_dir)
    for n, one in enumerate(now.slowest):
        yield ("" if n else "slowest"), _waiting(one, now.at_s)


def one_line(now: Standing) -> str:
    """The figures that move, for a log."""
    run = now.run
    made = sum(run.counts.get(state, 0) for state in (ItemState.SUBMITTING, ItemState.ACCEPTED))
    failed = sum(run.counts.get(state, 0) for state in (ItemState.FAILED, ItemState.REJECTED))
    cap = "" if run.cap_credits is None else f"/{run.cap_credits}"
    text = (
        f"done {run.counts.get(ItemState.SUCCEEDED, 0)}/{run.items} in flight {made} failed {failed} "
        f"credits {run.settled + run.reserved}{cap}"
    )
    if now.live is not None:
        text += f" creates {_rate(now.live, 'creates')}"
        text += " paused" if now.live["pauses"] else ""
        text += " stopping" if now.live["stopping"] else ""
    return f"{_clock(now.at_s)} {text}"


def note_line(note: Note) -> str:
    """What happened to the run as a whole, with its time; empty for what only programs want to know."""
    steered = steering_words(note.name, note.data)
    if steered is None and note.name not in _WORTH_SHOWING:
        return ""
    line = told(Notice(name=note.name, data=note.data)) if steered is None else for_terminal(steered)
    return f"{_clock(note.at_s)} {line}" if line else ""


def _speed(live: Mapping[str, Any]) -> str:
    creates = live["creates"]
    window = _WINDOWS.get(creates["window_s"], duration(creates["window_s"]))
    wait_s = creates["wait_s"] if not live["pauses"] else 0.0
    then = f", the next in {duration(wait_s)}" if wait_s is not None and wait_s >= WAIT_WORTH_TELLING_S else ""
    texts = [f"creates {_rate(live, 'creates')} ({creates['in_window']} in the last {window}{then})"]
    texts.append(f"polls {_rate(live, 'polls')}")
    texts.append(f"{live['in_flight']} of {live['limits']['in_flight']} in flight")
    found = live.get("found") or {}
    if found.get("in_flight") is not None:
        texts.append(f"the service runs {found['in_flight']} at once")
    if found.get("calls_per_min") is not None:
        texts.append(f"all calls share {found['calls_per_min']:.3g}/min")
    return ", ".join(texts)


def _rate(live: Mapping[str, Any], name: str) -> str:
    """The limit, and the speed below it that the service's refusals have left."""
    limit, per_min = str(live["limits"][name]), float(live[name]["per_min"])
    rate = parse_rate(limit) or Rate(count=1, window_s=60.0)
    return limit if per_min >= rate.per_second * 60 - 0.01 else f"{per_min:.3g}/min of {limit}"


def _waiting(one: InFlight, now_s: float) -> str:
    task = f", task {one.task_id}" if one.task_id else ""
    sends = f", {one.sends} sends" if one.sends > 1 else ""
    return for_terminal(f"{one.item}  {one.state.value} for {duration(now_s - one.since_s)}{task}{sends}")


def _clock(at_s: float) -> str:
    """The time of day here; with the day when it was another."""
    there, now = datetime.fromtimestamp(at_s, UTC).astimezone(), datetime.now(UTC).astimezone()
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S}"
