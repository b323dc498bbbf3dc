"""The engine against a service that misbehaves: what each trouble costs, how it ends, and how the run goes on."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.rates import Rate
from jobs.verdict import SendPolicy
from runner.blobs import Writer
from runner.blobs_memory import MemoryBlobs
from runner.errors import DiskFull
from runner.sim.profile import NARROW_KEY, REVOKED_KEY, SECOND_KEY, Window
from tests.runner.world import Crash, Life, World, item, items, picture

CREATE, POLL, UPLOAD, RESULT = ({"endpoint": name} for name in ("create", "poll", "upload", "result"))


def rule(match: dict[str, Any], **do: Any) -> dict[str, Any]:
    times = do.pop("times", None)
    return {"match": match, "do": do, **({} if times is None else {"times": times})}


def some(match: dict[str, Any], share: float = 0.5) -> dict[str, Any]:
    return {**match, "share": share}


# Troubles that pass: the run finishes in one life, and everything was bought once.

PASSING = {
    "429 with Retry-After": [rule(some(CREATE), code="rate_limited", retry_after=3)],
    "429 without": [rule(some(CREATE), code="rate_limited")],
    "429 with garbage": [rule(some(CREATE), code="rate_limited", retry_after="soon")],
    "429 on polls": [rule(some(POLL), code="rate_limited", retry_after=2)],
    "502 before the effect": [rule(some(CREATE), status=502)],
    "502 after the effect": [rule(some(CREATE), status=502, after_effect=True)],
    "503 with Retry-After": [rule(some(CREATE, 0.3), status=503, retry_after=5)],
    "502 on polls": [rule(some(POLL), status=502)],
    "500 with an envelope": [rule(some(CREATE), status=500, code="internal_error", after_effect=True)],
    "dropped before the effect": [rule(some(CREATE), drop="before_effect")],
    "dropped after the effect": [rule(some(CREATE), drop="after_effect")],
    "dropped polls": [rule(some(POLL), drop="after_effect")],
    "cut answers": [rule(some(CREATE), cut_after_bytes=20)],
    "half an answer": [rule(some(CREATE), body="half_json")],
    "no body": [rule(some(CREATE), body="empty")],
    "a page instead of an answer": [rule(some(CREATE), body="html")],
    "polls that are pages": [rule(some(POLL), body="html")],
    "an answer without an id": [rule(some(CREATE), remove=["id"])],
    "never answered, not made": [rule(some(CREATE, 0.3), never_answer="before_effect", times=6)],
    "never answered, but made": [rule(some(CREATE, 0.3), never_answer="after_effect", times=6)],
    "never answered polls": [rule(some(POLL, 0.2), never_answer="after_effect", times=6)],
    "late answers": [rule(some(CREATE), delay_s=20)],
    "uploads that fail at first": [rule({**UPLOAD, "nth": 1}, status=503), rule({**UPLOAD, "nth": 3}, status=502)],
    "results that break": [rule(some(RESULT, 0.3), drop="after_effect")],
    "results that are missing for a moment": [rule(some(RESULT, 0.3), status=503)],
    "an unknown word of status": [rule(some(POLL, 0.3), patch={"status": "thinking"})],
    "another task's status": [rule(some(POLL, 0.3), patch={"id": "task_other"})],
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_costs_time_and_nothing_else(name: str) -> None:
    world = World(
        [*items(10), *(item(n, "nano-banana", references=[picture("shoe")]) for n in range(10, 14))],
        faults=PASSING[name],
    )

    life = world.live(cap=10 + 4 * 3)

    assert sum(world.simulator._faults.fired()) > 0
    assert life.exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("retry_after", ["seconds", "date", "none", "garbage"])
@pytest.mark.parametrize("refused_count", [False, True])
def test_a_rate_set_too_high_ends_in_fewer_requests_not_in_more(retry_after: str, refused_count: bool) -> None:
    world = World(
        items(60),
        windows=(Window(of="creates", limit=5, window_s=1.0),),
        retry_after=retry_after,
        refused_count=refused_count,
    )

    life = world.live(cap=60, creates=Rate(count=40, window_s=1.0))

    assert life.exit_code == 0
    assert world.stats.refused_429["creates"] < 60
    assert "rate" in [notice.name for notice in life.spy.notices]
    world.check_all_bought_once()


def test_a_storm_of_refusals_for_an_hour_is_waited_out_at_a_trickle() -> None:
    storm = [rule({**CREATE, "until_s": 3600}, code="rate_limited", retry_after=60)]
    world = World(items(5), faults=storm)

    life = world.live(cap=5)

    assert life.exit_code == 0
    assert len(world.stats.sends) < 5 + 5 * 60
    world.check_all_bought_once()


@pytest.mark.parametrize(
    "profile",
    [
        {"create_status": 202, "replay_status": 200},
        {"replay_body": "current"},
        {"remembers": ("4xx",)},
        {"gates_first": ("auth", "limits", "validation", "credits")},
        {"gates_first": ()},
        {"body_compare": "canonical"},
        {"in_flight": "conflict", "create_takes_s": 3.0},
        {"lag_s": 10.0},
        {"goes_back": "open"},
        {"goes_back": "final"},
        {"unknown_status": "warming_up"},
        {"urls_field": False},
        {"insufficient_as": "born_failed"},
        {"tasks_at_once": 3},
        {"tasks_at_once": 3, "at_once_excess": "queue"},
        {"key_scope": "key"},
        {"rate_headers": True},
    ],
    ids=str,
)
def test_whatever_the_documentation_left_open_nothing_is_bought_twice(profile: dict[str, Any]) -> None:
    faults = [rule(some(CREATE, 0.3), drop="after_effect"), rule(some(CREATE, 0.3), status=502, after_effect=True)]
    world = World(items(12), faults=faults, **profile)

    life = world.live(cap=12)

    assert life.exit_code == 0
    world.check_all_bought_once()


# Doubt

REFUSALS = [
    ({"code": "validation_failed"}, 0),
    ({"code": "rate_limited"}, 0),
    ({"status": 418}, 0),
    ({"code": "insufficient_credits"}, 5),
    ({"code": "api_key_invalid"}, 4),
    ({"code": "api_scope_denied"}, 4),
    ({"status": 404}, 8),
    ({"status": 302, "location": "https://elsewhere.test/"}, 8),
]


@pytest.mark.parametrize(("refusal", "code"), REFUSALS, ids=str)
def test_a_refusal_after_a_lost_answer_proves_nothing(refusal: dict[str, Any], code: int) -> None:
    world = World(
        items(1), faults=[rule({**CREATE, "nth": 1}, drop="after_effect"), rule({**CREATE, "nth": 2}, **refusal)]
    )

    life = world.live(cap=1)

    assert life.exit_code == code
    assert world.states == {"succeeded" if code == 0 else "submitting": 1}
    assert world.live(cap=1).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize(("refusal", "code"), REFUSALS, ids=str)
def test_a_refusal_after_a_restart_proves_nothing_about_what_was_sent_before(
    refusal: dict[str, Any], code: int
) -> None:
    def die(_: int, moment: str, name: str) -> None:
        if (moment, name) == ("after", "POST /api/v1/generations"):
            raise Crash

    world = World(items(1), faults=[rule({**CREATE, "nth": 2}, **refusal)])
    world.live(cap=1, hook=die)

    life = world.live(cap=1)

    assert life.exit_code == code
    assert world.states == {"succeeded" if code == 0 else "submitting": 1}
    assert world.live(cap=1).exit_code == 0
    world.check_all_bought_once()


# Conflicts


def test_a_conflict_while_the_first_send_is_in_flight_ends_with_its_task() -> None:
    world = World(items(6), in_flight="conflict", create_takes_s=200.0)  # we give an answer up after 120 s

    assert world.live(cap=6).exit_code == 0
    assert world.stats.conflicts >= 6
    world.check_all_bought_once()


def test_a_conflict_that_stays_is_uncertain_and_keeps_its_credits_held() -> None:
    world = World(items(3), faults=[rule({**CREATE, "prompt_contains": "picture 1"}, code="idempotency_conflict")])

    life = world.live(cap=3)

    assert life.exit_code == 7
    assert world.states == {"succeeded": 2, "uncertain": 1}
    assert (world.store.books["trial"].reserved, world.store.books["trial"].settled) == (1, 2)
    assert "another body" in (world.record(1).error_message or "")
    world.heal()
    again = world.live(cap=3)
    assert (again.exit_code, again.creates) == (7, 0)
    world.check(cap=3)


# The key


@pytest.mark.parametrize("endpoint", ["create", "poll"])
@pytest.mark.parametrize("code", ["api_key_revoked", "api_key_expired", "api_scope_denied"])
def test_a_key_refused_in_the_middle_stops_and_another_key_of_the_account_finishes(endpoint: str, code: str) -> None:
    world = World(items(12), faults=[rule({"endpoint": endpoint, "from_s": 2.0}, code=code)])

    life = world.live(cap=12, creates=Rate(count=3, window_s=1.0))

    assert (life.exit_code, set(life.pauses)) == (4, {"auth"})
    world.check(cap=12)
    world.heal()
    assert world.live(cap=12, key=SECOND_KEY).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("key", [REVOKED_KEY, NARROW_KEY, "rvya_sk_nobody"])
def test_a_key_that_never_worked_buys_nothing_and_loses_nothing(key: str) -> None:
    world = World([item(0, "nano-banana", references=[picture("shoe")]), *(item(n) for n in range(1, 5))])

    assert world.live(cap=7, key=key).exit_code == 4
    assert world.stats.tasks == 0
    assert world.live(cap=7).exit_code == 0
    world.check_all_bought_once()


# Nobody there


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_never_followed_and_stops_the_buying(status: int) -> None:
    redirect = rule(CREATE, status=status, location="https://elsewhere.test/")
    world = World(items(5), faults=[redirect])

    life = world.live(cap=5)

    assert (life.exit_code, life.creates, set(life.pauses)) == (8, 1, {"config"})
    world.heal()
    assert world.live(cap=5).exit_code == 0
    world.check_all_bought_once()


@pytest.mark.parametrize("match", [{"endpoint": "any"}, {"endpoint": "any", "from_s": 3.0}], ids=["ever", "since"])
@pytest.mark.parametrize("do", [{"drop": "before_effect"}, {"status": 503}, {"never_answer": "before_effect"}], ids=str)
def test_a_service_out_of_reach_is_given_up_after_a_while_and_gone_on_with_later(
    match: dict[str, Any], do: dict[str, Any]
) -> None:
    world = World([*items(8), item(8, "nano-banana", references=[picture("shoe")])], faults=[rule(match, **do)])

    life = world.live(cap=11, creates=Rate(count=2, window_s=1.0), more={"send_policy": SendPolicy(resends_max=30)})

    assert (life.exit_code, set(life.pauses)) == (8, {"network"})
    assert life.took_s < 1200.0
    world.heal()
    assert world.live(cap=11).exit_code == 0
    world.check_all_bought_once()


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
