"""The product's polling against theory and against a poller of fixed gaps; the table is in `polling_model`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.polling_model import CASES, played


def test_two_classes_share_scarce_polls_as_well_as_theory_allows() -> None:
    first, second = played(replace(CASES["w5"], items=600), seed=1)

    assert first.busiest <= 20
    assert first.delay_s < 0.8 * first.fixed_s
    assert second.delay_s < 1.6 * second.best_s  # theory's bound, which two polls a task cannot reach
    assert second.delay_s < 0.6 * second.fixed_s


def test_a_place_in_flight_is_not_held_by_a_task_that_has_ended() -> None:
    for night in played(CASES["w3a"], seed=1):
        assert night.wall_s < 1.04 * night.bound_s
        assert night.polls < 12.5


def test_few_polls_go_where_they_free_a_place_soonest() -> None:
    """No more than a careful script makes, which is at 1.24."""
    for night in played(CASES["w3a-few"], seed=1):
        assert night.wall_s < 1.125 * night.bound_s
        assert night.polls < 2.6


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_service_that_changes_its_speed_is_followed(factor: float) -> None:
    case = replace(CASES["slower"], items=700, turn_at_s=35.0, turn_factor=factor)
    first, _ = played(case, seed=1)

    assert first.busiest <= 40
    assert first.delay_s < 2.5 * first.best_s
    assert first.worst_polls < 60
