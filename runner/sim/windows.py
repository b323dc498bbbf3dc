"""Rate limits: exact sliding windows, per endpoint class and per key or account."""

from __future__ import annotations

from collections import deque
from math import ceil

from runner.sim.exchange import http_date
from runner.sim.problems import Refusal
from runner.sim.profile import ApiKey, Profile, Window

__all__ = ["Windows"]

_GARBAGE = "in a while"


class Windows:
    """Counts requests. A request at t counts until, and not including, t + window."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._seen: dict[tuple[int, str], deque[float]] = {}
        self.refusals: dict[str, int] = {}

    def admit(self, of: str, key: ApiKey, now_s: float) -> dict[str, str]:
        """Count this request in every window of its class, or raise a 429 Refusal and count it in none.

        Returns the rate headers the answer should carry.
        """
        rows = [
            (window, self._row(index, key, window, now_s))
            for index, window in enumerate(self._profile.windows)
            if window.of in (of, "all")
        ]
        full = [
            (row[-window.limit] + window.window_s - now_s, window) for window, row in rows if len(row) >= window.limit
        ]
        if full:
            if self._profile.refused_count:
                for _, row in rows:
                    row.append(now_s)
            wait_s, window = max(full, key=lambda pair: pair[0])
            self.refusals[window.of] = self.refusals.get(window.of, 0) + 1
            raise Refusal("rate_limited", headers={**self.retry_after(wait_s, now_s), **self._shown(rows, now_s)})
        for _, row in rows:
            row.append(now_s)
        return self._shown(rows, now_s)

    def retry_after(self, wait_s: float, now_s: float) -> dict[str, str]:
        """The Retry-After header in the profile's form."""
        wait = max(1, ceil(wait_s))
        form = self._profile.retry_after
        if form == "none":
            return {}
        if form == "date":
            return {"retry-after": http_date(ceil(now_s) + wait)}
        return {"retry-after": _GARBAGE if form == "garbage" else str(wait)}

    def _row(self, index: int, key: ApiKey, window: Window, now_s: float) -> deque[float]:
        whose = key.secret if self._profile.rate_scope == "key" else key.account
        row = self._seen.setdefault((index, whose), deque())
        while row and row[0] + window.window_s <= now_s:
            row.popleft()
        return row

    def _shown(self, rows: list[tuple[Window, deque[float]]], now_s: float) -> dict[str, str]:
        if not self._profile.rate_headers or not rows:
            return {}
        window, row = min(rows, key=lambda pair: pair[0].limit - len(pair[1]))
        reset = ceil(row[0] + window.window_s - now_s) if row else 0
        return {
            "x-ratelimit-limit": str(window.limit),
            "x-ratelimit-remaining": str(max(0, window.limit - len(row))),
            "x-ratelimit-reset": str(reset),
        }
