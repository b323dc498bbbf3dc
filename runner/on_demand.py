"""What is imported only when it is asked for, because it is dear or need not be installed.

The simulator draws, and a run for real has no use for drawing libraries; chat services and Parquet come with extras.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from jobs.results import ResultRow
    from runner.notify_chat import Chat
    from runner.settings import Settings

__all__ = ["chat", "parquet", "simulator"]


def simulator() -> Callable[[Settings], AbstractAsyncContextManager[Settings]]:
    """`runner.simulated.simulated`, imported now."""
    simulated: Callable[[Settings], AbstractAsyncContextManager[Settings]]
    simulated = importlib.import_module("runner.simulated").simulated
    return simulated


def chat() -> Chat | None:
    """The way to chat and mail services; None when the extra `notify` is not installed."""
    if find_spec("apprise") is None:
        return None
    made: Chat = importlib.import_module("runner.notify_chat").Chat()
    return made


def parquet() -> Callable[[Iterable[ResultRow], Path], int]:
    """`runner.parquet.write_parquet`, imported now: DuckDB takes longer than a table of results."""
    _need("duckdb", "Parquet", extra="parquet")
    write: Callable[[Iterable[ResultRow], Path], int] = importlib.import_module("runner.parquet").write_parquet
    return write


def _need(module: str, what: str, *, extra: str) -> None:
    if find_spec(module) is None:
        raise UsageError(
            f"{what} needs {module}, which is not installed here.",
            code="extra-missing",
            next_step=f"pip install 'rivya-batch[{extra}]'",
        )
