"""The engine against a service that misbehaves: troubles that pass, doubt, conflicts, a refused key, nobody there."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.rates import Rate
from jobs.verdict import SendPolicy
from runner.sim.profile import NARROW_KEY, REVOKED_KEY, SECOND_KEY, Window
from tests.runner.fault_rules import CREATE, POLL, RESULT, UPLOAD, rule, some
from tests.runner.world import Crash, World
from tests.runner.world_items import item, items, picture

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
