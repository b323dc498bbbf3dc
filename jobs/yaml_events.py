"""The parser's events as one typed shape: PyYAML's two parsers share no class, and its stubs allow what never comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, cast

import yaml
from yaml.events import MappingStartEvent, SequenceStartEvent

from jobs.findings import Place

__all__ = ["PARSERS", "Event", "Mark", "Parser", "is_a", "is_collection", "place_of"]


class Mark(Protocol):
    """A place in the text, counted from 0; `index` counts characters from its start."""

    line: int
    column: int
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


def is_collection(event: Event) -> bool:
    return is_a(event, MappingStartEvent) or is_a(event, SequenceStartEvent)


def place_of(event: Event, file: str, text: str, path: str = "") -> Place:
    start, end = event.start_mark, event.end_mark
    column = start.column + 1
    if is_collection(event) or end.line != start.line:
        # What goes on is marked to the end of its first line.
        newline = text.find("\n", start.index)
        first_line = text[start.index : newline if newline >= 0 else len(text)]
        end_column = column + len(first_line.split(" #")[0].rstrip())
    else:
        end_column = end.column + 1
    return Place(file=file, line=start.line + 1, column=column, end_column=max(end_column, column + 1), path=path)
