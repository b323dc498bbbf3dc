"""Every open question about the service, as one switch each.

The defaults are what the documentation says, and where it is silent the most careful reading of it: the reading that
forgives a client least. A run over several profiles shows whether the runner depends on a guess.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

__all__ = [
    "ALL_SCOPES",
    "DEMO_KEY",
    "EXPIRED_KEY",
    "NARROW_KEY",
    "OTHER_ACCOUNT_KEY",
    "REVOKED_KEY",
    "SECOND_KEY",
    "ApiKey",
    "Gate",
    "Profile",
    "ProfileError",
    "Window",
    "profile_from_pairs",
]

ALL_SCOPES = (
    "models:read",
    "generations:create",
    "generations:read",
    "files:create",
    "files:read",
    "credits:read",
    "webhooks:manage",
    "chat:create",
    "chat:read",
)

# Keys of a toy service: public on purpose, and worth nothing anywhere else.
DEMO_KEY = "rvya_sk_sim_demo"
SECOND_KEY = "rvya_sk_sim_second"
OTHER_ACCOUNT_KEY = "rvya_sk_sim_other_account"
NARROW_KEY = "rvya_sk_sim_read_only"
REVOKED_KEY = "rvya_sk_sim_revoked"
EXPIRED_KEY = "rvya_sk_sim_expired"

_WindowClass = Literal["creates", "polls", "uploads", "all"]
Gate = Literal["auth", "limits", "validation", "credits"]


class ProfileError(ValueError):
    """A profile setting has an unknown name or an unusable value; the message lists what is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key of the toy service."""

    secret: str
    account: str = "demo"
    state: Literal["active", "revoked", "expired"] = "active"
    scopes: tuple[str, ...] = ALL_SCOPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `limit` requests of one class in any `window_s` seconds: an exact sliding window."""

    of: _WindowClass
    limit: int
    window_s: float

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_s <= 0:
            raise ProfileError(f"a window of {self.limit} requests in {self.window_s} s lets nothing through, or all")


_KEYS = (
    ApiKey(secret=DEMO_KEY),
    ApiKey(secret=SECOND_KEY),
    ApiKey(secret=OTHER_ACCOUNT_KEY, account="other"),
    ApiKey(secret=NARROW_KEY, scopes=("models:read", "generations:read", "credits:read")),
    ApiKey(secret=REVOKED_KEY, state="revoked"),
    ApiKey(secret=EXPIRED_KEY, state="expired"),
)

_WINDOWS = (Window(of="creates", limit=120, window_s=60.0), Window(of="all", limit=1200, window_s=60.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way the service could behave. Text in quotes below is the documentation's own word."""

    # Access
    keys: tuple[ApiKey, ...] = _KEYS
    public_api: bool = True  # False: every endpoint that needs a key answers 503 `public_api_disabled`

    # Creates
    create_status: Literal[200, 201, 202] = 200
    create_takes_s: float = 0.0  # between the effect of a create and its answer
    types: Literal["strict", "lenient"] = "strict"  # lenient turns 5 into "5", "5" into 5, and clamps numbers
    unknown_keys: Literal["refuse", "drop"] = "refuse"  # in the body and in params
    prompt_counts: Literal["code_points", "utf16"] = "code_points"
    foreign_urls: Literal["refuse", "accept"] = "refuse"  # references that were not uploaded here
    duration_tokens: Literal["required", "checked", "ignored"] = "required"  # on video and audio references

    # Idempotency
    idempotency: bool = True  # False: the header is read by nobody
    key_required: bool = False  # the header is "recommended"
    key_max_chars: int = 255
    key_lifetime_s: float | None = 86_400.0
    key_scope: Literal["key", "account"] = "account"  # one API key, or all keys of the account
    body_compare: Literal["bytes", "canonical", "none"] = "bytes"
    client_request_id_counts: bool = True  # False needs body_compare=canonical: the trace id may then differ
    remembers: tuple[Literal["4xx", "429", "5xx"], ...] = ()  # refusals given again to the same key
    in_flight: Literal["conflict", "wait"] = "wait"  # the same key while the first create is still being answered
    replay_status: Literal["first", 200, 201, 202] = "first"
    replay_body: Literal["first", "current"] = "first"
    gates_first: tuple[Gate, ...] = ("auth", "limits")  # checked before the key is looked up; the rest after

    # Money
    initial_credits: int = 100_000
    price_rule: Literal["base", "scaled"] = "base"
    surprise_share: float = 0.0  # share of creates whose price is multiplied
    surprise_factor: float = 2.0
    metered_final: Literal["same", "lower", "higher", "either"] = "lower"
    metered_spread: float = 0.3  # how far the final price may be from the reserved one
    refund: Literal["immediate", "late", "partial", "none"] = "immediate"
    refund_delay_s: float = 120.0  # late: until then the failed task still shows its whole price
    refund_share: float = 0.5  # partial
    insufficient_as: Literal["402", "400", "403", "born_failed"] = "402"
    outside_credits: int = 0  # what the web product takes from the wallet ...
    outside_every_s: float = 60.0  # ... this often

    # Rates
    windows: tuple[Window, ...] = _WINDOWS
    rate_scope: Literal["key", "account"] = "key"
    refused_count: bool = False  # refused requests use up the window too
    retry_after: Literal["seconds", "date", "none", "garbage"] = "seconds"
    rate_headers: bool = False
    tasks_at_once: int | None = None
    at_once_excess: Literal["refuse", "queue"] = "refuse"

    # Life of a task; seconds of work, before the simulator's speed
    durations: tuple[tuple[str, float], ...] = ()  # model id or `*` to median seconds, over the built-in table
    duration_sigma: float = 0.25  # of the logarithm
    queue_s: float = 1.0  # median wait before the work
    fail_share: float = 0.0
    fail_code: str = "generation_failed"
    stuck_share: float = 0.0
    lag_s: float = 0.0  # 404 this long after the create
    retention_s: float | None = None  # 404 this long after the end
    unknown_status: str = ""  # shown in the middle of the work instead of `processing`
    goes_back: Literal["no", "open", "final"] = "no"  # final: for a moment after the end it is `processing` again

    # Results and files
    result_lifetime_s: float | None = 86_400.0
    fresh_urls: bool = True  # each status answer signs anew; False: one URL, dying once and for all
    urls_field: bool = True  # `urls` is there only "when available"
    results_need_key: bool = False
    upload_status: Literal[200, 201] = 200
    file_lifetime_s: float | None = 86_400.0
    token_lifetime_s: float | None = 3_600.0
    oversize_as: Literal["validation_failed", "413"] = "validation_failed"
    models_detail: Literal["full", "bare"] = "full"  # bare: empty `params`, null `reference_media`, as in the example


def profile_from_pairs(pairs: Iterable[str], start: Profile | None = None) -> Profile:
    """A profile from texts such as `create_status=202`, `remembers=4xx,5xx`, `windows=creates:10/1,all:100/60`,
    `durations=z-image:3,*:20`, `key_lifetime_s=none`.

    Raises ProfileError for a name or value that does not exist.
    """
    hints = get_type_hints(Profile)
    known = [field.name for field in fields(Profile) if field.name != "keys"]
    changes: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            raise ProfileError(f"{pair!r} is not a profile setting; write name=value with one of: {', '.join(known)}")
        try:
            changes[name] = _value(name, hints[name], text)
        except ValueError as error:
            raise ProfileError(f"{name}={text!r}: {error}") from None
    return replace(start or Profile(), **changes)


def _value(name: str, hint: Any, text: str) -> Any:
    if name == "windows":
        return tuple(_window(part) for part in _parts(text))
    if name == "durations":
        return tuple(_duration(part) for part in _parts(text))
    if get_origin(hint) is tuple:
        return tuple(_one_of(get_args(hint)[0], part) for part in _parts(text))
    if get_origin(hint) is types.UnionType:
        if text == "none":
            return None
        hint = next(arm for arm in get_args(hint) if arm is not type(None))
    if get_origin(hint) is Literal:
        return _one_of(hint, text)
    if hint is bool:
        return {"true": True, "false": False}[_one_of(Literal["true", "false"], text)]
    return hint(text)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _one_of(hint: Any, text: str) -> Any:
    choices = {str(choice): choice for choice in get_args(hint)}
    if text not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}")
    return choices[text]


def _window(text: str) -> Window:
    of, _, rate = text.partition(":")
    limit, slash, window_s = rate.partition("/")
    if not limit.isdigit() or not slash:
        raise ValueError(f"{text!r} is not CLASS:LIMIT/SECONDS")
    return Window(of=_one_of(_WindowClass, of), limit=int(limit), window_s=float(window_s))


def _duration(text: str) -> tuple[str, float]:
    model, colon, seconds = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is not MODEL:SECONDS")
    return model, float(seconds)
