"""One pass over the parser's events: values by the core types of YAML 1.2, and what is wrong with them.

Where each value stands is kept beside it. What the parser would accept and a manifest must
not hold (doubled keys, tags, numbers that are not exact, aliases that multiply) is a finding; what would be dangerous
to read on ends the pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import JsonValue
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from jobs.findings import Finding
from jobs.lines import Lines
from jobs.suggest import did_you_mean
from jobs.utf8 import CONTROL
from jobs.yaml_errors import unquoted_template
from jobs.yaml_events import Event, Parser, is_a

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_NODES",
    "MAX_WRITTEN_CHARS",
    "Child",
    "Node",
    "Reader",
    "Span",
    "StopReading",
]

# Values after aliases are written out; 10,000 jobs with params and a matrix have about 300,000.
MAX_NODES: Final = 1_000_000
# Characters after aliases are written out, sixteen times the largest file: every text is looked at wherever it is used.
MAX_WRITTEN_CHARS: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 64  # a manifest is about ten levels deep; what comes after us walks values recursively
MAX_INTEGER: Final = 2**53 - 1  # the largest whole number that every JSON reader, the service's too, holds exactly
MAX_FINDINGS: Final = 200  # past this the file is something else; nobody reads the 201st

_CONSTANTS: dict[str, JsonValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER_DIGITS: Final = 4_000  # Python itself refuses to read longer ones
_TEXT_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS: Final = ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


# Where one value stands: its first character, the one behind its last, and whether it is a list or mapping without
# brackets. Bare tuples of numbers, because the garbage collector forgets those, and there is one for every value.
Span: TypeAlias = tuple[int, int, bool]


@dataclass(slots=True, kw_only=True)
class Node:
    """One list or mapping as it stands in the text; a scalar in it is nothing but its span."""

    span: Span
    value: JsonValue = None
    size: int = 0  # values in it, itself included, aliases written out; 0 while it is being read
    chars: int = 0  # of all texts in it, aliases written out
    height: int = 0  # levels below it, aliases written out
    keys: dict[str, Span] = field(default_factory=dict)
    children: dict[str | int, Child] = field(default_factory=dict)


Child: TypeAlias = Node | Span


class StopReading(Exception):  # noqa: N818 - not an error: the findings say what is wrong
    """Reading on would be dangerous or pointless."""


class Reader:
    """One pass over the parser's events."""

    def __init__(self, parser: Parser, text: str, lines: Lines) -> None:
        self.findings: list[Finding] = []
        self._text = text
        self._lines = lines
        self._parser = parser
        self._anchors: dict[str, tuple[JsonValue, Child]] = {}
        self._nodes = 0
        self._chars = 0

    def document(self) -> tuple[JsonValue, Child]:
        """Return the value of the first document, None when there is none, and where its parts stand."""
        first: tuple[JsonValue, Child] | None = None
        while not is_a(event := self._parser.get_event(), StreamEndEvent):
            if not is_a(event, DocumentStartEvent):
                continue
            if first is not None:
                remedy = "one file is one run: put the second document into a file of its own"
                self._add("several-documents", "a second document starts here", _span(event), remedy)
                break
            first = self._value(self._parser.get_event(), 0)
        return first or (None, (0, 0, False))

    def _value(self, event: Event, depth: int) -> tuple[JsonValue, Child]:
        if is_a(event, AliasEvent):
            return self._alias(event, depth)
        if is_a(event, ScalarEvent):
            self._count(1, len(event.value), event)
            value, span = self._scalar(event), _span(event)
            if event.anchor is not None:
                self._anchor(event.anchor, value, span)
            return value, span
        self._count(1, 0, event)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            self._tag(event, event.tag)
        self._descend(event, depth + 1)
        node, before, chars_before = Node(span=_span(event)), self._nodes, self._chars
        if event.anchor is not None:
            self._anchor(event.anchor, None, node)
        end = self._mapping(node, depth + 1) if is_a(event, MappingStartEvent) else self._list(node, depth + 1)
        node.span = (event.start_mark.index, end.end_mark.index, not event.flow_style)
        node.size, node.chars = 1 + self._nodes - before, self._chars - chars_before
        heights = [child.height for child in node.children.values() if isinstance(child, Node)]
        node.height = 1 + max(heights, default=0)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node.value, node)
        return node.value, node

    def _list(self, node: Node, depth: int) -> Event:
        values: list[JsonValue] = []
        while not is_a(event := self._parser.get_event(), SequenceEndEvent):
            value, node.children[len(values)] = self._value(event, depth)
            values.append(value)
        node.value = values
        return event

    def _mapping(self, node: Node, depth: int) -> Event:
        values: dict[str, JsonValue] = {}
        merged: list[Node] = []
        merge_at: Span | None = None
        while not is_a(event := self._parser.get_event(), MappingEndEvent):
            if is_a(event, ScalarEvent) and event.value == "<<" and not event.style and event.tag is None:
                if merge_at is not None:
                    self._doubled(event, merge_at)
                merge_at = _span(event)
                merged += self._merge(self._value(self._parser.get_event(), depth)[1], merge_at)
                continue
            key = self._key(event, depth)
            value, child = self._value(self._parser.get_event(), depth)
            if key is None:
                continue
            if key in node.keys:
                self._doubled(event, node.keys[key])
                continue
            values[key], node.keys[key], node.children[key] = value, _span(event), child
        node.value = _merged(node, merged, values) if merged else values
        return event

    def _key(self, event: Event, depth: int) -> str | None:
        """Return the text of a key. Any other key is a finding; a scalar one still stands for its text."""
        if is_a(event, ScalarEvent) and event.anchor is None and event.tag is None and _is_surely_text(event):
            if event.style == '"':
                self._check_controls(event)
            return event.value
        value, child = self._value(event, depth)
        span = _of(child)
        if is_a(event, ScalarEvent):
            if not isinstance(value, str):
                shown = event.value or "(nothing)"
                self._add("key-not-text", f"the key `{shown}` is not text", span, f'quote it: `"{event.value}":`')
            return event.value
        if unquoted_template(self._text, span[0]):
            remedy = 'quote the whole text: `"{{ vars.name }}"`'
            around = (span[0] - 1, span[1] + 1, False)
            self._add("unquoted-template", "a text that starts with `{{` is read as a mapping", around, remedy)
        else:
            self._add("key-not-text", "a key must be plain text", span, "write `key: value`, with a text as the key")
        return None

    def _merge(self, source: Child, span: Span) -> list[Node]:
        """Return the mappings a `<<` takes in: one mapping, or a list of them, the first one winning."""
        several = isinstance(source, Node) and isinstance(source.value, list)
        sources = list(source.children.values()) if isinstance(source, Node) and several else [source]
        mappings = [one for one in sources if isinstance(one, Node) and isinstance(one.value, dict)]
        if len(mappings) < len(sources):
            remedy = "give it a mapping that was anchored before, as in `<<: *look`"
            self._add("bad-merge", "`<<` takes in mappings only", span, remedy)
        return mappings

    def _scalar(self, event: Event) -> JsonValue:
        text = event.value
        if event.tag is not None:
            if event.tag not in _TEXT_TAGS:
                self._tag(event, event.tag)
            return text
        if event.style:
            if event.style == '"':
                self._check_controls(event)
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        return self._number(event, text) if text[0] in _NUMBER_STARTS else text

    def _number(self, event: Event, text: str) -> JsonValue:
        if _INTEGER.fullmatch(text):
            return self._integer(event, text, 10)
        if _FLOAT.fullmatch(text):
            number = float(text)
            return number if abs(number) != float("inf") else self._not_finite(event)
        if _OCTAL.fullmatch(text):
            return self._integer(event, text[2:], 8)
        if _HEXADECIMAL.fullmatch(text):
            return self._integer(event, text[2:], 16)
        return self._not_finite(event) if _NOT_FINITE.fullmatch(text) else text

    def _integer(self, event: Event, digits: str, base: int) -> int:
        number = int(digits, base) if len(digits) < _INTEGER_DIGITS else MAX_INTEGER + 1
        if abs(number) <= MAX_INTEGER:
            return number
        message = f"this whole number is beyond {MAX_INTEGER:,}, where numbers stop being exact"
        self._add("integer-too-large", message, _span(event), "if it is an id or a code rather than a number, quote it")
        return 0

    def _not_finite(self, event: Event) -> float:
        remedy = "write a plain number, or quote it if it is text"
        self._add("not-finite", f"`{event.value[:40]}` is not a number that can be sent", _span(event), remedy)
        return 0.0

    def _anchor(self, name: str, value: JsonValue, child: Child) -> None:
        if name in self._anchors:
            span, line = _of(child), self._lines.place(_of(self._anchors[name][1])[0]).line
            remedy = f"first given on line {line}; give each anchor its own name"
            self._add("duplicate-anchor", f"anchor `&{name}` is given twice", span, remedy)
        self._anchors[name] = (value, child)

    def _alias(self, event: Event, depth: int) -> tuple[JsonValue, Child]:
        name, span = event.anchor or "", _span(event)
        if name not in self._anchors:
            otherwise = "an anchor must stand above its alias; a text that starts with `*` needs quotes"
            remedy = did_you_mean(name, self._anchors, otherwise)
            self._add("unknown-alias", f"alias `*{name}` has no anchor", span, remedy)
            return None, span
        value, child = self._anchors[name]
        if isinstance(child, Node):
            if child.size == 0:
                line = self._lines.place(child.span[0]).line
                remedy = f"anchor `&{name}` opens on line {line} and is not closed here"
                self._add("alias-cycle", f"alias `*{name}` stands inside its own anchor", span, remedy)
                raise StopReading
            self._count(child.size, child.chars, event)
            self._descend(event, depth + child.height)
        else:
            self._count(1, len(value) if isinstance(value, str) else 0, event)
        return value, child

    def _descend(self, event: Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            remedy = "a manifest needs about ten levels"
            self._add("too-deep", f"values are nested more than {MAX_DEPTH} levels deep", _span(event), remedy)
            raise StopReading

    def _count(self, size: int, chars: int, event: Event) -> None:
        self._nodes += size
        self._chars += chars
        if self._nodes > MAX_NODES or self._chars > MAX_WRITTEN_CHARS:
            remedy = "aliases multiply what they repeat; put long lists into a data file"
            limit = f"{MAX_NODES:,} values" if self._nodes > MAX_NODES else f"{MAX_WRITTEN_CHARS:,} characters"
            message = f"with its aliases written out the file holds more than {limit}"
            self._add("too-many-values", message, _span(event), remedy)
            raise StopReading

    def _check_controls(self, event: Event) -> None:
        found = CONTROL.search(event.value)
        if found is not None:
            message = f"the escape stands for the control character U+{ord(found[0]):04X}"
            self._add("control-character", message, _span(event), "take it out; only `\\n` and `\\t` may be in a text")

    def _doubled(self, event: Event, first: Span) -> None:
        remedy = f"first given on line {self._lines.place(first[0]).line}"
        self._add("duplicate-key", f"key `{event.value}` is given twice", _span(event), remedy)

    def _tag(self, event: Event, tag: str) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        remedy = "take the tag out; quote a value to make it text"
        self._add("custom-tag", f"the tag `{shown}` is not used in manifests", _span(event), remedy)

    def _add(self, code: str, message: str, span: Span, remedy: str) -> None:
        place = self._lines.place(span[0], span[1])
        self.findings.append(Finding(code=code, message=message, place=place, help=remedy))
        if len(self.findings) >= MAX_FINDINGS:
            raise StopReading


def _merged(node: Node, sources: list[Node], own: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Put the merged keys first, in their own order; the mapping's own values win over them."""
    keys: dict[str, Span] = {}
    children: dict[str | int, Child] = {}
    values: dict[str, JsonValue] = {}
    for source in sources:
        assert isinstance(source.value, dict), "only mappings are merged"
        for name in source.keys:
            if name not in keys:
                keys[name], children[name], values[name] = source.keys[name], source.children[name], source.value[name]
    node.keys, node.children = {**keys, **node.keys}, {**children, **node.children}
    return {**values, **own}


def _span(event: Event) -> Span:
    return event.start_mark.index, event.end_mark.index, False


def _of(child: Child) -> Span:
    return child.span if isinstance(child, Node) else child


def _is_surely_text(event: Event) -> bool:
    return bool(event.style) or (event.value not in _CONSTANTS and event.value[0] not in _NUMBER_STARTS)
