"""What can go wrong around a life: answers of the service, its open questions, and the wire."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from runner.sim.profile import Window

__all__ = ["FAULTS", "MONEY_BENDING", "PROFILES", "WIRE", "Strike", "drawn_faults", "drawn_profile", "name_of"]

Strike = tuple[str, Mapping[str, Any], float]  # endpoint, what it does there, and how often

# One fault each: the endpoint, and what it does there.
FAULTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("create", {"code": "rate_limited", "retry_after": 2}),
    ("create", {"code": "rate_limited"}),
    ("create", {"status": 502}),
    ("create", {"status": 502, "after_effect": True}),
    ("create", {"status": 503, "retry_after": 4, "after_effect": True}),
    ("create", {"drop": "before_effect"}),
    ("create", {"drop": "after_effect"}),
    ("create", {"cut_after_bytes": 30}),
    ("create", {"never_answer": "before_effect"}),
    ("create", {"never_answer": "after_effect"}),
    ("create", {"delay_s": 30}),
    ("create", {"delay_s": 300}),
    ("create", {"body": "html"}),
    ("create", {"body": "empty"}),
    ("create", {"remove": ["id"]}),
    ("create", {"remove": ["reserved_credits"]}),
    ("create", {"patch": {"reserved_credits": "3"}}),
    ("create", {"code": "idempotency_conflict"}),
    ("create", {"code": "validation_failed"}),
    ("create", {"code": "insufficient_credits"}),
    ("create", {"code": "api_key_expired"}),
    ("create", {"status": 307, "location": "https://elsewhere.test/"}),
    ("create", {"status": 404}),
    ("create", {"status": 418}),
    ("create", {"fail": "generation_failed"}),
    ("create", {"stuck": True}),
    ("poll", {"status": 500}),
    ("poll", {"status": 404, "code": "not_found"}),
    ("poll", {"code": "rate_limited", "retry_after": 3}),
    ("poll", {"drop": "after_effect"}),
    ("poll", {"never_answer": "after_effect"}),
    ("poll", {"cut_after_bytes": 40}),
    ("poll", {"body": "not_json"}),
    ("poll", {"patch": {"id": "task_other"}}),
    ("poll", {"patch": {"status": "thinking"}}),
    ("poll", {"remove": ["final_credits"]}),
    ("poll", {"code": "api_scope_denied"}),
    ("upload", {"status": 503}),
    ("upload", {"drop": "after_effect"}),
    ("upload", {"code": "validation_failed"}),
    ("result", {"status": 410}),
    ("result", {"status": 503}),
    ("result", {"drop": "after_effect"}),
    ("result", {"body": "html"}),
    ("result", {"cut_after_bytes": 10}),
)

# After these the service's wallet and the ledger may honestly differ.
MONEY_BENDING = frozenset({"remove final_credits", "patch reserved_credits", "remove reserved_credits"})

# The service's open questions, each answered another way than by default.
PROFILES: tuple[Mapping[str, Any], ...] = (
    {},
    {"create_takes_s": 2.0},
    {"create_takes_s": 40.0, "in_flight": "conflict"},
    {"gates_first": ()},
    {"gates_first": ("auth", "limits", "validation", "credits")},
    {"remembers": ("4xx", "5xx")},
    {"replay_body": "current", "create_status": 202},
    {"tasks_at_once": 2},
    {"tasks_at_once": 1, "at_once_excess": "queue"},
    {"lag_s": 20.0},
    {"goes_back": "final"},
    {"refund": "late"},
    {"refund": "partial", "fail_share": 0.3},
    {"windows": (Window(of="creates", limit=3, window_s=5.0), Window(of="polls", limit=4, window_s=2.0))},
    {"initial_credits": 9},
    {"insufficient_as": "born_failed", "initial_credits": 9},
    {"price_rule": "scaled"},
    {"surprise_share": 0.5},
    {"metered_final": "higher"},
    {"fail_share": 0.2},
    {"stuck_share": 0.1},
    {"fresh_urls": False, "result_lifetime_s": 30.0},
    {"file_lifetime_s": 20.0},
    {"retry_after": "garbage", "tasks_at_once": 1},
    {"unknown_status": "thinking"},
)

# What the wire does to a create, whatever the service says.
WIRE = ("not sent", "lost", "late", "twice")


def name_of(endpoint: str, do: Mapping[str, Any]) -> str:
    """One fault in a few words, such as `create drop after_effect`."""
    words = [endpoint]
    for what, value in do.items():
        words.append(what)
        if what in ("patch", "remove"):
            words += list(value)
        elif value is not True:
            words.append(str(value))
    return " ".join(words)


def drawn_faults(dice: random.Random) -> list[Strike]:
    """A few of them, each with its own rate. None that joined with another would make the service a liar.

    All rules that strike one request are joined. One that refuses for good and one that obeys would refuse what it
    obeyed: no client can live with that.
    """
    chosen = [*dice.sample(_CREATES, dice.randint(0, 3)), *dice.sample(_OTHERS, dice.randint(0, 2))]
    if any("after_effect" in do for _, do in chosen):
        chosen = [(at, do) for at, do in chosen if at != "create" or do.get("code") not in _REFUSING]
    return [(at, do, dice.choice((0.1, 0.3, 0.7))) for at, do in chosen]


def drawn_profile(dice: random.Random) -> dict[str, Any]:
    """Up to two open questions answered otherwise."""
    return {key: value for one in dice.sample(PROFILES, dice.randint(0, 2)) for key, value in one.items()}


_CREATES = tuple(fault for fault in FAULTS if fault[0] == "create")
_OTHERS = tuple(fault for fault in FAULTS if fault[0] != "create")
_REFUSING = frozenset({"rate_limited", "validation_failed", "insufficient_credits", "api_key_expired"})
