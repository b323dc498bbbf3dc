"""What the service said, as plain values. The runner's client makes them; the core decides on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["ErrorSeen", "Phase", "Quota", "SendEnd", "TaskSeen", "Uploaded"]


class Phase(StrEnum):
    """How far one HTTP exchange got. Decided by the client's own trace, never by an exception's name."""

    NOT_SENT = "not_sent"  # no header left: DNS, refused, TLS, cancelled before writing
    SENT = "sent"  # headers may have left; no usable answer came back
    ANSWERED = "answered"  # a whole HTTP answer was read


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSeen:
    """The documented error envelope `{"error": {code, message, requestId}}`; absent means the body had none."""

    code: str
    message: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSeen:
    """A task object of the service. Credits are whole numbers or None (missing or not a sane whole number).

    `status` is the service's word, untouched; unknown words are possible. `urls` never repeats an address and starts
    with `primary_url`. `error` is the failed task's own.
    """

    id: str
    status: str
    reserved_credits: int | None = None
    final_credits: int | None = None
    urls: tuple[str, ...] = ()
    error: ErrorSeen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What rate headers tell: requests that are left, and seconds until there are more."""

    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEnd:
    """How one HTTP exchange about a task (create or status) ended.

    `task` is set only for a 2xx whose body held a task with a sane id. `retry_after_s` is already relative seconds,
    0 or more, uncapped; None when the header is absent or unreadable. `server_epoch_s` is the answer's Date header.
    """

    phase: Phase
    status: int | None = None
    task: TaskSeen | None = None
    error: ErrorSeen | None = None
    retry_after_s: float | None = None
    server_epoch_s: float | None = None
    quota: Quota | None = None
    request_id: str | None = None
    reason: str = ""  # one line for people: "connection reset", "HTTP 502, HTML body: ..."

    @property
    def is_limited(self) -> bool:
        """The service says "not now": too many of something."""
        return self.status == 429 or (self.error is not None and self.error.code == "rate_limited")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A reference as the service holds it. `duration_token` is secret-like: sent verbatim, never printed."""

    file_id: str
    url: str
    kind: str
    name: str
    mime_type: str
    duration_token: str | None = field(default=None, repr=False)
    duration_s: float | None = None
    expires_at: str | None = None

    @property
    def in_body(self) -> dict[str, object]:
        """As it stands in the body of a create."""
        item: dict[str, object] = {"url": self.url, "kind": self.kind, "name": self.name, "mimeType": self.mime_type}
        if self.duration_s is not None:
            item["durationSeconds"] = self.duration_s
        if self.duration_token is not None:
            item["durationToken"] = self.duration_token
        return item
