"""Several things went wrong at once: which of them is told, and gives the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runner.errors import InternalError, RunnerError

__all__ = ["gravest", "worst"]

# The first of these that holds is told; whatever is not in here comes last.
_PRECEDENCE: Final = (1, 9, 4, 7, 5, 8, 3)


def worst(codes: Iterable[int]) -> int:
    """The exit code that stands for all of them; 0 for none."""
    return min(codes, key=_rank, default=0)


def gravest(error: Exception) -> RunnerError:
    """The one error that stands for all of a group; what is no error of the world is a fault of ours."""
    if isinstance(error, ExceptionGroup):
        return min((gravest(one) for one in error.exceptions), key=lambda one: _rank(one.exit_code))
    if isinstance(error, RunnerError):
        return error
    return InternalError(f"A fault of rivya-batch itself: {type(error).__name__}. What was recorded is kept.")


def _rank(code: int) -> int:
    return _PRECEDENCE.index(code) if code in _PRECEDENCE else len(_PRECEDENCE)
