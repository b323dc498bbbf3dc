"""What one send of a create proves, and what follows for its attempt.

Two questions, two tables. `judge` reads one HTTP exchange by itself. `settle` adds what earlier sends left behind: once
a send may have arrived, a later refusal proves nothing (limiters, auth and validation commonly run before the
service's idempotency layer), so only a task id, or a person, ends the doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen

__all__ = ["Follow", "Next", "Pause", "SendPolicy", "Verdict", "VerdictKind", "judge", "refuses_key", "settle"]


class VerdictKind(StrEnum):
    """What a send proves by itself."""

    ACCEPTED = "accepted"  # a task exists and this is its id
    REJECTED = "rejected"  # the documented envelope says no: nothing was created by this send
    NO_CREDITS = "no_credits"  # the same, because the account is empty
    NO_CREDITS_PERHAPS = "no_credits_perhaps"  # its code in a 5xx or the like: what broke may still deliver
    NOT_SENT = "not_sent"  # no byte of the request left
    LIMITED = "limited"  # 429: not now
    REFUSED_KEY = "refused_key"  # 401 / 403 with the envelope: not executed, and no other request will be
    MISROUTED = "misrouted"  # a redirect, or no such path: the base URL is wrong
    CONFLICT = "conflict"  # the key is known: still in flight, or bound to another body
    AMBIGUOUS = "ambiguous"  # it may have been created


class Pause(StrEnum):
    """Why nothing new is bought. What is paid for is still polled and downloaded, if it can be.

    For the rest of this life, but for those that somebody or something may end: `POLLS`, `PERSON`, and `BUDGET`.
    """

    AUTH = "auth"
    CREDITS = "credits"
    BUDGET = "budget"
    NETWORK = "network"
    CREATES = "creates"  # creates get no usable answer, whatever polls get
    POLLS = "polls"  # no status is answered: nobody sees what was bought. Until one is
    VANISHED = "vanished"  # the tasks that were bought are unknown to the service, one after the other
    CONFIG = "config"
    DISK = "disk"
    HALT = "halt"  # more items failed than `--halt` allows
    PERSON = "person"  # somebody said `pause`: the run stays alive and waits for `resume`


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The kind, with the evidence that people and the ledger want to see."""

    kind: VerdictKind
    end: SendEnd
    task: TaskSeen | None = None
    error: ErrorSeen | None = None
    pause: Pause | None = None


# A definite no: these statuses with these codes of the documented envelope; at 400 any code, also one of tomorrow.
_REJECTING = frozenset({"validation_failed", "chat_model_not_supported"})
_KEY_CODES = frozenset({"api_key_missing", "api_key_invalid", "api_key_revoked", "api_key_expired", "api_scope_denied"})
_DEFINITE_STATUSES = frozenset({400, 413, 422})
# And for `insufficient_credits`, whose status is not documented, and `rate_limited`. With a 5xx the words may be about
# one copy of the request, while another is under way: no better than the doubt they come with.
_UNPAID_STATUSES = _DEFINITE_STATUSES | {402, 403, 429}


def judge(end: SendEnd) -> Verdict:
    """The verdict of one send of a create (the table in ARCHITECTURE.md, "What a send proves")."""
    kind, pause = _judge(end)
    return Verdict(kind=kind, end=end, task=end.task, error=end.error, pause=pause)


def _judge(end: SendEnd) -> tuple[VerdictKind, Pause | None]:
    if end.phase is Phase.NOT_SENT:
        return VerdictKind.NOT_SENT, None
    if end.phase is Phase.SENT or end.status is None:
        return VerdictKind.AMBIGUOUS, None
    status, code = end.status, end.error.code if end.error else None
    if 200 <= status < 300:
        return (VerdictKind.ACCEPTED if end.task else VerdictKind.AMBIGUOUS), None
    if 300 <= status < 400:
        return VerdictKind.MISROUTED, Pause.CONFIG
    if code == "insufficient_credits":
        return (VerdictKind.NO_CREDITS if status in _UNPAID_STATUSES else VerdictKind.NO_CREDITS_PERHAPS), Pause.CREDITS
    if end.is_limited:
        return (VerdictKind.LIMITED if status in _UNPAID_STATUSES else VerdictKind.AMBIGUOUS), None
    if refuses_key(end.status, end.error):
        return VerdictKind.REFUSED_KEY, Pause.AUTH
    if status == 409:
        return VerdictKind.CONFLICT, None
    if status in _DEFINITE_STATUSES and (code in _REJECTING or (code is not None and status == 400)):
        return VerdictKind.REJECTED, None
    if status == 404:
        return VerdictKind.MISROUTED, Pause.CONFIG
    return VerdictKind.AMBIGUOUS, None


def refuses_key(status: int | None, error: ErrorSeen | None) -> bool:
    """The service itself, not something in front of it, says that the key will not do, for any request.

    Every 401 with its envelope means that; a 403 with an unknown code may be about this one request.
    """
    return error is not None and (status == 401 or (status == 403 and error.code in _KEY_CODES))


class Next(StrEnum):
    """What happens to the attempt after a verdict."""

    ACCEPT = "accept"
    REJECT = "reject"
    RESEND = "resend"  # same key, same bytes, later
    PARK = "park"  # uncertain: the runner never guesses
    HOLD = "hold"  # stays open, sent again in a later life


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """How long one key is tried. See `limits` and `retries` in the manifest."""

    resends_max: int = 16  # POSTs after the first that may be left without an answer: eight minutes of backoff
    key_window_s: float = 3600.0  # how long the service surely remembers a key is unknown: one hour is trusted
    conflict_window_s: float = 120.0  # a 409 may mean "still in flight": asked again for two minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """The next move, whether the doubt is now there for good, and the reason in one line."""

    next: Next
    ambiguous: bool
    reason: str


# Without earlier doubt: kind -> (next, does this send leave a doubt?)
_CLEAN: dict[VerdictKind, tuple[Next, bool]] = {
    VerdictKind.ACCEPTED: (Next.ACCEPT, False),
    VerdictKind.REJECTED: (Next.REJECT, False),
    VerdictKind.NO_CREDITS: (Next.REJECT, False),
    VerdictKind.NO_CREDITS_PERHAPS: (Next.HOLD, True),
    VerdictKind.NOT_SENT: (Next.RESEND, False),
    VerdictKind.LIMITED: (Next.RESEND, False),
    VerdictKind.REFUSED_KEY: (Next.HOLD, False),
    VerdictKind.MISROUTED: (Next.HOLD, True),
    VerdictKind.CONFLICT: (Next.RESEND, True),
    VerdictKind.AMBIGUOUS: (Next.RESEND, True),
}

# With earlier doubt only a task id ends it; refusals of any kind are "not now".
_DOUBTED: dict[VerdictKind, Next] = {
    VerdictKind.ACCEPTED: Next.ACCEPT,
    VerdictKind.REJECTED: Next.RESEND,
    VerdictKind.NO_CREDITS: Next.HOLD,
    VerdictKind.NO_CREDITS_PERHAPS: Next.HOLD,
    VerdictKind.NOT_SENT: Next.RESEND,
    VerdictKind.LIMITED: Next.RESEND,
    VerdictKind.REFUSED_KEY: Next.HOLD,
    VerdictKind.MISROUTED: Next.HOLD,
    VerdictKind.CONFLICT: Next.RESEND,
    VerdictKind.AMBIGUOUS: Next.RESEND,
}

# Kinds that do not use up a key's resends: nothing of the kind "it may have arrived" happened.
_FREE = frozenset({VerdictKind.NOT_SENT, VerdictKind.LIMITED})


def settle(
    verdict: Verdict,
    *,
    ambiguous: bool,
    resends: int,
    age_s: float,
    conflict_age_s: float | None,
    policy: SendPolicy,
) -> Follow:
    """What follows for the attempt.

    `ambiguous`: an earlier send may have arrived (also: the process was restarted with the intent open). `resends`:
    POSTs of this life that counted, this one included, minus one. `age_s`: since the intent, by its oldest clock.
    `conflict_age_s`: since the first 409 of this life; None when there was none.
    """
    kind = verdict.kind
    if ambiguous:
        move, doubt = _DOUBTED[kind], True
    else:
        move, doubt = _CLEAN[kind]
    if move is Next.ACCEPT:
        return Follow(next=move, ambiguous=ambiguous, reason="")
    reason = verdict.end.reason or kind.value
    if move is not Next.RESEND:
        return Follow(next=move, ambiguous=doubt, reason=reason)
    if kind is VerdictKind.CONFLICT and (conflict_age_s or 0.0) >= policy.conflict_window_s:
        why = "the service keeps answering idempotency_conflict: it saw the key with another body, or is still at work"
        return Follow(next=Next.PARK, ambiguous=True, reason=why)
    if doubt and age_s >= policy.key_window_s:
        minutes = round(policy.key_window_s / 60)
        return Follow(next=Next.PARK, ambiguous=True, reason=f"no answer within {minutes} min, last: {reason}")
    if doubt and kind not in _FREE and resends >= policy.resends_max:
        return Follow(next=Next.PARK, ambiguous=True, reason=f"{resends + 1} sends without an answer, last: {reason}")
    return Follow(next=Next.RESEND, ambiguous=doubt, reason=reason)
