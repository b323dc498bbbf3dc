"""Whatever happens to workers that share a limit, the service never sees more than it."""

from __future__ import annotations

from tests.proof.leases import MUST_MEET
from tests.proof.soak import play_range


def test_workers_that_die_stop_and_lose_beats_never_overrun_the_limit_they_share() -> None:
    met = play_range("leases", 0, 60)

    assert [what for what in MUST_MEET if not met[what]] == []
