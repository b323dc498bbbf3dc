"""The parser's events as one typed shape: PyYAML's two parsers share no class, and its stubs allow what never comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, cast

import yaml

__all__ = ["PARSERS", "Event", "Mark", "Parser", "is_a"]


class Mark(Protocol):
    """A place in the text: how many characters stand before it."""

    index: int


class Event(Protocol):
    """An event of the parser. What an event of its class does not have must not be asked for.

    `style` is empty or None for a plain scalar, else its quote or block mark; `tag` is None unless one is written.
    """

    start_mark: Mark
    end_mark: Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str | None
    flow_style: bool


class Parser(Protocol):
    """Hands out one event after the other, `StreamEndEvent` last. Raises `yaml.MarkedYAMLError`."""

    def get_event(self) -> Event: ...


_Make: TypeAlias = Callable[[str], Parser]

# The C parser is ten times as fast; where PyYAML was built without it, the other one reads the same.
PARSERS: Final = tuple(
    cast("_Make", getattr(yaml, name)) for name in ("CSafeLoader", "SafeLoader") if hasattr(yaml, name)
)


def is_a(event: Event, kind: type) -> bool:
    return type(event) is kind
