"""Who is asking, and may they?"""

from __future__ import annotations

from collections.abc import Mapping

from runner.sim.problems import Refusal
from runner.sim.profile import ApiKey

__all__ = ["SCOPES", "check_standing", "identify"]

SCOPES: Mapping[str, str] = {
    "create": "generations:create",
    "poll": "generations:read",
    "upload": "files:create",
    "file": "files:read",
    "credits": "credits:read",
}
_PREFIX = "rvya_sk_"


def identify(headers: Mapping[str, str], keys: Mapping[str, ApiKey]) -> ApiKey:
    """The key of a request; Refusal without one, or with one that nobody knows."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise Refusal("api_key_missing")
    if not secret.startswith(_PREFIX) or secret not in keys:
        raise Refusal("api_key_invalid")
    return keys[secret]


def check_standing(key: ApiKey, endpoint: str, *, public_api: bool) -> None:
    """Refusal when the key may not use this endpoint now."""
    if not public_api:
        raise Refusal("public_api_disabled")
    if key.state != "active":
        raise Refusal(f"api_key_{key.state}")
    if SCOPES[endpoint] not in key.scopes:
        raise Refusal("api_scope_denied", f"The API key lacks the scope {SCOPES[endpoint]}.")
