"""The window over all calls, under a service that counts exactly."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import pytest

from jobs.calls import Calls

WINDOW_S = 1.0


def tried_per_s(found: int, allows: Callable[[float], int], *, until_s: float, trip_s: float = 0.0) -> list[float]:
    """Calls as fast as they may leave, each counted as it leaves: the numbers that were kept to, in order."""
    calls, went_s = Calls(found, window_s=WINDOW_S, answered_s=(), now_s=0.0), list[float]()
    flying, kept = deque[tuple[float, int, float, bool]](), [float(found)]
    now_s, token = 0.0, 0
    while now_s < until_s:
        answer_s = flying[0][0] if flying else math.inf
        now_s = max(now_s, min(answer_s, calls.due_s("polls", now_s)))
        if answer_s <= now_s:
            _, token_then, left_at_s, is_taken = flying.popleft()
            if is_taken:
                change = calls.ended("polls", token_then, now_s, clean=True)
            else:
                refusal = {"left_at_s": left_at_s, "wait_s": 1.0, "asked_s": 0.0}
                change = calls.refused("polls", token_then, now_s, reason="HTTP 429", **refusal)
            kept += [change.after_per_s] if change is not None else []
        elif calls.due_s("polls", now_s) <= now_s:
            token += 1
            calls.leave("polls", token, now_s)
            went_s = [at_s for at_s in went_s if at_s > now_s - WINDOW_S]
            is_taken = len(went_s) < allows(now_s)
            went_s += [now_s] if is_taken else []
            flying.append((now_s + trip_s, token, now_s, is_taken))
    return kept


def test_a_try_that_was_refused_is_followed_by_a_smaller_one_until_what_is_allowed_is_found() -> None:
    kept = tried_per_s(100, lambda _: 101, until_s=120.0)
    tries = kept[1::2]

    assert tries[:3] == [104.0, 102.0, 101.0]
    assert kept[-1] >= 101.0


def test_the_least_try_is_one_call() -> None:
    assert 301.0 in tried_per_s(300, lambda _: 301, until_s=200.0)


def test_what_is_allowed_is_all_that_is_kept_to_however_often_more_is_tried() -> None:
    kept = tried_per_s(60, lambda _: 60, until_s=600.0)

    assert set(kept[0::2]) == {60.0}
    assert len(kept) < 2 * 8, "tries are ever more seldom"


@pytest.mark.parametrize("trip_s", [0.0, 0.02, 0.03, 0.1])
def test_a_window_that_became_a_larger_one_is_found_again_however_long_answers_take(trip_s: float) -> None:
    kept = tried_per_s(60, lambda now_s: 60 if now_s < 100.0 else 120, until_s=1500.0, trip_s=trip_s)

    assert kept[-1] >= 110.0
