"""Names of output files: readable, the same on every system, and never outside the output folder.

A name is a relative path of components from a short alphabet. What a template writes itself may make folders; what
comes in as a value is reduced to a slug first, so that a row or a prompt cannot. The extension is no part of a name: it
follows from the verified type of the file, later.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

__all__ = ["EXT_MARK", "bad_name", "collision_key", "default_stem", "slug", "slugged", "stem_of"]

# What `ext` renders to, so that its place can be found again: no text of a manifest can hold this character.
EXT_MARK: Final = "\x00"

# Common systems stop at 255 bytes; an extension, a number and a temporary suffix still have to fit.
MAX_COMPONENT_BYTES: Final = 120
# Windows and some archive formats stop at 260 characters; the output folder needs its share of them.
MAX_STEM_BYTES: Final = 200
MAX_DEPTH: Final = 8
# A default name is read in listings: longer slugs hide the hash that makes it unique.
SLUG_CHARS: Final = 60
# The same for scripts of three bytes a letter; the rest of a component is the template's.
SLUG_BYTES: Final = 90

_PUNCTUATION: Final = frozenset("-_.,=+@() ")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)", re.IGNORECASE)
_MEDIA_ENDINGS: Final = re.compile(
    r"\.(png|jpe?g|webp|gif|avif|mp4|mov|webm|mkv|mp3|wav|ogg|opus|m4a|aac|flac|pcm)$", re.IGNORECASE
)


# What a slug of plain letters has no room for: one dash each.
_BETWEEN: Final = re.compile(r"[^A-Za-z0-9._]+")
# A name that nothing is wrong with, unless it is a device or too long. Most names are such; the others are looked at
# letter by letter.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_,=+@()](?:[A-Za-z0-9\-_.,=+@() ]*[A-Za-z0-9\-_,=+@()])?")


@lru_cache(maxsize=4_096)  # the values of axes; what is new in every item is not asked for again
def slug(text: str) -> str:
    """Letters, digits, `.` and `_` of a text with `-` for everything between; never empty, never a device."""
    if text.isascii():
        kept = _BETWEEN.sub("-", text)
    else:
        plain = unicodedata.normalize("NFC", text)
        kept = "".join(char if char.isalnum() or char in "._" or _is_mark(char) else "-" for char in plain)
        kept = re.sub(r"-{2,}", "-", kept)
    short = kept[:SLUG_CHARS].strip("-._")
    while len(short.encode()) > SLUG_BYTES:
        short = short[:-1]
    short = short.rstrip("-._")
    if _DEVICE.match(short):
        return f"x-{short}"
    return short or "x"


def slugged(value: object) -> object:
    """A template's value with every text in it reduced to a slug; numbers and the like stay what they are."""
    if isinstance(value, str):
        return slug(value)
    if isinstance(value, Mapping):
        return {key: slugged(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [slugged(inner) for inner in value]
    return value


def default_stem(job: str, readable: str, identity: str) -> str:
    """`{job}/{readable}-{first of the hash}`, or `{job}/{first of the hash}` when there is nothing to read."""
    digest = identity.partition("-")[2][:8]
    name = f"{slug(readable)}-{digest}" if readable else digest
    return f"{slug(job)}/{name}"


def stem_of(rendered: str) -> str | None:
    """A rendered name without extension, in NFC; None when `ext` stands anywhere but at its end."""
    text = unicodedata.normalize("NFC", rendered)
    if EXT_MARK in text[:-1]:
        return None
    if text.endswith(EXT_MARK):
        return text[:-1].removesuffix(".")  # `ext` has its dot; `.{{ ext }}` means the same
    return _MEDIA_ENDINGS.sub("", text)


def bad_name(stem: str) -> str | None:
    """Why a name cannot be used, as the end of the sentence "the output name ..."; None when it can."""
    folder, slash, name = stem.rpartition("/")
    is_plain = (
        len(name) <= MAX_COMPONENT_BYTES
        and len(stem) <= MAX_STEM_BYTES
        and stem.isascii()
        and _PLAIN_NAME.fullmatch(name) is not None
        and _DEVICE.match(name) is None
    )
    return None if is_plain and not _bad_folder(folder + slash) else _why_bad(stem)


@lru_cache(maxsize=1_024)  # items share folders
def _bad_folder(folder: str) -> bool:
    """Whether no name in it can be used, for the folder's sake."""
    return _why_bad(f"{folder}x") is not None


def _why_bad(stem: str) -> str | None:
    if not stem:
        return "is empty"
    if stem.startswith("/"):
        return "is absolute; names are relative to the output folder"
    if len(stem.encode(errors="replace")) > MAX_STEM_BYTES:
        return f"has {len(stem.encode(errors='replace'))} bytes; {MAX_STEM_BYTES} are allowed"
    parts = stem.split("/")
    if len(parts) > MAX_DEPTH:
        return f"is {len(parts)} folders deep; {MAX_DEPTH} are allowed"
    for part in parts:
        if reason := _bad_component(part):
            return reason
    for folder in parts[:-1]:
        if _MEDIA_ENDINGS.search(folder):
            return f"has a folder named like a file: `{folder}`"
    return None


def collision_key(stem: str) -> str:
    """Equal for names that some file system takes for one: other case, other composition of accents."""
    if stem.isascii():
        return stem.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", stem).casefold())


def _bad_component(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "climbs out of its folder" if part == ".." else "has an empty part between its slashes"
    for char in part:
        if not (char.isalnum() or char in _PUNCTUATION or _is_mark(char)):
            shown = char if char.isprintable() else f"U+{ord(char):04X}"
            return f"has `{shown}` in it; letters, digits, spaces and `-_.,=+@()` are allowed"
    if part[0] in ".- " or part[-1] in ". ":
        return f"has a part that begins or ends badly: `{part}` (no dot, dash or space first, no dot or space last)"
    if _DEVICE.match(part):
        return f"has a part that is a device on some systems: `{part}`"
    if len(part.encode()) > MAX_COMPONENT_BYTES:
        return f"has a part of {len(part.encode())} bytes; {MAX_COMPONENT_BYTES} are allowed"
    return None


def _is_mark(char: str) -> bool:
    """Accents and vowel signs that some scripts cannot be written without."""
    return unicodedata.category(char) in {"Mn", "Mc"}
