"""Several workers on one budget buy what it allows, neither more nor less."""

from __future__ import annotations

from tests.proof.shared_books import MUST_MEET
from tests.proof.soak import play_range


def test_workers_that_share_a_budget_buy_all_that_it_allows_and_no_more() -> None:
    met = play_range("shared", 0, 100)

    assert [what for what in MUST_MEET if not met[what]] == []
