"""One bar: several parts of a whole beside each other, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.cli.pieces import Glyphs, Piece

__all__ = ["Part", "bar"]


class Part(NamedTuple):
    """So much of the whole, drawn in this style: `good`, `flow`, `held` or `bad`."""

    amount: int
    style: str


def bar(parts: Sequence[Part], whole: int, width: int, glyphs: Glyphs) -> list[Piece]:
    """Exactly `width` columns. What there is at all is seen, and only what is complete looks so."""
    present = [part for part in parts if part.amount > 0]
    signs = {"held": glyphs.held, "bad": glyphs.failed}
    room = width if sum(part.amount for part in present) >= whole else width - 1
    pieces, used, amount = [], 0, 0
    for later, part in zip(reversed(range(len(present))), present, strict=True):
        amount += part.amount
        end = min(max(used + 1, amount * width // whole), room - later)
        pieces.append(Piece(signs.get(part.style, glyphs.done) * (end - used), part.style))
        used = max(used, end)
    rest = width - used
    is_half_more = amount * width * 2 // whole > used * 2
    if rest and is_half_more and glyphs.half and present and present[-1].style not in signs:
        pieces.append(Piece(glyphs.half, present[-1].style))
        rest -= 1
    return [*pieces, Piece(glyphs.rest * rest, "faint")]
