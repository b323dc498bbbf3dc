"""The API key, held so that it cannot be shown by accident."""

from __future__ import annotations

import base64
from typing import Final, NoReturn
from urllib.parse import quote

from runner.errors import AuthError

__all__ = ["MASK", "Secret"]

MASK: Final = "********"

# A whole request header must stay below what common servers take (8 KiB); no real key comes near.
SECRET_CHARS_MAX: Final = 4096


class Secret:
    """A header value that shows as a mask everywhere; only the header builder calls `reveal`.

    Refuses when made what could split or garble a header, so that a bad key never gets as far as a request. Cannot be
    pickled. Copies are the same object.
    """

    __slots__ = ("_forms", "_text")

    def __init__(self, text: str) -> None:
        if not text:
            raise AuthError("No API key was given. Nothing was sent.", code="key-missing")
        if len(text) > SECRET_CHARS_MAX:
            raise _malformed(f"is longer than {SECRET_CHARS_MAX} characters")
        if any(not "!" <= char <= "~" for char in text):
            raise _malformed("holds a space, a line break, or a character outside printable ASCII")
        self._text = text
        plain = text.encode("ascii")
        forms = {plain, quote(text, safe="").encode("ascii"), base64.b64encode(plain).rstrip(b"=")}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def reveal(self) -> str:
        return self._text

    def scrub(self, data: bytes) -> bytes:
        """`data` with every plain, URL-encoded or base64 copy of the secret masked; services do echo headers."""
        for form in self._forms:
            if form in data:
                data = data.replace(form, MASK.encode("ascii"))
        return data

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


def _malformed(why: str) -> AuthError:
    return AuthError(
        f"The API key {why}, so it cannot be a key. Nothing was sent.",
        code="key-malformed",
        next_step="copy the key again, without quotes or line breaks, into RIVYA_API_KEY or the file it names",
    )
