"""Ledgers as files: made, opened, opened by another process, and reached past the ledger's own code."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runner.ledger.sqlite import SqliteLedger, open_ledger
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, begin, item

__all__ = [
    "ITEMS",
    "ONE",
    "ROOT",
    "TWO",
    "line",
    "made",
    "opened",
    "other_process",
    "sql",
]

ROOT = Path(__file__).parents[2]
ITEMS = [item(number) for number in range(64)]
ONE, TWO = ITEMS[:2]


def opened(path: Path, *, in_thread: bool = True) -> SqliteLedger:
    """The ledger of that file; it is made if there is none."""
    return open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=in_thread)


async def made(path: Path) -> None:
    """A ledger with one item in flight and one that succeeded."""
    ledger = opened(path, in_thread=False)
    teller = await begin(ledger, *ITEMS[:40])
    await ledger.record([teller.intent(ONE), teller.accepted(ONE)])
    await ledger.record(
        [teller.intent(TWO), teller.accepted(TWO), teller.succeeded(TWO), teller.saved(TWO, state="gone")]
    )
    await ledger.close()


@contextmanager
def other_process(path: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens the ledger, says `open`, and goes on with `then`."""
    script = f"""
import asyncio, os, signal, subprocess, sys
from pathlib import Path
from runner.errors import RunnerError
from tests.runner.ledger_cases import begin, item
from tests.runner.ledger_files import opened
async def main():
    ledger = opened(Path({str(path)!r}))
    print("open", flush=True)
{then}
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that the other process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sql(path: Path, *statements: str) -> None:
    """What another program may do to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
