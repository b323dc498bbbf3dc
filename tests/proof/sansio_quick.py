"""The campaign `sansio`, with quicker twins of what the product does not write itself: a third more scenarios a minute.

No line of the product's own is replaced. A frozen dataclass forbids assignment even to its generated `__init__`, which
therefore sets each field by a call, and a core makes a hundred values an item. Here a value begins as a draft, an open
class with the same slots; plain assignment fills it, and then it takes its own class, in which it is as frozen as any.
`replace` fills a draft from the value before it, and keys, which depend on their arguments alone, are remembered.

All of this holds for the process that imports this module: that of a campaign, and never that of other tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, replace
from functools import cache
from types import ModuleType
from typing import Any

import jobs.buying
import jobs.record
import tests.proof.sansio
import tests.proof.sansio_life
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

_REPLACED: dict[type, Callable[[Any, Mapping[str, object]], Any]] = {}


def quickened(kind: type) -> None:
    """Give a frozen, slotted, keyword-only dataclass a quick `__init__`, and a quick `replace`."""
    told = fields(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.init and field.kw_only for field in told)
    assert not hasattr(kind, "__post_init__")
    known: dict[str, Any] = {
        "_kind": kind,
        "_draft": type(kind.__name__, (), {"__slots__": tuple(field.name for field in told)}),
        "_new": object.__new__,
        "_put": object.__setattr__,
        "_MISSING": MISSING,
        **{f"_default_{field.name}": field.default for field in told},
        **{f"_make_{field.name}": field.default_factory for field in told},
    }
    exec(_source(told), known)
    kind.__init__ = known["init"]  # type: ignore[misc]
    _REPLACED[kind] = known["replaced"]


def _source(told: tuple[Field[Any], ...]) -> str:
    parameters, filled, copied = [], [], []
    for field in told:
        name, made = field.name, field.default_factory is not MISSING
        parameters.append(name if field.default is MISSING and not made else f"{name}=_default_{name}")
        value = f"_make_{name}() if {name} is _MISSING else {name}" if made else name
        filled.append(f" self.{name} = {value}")
        copied.append(f" made.{name} = old.{name}")
    init = [f"def init(self, *, {', '.join(parameters)}):", " _put(self, '__class__', _draft)", *filled]
    copy = ["def replaced(old, changes):", " made = _new(_draft)", *copied]
    change = [" for name in changes:", "  setattr(made, name, changes[name])"]
    return "\n".join([*init, " self.__class__ = _kind", *copy, *change, " made.__class__ = _kind", " return made"])


def _replaced(value: Any, /, **changes: object) -> Any:
    return _REPLACED[type(value)](value, changes)


def _instead(module: ModuleType, name: str, was: object, now: object) -> None:
    assert vars(module)[name] is was
    vars(module)[name] = now


for _kind in KINDS:
    quickened(_kind)
for _module in (jobs.record, jobs.buying, tests.proof.sansio, tests.proof.sansio_life):
    _instead(_module, "replace", replace, _replaced)
_instead(jobs.buying, "idempotency_key", idempotency_key, cache(idempotency_key))
