"""The API key, or another secret, held so that it cannot be shown by accident."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from runner.errors import AuthError

__all__ = ["MASK", "Secret"]

MASK: Final = "********"

# A whole request header must stay below what common servers take (8 KiB); no real key comes near.
SECRET_CHARS_MAX: Final = 4096

# Real keys have dozens. Masking something shorter in the service's answers would garble them, task ids included.
SECRET_CHARS_MIN: Final = 8


class Secret:
    """A header value that shows as a mask everywhere; only the header builder calls `reveal`.

    Refuses when made what could split or garble a header, so that a bad key never gets as far as a request. Cannot be
    pickled. Copies are the same object.
    """

    __slots__ = ("_copies", "_text")

    def __init__(self, text: str, *, what: str = "API key") -> None:
        if not text:
            raise AuthError(f"No {what} was given. Nothing was sent.", code="key-missing")
        if len(text) > SECRET_CHARS_MAX:
            raise _malformed(what, f"is longer than {SECRET_CHARS_MAX} characters")
        if len(text) < SECRET_CHARS_MIN:
            raise _malformed(what, f"is shorter than {SECRET_CHARS_MIN} characters")
        if any(not "!" <= char <= "~" for char in text):
            raise _malformed(what, "holds a space, a line break, or a character outside printable ASCII")
        self._text = text
        self._copies = re.compile("|".join(("".join(map(_spelled, text)), *_in_base64(text))).encode("ascii"))

    def reveal(self) -> str:
        return self._text

    def scrub(self, data: bytes) -> bytes:
        """`data` with every copy of the secret masked, as it is or as others write it down; services echo headers."""
        return self._copies.sub(MASK.encode("ascii"), data)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: it would be readable in whatever the pickle is written to")


def _spelled(char: str) -> str:
    """A pattern for one character as plain text, addresses (also twice encoded), JSON and HTML spell it."""
    if char.isalnum():
        return char
    code, hexadecimal = ord(char), f"(?i:{ord(char):02x})"
    forms = (
        rf"\\?{re.escape(char)}",
        f"%(?:25)?{hexadecimal}",
        rf"\\u00{hexadecimal}",
        f"&#0?{code};",
        f"&#[xX]0?{hexadecimal};",
        re.escape(html.escape(char)),
    )
    return f"(?:{'|'.join(forms)})"


def _in_base64(text: str) -> Iterator[str]:
    """What base64 makes of the secret inside a longer text: one of three, by where it begins, in two alphabets."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(text)) * 8 // 6
        inner = base64.b64encode(b"\0" * before + text.encode("ascii"))[first:last].decode("ascii")
        yield from {re.escape(inner), re.escape(inner.translate(str.maketrans("+/", "-_")))}


def _malformed(what: str, why: str) -> AuthError:
    return AuthError(
        f"The {what} {why}, so it cannot be one. Nothing was sent.",
        code="key-malformed",
        next_step="copy the key again, without quotes or line breaks, into RIVYA_API_KEY or the file it names",
    )
