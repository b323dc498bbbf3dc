"""One pass over the parser's events: values by the core types of YAML 1.2, and what is wrong with them.

The events of every value are kept, because their marks are its place. What the parser would accept and a manifest must
not hold (doubled keys, tags, numbers that are not exact, aliases that multiply) is a finding; what would be dangerous
to read on ends the pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from jobs.findings import Finding
from jobs.suggest import did_you_mean
from jobs.yaml_errors import unquoted_template
from jobs.yaml_events import Event, Parser, is_a, place_of

__all__ = ["CONTROL", "MAX_DEPTH", "MAX_INTEGER", "MAX_NODES", "Node", "Reader", "StopReading"]

# Values after aliases are written out; 10,000 jobs with params and a matrix have about 300,000.
MAX_NODES: Final = 1_000_000
MAX_DEPTH: Final = 64  # a manifest is about ten levels deep; what comes after us walks values recursively
MAX_INTEGER: Final = 2**53 - 1  # the largest whole number that every JSON reader, the service's too, holds exactly
MAX_FINDINGS: Final = 200  # past this the file is something else; nobody reads the 201st

# What no text may hold; NEL (85) is a line break.
CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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


@dataclass(slots=True, kw_only=True)
class Node:
    """One value as it stands in the text. `keys` and `children` are filled for mappings, `children` for lists."""

    start: Event
    value: JsonValue = None
    size: int = 1  # values in it, itself included, aliases written out; 0 while it is being read
    keys: dict[str, Event] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)


class StopReading(Exception):  # noqa: N818 - not an error: the findings say what is wrong
    """Reading on would be dangerous or pointless."""


class Reader:
    """One pass over the parser's events."""

    def __init__(self, parser: Parser, file: str, text: str) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._text = text
        self._parser = parser
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        root = None
        while not is_a(event := self._next(), StreamEndEvent):
            if not is_a(event, DocumentStartEvent):
                continue
            if root is not None:
                remedy = "one file is one run: put the second document into a file of its own"
                self._add("several-documents", "a second document starts here", event, remedy)
                break
            first = self._next()
            root = self._node(first, 0)
        nothing = root is None or (root.value is None and is_a(root.start, ScalarEvent))
        return None if nothing else root

    def _next(self) -> Event:
        return self._parser.get_event()

    def _node(self, event: Event, depth: int) -> Node:
        if is_a(event, AliasEvent):
            return self._alias(event)
        node = Node(start=event)
        if event.anchor is not None:
            self._anchor(event.anchor, event, node)
        self._count(1, event)
        if is_a(event, ScalarEvent):
            node.value = self._scalar(event)
            return node
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            self._tag(event, event.tag)
        if depth >= MAX_DEPTH:
            remedy = "a manifest needs about ten levels"
            self._add("too-deep", f"values are nested more than {MAX_DEPTH} levels deep", event, remedy)
            raise StopReading
        node.size, before = 0, self._nodes
        if is_a(event, MappingStartEvent):
            self._mapping(node, depth + 1)
        else:
            self._list(node, depth + 1)
        node.size = 1 + self._nodes - before
        return node

    def _list(self, node: Node, depth: int) -> None:
        values: list[JsonValue] = []
        while not is_a(event := self._next(), SequenceEndEvent):
            child = self._node(event, depth)
            node.children[len(values)] = child
            values.append(child.value)
        node.value = values

    def _mapping(self, node: Node, depth: int) -> None:
        merged: list[Node] = []
        merge_event = None
        while not is_a(event := self._next(), MappingEndEvent):
            if is_a(event, ScalarEvent) and event.value == "<<" and _is_plain(event):
                if merge_event is not None:
                    self._doubled(event, merge_event, "<<")
                merge_event = event
                merged += self._merge(self._node(self._next(), depth), event)
                continue
            key = self._key(event, depth)
            child = self._node(self._next(), depth)
            if key is None:
                continue
            if key.value in node.keys:
                self._doubled(key, node.keys[key.value], key.value)
                continue
            node.keys[key.value] = key
            node.children[key.value] = child
        if merged:
            _merge_into(node, merged)
        node.value = {name: node.children[name].value for name in node.keys}

    def _key(self, event: Event, depth: int) -> Event | None:
        """Return the event of a text key. Any other key is a finding; a scalar one still stands for its text."""
        if is_a(event, ScalarEvent) and event.anchor is None and event.tag is None and _is_surely_text(event):
            if event.style == '"':
                self._check_controls(event)
            return event
        key = self._node(event, depth)
        if is_a(event, ScalarEvent):
            if not isinstance(key.value, str):
                shown = event.value or "(nothing)"
                self._add("key-not-text", f"the key `{shown}` is not text", event, f'quote it: `"{event.value}":`')
            return event
        if unquoted_template(self._text, event.start_mark.index):
            remedy = 'quote the whole text: `"{{ vars.name }}"`'
            self._add("unquoted-template", "a text that starts with `{{` is read as a mapping", event, remedy)
        else:
            self._add("key-not-text", "a key must be plain text", event, "write `key: value`, with a text as the key")
        return None

    def _merge(self, source: Node, event: Event) -> list[Node]:
        """Return the mappings a `<<` takes in: one mapping, or a list of them, the first one winning."""
        several = is_a(source.start, SequenceStartEvent)
        sources = list(source.children.values()) if several else [source]
        if all(isinstance(one.value, dict) for one in sources):
            return sources
        remedy = "give it a mapping that was anchored before, as in `<<: *look`"
        self._add("bad-merge", "`<<` takes in mappings only", event, remedy)
        return []

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
        self._add("integer-too-large", message, event, "if it is an id or a code rather than a number, quote it")
        return 0

    def _not_finite(self, event: Event) -> float:
        remedy = "write a plain number, or quote it if it is text"
        self._add("not-finite", f"`{event.value[:40]}` is not a number that can be sent", event, remedy)
        return 0.0

    def _anchor(self, name: str, event: Event, node: Node) -> None:
        earlier = self._anchors.get(name)
        if earlier is not None:
            remedy = f"first given on line {earlier.start.start_mark.line + 1}; give each anchor its own name"
            self._add("duplicate-anchor", f"anchor `&{name}` is given twice", event, remedy)
        self._anchors[name] = node

    def _alias(self, event: Event) -> Node:
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            otherwise = "an anchor must stand above its alias; a text that starts with `*` needs quotes"
            remedy = did_you_mean(name, self._anchors, otherwise)
            self._add("unknown-alias", f"alias `*{name}` has no anchor", event, remedy)
            return Node(start=event)
        if node.size == 0:
            remedy = f"anchor `&{name}` opens on line {node.start.start_mark.line + 1} and is not closed here"
            self._add("alias-cycle", f"alias `*{name}` stands inside its own anchor", event, remedy)
            raise StopReading
        self._count(node.size, event)
        return node

    def _count(self, size: int, event: Event) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            remedy = "aliases multiply what they repeat; put long lists into a data file"
            message = f"with its aliases written out the file holds more than {MAX_NODES:,} values"
            self._add("too-many-values", message, event, remedy)
            raise StopReading

    def _check_controls(self, event: Event) -> None:
        found = CONTROL.search(event.value)
        if found is not None:
            message = f"the escape stands for the control character U+{ord(found[0]):04X}"
            self._add("control-character", message, event, "take it out; only `\\n` and `\\t` may be in a text")

    def _doubled(self, event: Event, first: Event, key: str) -> None:
        remedy = f"first given on line {first.start_mark.line + 1}"
        self._add("duplicate-key", f"key `{key}` is given twice", event, remedy)

    def _tag(self, event: Event, tag: str) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        remedy = "take the tag out; quote a value to make it text"
        self._add("custom-tag", f"the tag `{shown}` is not used in manifests", event, remedy)

    def _add(self, code: str, message: str, event: Event, remedy: str) -> None:
        place = place_of(event, self._file, self._text)
        self.findings.append(Finding(code=code, message=message, place=place, help=remedy))
        if len(self.findings) >= MAX_FINDINGS:
            raise StopReading


def _merge_into(node: Node, sources: list[Node]) -> None:
    """Put the merged keys first, in their own order; the mapping's own values win over them."""
    keys: dict[str, Event] = {}
    children: dict[str | int, Node] = {}
    for source in sources:
        for name, event in source.keys.items():
            if name not in keys:
                keys[name], children[name] = event, source.children[name]
    node.keys, node.children = {**keys, **node.keys}, {**children, **node.children}


def _is_plain(event: Event) -> bool:
    return not event.style and event.tag is None


def _is_surely_text(event: Event) -> bool:
    return bool(event.style) or (event.value not in _CONSTANTS and event.value[0] not in _NUMBER_STARTS)
