"""What a simulator remembers over restarts: its facts, one JSON line each, only ever appended.

A line is handed to the operating system before the answer it belongs to is sent, so a killed process loses nothing it
told anyone. A power cut may; a toy service need not outlive one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from runner.sim.exchange import Fact

__all__ = ["Journal", "JournalError", "open_journal"]

_FORMAT = 1


class JournalError(ValueError):
    """A journal cannot be continued; the message says why and what to do."""


class Journal:
    """An open journal. `facts` are those of earlier lives; `port` is where the last one listened."""

    def __init__(self, file: BinaryIO, facts: list[dict[str, Any]], port: int) -> None:
        self._file = file
        self.facts = facts
        self.port = port

    def write(self, facts: Iterable[Fact]) -> None:
        """Append facts; they are with the operating system when this returns."""
        self._file.write(b"".join(orjson.dumps(fact) + b"\n" for fact in facts))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def open_journal(path: Path, seed: int) -> Journal:
    """Read what is there, drop a torn last line, and go on after it.

    Raises JournalError for a damaged file, another format, or another seed.
    """
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    facts = [_fact(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]
    for fact in facts:
        if fact["fact"] == "opened" and (fact.get("format"), fact.get("seed")) != (_FORMAT, seed):
            raise JournalError(
                f"{path} was written with format {fact.get('format')} and seed {fact.get('seed')}, "
                f"not {_FORMAT} and {seed}; use that seed, or another file"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # prompts stand in it, so a new one is its owner's alone
    file = path.open("r+b")
    file.truncate(len(whole))
    file.seek(len(whole))
    ports = [fact["port"] for fact in facts if fact["fact"] == "served"]
    lived = [fact for fact in facts if fact["fact"] not in ("opened", "served")]
    journal = Journal(file, lived, ports[-1] if ports else 0)
    if not facts:
        journal.write([{"fact": "opened", "format": _FORMAT, "seed": seed}])
    return journal


def _fact(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        fact = orjson.loads(line)
    except orjson.JSONDecodeError:
        fact = None
    if not isinstance(fact, dict) or "fact" not in fact:
        raise JournalError(f"{path}, line {number}, is not a fact of a simulator; move the file away to start anew")
    return fact
