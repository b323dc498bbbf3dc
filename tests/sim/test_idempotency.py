"""What a second request with the same idempotency key gets, under every reading of the documentation."""

from __future__ import annotations

from typing import Any

import pytest

from runner.sim.profile import REVOKED_KEY, SECOND_KEY, ApiKey, Profile, Window
from tests.sim.conftest import Z_IMAGE, Talk, talk

OTHER: dict[str, Any] = {**Z_IMAGE, "prompt": "a dog on a hill"}


def test_the_same_key_and_body_give_the_first_task_and_cost_once(service: Talk) -> None:
    first = service.create("k")
    service.now_s += 30
    again = service.create("k")

    assert again == first
    assert service.simulator.stats().charged_total == 1
    assert service.simulator.stats().tasks == 1


def test_the_same_key_with_another_body_conflicts(service: Talk) -> None:
    service.create("k")

    assert service.code(service.create("k", **OTHER)) == (409, "idempotency_conflict")
    assert service.simulator.stats().conflicts == 1


def test_without_a_key_every_create_is_a_new_task(service: Talk) -> None:
    assert service.create()[1]["id"] != service.create()[1]["id"]
    assert service.simulator.stats().same_body_tasks == 1


def test_a_service_that_ignores_keys_makes_duplicates() -> None:
    service = talk(idempotency=False)
    service.create("k")
    service.create("k")

    assert service.simulator.stats().duplicate_tasks == 1


def test_a_key_is_forgotten_after_its_lifetime() -> None:
    service = talk(key_lifetime_s=60.0)
    _, first = service.create("k")
    service.now_s += 59.9
    assert service.create("k")[1]["id"] == first["id"]
    service.now_s += 0.1

    assert service.create("k")[1]["id"] != first["id"]
    assert service.simulator.stats().duplicate_tasks == 1


@pytest.mark.parametrize(
    ("body_compare", "counts", "spaced", "traced", "other"),
    [
        ("bytes", True, 409, 409, 409),
        ("canonical", True, 200, 409, 409),
        ("canonical", False, 200, 200, 409),
        ("none", True, 200, 200, 200),
    ],
)
def test_bodies_are_compared_as_bytes_as_values_or_not_at_all(
    *, body_compare: str, counts: bool, spaced: int, traced: int, other: int
) -> None:
    service = talk(body_compare=body_compare, client_request_id_counts=counts)
    service.create("k")
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    body = b'{"prompt": "a cat on a hill", "model": "z-image"}'

    assert service.send("POST", "/api/v1/generations", body, headers)[0] == spaced
    assert service.create("k", **Z_IMAGE, client_request_id="trace")[0] == traced
    assert service.create("k", **OTHER)[0] == other


@pytest.mark.parametrize(("key_scope", "tasks"), [("account", 1), ("key", 2)])
def test_a_key_is_unique_per_account_or_per_api_key(key_scope: str, tasks: int) -> None:
    service = talk(key_scope=key_scope)
    service.create("k")
    service.secret = SECOND_KEY
    service.create("k")

    assert service.simulator.stats().tasks == tasks


@pytest.mark.parametrize(("remembers", "then"), [((), 200), (("4xx",), 402)])
def test_a_refusal_for_lack_of_credits_may_be_remembered(remembers: tuple[str, ...], then: int) -> None:
    service = talk(initial_credits=200, remembers=remembers, refund="immediate", durations=(("*", 1.0),))
    service.create("big", model="seedance-2", prompt="x")
    refused = service.create("k", **{**Z_IMAGE, "model": "kling-3-0"})
    assert refused[0] == 402
    service.simulator._world.wallets["demo"].balance += 1000

    assert service.create("k", **{**Z_IMAGE, "model": "kling-3-0"})[0] == then


@pytest.mark.parametrize(("remembers", "then"), [((), 200), (("5xx",), 500)])
def test_a_server_error_may_poison_a_key(remembers: tuple[str, ...], then: int) -> None:
    service = talk([{"match": {"endpoint": "create", "nth": 1}, "do": {"status": 500}}], remembers=remembers)
    assert service.create("k")[0] == 500

    assert service.create("k")[0] == then


@pytest.mark.parametrize(("remembers", "then"), [((), 200), (("429",), 429)])
def test_a_rate_limit_behind_the_key_layer_may_be_remembered(remembers: tuple[str, ...], then: int) -> None:
    windows = (Window(of="creates", limit=1, window_s=10.0),)
    service = talk(windows=windows, gates_first=("auth",), remembers=remembers)
    service.create("first")
    assert service.create("k")[0] == 429
    service.now_s += 10

    assert service.create("k")[0] == then


@pytest.mark.parametrize(("in_flight", "status"), [("conflict", 409), ("wait", 200)])
def test_a_key_whose_first_create_is_in_flight_conflicts_or_waits(in_flight: str, status: int) -> None:
    service = talk(in_flight=in_flight, create_takes_s=3.0)
    service.create("k")
    assert service.last.delay_s == 3.0
    service.now_s += 1

    assert service.create("k")[0] == status
    assert service.last.delay_s == (2.0 if status == 200 else 0.0)


def test_the_status_of_a_replay_is_a_setting() -> None:
    service = talk(create_status=201, replay_status=200)

    assert [service.create("k")[0], service.create("k")[0]] == [201, 200]


@pytest.mark.parametrize(("replay_body", "status"), [("first", "queued"), ("current", "succeeded")])
def test_a_replay_shows_the_first_answer_or_how_the_task_stands_now(replay_body: str, status: str) -> None:
    service = talk(replay_body=replay_body)
    service.create("k")
    service.now_s += 3600

    assert service.create("k")[1]["status"] == status


def test_a_key_may_be_required() -> None:
    service = talk(key_required=True)

    assert service.code(service.create()) == (400, "validation_failed")
    assert service.create("k")[0] == 200


def test_a_key_may_be_too_long() -> None:
    service = talk(key_max_chars=8)

    assert [service.create("k" * 8)[0], service.create("k" * 9)[0]] == [200, 400]


class TestGates:
    """Which checks stand before the key is looked up, and so can refuse a request that was obeyed before."""

    @pytest.mark.parametrize(("first", "status"), [(("auth", "limits"), 429), (("auth",), 200)])
    def test_limits(self, first: tuple[str, ...], status: int) -> None:
        service = talk(windows=(Window(of="creates", limit=1, window_s=10.0),), gates_first=first)
        service.create("k")

        assert service.create("k")[0] == status

    @pytest.mark.parametrize(("first", "status"), [(("auth", "credits"), 402), (("auth",), 200)])
    def test_credits(self, first: tuple[str, ...], status: int) -> None:
        service = talk(initial_credits=1, gates_first=first)
        service.create("k")

        assert service.create("k")[0] == status

    @pytest.mark.parametrize(("first", "status"), [(("auth",), 401), (("limits",), 200)])
    def test_standing_of_the_api_key(self, first: tuple[str, ...], status: int) -> None:
        keys = (*Profile().keys[:-2], ApiKey(secret=REVOKED_KEY, state="revoked"))
        service = talk(gates_first=first, keys=keys)
        service.create("k")
        service.secret = REVOKED_KEY

        assert service.create("k")[0] == status

    @pytest.mark.parametrize(("first", "status"), [(("auth", "validation"), 400), (("auth",), 409)])
    def test_validation(self, first: tuple[str, ...], status: int) -> None:
        service = talk(gates_first=first)
        service.create("k")

        assert service.create("k", model="no-such")[0] == status
