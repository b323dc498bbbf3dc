"""Rate limits are exact sliding windows, and say so in the ways a service may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.sim.problems import Refusal
from runner.sim.profile import DEMO_KEY, SECOND_KEY, ApiKey, Profile, Window
from runner.sim.windows import Windows
from tests.sim.conftest import talk

ONE_A_MINUTE = (Window(of="creates", limit=1, window_s=60.0),)


@settings(max_examples=100, deadline=None)
@given(gaps=st.lists(st.integers(0, 40), max_size=60), limit=st.integers(1, 4))
def test_no_window_ever_admits_more_than_its_limit_nor_refuses_without_need(gaps: list[int], limit: int) -> None:
    windows = Windows(Profile(windows=(Window(of="all", limit=limit, window_s=100.0),)))
    admitted: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        recent = [at for at in admitted if at > now - 100]
        wait = refused_for(windows, float(now))
        assert wait == (max(1, recent[0] + 100 - now) if len(recent) == limit else None)
        if wait is None:
            admitted.append(now)


def refused_for(windows: Windows, now_s: float) -> int | None:
    try:
        windows.admit("polls", ApiKey(secret=DEMO_KEY), now_s)
    except Refusal as refusal:
        return int(refusal.headers["retry-after"])
    return None


def test_a_slot_is_free_again_exactly_one_window_later() -> None:
    service = talk(windows=ONE_A_MINUTE)
    statuses = []
    for at_s in (0.0, 59.999, 60.0, 60.001):
        service.now_s = 1000.0 + at_s
        statuses.append(service.create()[0])

    assert statuses == [200, 429, 200, 429]


def test_a_refused_request_counts_in_no_window_or_by_setting_in_all() -> None:
    def last_status(*, refused_count: bool) -> int:
        service = talk(windows=ONE_A_MINUTE, refused_count=refused_count)
        service.create()
        service.now_s += 30
        service.create()
        service.now_s += 30
        return service.create()[0]

    assert (last_status(refused_count=False), last_status(refused_count=True)) == (200, 429)


def test_classes_are_counted_apart_and_all_counts_everything() -> None:
    service = talk(
        windows=(*ONE_A_MINUTE, Window(of="polls", limit=1, window_s=60.0), Window(of="all", limit=4, window_s=60.0))
    )
    _, task = service.create()
    polls = [service.send("GET", f"/api/v1/generations/{task['id']}")[0] for _ in range(2)]
    rest = [service.send("GET", "/api/v1/credits")[0] for _ in range(3)]

    assert (polls, rest) == ([200, 429], [200, 200, 429])
    assert service.simulator.stats().refused_429 == {"polls": 1, "all": 1}


@pytest.mark.parametrize(("rate_scope", "status"), [("key", 200), ("account", 429)])
def test_limits_are_per_key_or_per_account(rate_scope: str, status: int) -> None:
    service = talk(windows=ONE_A_MINUTE, rate_scope=rate_scope)
    service.create()
    service.secret = SECOND_KEY

    assert service.create()[0] == status


@pytest.mark.parametrize(
    ("retry_after", "value"),
    [("seconds", "60"), ("date", "Mon, 12 Jan 1970 13:47:40 GMT"), ("none", None), ("garbage", "in a while")],
)
def test_retry_after_comes_as_seconds_as_a_date_as_garbage_or_not_at_all(retry_after: str, value: str | None) -> None:
    service = talk(windows=ONE_A_MINUTE, retry_after=retry_after)
    service.create()

    assert service.code(service.create()) == (429, "rate_limited")
    assert service.last.headers.get("retry-after") == value


@pytest.mark.parametrize("rate_headers", [True, False])
def test_rate_headers_are_shown_by_setting(*, rate_headers: bool) -> None:
    service = talk(windows=(Window(of="creates", limit=5, window_s=60.0),), rate_headers=rate_headers)
    service.create()
    shown = {name: value for name, value in service.last.headers.items() if name.startswith("x-ratelimit")}
    names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")

    assert shown == (dict(zip(names, ("5", "4", "60"), strict=True)) if rate_headers else {})


def test_tasks_at_once_can_be_capped_by_refusal() -> None:
    service = talk(tasks_at_once=2, durations=(("*", 10.0),))
    statuses = [service.create(f"k{n}")[0] for n in range(3)]
    service.now_s += 60

    assert (statuses, service.create("k3")[0]) == ([200, 200, 429], 200)


def test_tasks_over_the_cap_can_wait_in_line_instead() -> None:
    switches: dict[str, Any] = {"durations": (("*", 10.0),), "duration_sigma": 0.0, "queue_s": 0.0}
    service = talk(tasks_at_once=1, at_once_excess="queue", **switches)
    tasks = [service.create(f"k{n}")[1]["id"] for n in range(3)]

    def ended() -> list[bool]:
        return [service.status(task)["status"] == "succeeded" for task in tasks]

    seen = []
    for _ in range(3):
        service.now_s += 10
        seen.append(ended())
    assert seen == [[True, False, False], [True, True, False], [True, True, True]]


def test_behind_a_stuck_task_the_line_never_moves() -> None:
    service = talk(tasks_at_once=1, at_once_excess="queue", stuck_share=1.0)
    ids = [service.create(f"k{n}")[1]["id"] for n in range(2)]
    service.now_s += 1e6

    assert [service.status(task)["status"] for task in ids] == ["processing", "queued"]
