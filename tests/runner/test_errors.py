"""The tree of errors says what the exit code is and what to do next."""

from __future__ import annotations

import re

import pytest

import runner.errors
from jobs.answers import Phase
from runner.errors import AuthError, ManifestRejected, RunnerError, ServiceRefused, TransportError

KINDS = [getattr(runner.errors, name) for name in runner.errors.__all__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_stands_in_the_drawing_with_its_exit_code(kind: type[RunnerError]) -> None:
    drawing = runner.errors.__doc__ or ""

    assert re.search(rf"\b{kind.__name__} +{kind.exit_code}  ", drawing)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_code_is_kebab_case_and_every_exit_code_documented(kind: type[RunnerError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.default_code)
    assert kind.exit_code in {1, 2, 3, 4, 5, 7, 8, 9}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_that_is_raised_says_what_to_do_next(kind: type[RunnerError]) -> None:
    roots = {runner.errors.RunnerError, runner.errors.LedgerError}

    assert kind.default_next_step or kind in roots


def test_what_the_service_said_overrides_the_default() -> None:
    error = AuthError("The service refused the key.", code="api_key_revoked", request_id="req_1")

    assert (error.code, error.request_id, error.exit_code) == ("api_key_revoked", "req_1", 4)
    assert str(error) == error.message == "The service refused the key."
    assert "RIVYA_API_KEY" in error.next_step


def test_an_empty_next_step_stays_empty() -> None:
    assert AuthError("No.", next_step="").next_step == ""


def test_facts_are_attributes() -> None:
    assert TransportError("No answer.", phase=Phase.SENT).phase is Phase.SENT
    assert ServiceRefused("No.", status=429, retry_after_s=3.0).retry_after_s == 3.0
    assert ManifestRejected("Two errors.", findings=()).findings == ()
