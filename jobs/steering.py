"""Steering a live run: what a person may ask of it from another shell, what comes of that, and the words for both.

A run may be told to stop, to pause, to resume, and to turn one of four dials: `creates`, `polls`, `in_flight` and
`budget`. A dial replaces what the manifest and the run's own flags said, for the rest of this life; the next life plans
with what it finds. It never goes past what the environment and the settings files allow: budgets and rates are the
smallest of every layer, and nobody at the controls may raise another's cap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from jobs.manifest import MAX_CREDITS, MAX_IN_FLIGHT
from jobs.rates import MAX_PER_SECOND, Rate, parse_rate
from jobs.record import Money
from jobs.steps import Notice
from jobs.wording import count, listed

__all__ = [
    "DIALS",
    "STEERING_NOTES",
    "VERSION",
    "Ask",
    "Ceiling",
    "Dial",
    "Misunderstood",
    "Turned",
    "Value",
    "Verb",
    "held_words",
    "read_ask",
    "read_dial",
    "steering_words",
    "turned",
]

VERSION: Final = 1  # of what is said over the control socket

Value = int | Rate


class Verb(StrEnum):
    """What may be asked of a live run."""

    STATUS = "status"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    TUNE = "tune"


class Dial(StrEnum):
    """What `tune` may turn."""

    CREATES = "creates"
    POLLS = "polls"
    IN_FLIGHT = "in_flight"
    BUDGET = "budget"


# dial -> what it takes, in a person's words
DIALS: Final[Mapping[Dial, str]] = MappingProxyType(
    {
        Dial.CREATES: f"a rate such as `30/min`, from 1/h to {MAX_PER_SECOND:,}/s",
        Dial.POLLS: f"a rate such as `5/s`, from 1/h to {MAX_PER_SECOND:,}/s",
        Dial.IN_FLIGHT: f"a whole number of tasks, 1 to {MAX_IN_FLIGHT:,}",
        Dial.BUDGET: f"a whole number of credits, 0 to {MAX_CREDITS:,}",
    }
)
_LEAST: Final = {Dial.IN_FLIGHT: 1, Dial.BUDGET: 0}
_MOST: Final = {Dial.IN_FLIGHT: MAX_IN_FLIGHT, Dial.BUDGET: MAX_CREDITS}

# What a run notes of a person's steering.
STEERING_NOTES: Final = frozenset({"paused", "resumed", "tuned", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `run` None means whatever runs there; `now` belongs to `stop`, `dials` to `tune`."""

    verb: Verb
    run: str | None = None
    now: bool = False
    dials: Mapping[Dial, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """Why something asked for cannot be meant: whole words, and what to do instead."""

    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What a layer outside the manifest and the flags allows at most, and which layer that is."""

    value: Value
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What became of one dial. `held_by` names the layer that allows no more, where that changed the outcome."""

    dial: Dial
    before: Value | None  # None: there was no limit
    asked: Value
    after: Value
    held_by: str | None = None

    @property
    def words(self) -> str:
        """Such as `creates 60/min -> 30/min`."""
        return _turned_words(self.dial, _said(self.before), _said(self.asked), _said(self.after), self.held_by)

    @property
    def facts(self) -> dict[str, object]:
        """As JSON tells it."""
        values = {"before": self.before, "asked": self.asked, "after": self.after}
        plain = {name: _plain(value) for name, value in values.items()}
        return {"dial": self.dial.value, **plain, "held_by": self.held_by}

    def note(self, by: str) -> Notice:
        """For the ledger and everybody who watches."""
        return Notice(name="tuned", data={**self.facts, "by": by})


def read_dial(dial: Dial, given: object) -> Value | Misunderstood:
    """A dial's value as a flag or a message gives it."""
    if dial in (Dial.CREATES, Dial.POLLS):
        rate = parse_rate(given) if isinstance(given, str) else None
        return rate or _no_value(dial, given)
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= len(str(MAX_CREDITS)):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not _LEAST[dial] <= given <= _MOST[dial]:
        return _no_value(dial, given)
    return given


def _no_value(dial: Dial, given: object) -> Misunderstood:
    said = given if isinstance(given, str | int) and not isinstance(given, bool) else type(given).__name__
    flag = "--" + dial.value.replace("_", "-")
    return Misunderstood(f"{flag} {str(said)[:40]} is not {DIALS[dial]}. Nothing was changed.", f"correct {flag}")


_KEYS: Final = frozenset({"v", "do", "run", "now", *Dial})


def read_ask(message: object) -> Ask | Misunderstood:
    """One message of the control socket. Strict: what is not understood whole is not done in part."""
    if not isinstance(message, dict) or message.get("v") != VERSION:
        return Misunderstood(
            f"This run speaks version {VERSION} of the control protocol, and the request is another's.",
            "use the same release of rivya-batch in both shells",
        )
    unknown = sorted(str(key)[:40] for key in message.keys() - _KEYS)
    named, run, now = message.get("do"), message.get("run"), message.get("now", False)
    verb = Verb(named) if isinstance(named, str) and named in set(Verb) else None
    if unknown or verb is None or not isinstance(run, str | None) or not isinstance(now, bool):
        wrong = f"`{unknown[0]}` means nothing" if unknown else "The request means nothing"
        return Misunderstood(f"{wrong} to this run; it understands {listed(list(Verb))}.", "correct the request")
    given = {dial: read_dial(dial, message[dial]) for dial in Dial if dial in message}
    dials = {dial: value for dial, value in given.items() if not isinstance(value, Misunderstood)}
    for value in given.values():
        if isinstance(value, Misunderstood):
            return value
    if bool(dials) != (verb is Verb.TUNE) or (now and verb is not Verb.STOP):
        takes = f"at least one of {listed(list(Dial))}" if verb is Verb.TUNE else "nothing of the kind"
        return Misunderstood(f"`{verb}` takes {takes}.", "see `rivya-batch tune --help`")
    return Ask(verb=verb, run=run, now=now, dials=dials)


def turned(dial: Dial, *, before: Value | None, asked: Value, ceiling: Ceiling | None) -> Turned:
    """What a dial is set to: what was asked for, or what the other layers allow, whichever is smaller."""
    if ceiling is None or _size(asked) <= _size(ceiling.value):
        return Turned(dial=dial, before=before, asked=asked, after=asked)
    return Turned(dial=dial, before=before, asked=asked, after=ceiling.value, held_by=ceiling.origin)


def _size(value: Value) -> float:
    return value.per_second if isinstance(value, Rate) else value


def held_words(*, cap: int, money: Money) -> str | None:
    """What a budget below what is already bought means; None where there is room."""
    counted = money.counted
    if cap > counted:
        return None
    then = "nothing more is bought, and the run ends when what was bought is finished"
    if cap == counted:
        return f"all {count(cap, 'credit')} of the budget are held or spent: {then}"
    return f"{count(counted, 'credit')} held or spent already: {then}"


def steering_words(name: str, data: Mapping[str, object]) -> str | None:
    """A note in words, with who did it; None for one that is no person's steering."""
    by = data.get("by")
    if name not in STEERING_NOTES or not by:
        return None
    match name:
        case "tuned":
            dial, asked, held_by = Dial(str(data["dial"])), data.get("asked"), data.get("held_by")
            what = _turned_words(
                dial,
                _spelt(data.get("before")),
                _spelt(asked),
                _spelt(data.get("after")),
                None if held_by is None else str(held_by),
            )
        case "paused":
            what = "paused: nothing new is bought"
        case "resumed":
            what = "resumed"
        case _:
            what = "stopped at once" if data.get("now") else "stopped: nothing new is started"
    return f"{by}: {what}"


def _turned_words(dial: Dial, before: str, asked: str, after: str, held_by: str | None) -> str:
    name, unit = dial.value.replace("_", " "), ""
    if dial is Dial.BUDGET:
        unit = " credit" if after == "1" else " credits"
    change = f"{name} stays at {after}{unit}" if before == after else f"{name} {before} -> {after}{unit}"
    if dial in (Dial.CREATES, Dial.POLLS):
        change = change.replace(" stays ", " stay ")
    return change if held_by is None else f"{change}, not {asked}: {held_by} allows no more"


def _said(value: Value | None) -> str:
    return _spelt(_plain(value))


def _plain(value: Value | None) -> str | int | None:
    return str(value) if isinstance(value, Rate) else value


def _spelt(value: object) -> str:
    if value is None:
        return "no limit"
    return f"{value:,}" if isinstance(value, int) else str(value)
