"""Of several things that went wrong one is told, and gives the exit code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runner.errors import AuthError, DiskFull, InternalError, RunnerError, UsageError
from runner.gravity import gravest, worst


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([3], 3),
        ([3, 8], 8),
        ([8, 5], 5),
        ([5, 7], 7),
        ([7, 4], 4),
        ([4, 9], 9),
        ([9, 1], 1),
        ([2], 2),
        ([2, 3], 3),
        ([130, 8], 8),
    ],
)
def test_of_several_exit_codes_the_gravest_is_told(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected
    assert worst(reversed(codes)) == expected


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ((UsageError("u"), AuthError("a")), AuthError),
        ((AuthError("a"), ExceptionGroup("inner", [DiskFull("d")])), DiskFull),
        ((DiskFull("d"), ValueError("ours")), InternalError),
    ],
)
def test_one_error_stands_for_a_group_and_what_is_no_error_of_the_world_is_ours(
    errors: Sequence[Exception], told: type[RunnerError]
) -> None:
    assert type(gravest(ExceptionGroup("several", errors))) is told
