"""The word a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "nearest"]

# Below this likeness a suggestion puzzles more than it helps.
LIKENESS_MIN = 0.6


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`: case, `_` and `-` count for nothing, then the fewest changes win."""
    plain: dict[str, str] = {}
    for candidate in known:
        plain.setdefault(_plain(candidate), candidate)
    found = get_close_matches(_plain(word), plain, n=1, cutoff=LIKENESS_MIN)
    return plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """One line of help: the nearest known word, or `otherwise`."""
    found = nearest(word, known)
    return f"did you mean `{found}`?" if found is not None else otherwise


def _plain(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
