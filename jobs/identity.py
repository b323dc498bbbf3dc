"""Names that are derived, never drawn: an item's identity and an attempt's idempotency key.

Both are hashes of content with the scheme's tag in front, so that a lost or restored ledger finds the same names
again, and a change of scheme is visible instead of silently buying everything twice. The schemes below are frozen:
a new one gets a new tag and applies to new items only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

__all__ = ["IdentityOf", "body_bytes", "canonical", "idempotency_key", "identity"]

IDENTITY_TAG = "i1-"
KEY_TAG = "rvb1-"

# 160 bits: no collision among 10**12 items is likelier than 10**-24, and 32 base32 letters stay readable.
_DIGEST_BYTES = 20

# RFC 4648's alphabet in lower case.
_LETTERS: Final = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")
_LETTERS_OF_ONE: Final = 32
# So many digests are spelled at once: their letters are those of each, one after another.
_AT_ONCE: Final = 64


@cache
def _spread(letters: int) -> tuple[tuple[int, int, int], ...]:
    """How so many groups of 5 bits (a power of two) are moved apart until each is a byte: by halves, again and again.

    It is exactly base32, in a third of the time.
    """
    assert letters & (letters - 1) == 0, "halves are whole to the end"
    halves = [letters >> step for step in range(1, letters.bit_length())]
    return tuple(
        (
            sum(((1 << 5 * half) - 1) << 16 * half * block for block in range(letters // 2 // half)),
            sum(((1 << 5 * half) - 1) << 16 * half * block + 5 * half for block in range(letters // 2 // half)),
            3 * half,
        )
        for half in halves
    )


_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> bytes:
    """One spelling per JSON value: sorted keys, no spaces, UTF-8. NaN and infinities are refused (ValueError)."""
    return _CANONICAL.encode(value).encode()


def _derive(tag: str, fields: Sequence[object]) -> str:
    return tag + _base32(hashlib.sha256(canonical([tag, *fields])).digest()[:_DIGEST_BYTES])


def _base32(digests: bytes) -> str:
    """The letters of one digest, or of as many as are spelled at once: 32 for each 20 bytes."""
    letters = len(digests) // _DIGEST_BYTES * _LETTERS_OF_ONE
    number = int.from_bytes(digests, "big")
    for low, high, shift in _spread(letters):
        number = (number & low) | ((number & high) << shift)
    return number.to_bytes(letters, "big").translate(_LETTERS).decode()


def identity(
    *,
    model: str,
    prompt: str | None,
    params: Mapping[str, object],
    reference_digests: Sequence[str],
    repeat: int,
    edition: str,
) -> str:
    """The content hash of an item. Nothing about its name, place, tags or output is in it.

    `params` are as sent, without references; `reference_digests` are the sha256 of the files, in order.
    """
    return _derive(IDENTITY_TAG, [model, prompt, dict(params), list(reference_digests), repeat, edition])


class IdentityOf:
    """`identity` for many prompts: the parts that items share are spelled once."""

    __slots__ = ("_after", "_before")

    def __init__(
        self,
        *,
        model: str,
        params: Mapping[str, object],
        reference_digests: Sequence[str],
        repeat: int,
        edition: str,
    ) -> None:
        self._before = hashlib.sha256(canonical([IDENTITY_TAG, model])[:-1] + b",")
        self._after = b"," + canonical([dict(params), list(reference_digests), repeat, edition])[1:]

    def __call__(self, prompt: str | None) -> str:
        content = self._before.copy()
        content.update(canonical(prompt) + self._after)
        return IDENTITY_TAG + _base32(content.digest()[:_DIGEST_BYTES])

    def each(self, prompts: Sequence[str | None]) -> Iterator[str]:
        """The same of all of these, in half the time."""
        before, after = self._before, self._after
        for start in range(0, len(prompts), _AT_ONCE):
            digests = []
            for prompt in prompts[start : start + _AT_ONCE]:
                content = before.copy()
                content.update(canonical(prompt) + after)
                digests.append(content.digest()[:_DIGEST_BYTES])
            letters = _base32(b"".join(digests).ljust(_AT_ONCE * _DIGEST_BYTES, b"\0"))
            for number in range(len(digests)):
                at = number * _LETTERS_OF_ONE
                yield IDENTITY_TAG + letters[at : at + _LETTERS_OF_ONE]


def idempotency_key(*, account: str, edition: str, identity: str, repeat: int, epoch: int, ordinal: int) -> str:
    """The key of one attempt: at most 64 ASCII characters, no prompt text, no secret.

    `epoch` rises only by a person's explicit command to buy again; `ordinal` after a definite rejection or a settled
    failure. The account label is in it so that a shared manifest alone does not tell another account's keys.
    """
    return _derive(KEY_TAG, [account, edition, identity, repeat, epoch, ordinal])


def body_bytes(
    *,
    model: str,
    prompt: str | None,
    params: Mapping[str, object],
    reference_items: Sequence[Mapping[str, object]],
    client_request_id: str,
) -> bytes:
    """The exact bytes of a create. Made once per attempt, stored with the intent, resent byte for byte."""
    body: dict[str, object] = {"model": model}
    if prompt is not None:
        body["prompt"] = prompt
    sent = dict(params)
    if reference_items:
        sent["referenceMediaItems"] = [dict(item) for item in reference_items]
    if sent:
        body["params"] = sent
    body["client_request_id"] = client_request_id
    return canonical(body)
