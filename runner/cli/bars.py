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
    pieces, used, amount = [], 0, 0
    signs = {"held": glyphs.held, "bad": glyphs.failed}
    for part in parts:
        amount += part.amount
        if part.amount > 0 and used < width:
            end = width if amount >= whole else min(width - 1, amount * width // whole)
            cells = min(max(1, end - used), width - used)
            pieces.append(Piece(signs.get(part.style, glyphs.done) * cells, part.style))
            used += cells
    if used == width:
        return pieces
    rest = width - used
    if pieces and glyphs.half and pieces[-1].style not in signs and amount * width * 2 // whole > used * 2:
        pieces.append(Piece(glyphs.half, pieces[-1].style))
        rest -= 1
    return [*pieces, Piece(glyphs.rest * rest, "faint")]
