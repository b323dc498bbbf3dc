"""After how many failures nothing more is bought: a number, or a share of the items."""

from __future__ import annotations

import pytest

from runner.errors import UsageError
from runner.halting import halt_after


@pytest.mark.parametrize(
    ("text", "items", "limit"),
    [(None, 50, None), ("fail=3", 50, 3), ("fail=5%", 50, 3), ("fail=5%", 1000, 50), ("fail=1%", 3, 1)],
)
def test_the_limit_of_failures_is_a_number_or_a_share(text: str | None, items: int, limit: int | None) -> None:
    assert halt_after(text, items) == limit


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "fail", "fail=", "fail=0", "fail=-1", "fail=5.5%", "fail=٣", "ok=3", "fail=%", "fail=3\n"),
        pytest.param("fail=" + "9" * 5000, id="more digits than a number has"),
    ],
)
def test_any_other_limit_of_failures_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--halt"):
        halt_after(text, 50)
