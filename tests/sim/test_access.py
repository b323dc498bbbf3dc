"""Keys, scopes, and the documented code for each way of lacking them."""

from __future__ import annotations

import pytest

from runner.sim.profile import DEMO_KEY, EXPIRED_KEY, NARROW_KEY, OTHER_ACCOUNT_KEY, REVOKED_KEY, SECOND_KEY
from tests.sim.conftest import Talk, talk


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (None, (401, "api_key_missing")),
        ("", (401, "api_key_missing")),
        ("rvya_sk_nobody", (401, "api_key_invalid")),
        ("sk-of-another-house", (401, "api_key_invalid")),
        (REVOKED_KEY, (401, "api_key_revoked")),
        (EXPIRED_KEY, (401, "api_key_expired")),
        (NARROW_KEY, (403, "api_scope_denied")),
    ],
)
def test_a_create_with_an_unusable_key_gets_its_documented_code(
    service: Talk, secret: str | None, expected: tuple[int, str]
) -> None:
    service.secret = secret

    assert service.code(service.create()) == expected


def test_a_narrow_key_reads_what_its_scopes_allow(service: Talk) -> None:
    service.secret = NARROW_KEY

    assert service.send("GET", "/api/v1/credits") == (200, {"current_credits": 100_000})


def test_an_api_that_is_switched_off_answers_503_and_still_lists_models() -> None:
    service = talk(public_api=False)

    assert service.code(service.create()) == (503, "public_api_disabled")
    assert service.send("GET", "/api/v1/models")[0] == 200


def test_the_error_envelope_is_the_documented_one(service: Talk) -> None:
    service.secret = None
    _, answer = service.create()

    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message", "requestId"}
    assert answer["error"]["requestId"].startswith("req_")


@pytest.mark.parametrize(("secret", "seen"), [(DEMO_KEY, 200), (SECOND_KEY, 200), (OTHER_ACCOUNT_KEY, 404)])
def test_a_task_belongs_to_the_account_not_to_the_key(service: Talk, secret: str, seen: int) -> None:
    _, task = service.create()
    service.secret = secret

    assert service.send("GET", f"/api/v1/generations/{task['id']}")[0] == seen


@pytest.mark.parametrize("target", ["/", "/api/v2/models", "/api/v1/generations/", "/api/v1/generations/task_none"])
def test_what_does_not_exist_is_not_found(service: Talk, target: str) -> None:
    assert service.code(service.send("GET", target)) == (404, "not_found")


def test_a_wrong_method_is_refused(service: Talk) -> None:
    assert service.code(service.send("DELETE", "/api/v1/generations")) == (405, "method_not_allowed")


def test_every_answer_carries_a_date_and_a_request_id(service: Talk) -> None:
    service.balance()

    assert service.last.headers["date"] == "Mon, 12 Jan 1970 13:46:40 GMT"
    assert service.last.headers["x-request-id"].startswith("req_")
