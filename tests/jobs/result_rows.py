"""A row of results in which every field has something to say."""

from __future__ import annotations

from types import MappingProxyType

from jobs.lifecycle import ItemState
from jobs.results import Output, ResultRow

__all__ = ["FINE"]

FINE = ResultRow(
    item="reveal/params.duration=8",
    identity="sha256:abc",
    job="reveal",
    run="sneaker-reveal",
    state=ItemState.SUCCEEDED,
    model="seedance-1-5-pro",
    prompt="=1+1 \x1b[31m",
    params={"duration": "8", "seed": 7},
    axes=MappingProxyType({"params.duration": 8}),
    tags=("hero", "-x"),
    task_id="task_1",
    idempotency_key="key_1",
    attempts=1,
    sends=2,
    reserved_credits=28,
    final_credits=28,
    created_at="2026-05-11T00:00:00.000Z",
    accepted_at="2026-05-11T00:00:01.000Z",
    finished_at="2026-05-11T00:01:00.000Z",
    outputs=(
        Output(
            url="https://cdn.example.test/a.mp4",
            file="out/a.mp4",
            sha256="ff",
            bytes=10,
            type="video/mp4",
            state="verified",
        ),
        Output(url="https://cdn.example.test/b.png"),
    ),
)
