"""The least that a plan of so many items must cost: a body, its hash, a row.

python -m tests.bench.bare_plan FILE ITEMS
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

import orjson

__all__ = ["main"]

COLOURS = ("red", "blue", "green", "black", "white", "grey", "pink", "gold", "teal", "plum")


def rows(items: int) -> Iterator[tuple[str, bytes, str]]:
    for number in range(items):
        prompt = f"a paper boat, number {number // len(COLOURS) + 1} in {COLOURS[number % len(COLOURS)]}"
        body = orjson.dumps({"model": "z-image", "prompt": prompt, "params": {"aspect_ratio": "4:3"}})
        yield hashlib.sha256(body).hexdigest(), body, "planned"


def main(file: str, items: int) -> None:
    with closing(sqlite3.connect(file)) as ledger:
        ledger.execute("PRAGMA synchronous = FULL")
        ledger.execute("CREATE TABLE plan (identity TEXT PRIMARY KEY, body BLOB, state TEXT) WITHOUT ROWID, STRICT")
        with ledger:
            ledger.executemany("INSERT INTO plan VALUES (?, ?, ?)", rows(items))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
