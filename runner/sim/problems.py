"""The documented errors and their envelope."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runner.sim.exchange import SimResponse, json_answer

__all__ = ["CODES", "Refusal", "refusal_answer"]

CODES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "public_api_disabled": (503, "The public API is switched off for now."),
        "api_key_missing": (401, "A valid Bearer API key is required."),
        "api_key_invalid": (401, "The API key could not be verified."),
        "api_key_revoked": (401, "The API key was revoked."),
        "api_key_expired": (401, "The API key has expired."),
        "api_scope_denied": (403, "The API key lacks a scope this endpoint needs."),
        "rate_limited": (429, "Too many requests in the current window."),
        "validation_failed": (400, "The request is not valid."),
        "not_found": (404, "There is no such thing here, or it belongs to another account."),
        "method_not_allowed": (405, "This path does not take that method."),
        "idempotency_conflict": (409, "The idempotency key was used before with a different request."),
        "insufficient_credits": (402, "The account has too few credits for this request."),
        "payload_too_large": (413, "The request body is too large."),
        "internal_error": (500, "Something went wrong on our side."),
    }
)
"""Code to HTTP status and default message. The documentation names all but `method_not_allowed`,
`payload_too_large` and `internal_error`; statuses of those and of `insufficient_credits` are guesses."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a mistake
    """The service says no. Raised inside the core, answered by `refusal_answer`."""

    def __init__(
        self, code: str, message: str = "", *, status: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        default_status, default_message = CODES.get(code, (400, code))
        super().__init__(message or default_message)
        self.code = code
        self.message = message or default_message
        self.status = status or default_status
        self.headers: Mapping[str, str] = headers or {}


def refusal_answer(refusal: Refusal, request_id: str) -> SimResponse:
    """The error envelope exactly as documented, `requestId` in camel case."""
    error = {"code": refusal.code, "message": refusal.message, "requestId": request_id}
    answer = json_answer(refusal.status, {"error": error})
    return SimResponse(status=answer.status, headers={**answer.headers, **refusal.headers}, body=answer.body)
