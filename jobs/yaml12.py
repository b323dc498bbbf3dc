"""YAML text to plain values, every value with its place.

The parser is PyYAML's; the meaning is ours. PyYAML speaks YAML 1.1, where `16:9` is 969, `no` is false and `010` is
eight: three ways to buy the wrong thing. So only its events are used, and this file decides what they mean: YAML 1.2
core types, no tags, no doubled keys, text keys only.

Events rather than PyYAML's nodes, for two reasons. Its C composer calls itself once per level, so a deeply nested text
ends the process instead of raising; and events show an alias where it is used. One pass builds the values and, beside
them, a tree of where each one starts and ends, which becomes a `Place` only when somebody asks.

A `Document` with findings is still worth checking further (an unknown key may stand beside a doubled one), but it
never becomes a manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

import yaml
from pydantic import JsonValue

from jobs.findings import Finding, Place
from jobs.lines import Lines
from jobs.unswept import unswept
from jobs.utf8 import BYTE_ORDER_MARK, CONTROL
from jobs.yaml_errors import syntax_finding
from jobs.yaml_events import PARSERS
from jobs.yaml_reader import Child, Node, Reader, Span, StopReading

__all__ = ["MAX_CHARS", "Document", "Path", "dotted", "load"]

MAX_CHARS: Final = 4 * 1024 * 1024  # some 25,000 jobs; a longer list belongs into a data file
MAX_CONTROLS: Final = 20  # a file with more of them is no text

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML text as plain values. `data` may share lists and mappings (aliases): read it, do not change it."""

    file: str
    text: str
    data: JsonValue
    findings: tuple[Finding, ...]  # what loading found; with any, `data` is a best guess for further checks only
    _root: Child = field(repr=False)
    _lines: Lines = field(repr=False)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where the value at `path` stands, or its key; the nearest ancestor that exists if it does not.

        A block list or mapping is shown by its key, having no line of its own; so is a value that is not there. A
        value that came through an alias or a merge is shown where it is written.
        """
        child: Child = self._root
        label: Span | None = None
        for step in path:
            if not isinstance(child, Node) or step not in child.children:
                break
            label = child.keys.get(step) if isinstance(step, str) else None
            child = child.children[step]
        start, end, is_block = child.span if isinstance(child, Node) else child
        if label is not None and (key or is_block or start == end):
            start, end, _ = label
        return self._lines.place(start, end, dotted(path))


def dotted(path: Path) -> str:
    """Return `path` as people write it: `jobs[0].params.duration`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def load(text: str, file: str) -> tuple[Document | None, list[Finding]]:
    """Read one YAML text. The document is None only when nothing can be said about its content."""
    lines = Lines(text, file)
    unreadable = list(_unreadable(text, lines))
    if unreadable:
        return None, unreadable
    reader = Reader(PARSERS[0](text), text, lines)
    with unswept():
        try:
            data, root = reader.document()
        except yaml.MarkedYAMLError as error:
            last = syntax_finding(error, text, file)
            return None, [*(one for one in reader.findings if one.code != last.code), last]
        except StopReading:
            return None, reader.findings
    if data is None:
        remedy = "start with `version: 1`, or let `rivya-batch init` write a first manifest"
        return None, [Finding(code="empty-file", message="the file holds nothing", place=lines.place(0), help=remedy)]
    found = tuple(reader.findings)
    document = Document(file=file, text=text, data=data, findings=found, _root=root, _lines=lines)
    return document, list(found)


def _unreadable(text: str, lines: Lines) -> Iterator[Finding]:
    """Return why the parser should not see this text at all."""
    if len(text) > MAX_CHARS:
        message = f"the file has {len(text):,} characters; a manifest may have {MAX_CHARS:,}"
        remedy = "put long lists into a CSV or JSON lines file and name it with `data: {file: ...}`"
        yield Finding(code="file-too-large", message=message, place=lines.place(0), help=remedy)
        return
    if text.startswith(BYTE_ORDER_MARK):
        message = "the file starts with a byte order mark, an invisible character"
        remedy = "save it as UTF-8 without BOM"
        yield Finding(code="byte-order-mark", message=message, place=lines.place(0), help=remedy)
    for found in islice(CONTROL.finditer(text), MAX_CONTROLS):
        message = f"control character U+{ord(found[0]):04X} in the file"
        place = lines.place(found.start())
        yield Finding(code="control-character", message=message, place=place, help="take it out")
