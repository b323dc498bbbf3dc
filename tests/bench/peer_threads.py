"""64 threads with requests: no event loop, one item a thread, a lock that hands out moments to leave."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.bench.workloads import Told

__all__ = ["main"]

THREADS = 64
BACKOFF_S = 0.5


class Pace:
    """Evenly spaced moments, one for each call."""

    def __init__(self, rate: int | None) -> None:
        self.gap_s = 0.0 if rate is None else 1 / rate
        self.lock = threading.Lock()
        self.next_s = 0.0

    def wait(self) -> None:
        if not self.gap_s:
            return
        with self.lock:
            now_s = time.monotonic()
            mine_s = max(now_s, self.next_s)
            self.next_s = mine_s + self.gap_s
        time.sleep(mine_s - now_s)


class Script:
    def __init__(self, told: Told) -> None:
        self.told = told
        self.creates = Pace(told.creates)
        self.polls = Pace(told.polls)
        self.own = threading.local()

    def session(self) -> requests.Session:
        if not hasattr(self.own, "session"):
            self.own.session = requests.Session()
            self.own.session.headers["Authorization"] = "Bearer rvya_sk_bench"
        session: requests.Session = self.own.session
        return session

    def call(self, pace: Pace, method: str, path: str, **named: Any) -> Any:
        for attempt in range(1000):
            pace.wait()
            response = self.session().request(method, f"{self.told.url}{path}", timeout=120, **named)
            if response.status_code != 429:
                response.raise_for_status()
                return response.json()
            time.sleep(BACKOFF_S * 2 ** min(attempt, 4) * random.uniform(0.5, 1.0))
        raise RuntimeError(f"{path}: still refused after 1,000 tries")

    def item(self, number: int) -> dict[str, Any]:
        body = {"model": self.told.model(number), "prompt": f"a paper boat, number {number}"}
        headers = {"Idempotency-Key": f"threads-{number}"}
        task = self.call(self.creates, "POST", "/api/v1/generations", json=body, headers=headers)
        while task["status"] not in ("succeeded", "failed"):
            time.sleep(self.told.interval_s)
            task = self.call(self.polls, "GET", f"/api/v1/generations/{task['id']}")
        return {"item": number, **task}


def main(told: Told) -> None:
    script = Script(told)
    with ThreadPoolExecutor(min(THREADS, told.in_flight)) as pool, open(told.out, "w", encoding="utf-8") as out:  # noqa: PTH123
        out.writelines(json.dumps(result) + "\n" for result in pool.map(script.item, range(told.items)))


if __name__ == "__main__":
    main(Told(**json.loads(sys.argv[1])))
