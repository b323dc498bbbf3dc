"""Rules of the simulator's misbehaviour, in as few words as a table has room for."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CREATE",
    "POLL",
    "RESULT",
    "UPLOAD",
    "rule",
    "some",
]

CREATE, POLL, UPLOAD, RESULT = ({"endpoint": name} for name in ("create", "poll", "upload", "result"))


def rule(match: dict[str, Any], **do: Any) -> dict[str, Any]:
    """What befalls the requests that match, `times` over or always."""
    times = do.pop("times", None)
    return {"match": match, "do": do, **({} if times is None else {"times": times})}


def some(match: dict[str, Any], share: float = 0.5) -> dict[str, Any]:
    """Only this share of them."""
    return {**match, "share": share}
