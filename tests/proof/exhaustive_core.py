"""Plain objects as values: a twin to try a move on, and a picture that is equal when the future is equal.

Both walk an object by its attributes, so that a new attribute of the core is copied and compared without a word here;
a kind of value that they do not know is an error, not a guess. What has no say in what comes next is named in `_NOISE`.

Clocks of an exploration start at `START_S`, so that a moment can be told from a duration by its size: a picture holds
moments relative to now, and what lies further back than every horizon of the product counts as long ago.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any, TypeVar

from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.polling import Polling
from jobs.record import Record
from jobs.runstate import CoreSettings
from tests.proof.audit import Purchase

__all__ = ["HORIZON_S", "START_S", "picture", "record_picture", "twin"]

START_S = 1e9
HORIZON_S = 3600.0  # the key window is the longest time that the core ever compares with

Thing = TypeVar("Thing")

_PACE = (Limits, Pacer, Polling)
_ATOMS = (int, float, str, bytes, NoneType, Enum, FunctionType, BuiltinFunctionType, tuple, frozenset, *_PACE)

# Attributes that only count, name or tell; constants of an exploration; and ways back to what is walked already.
_NOISE: dict[str, frozenset[str]] = {
    "Core": frozenset({"pacers", "_reasons_told"}),
    "RunState": frozenset({"settings", "items", "polling", "limits"}),
    "Lacking": frozenset({"_state"}),
    "Buying": frozenset({"_state", "_pacer", "_order"}),
    "OpenAttempts": frozenset({"_state", "_resending", "_breaker"}),
    "Watching": frozenset({"_state", "_pacer", "noticed"}),
    "LookingBack": frozenset({"_state", "_order"}),
    "PollQueue": frozenset({"_ready", "_stamp", "_level", "_coming", "_unsure"}),
    "_Place": frozenset({"coming", "ready"}),
    "_Task": frozenset({"polls", "is_scout", "spread"}),
    "Auditor": frozenset({"_where", "_caps", "latest", "reserved", "settled", "_lowered"}),
}


# Twins


def twin(thing: Thing) -> Thing:
    """An independent copy; what cannot change is shared."""
    copied: Thing = _copier_of(type(thing))(thing, {})
    return copied


Copier = Callable[[Any, dict[int, Any]], Any]
_COPIERS: dict[type, Copier] = {}
_SHARED: set[type] = set()  # kinds of values that cannot change


def _copier_of(kind: type) -> Copier:
    copier = _COPIERS.get(kind)
    if copier is None:
        copier = _COPIERS[kind] = _copier(kind)
        if copier is _shared:
            _SHARED.add(kind)
    return copier


def _copier(kind: type) -> Copier:
    if issubclass(kind, _ATOMS) or (is_dataclass(kind) and kind.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        return _shared
    if issubclass(kind, dict):
        return _twin_dict
    if issubclass(kind, list | deque):
        return _twin_row
    if issubclass(kind, set):
        return _twin_set
    assert kind.__module__.startswith(("jobs.", "tests.proof.")), f"how is {kind} copied?"
    return _object_copier(kind)


def _shared(value: Any, _: dict[int, Any]) -> Any:
    return value


def _twin_dict(value: Any, made: dict[int, Any]) -> Any:
    copied = value.copy()
    for key, inner in value.items():
        if type(inner) not in _SHARED:
            copied[key] = _copier_of(type(inner))(inner, made)
    return copied


def _twin_row(value: Any, _: dict[int, Any]) -> Any:
    for inner in value:
        assert type(inner) in _SHARED or _copier_of(type(inner)) is _shared, f"a row of things that change: {value}"
    return value.copy()


def _twin_set(value: Any, _: dict[int, Any]) -> Any:
    return value.copy()


def _object_copier(kind: type) -> Copier:
    slots = _slots(kind)

    def copy_object(value: Any, made: dict[int, Any]) -> Any:
        found = made.get(id(value))
        if found is not None:
            return found
        copied: Any = object.__new__(kind)
        made[id(value)] = copied
        if slots:
            for name in slots:
                inner = getattr(value, name)
                setattr(copied, name, inner if type(inner) in _SHARED else _copier_of(type(inner))(inner, made))
            return copied
        held = copied.__dict__
        held.update(value.__dict__)
        for name, inner in value.__dict__.items():
            if type(inner) not in _SHARED:
                held[name] = _copier_of(type(inner))(inner, made)
        return copied

    return copy_object


def _slots(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) and hasattr(kind, "__slots__") else ()


# Pictures


def picture(value: Any, now_s: float) -> Any:
    """A value made of tuples, texts and numbers: equal pictures have equal futures."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    painter = _PAINTERS.get(kind)
    if painter is None:
        painter = _PAINTERS[kind] = _painter(kind)
    return painter(value, now_s)


Painter = Callable[[Any, float], Any]
_PLAIN = frozenset({int, bool, str, bytes, NoneType})


def _painter(kind: type) -> Painter:
    if issubclass(kind, Enum):
        return lambda value, _: value.value
    if issubclass(kind, tuple | list | deque):
        return _row_picture
    if issubclass(kind, dict):
        return _dict_picture
    if issubclass(kind, set | frozenset):
        return lambda value, _: tuple(sorted(value))
    assert kind.__module__.startswith(("jobs.", "tests.proof.")), f"how does {kind} look?"
    return _object_painter(kind)


def _row_picture(value: Any, now_s: float) -> Any:
    return tuple([picture(inner, now_s) for inner in value])


def _dict_picture(value: Any, now_s: float) -> Any:
    return tuple([(key, picture(value[key], now_s)) for key in sorted(value)]) if value else ()


def _due_picture(value: Any, now_s: float) -> Any:
    return tuple([(max(0.0, due_s - now_s), whose) for due_s, _, whose in sorted(value)])


# Attributes that are looked at in a way of their own.
_SPECIAL: Mapping[tuple[str, str], Painter] = {
    ("RunState", "pauses"): lambda value, _: tuple(sorted(value)),  # why, without the words
    ("ReadyQueue", "_heads"): lambda value, _: tuple(sorted(set(value))),
    # (when due, ordinal, whose): the order of what is due is kept, the ordinals are not
    ("Resending", "_waiting"): _due_picture,
    ("Resending", "_placeless"): _due_picture,
    ("LookingBack", "_heap"): _due_picture,
}


def _object_painter(kind: type) -> Painter:
    noise = _NOISE.get(kind.__name__, frozenset())
    names: list[tuple[str, Painter]] = []

    def paint(value: Any, now_s: float) -> Any:
        if not names:
            told = [name for name in (_slots(kind) or value.__dict__) if name not in noise]
            names.extend((name, _SPECIAL.get((kind.__name__, name), picture)) for name in told)
        return tuple([painter(getattr(value, name), now_s) for name, painter in names])

    return paint


def _number(value: float, now_s: float) -> float:
    if value < START_S / 2 or value == math.inf:
        return value
    return max(round(value - now_s, 3), -HORIZON_S)


def record_picture(record: Record, now_s: float) -> Any:
    """What of an item's record has a say in what comes next."""
    state, attempt = record.state, record.attempt
    if attempt is None:
        return (state.value, record.error_code)
    since_s = None
    if state is ItemState.SUBMITTING:
        since_s = attempt.opened_at_s
    elif state in (ItemState.ACCEPTED, ItemState.VANISHED, ItemState.STALLED):
        since_s = attempt.accepted_at_s
    return (
        state.value,
        record.error_code,
        record.failures,
        (attempt.epoch, attempt.ordinal, attempt.bound, attempt.reserved, attempt.settled, attempt.ambiguous),
        (attempt.task_id, attempt.reserved_credits, attempt.final_credits),
        None if since_s is None else _number(since_s, now_s),
    )


def _purchase_picture(bought: Purchase, _: float) -> Any:
    kept = (bought.state, bought.bound, bought.reserved, bought.settled, bought.in_doubt, bought.task_id)
    matters = bought.state == "submitting" and not bought.in_doubt
    return (*kept, bought.by_a_person, max(0, bought.sends - bought.heard) if matters else 0)


_PAINTERS: dict[type, Painter] = {
    float: _number,
    Counter: lambda value, _: tuple(sorted(value.items())),
    Record: record_picture,
    Purchase: _purchase_picture,
    Item: lambda item, _: item.identity,
    CoreSettings: lambda value, _: None,
    Polling: lambda value, _: None,
}
