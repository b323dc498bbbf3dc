"""What the YAML parser could not read, in our words.

The parser's messages ("did not find expected key") name its own state, not the mistake, and point where it gave up,
which is often lines below the cause. The table says for each of them what people most likely did, and where to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from jobs.findings import Finding, Place

__all__ = ["line_of", "syntax_finding", "unquoted_template"]

MAX_PROBLEM_CHARS = 120  # the parser's own words, quoted where the table has none

_UNQUOTED_TEMPLATE = re.compile(r"(?:^|[:\-,\[{]\s+|^\s*)(\{\{|\{%)")


@dataclass(frozen=True, slots=True)
class _Words:
    """`at_start`: the cause is where the broken construct began, not where the parser noticed."""

    problem: str
    message: str
    remedy: str
    code: str = "yaml-syntax"
    at_start: bool = False


_ESCAPE = "write the character itself, or `\\uXXXX` with four hexadecimal digits"
_OPEN = "close it, and put commas between its entries"
_INDENT = "check the indentation against the lines above, and quote the whole of a text that holds quotes or `: `"
_QUOTE = "quote the text"

_TABLE = (
    _Words("found a tab character", "a tab indents this line", "indent with spaces", "tab-indent"),
    _Words(
        "found unknown escape character",
        "a backslash before this letter means nothing",
        "write `\\\\` for a backslash, or use single quotes, where it is plain text",
        "bad-escape",
    ),
    _Words("expected escape sequence", "this escape is not a character", _ESCAPE, "bad-escape"),
    _Words("while parsing a quoted scalar", "this escape is not a character", _ESCAPE, "bad-escape"),
    _Words("while scanning a quoted", "this quote is never closed", "close it", "unclosed-quote", at_start=True),
    _Words("expected ',' or ']'", "this `[` is never closed", _OPEN, "unclosed-bracket", at_start=True),
    _Words("expected ',' or '}'", "this `{` is never closed", _OPEN, "unclosed-bracket", at_start=True),
    _Words(
        "mapping values are not allowed",
        "a `: ` stands inside this text",
        'quote the whole text, as in `prompt: "Style: noir"`, or check the indentation',
    ),
    _Words("could not find expected ':'", "this line has no `key: value`", _INDENT, at_start=True),
    _Words("block sequence entries are not allowed", "a list entry cannot start here", "put `- ` on a line of its own"),
    _Words("did not find expected '-' indicator", "this line does not continue the list above", _INDENT),
    _Words("expected <block end>", "this line does not fit the block it stands in", _INDENT),
    _Words("did not find expected key", "this line does not fit the block it stands in", _INDENT),
    _Words("while scanning an alias", "a text cannot start with `*` unless it is quoted", _QUOTE),
    _Words("while scanning an anchor", "a text cannot start with `&` unless it is quoted", _QUOTE),
    _Words("while scanning a tag", "a text cannot start with `!` unless it is quoted", _QUOTE, "custom-tag"),
    _Words("undefined tag handle", "tags are not used in manifests", "take the tag out", "custom-tag"),
    _Words("cannot start any token", "no text can start with this character unless it is quoted", _QUOTE),
    _Words("while scanning a block scalar", "only `-`, `+` or a digit may follow `|` or `>`", "put the text below"),
    _Words("directive", "a line that starts with `%` is a YAML directive", "take it out, or quote the text"),
    _Words("incompatible YAML document", "this is not YAML 1.2", "take the `%YAML` line out"),
    _Words("did not find expected node content", "a value is missing here", "write a value, or take the comma out"),
    _Words("expected the node content", "a value is missing here", "write a value, or take the comma out"),
    _Words("expected <document start>", "this stands outside the manifest's mapping", _INDENT),
)


def syntax_finding(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    """Return the one finding for the place where `text` stops being YAML."""
    problem, context = str(error.problem or ""), str(error.context or "")
    said = f"{context}: {problem}"
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    words = next((words for words in _TABLE if words.problem in said), None)
    if words is not None and words.at_start and error.context_mark is not None:
        line, column = error.context_mark.line, error.context_mark.column
    source = line_of(text, line)
    for tried in dict.fromkeys((line, max(line - 1, 0))):
        template = _UNQUOTED_TEMPLATE.search(line_of(text, tried))
        if template is not None:
            place = _place(file, tried, template.start(1), len(line_of(text, tried)))
            message = f"a text that starts with `{template[1]}` is read as a mapping"
            remedy = 'quote the whole text, as in `prompt: "{{ vars.name }} at dusk"`'
            return Finding(code="unquoted-template", message=message, place=place, help=remedy)
    indent = source[: len(source) - len(source.lstrip())]
    if "\t" in indent or source[column : column + 1] == "\t":
        at = source.index("\t", 0 if "\t" in indent else column)
        place = _place(file, line, at, at + 1)
        return Finding(code="tab-indent", message="a tab indents this line", place=place, help="indent with spaces")
    place = _place(file, line, column, column + 1)
    if source[:column].rstrip()[-1:] in ("'", '"') and "expected" in problem:
        message, remedy = "this stands after the closing quote", "inside single quotes write `''` for one `'`"
        return Finding(code="text-after-quote", message=message, place=place, help=remedy)
    if words is None:
        message = f"this is not YAML: {problem[:MAX_PROBLEM_CHARS]}"
        return Finding(code="yaml-syntax", message=message, place=place, help=_INDENT)
    return Finding(code=words.code, message=words.message, place=place, help=words.remedy)


def unquoted_template(text: str, index: int) -> bool:
    """Tell whether the mapping at `index` is the inner one of `{{ name }}`, a template somebody forgot to quote."""
    return text[max(index - 1, 0) : index + 1] == "{{"


def line_of(text: str, line: int) -> str:
    """Return the 0-based `line` of `text`, without its end."""
    lines = text.splitlines()
    return lines[line] if line < len(lines) else ""


def _place(file: str, line: int, start: int, end: int) -> Place:
    """Count from 1 what the parser counts from 0, and mark one character at least."""
    return Place(file=file, line=line + 1, column=start + 1, end_column=max(end, start + 1) + 1)
