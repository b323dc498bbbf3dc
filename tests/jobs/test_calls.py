"""The window over all calls, under a service that counts exactly."""

from __future__ import annotations

from jobs.calls import Calls

WINDOW_S = 1.0


def tried_per_s(found: int, allowed: int, *, until_s: float) -> list[float]:
    """Calls as fast as they may leave, answered at once: each number that was kept to, in order."""
    calls, went_s = Calls(found, window_s=WINDOW_S, answered_s=(), now_s=0.0), list[float]()
    now_s, token, kept = 0.0, 0, [float(found)]
    while now_s < until_s:
        now_s = max(now_s, calls.due_s("polls", now_s))
        if calls.due_s("polls", now_s) > now_s:
            continue
        token += 1
        calls.leave("polls", token, now_s)
        went_s = [at_s for at_s in went_s if at_s > now_s - WINDOW_S]
        if len(went_s) < allowed:
            went_s.append(now_s)
            change = calls.ended("polls", token, now_s, clean=True)
        else:
            change = calls.refused("polls", token, now_s, left_at_s=now_s, wait_s=1.0, asked_s=0.0, reason="HTTP 429")
        kept += [change.after_per_s] if change is not None else []
    return kept


def test_a_try_that_was_refused_is_followed_by_a_smaller_one_until_what_is_allowed_is_found() -> None:
    kept = tried_per_s(100, 101, until_s=120.0)
    tries = kept[1::2]

    assert tries[:3] == [104.0, 102.0, 101.0]
    assert kept[-1] >= 101.0


def test_what_is_allowed_is_all_that_is_kept_to_however_often_more_is_tried() -> None:
    kept = tried_per_s(60, 60, until_s=600.0)

    assert set(kept[0::2]) == {60.0}
    assert len(kept) < 2 * 8, "tries are ever more seldom"
