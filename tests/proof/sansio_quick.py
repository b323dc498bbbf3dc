"""The campaign `sansio`, with quicker twins of what the product does not write itself: a third more scenarios a minute.

No line of the product's own is replaced. A frozen dataclass forbids assignment even to its generated `__init__`, which
therefore sets each field by a call, and a core makes a hundred values an item. Here a value begins as a draft, an open
class with the same slots; plain assignment fills it, and then it takes its own class, in which it is as frozen as any.
A function does that, under the name of the class, in the modules that only make values of it. `replace` fills a draft
from the value before it, and keys, which depend on their arguments alone, are remembered.

All of this holds for the process that imports this module: that of a campaign, and never that of other tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, replace
from functools import cache
from types import ModuleType
from typing import Any

import jobs.budget
import jobs.buying
import jobs.core
import jobs.intent
import jobs.looking_back
import jobs.open_attempts
import jobs.polling
import jobs.ready
import jobs.record
import jobs.runstate
import jobs.steps
import jobs.verdict
import jobs.watching
import tests.proof.sansio
import tests.proof.sansio_life
import tests.proof.sansio_service
from jobs.answers import ErrorSeen, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.identity import idempotency_key
from jobs.polling import Noticed
from jobs.ready import Pick
from jobs.record import Artifact, Attempt, Change, Event, Money, Record
from jobs.runstate import CoreSettings
from jobs.steps import Download, Notice, Poll, Send, Step, Wait
from jobs.verdict import Follow, SendPolicy, Verdict
from tests.proof.sansio import play

__all__ = ["KINDS", "play", "quickened"]

KINDS: tuple[type, ...] = (
    *(Artifact, Attempt, Change, Event, Money, Record),
    *(Books, CoreSettings, Pick, SendPolicy),
    *(Download, Notice, Poll, Send, Step, Wait),
    *(ErrorSeen, Follow, Noticed, SendEnd, TaskSeen, Verdict),
)

# Where they are made, and nobody asks whether a value is of their kind.
_MAKERS: tuple[ModuleType, ...] = (
    *(jobs.budget, jobs.buying, jobs.core, jobs.looking_back, jobs.open_attempts, jobs.polling, jobs.ready),
    *(jobs.record, jobs.runstate, jobs.steps, jobs.verdict, jobs.watching),
    *(tests.proof.sansio, tests.proof.sansio_service),
)
_REPLACED: dict[type, Callable[[Any, Mapping[str, object]], Any]] = {}


def quickened(kind: type) -> Callable[..., Any]:
    """How to make a value of a frozen, slotted, keyword-only dataclass quickly. `replace` knows it, too."""
    told = fields(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.init and field.kw_only for field in told)
    assert not hasattr(kind, "__post_init__")
    known: dict[str, Any] = {
        "_kind": kind,
        "_draft": type(kind.__name__, (), {"__slots__": tuple(field.name for field in told)}),
        "_new": object.__new__,
        "_MISSING": MISSING,
        **{f"_default_{field.name}": field.default for field in told},
        **{f"_make_{field.name}": field.default_factory for field in told},
    }
    exec(_source(told), known)
    _REPLACED[kind] = known["replaced"]
    quick: Callable[..., Any] = known["quick"]
    return quick


def _source(told: tuple[Field[Any], ...]) -> str:
    parameters, filled, copied = [], [], []
    for field in told:
        name, made = field.name, field.default_factory is not MISSING
        parameters.append(name if field.default is MISSING and not made else f"{name}=_default_{name}")
        value = f"_make_{name}() if {name} is _MISSING else {name}" if made else name
        filled.append(f" made.{name} = {value}")
        copied.append(f" made.{name} = old.{name}")
    done = [" made.__class__ = _kind", " return made"]
    make = [f"def quick(*, {', '.join(parameters)}):", " made = _new(_draft)", *filled, *done]
    copy = ["def replaced(old, changes):", " made = _new(_draft)", *copied]
    change = [" for name in changes:", "  setattr(made, name, changes[name])"]
    return "\n".join([*make, *copy, *change, *done])


def _replaced(value: Any, /, **changes: object) -> Any:
    return _REPLACED[type(value)](value, changes)


def _instead(module: ModuleType, name: str, was: object, now: object) -> None:
    assert vars(module)[name] is was
    vars(module)[name] = now


for _kind in KINDS:
    _quick = quickened(_kind)
    for _module in _MAKERS:
        if _kind.__name__ in vars(_module):
            _instead(_module, _kind.__name__, _kind, _quick)
for _module in (jobs.record, jobs.buying, tests.proof.sansio, tests.proof.sansio_life):
    _instead(_module, "replace", replace, _replaced)
_instead(tests.proof.sansio_life, "Books", Books, jobs.budget.Books)
_instead(jobs.intent, "idempotency_key", idempotency_key, cache(idempotency_key))
