"""A hundredth of the fleet: what it shows of a thousand workers it shows of sixty."""

from __future__ import annotations

from tests.bench.fleet import SPAN_S, played


def test_a_small_fleet_shares_what_there_is_never_overruns_it_and_asks_once_a_second() -> None:
    told = [one for one in played(6, 60).values() if one.workers]
    workers, beats = sum(one.workers for one in told), sum(one.beats for one in told) / SPAN_S

    assert max(one.over for one in told) <= 0
    assert min(one.sent / one.possible for one in told) > 0.85
    assert beats < 1.3 * workers
    assert min(value for one in told for value in one.jain) > 0.97
    assert min(value for one in told for value in one.worst) > 0.6
