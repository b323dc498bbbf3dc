"""What the service remembers of idempotency keys.

The documentation names the header, says that retries are its purpose, and gives `idempotency_conflict` as a code. All
else (lifetime, comparison, what is remembered) is a switch of the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import orjson

from runner.sim.exchange import Fact, fact_of
from runner.sim.problems import Refusal
from runner.sim.profile import ApiKey, Profile

__all__ = ["KeyBook", "Remembered", "fingerprint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One key that was used. `body` is the first answer's, given again on a replay."""

    scope: str
    key: str
    print: str
    at_s: float
    ready_s: float  # the first answer was sent then; before, the create is in flight
    status: int
    body: str
    content_type: str
    task_id: str | None

    def as_fact(self) -> Fact:
        return fact_of("key", self)


def fingerprint(body: bytes, profile: Profile) -> str:
    """What of a body must be equal for two requests to be the same one."""
    if profile.body_compare == "none":
        return ""
    if profile.body_compare == "canonical":
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return sha256(body).hexdigest()
        if isinstance(value, dict) and not profile.client_request_id_counts:
            value.pop("client_request_id", None)
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return sha256(body).hexdigest()


class KeyBook:
    """The keys seen so far."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._entries: dict[tuple[str, str], Remembered] = {}
        self.conflicts = 0

    def scope_of(self, key: ApiKey) -> str:
        """Within what an idempotency key must be unique."""
        return key.secret if self._profile.key_scope == "key" else key.account

    def look_up(self, scope: str, key: str, print_: str, now_s: float) -> Remembered | None:
        """The earlier use to replay; None for a new or forgotten key. Raises the 409 Refusal."""
        entry = self._entries.get((scope, key))
        if entry is None:
            return None
        lifetime_s = self._profile.key_lifetime_s
        if lifetime_s is not None and now_s >= entry.at_s + lifetime_s:
            return None
        if entry.print != print_:
            self.conflicts += 1
            raise Refusal("idempotency_conflict")
        if now_s < entry.ready_s and self._profile.in_flight == "conflict":
            self.conflicts += 1
            raise Refusal("idempotency_conflict", "A request with this idempotency key is still being processed.")
        return entry

    def remember(self, entry: Remembered) -> None:
        """Keep an entry; a forgotten one under the same key is replaced."""
        self._entries[entry.scope, entry.key] = entry

    def keeps(self, status: int) -> bool:
        """Whether a refusal with this status is given again to the same key."""
        if status == 429:
            return "429" in self._profile.remembers
        return ("5xx" if status >= 500 else "4xx") in self._profile.remembers
