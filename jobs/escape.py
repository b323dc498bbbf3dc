r"""Untrusted text made safe for where it goes: a terminal, a spreadsheet cell, a JSON text, a page.

Prompts, error messages, file names and addresses come from other people. A terminal obeys escape sequences and line
breaks in them, a spreadsheet computes them. What could do harm is shown as its code (`\x1b`), not dropped, so that
nobody wonders what was there. A sequence loses its power with its first character, so the rest of it stays as plain
text.
"""

from __future__ import annotations

import html
import json
import re
from typing import Final, Literal

__all__ = ["for_csv", "for_html", "for_script", "for_terminal", "json_text"]

# C0, DEL and C1 steer terminals; 061C, 200E-F, 202A-E and 2066-9 reorder what is read; 2028-9 end lines for some
# readers; 2060-4, FEFF, FFF9-B, E0000-7F are invisible; surrogates cannot be encoded. Joiners (200C, 200D) stay:
# scripts and emoji need them.
_HAZARDS: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_HAZARD: Final = re.compile(f"[{_HAZARDS}]")
_HAZARD_BUT_NEWLINE: Final = re.compile(f"(?!\n)[{_HAZARDS}]")
_HAZARD_IN_JSON: Final = re.compile(f"(?![\n ])[{_HAZARDS}]")
_HAZARD_IN_CSV: Final = re.compile(f"(?![\t\n\r])[{_HAZARDS}]")

# What makes a spreadsheet compute a cell; the wide forms are read as the narrow ones in East Asian settings.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# What could end a script block, begin a comment or an entity, or close the text for an old parser.
_MARKUP_IN_SCRIPT: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&'`"})

_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _shown(found: re.Match[str]) -> str:
    char = found.group()
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def for_terminal(text: str, *, newlines: Literal["show", "keep"] = "show") -> str:
    """Text that a terminal prints and does not obey; `keep` leaves line breaks for text that has its own lines."""
    return (_HAZARD if newlines == "show" else _HAZARD_BUT_NEWLINE).sub(_shown, text)


def for_csv(cell: str) -> str:
    """A cell that no spreadsheet computes: an apostrophe goes before what would begin a formula.

    Quoting is the writer's task. Numbers of our own never come here: they would lose their sign to the apostrophe.
    """
    safe = cell if cell.isprintable() else _HAZARD_IN_CSV.sub(_shown, cell)
    begins_formula = safe.startswith(_FORMULA_STARTS) or safe.lstrip().startswith(_FORMULA_STARTS)
    return f"'{safe}" if begins_formula else safe


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON that is readable, lossless, and harmless when somebody prints it: hazards are written as JSON escapes."""
    separators = (",", ": ") if indent is not None else (",", ":")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    if text.isprintable():  # nothing printable is a hazard, and this is asked of every row of an export
        return text
    return _HAZARD_IN_JSON.sub(_json_escape, text)


def for_html(text: str) -> str:
    """Text for between the tags of a page, and for an attribute's value in quotes; for nothing else in a page.

    Not for addresses: `javascript:` needs no sign that is escaped here.
    """
    return html.escape(_HAZARD_BUT_NEWLINE.sub(_shown, text)).replace("`", "&#96;")


def for_script(value: object) -> str:
    """JSON for inside `<script type="application/json">`: nothing in it can end the block or begin another."""
    return json_text(value).translate(_MARKUP_IN_SCRIPT)


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1] if found.group() != "\x7f" else "\\u007f"
