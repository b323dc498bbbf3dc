"""The engine where a task, a result or an upload ends badly: what each costs, and how the run goes on."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.rates import Rate
from runner.blobs import Writer
from runner.blobs_memory import MemoryBlobs
from runner.errors import DiskFull
from runner.sim.profile import Window
from tests.runner.fault_rules import CREATE, POLL, RESULT, UPLOAD, rule
from tests.runner.world import Life, World
from tests.runner.world_items import item, items, picture

# Tasks that end badly, or not at all


def test_a_failed_task_is_bought_again_only_when_told_so() -> None:
    fails = rule({**CREATE, "prompt_contains": "picture 1"}, fail="generation_failed", times=1)
    world = World(items(4), faults=[fails])

    assert world.live(cap=10).exit_code == 3
    assert world.live(cap=10).exit_code == 3
    assert (world.stats.tasks, world.states) == (4, {"succeeded": 3, "failed": 1})

    assert world.live(cap=10, retry=True).exit_code == 0
    assert (world.stats.tasks, world.states) == (5, {"succeeded": 4})
    assert len({kept.attempt.key for kept in world.store.attempts.values()}) == 5
    world.check(cap=10)


def test_a_task_that_was_made_for_another_run_is_no_answer_and_ends_nothing() -> None:
    twin = rule({**CREATE, "prompt_contains": "picture 1"}, patch={"id": "task_of_another_run"})
    world = World(items(3), faults=[twin])
    world.store.claims[("task", "task_of_another_run")] = "rvb1-of-another-run"

    life = world.live(cap=20)

    assert (life.exit_code, dict(world.states)) == (7, {"succeeded": 2, "uncertain": 1})


def test_an_item_of_an_earlier_life_that_fails_is_bought_again_though_its_upload_was_forgotten() -> None:
    fails = rule(CREATE, fail="generation_failed", times=1)
    world = World([item(0, "nano-banana", references=[picture("shoe")])], faults=[fails])
    world.live(cap=20, cut_at_s=1.0)
    world.store.uploads.clear()

    life = world.live(cap=20, more={"resubmit_failed": 1})

    assert (life.exit_code, dict(world.states)) == (0, {"succeeded": 1})
    assert world.stats.uploads == 2


@pytest.mark.parametrize(("resubmits", "left"), [(1, 1), (2, 0), (5, 0)])
def test_failed_items_are_bought_again_as_often_as_allowed(resubmits: int, left: int) -> None:
    fails = rule({**CREATE, "prompt_contains": "picture 1"}, fail="generation_failed", times=2)
    world = World(items(4), faults=[fails])

    life = world.live(cap=20, more={"resubmit_failed": resubmits})

    assert life.exit_code == (3 if left else 0)
    assert world.states["failed"] == left
    assert world.stats.tasks == 4 + min(resubmits, 2)
    world.check(cap=20)


@pytest.mark.parametrize("refund", ["immediate", "none", "partial", "late"])
def test_a_failure_costs_what_the_service_says_it_costs(refund: str) -> None:
    fails = rule({**CREATE, "prompt_contains": "picture 1"}, fail="generation_failed")
    world = World([item(n, "nano-banana") for n in range(3)], faults=[fails], refund=refund)

    assert world.live(cap=9).exit_code == 3
    settled = {"immediate": 6, "none": 9, "partial": 8, "late": 9}[refund]
    assert world.store.books["trial"].settled == settled
    world.check(cap=9)


def test_a_task_without_an_end_is_stalled_and_asked_for_again_by_the_next_life() -> None:
    world = World(items(4), faults=[rule({**CREATE, "prompt_contains": "picture 2"}, stuck=True)])

    life = world.live(cap=4, more={"item_timeout_s": 300.0})

    assert life.exit_code == 7
    assert life.took_s == pytest.approx(300.0, abs=61.0)
    assert world.states == {"succeeded": 3, "stalled": 1}
    again = world.live(cap=4)
    assert (again.exit_code, again.creates, again.requests) == (7, 0, 1)
    world.check(cap=4)


def test_a_task_the_service_forgot_is_vanished_and_never_bought_again_by_itself() -> None:
    world = World(items(4), faults=[rule({**POLL, "from_s": 0.0}, code="not_found", status=404)])

    life = world.live(cap=4)

    assert (life.exit_code, world.states) == (7, {"vanished": 4})
    assert world.store.books["trial"].reserved == 4
    world.heal()
    again = world.live(cap=4)
    assert (again.exit_code, again.creates) == (0, 0), "it came back, and is taken"
    world.check_all_bought_once()


def test_a_task_that_is_late_to_appear_has_not_vanished() -> None:
    world = World(items(4), lag_s=45.0)

    assert world.live(cap=4).exit_code == 0
    world.check_all_bought_once()


# Results


def test_an_expired_address_is_replaced_by_a_fresh_one() -> None:
    world = World(items(4), result_lifetime_s=60.0)
    world.live(cap=4, fetch=False)
    world.wall_s += 3600.0

    life = world.live(cap=4)

    assert (life.exit_code, life.creates, life.downloads) == (0, 0, {"verified": 4})
    world.check_all_bought_once()


def test_fresh_addresses_are_asked_for_at_the_pace_of_polls() -> None:
    world = World(items(40), result_lifetime_s=60.0, windows=(Window(of="polls", limit=4, window_s=2.0),))
    told = {"cap": 40, "polls": Rate(count=4, window_s=2.0)}
    world.live(fetch=False, **told)
    world.wall_s += 3600.0

    life = world.live(delay_s=lambda _: 0.2, **told)

    assert (life.exit_code, world.stats.refused_429) == (0, {})
    assert life.took_s == pytest.approx(20.0, rel=0.3)
    world.check_all_bought_once()


def test_a_task_that_seems_to_go_on_again_has_not_lost_its_result() -> None:
    back = rule({**POLL, "from_s": 3600}, patch={"status": "processing", "result": None})
    world = World(items(3), result_lifetime_s=60.0, faults=[back])
    world.live(cap=3, fetch=False)
    world.wall_s += 3600.0

    assert world.live(cap=3).exit_code == 8
    world.heal()
    assert world.live(cap=3).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("profile", [{"fresh_urls": False}, {"retention_s": 100.0}], ids=str)
def test_a_result_without_any_living_address_is_gone_and_never_bought_again(profile: dict[str, Any]) -> None:
    world = World(items(3), result_lifetime_s=60.0, **profile)
    world.live(cap=3, fetch=False)
    world.wall_s += 3600.0

    life = world.live(cap=3)

    assert (life.exit_code, life.downloads) == (3, {"gone": 3})
    again = world.live(cap=3)
    assert (again.exit_code, again.requests, world.stats.tasks) == (3, 0, 3)
    world.check(cap=3)


@pytest.mark.parametrize("body", ["html", "text", "empty"])
def test_a_result_that_is_no_media_is_put_into_quarantine(body: str) -> None:
    world = World(items(3), faults=[rule(RESULT, body=body)])

    life = world.live(cap=3)

    assert (life.exit_code, life.downloads) == (3, {"quarantined": 3})
    assert all(name.endswith(".quarantine") for name in world.files)
    again = world.live(cap=3)
    assert (again.exit_code, again.requests) == (3, 0)
    world.check(cap=3)


def test_a_host_without_results_for_now_is_tried_again_by_the_next_life() -> None:
    world = World(items(3), faults=[rule(RESULT, status=503)])

    life = world.live(cap=3)

    assert (life.exit_code, life.downloads) == (8, {"left": 3})
    assert [notice.data["why"] for notice in life.spy.notices if notice.name == "left"] == ["HTTP 503"]
    world.heal()
    assert world.live(cap=3).exit_code == 0
    world.check_all_bought_once()


class SmallDisk(MemoryBlobs):
    """Full after so many files, until there is room."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    async def create(self, stem: str) -> Writer:
        if len(self.files) >= self.room:
            raise DiskFull(f"The disk is full, so {stem} was not saved.")
        return await super().create(stem)


def test_a_full_disk_stops_the_buying_keeps_what_is_paid_and_is_gone_on_from() -> None:
    disk = SmallDisk(room=6)
    world = World(items(30), blobs=disk)

    life = world.live(cap=30, creates=Rate(count=1, window_s=1.0))

    assert (life.exit_code, set(life.pauses)) == (9, {"disk"})
    assert "paused" in [notice.name for notice in life.spy.notices]
    assert world.states["planned"] > 0
    assert world.states["accepted"] == 0, "what is paid for is still watched to its end"
    world.check(cap=30)
    disk.room = 1000
    assert world.live(cap=30).exit_code == 0
    world.check_all_bought_once()


# Uploads


def test_uploads_that_are_out_of_order_for_a_while_hold_up_only_what_needs_them() -> None:
    wanted = [*items(5), *(item(n, "nano-banana", references=[picture(f"r{n % 3}")]) for n in range(5, 9))]
    world = World(wanted, faults=[rule({**UPLOAD, "until_s": 200.0}, status=503)])

    life = world.live(cap=5 + 4 * 3)

    created_s = [sent.at_s - world.stats.sends[0].at_s for sent in world.stats.sends]
    assert life.exit_code == 0
    assert [at_s < 10.0 for at_s in created_s] == [True] * 5 + [False] * 4
    world.check_all_bought_once()


def test_uploads_that_stay_out_of_order_end_the_run_after_the_rest_is_made() -> None:
    wanted = [*items(5), item(5, "nano-banana", references=[picture("shoe")])]
    world = World(wanted, faults=[rule(UPLOAD, code="rate_limited", retry_after=200)])

    life = world.live(cap=8)

    assert (life.exit_code, set(life.pauses), world.states) == (8, {"network"}, {"succeeded": 5, "planned": 1})
    assert 300.0 < life.took_s < 500.0
    world.check(cap=8)


@pytest.mark.parametrize(
    ("do", "code", "pause"),
    [
        ({"code": "validation_failed"}, 3, set()),
        ({"code": "payload_too_large"}, 3, set()),
        ({"code": "api_scope_denied"}, 4, {"auth"}),
        ({"status": 503}, 8, {"network"}),
        ({"status": 307, "location": "https://elsewhere.test/"}, 8, {"config"}),
        ({"status": 404}, 8, {"config"}),
        ({"body": "html"}, 8, {"config"}),
    ],
    ids=str,
)
def test_an_upload_that_cannot_be_had_stops_what_needs_it(do: dict[str, Any], code: int, pause: set[str]) -> None:
    wanted = [item(n, "nano-banana", references=[picture("shoe"), picture(f"sole {n % 2}")]) for n in range(4)]
    world = World(wanted, faults=[rule(UPLOAD, **do)])

    life: Life = world.live(cap=12)

    assert (life.exit_code, set(life.pauses), world.stats.tasks) == (code, pause, 0)
    world.heal()
    assert world.live(cap=12).exit_code == 0
    world.check_all_bought_once()


def test_an_upload_to_a_wrong_address_ends_a_run_whose_create_waits_to_be_sent_again() -> None:
    later = rule(CREATE, code="rate_limited", retry_after=30, times=1)
    wanted = [item(0), item(1, "nano-banana", references=[picture("shoe")])]
    world = World(wanted, faults=[later, rule(UPLOAD, status=404)])

    life = world.live(cap=12, delay_s=lambda call: 1.0 if "files" in call else 0.0, drain_at_s=86_400.0)

    assert (life.exit_code, set(life.pauses)) == (8, {"config"})
    assert life.took_s < 60.0
    world.heal()
    assert world.live(cap=12).exit_code == 0
    world.check_all_bought_once()
