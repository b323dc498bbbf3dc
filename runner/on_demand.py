"""What is imported only when it is asked for, because it is dear or need not be installed.

The simulator draws, and a run for real has no use for drawing libraries; chat services, buckets, Parquet,
metrics and databases come with extras.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from jobs.results import ResultRow
    from runner.aws import AwsAccess
    from runner.blobs import Blobs
    from runner.notify_chat import Chat
    from runner.settings import Settings
    from runner.tracing import Traces

__all__ = ["bucket", "chat", "metrics", "parquet", "postgres", "postgres_shares", "queue", "simulator", "traces"]


def metrics() -> ModuleType:
    """`runner.metrics`, imported now."""
    _need("prometheus_client", "Metrics", extra="metrics")
    return importlib.import_module("runner.metrics")


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


def bucket() -> Callable[[str, AwsAccess], Awaitable[Blobs]]:
    """`runner.blobs_s3.open_bucket`, imported now."""
    _need("obstore", "A bucket as `output.dir`", extra="s3")
    opened: Callable[[str, AwsAccess], Awaitable[Blobs]] = importlib.import_module("runner.blobs_s3").open_bucket
    return opened


def parquet() -> Callable[[Iterable[ResultRow], Path], int]:
    """`runner.parquet.write_parquet`, imported now: DuckDB takes longer than a table of results."""
    _need("duckdb", "Parquet", extra="parquet")
    write: Callable[[Iterable[ResultRow], Path], int] = importlib.import_module("runner.parquet").write_parquet
    return write


def postgres() -> ModuleType:
    """`runner.ledger.postgres`, imported now."""
    _need("psycopg", "A database as --store", extra="postgres")
    return importlib.import_module("runner.ledger.postgres")


def postgres_shares() -> ModuleType:
    """`runner.ledger.postgres_shares`, imported now."""
    return importlib.import_module("runner.ledger.postgres_shares")


def queue(engine: str) -> ModuleType:
    """`runner.shards.procrastinate_queue` or `runner.shards.ray_queue`, imported now; Ray itself is not even then."""
    _need(engine, "A run on several machines", extra="ray" if engine == "ray" else "postgres")
    return importlib.import_module(f"runner.shards.{engine}_queue")


def traces() -> Traces | None:
    """`runner.tracing.traces`, but only where somebody brought OpenTelemetry along: who traces has imported it."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    found: Traces | None = importlib.import_module("runner.tracing").traces()
    return found


def _need(module: str, what: str, *, extra: str) -> None:
    if find_spec(module) is None:
        raise UsageError(
            f"{what} needs {module}, which is not installed here.",
            code="extra-missing",
            next_step=f"pip install 'rivya-batch[{extra}]'",
        )
