"""A connection to PostgreSQL that is made again when it breaks.

It relies on nothing that a transaction leaves behind, so that a pooler may stand in between: no prepared statements, no
settings of a session, every table with its schema.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, Final, LiteralString, TypeVar, cast

import orjson
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import IntLoader

from runner.ledger.postgres_statements import queries_of
from runner.ledger.postgres_trouble import (
    OLDEST_SERVER,
    helps_to_wait,
    ill_fitting,
    is_refused_for_good,
    translated,
)
from runner.ledger.rows import Row
from runner.ledger.statements import NOTHING
from runner.ledger.store import Database

__all__ = ["PATIENCE_S", "Link", "Patience", "patiently"]

T = TypeVar("T")
Statement = LiteralString | bytes | sql.SQL | sql.Composed  # never text that was put together

# How long a run waits for a server that is away: a restart takes seconds, a managed database that moves to another
# machine one or two minutes.
PATIENCE_S: Final = 180.0
# Between two tries to reach it: at once after a cut, and ever slower while it is down.
_FIRST_PAUSE_S: Final = 0.02
_PAUSE_S_MAX: Final = 2.0

# How long one try may take, and after how long a peer that says nothing is taken for dead: what stands between two
# machines forgets silent connections.
_CONNECT_TIMEOUT_S: Final = 10
_KEEPALIVES: Final = {
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}

# No text of PostgreSQL may hold a zero, not even one that JSON spells. No prompt and no name has one; what a service
# says may.
_ZERO: Final = "\0"
_ZERO_SPELLED: Final = "\\u0000"
_ZERO_SHOWN: Final = "\N{SYMBOL FOR NULL}"
_ZERO_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class _PlainRow:
    """A row of an answer: by column name, or in the order of columns."""

    __slots__ = ("_columns", "_values")

    def __init__(self, columns: Mapping[str, int], values: Sequence[Any]) -> None:
        self._columns = columns
        self._values = values

    def __getitem__(self, column: str, /) -> Any:
        return self._values[self._columns[column]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


def _plain_rows(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], _PlainRow]:
    columns = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: _PlainRow(columns, values)


class Patience:
    """How long trouble may last that waiting can help, and the pauses between two tries."""

    def __init__(self, limit_s: float) -> None:
        self._ends_at_s = time.monotonic() + limit_s
        self._pause_s = _FIRST_PAUSE_S

    def wait(self) -> bool:
        """Pause; False when there was enough of it."""
        left_s = self._ends_at_s - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(self._pause_s, left_s))
        self._pause_s = min(2 * self._pause_s, _PAUSE_S_MAX)
        return True


class Link:
    """One connection, its statements by name. Its user waits; who shares it between threads has it in `turn`."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.turn = RLock()
        self._queries = queries_of(store.schema)
        self._connection: psycopg.Connection[_PlainRow] | None = None

    @property
    def connection(self) -> psycopg.Connection[_PlainRow]:
        """The connection, made now if there is none. Raises psycopg's own errors."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connected()
        return self._connection

    @property
    def held(self) -> psycopg.Connection[_PlainRow] | None:
        """The connection, if there is one."""
        return self._connection

    @property
    def is_in_transaction(self) -> bool:
        connection = self._connection
        return connection is not None and connection.info.transaction_status is not TransactionStatus.IDLE

    def control(self, statement: Statement) -> str | None:
        """Statements without parameters; gives what the server says that the last of them did."""
        cursor = self.connection.execute(statement)
        while cursor.nextset():
            pass
        return cursor.statusmessage

    def rows(self, name: str, params: Mapping[str, object] = NOTHING, /) -> list[Row]:
        return cast("list[Row]", self._execute(name, params).fetchall())

    def run(self, name: str, params: Mapping[str, object] = NOTHING, /) -> int:
        return self._execute(name, params).rowcount

    def run_many(self, name: str, rows: Iterable[Mapping[str, object]], /) -> int:
        told = list(rows)
        return self._execute(name, {"rows": _json(told)}).rowcount if told else 0

    def answer(self, statement: Statement, params: Mapping[str, object] = NOTHING, /) -> list[_PlainRow]:
        """What a statement answers that is not about the ledger's own tables."""
        return self.connection.execute(statement, params or None).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that is undone by whatever is raised in it."""
        self.control("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        try:
            yield
            self.control("COMMIT")
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """End a transaction without a trace. A connection that cannot even do that is given up."""
        if self._connection is None or self._connection.closed:
            self.drop()
            return
        try:
            self.control("ROLLBACK")
        except psycopg.Error:
            self.drop()

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _execute(self, name: str, params: Mapping[str, object]) -> psycopg.Cursor[_PlainRow]:
        return self.connection.execute(self._queries[name], {key: _plain(key, params[key]) for key in params})

    def _connected(self) -> psycopg.Connection[_PlainRow]:
        connection = psycopg.connect(
            self.store.address,
            autocommit=True,
            prepare_threshold=None,
            row_factory=_plain_rows,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="rivya-batch",
            client_encoding="UTF8",
            **cast("Any", _KEEPALIVES),
        )
        try:
            connection.adapters.register_loader("numeric", IntLoader)  # a sum of whole numbers is one
            _check_server(self.store, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def patiently(link: Link, ask: Callable[[], T], *, limit_s: float) -> T:
    """What a question gives, asked again while its server is away. Raises our errors."""
    patience = Patience(limit_s)
    while True:
        try:
            return ask()
        except psycopg.Error as error:
            link.drop()
            if helps_to_wait(error) and not is_refused_for_good(error) and patience.wait():
                continue
            trouble = translated(link.store, error)
            raise trouble() from None


def _check_server(store: Database, connection: psycopg.Connection[Any]) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise ill_fitting(
            store,
            f"is kept by PostgreSQL {version}; a ledger needs {OLDEST_SERVER} or newer",
            code="store-too-old",
            way_out="name a newer server with --store",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ill_fitting(
            store,
            f"keeps its text as {encoding}, which has no room for every prompt",
            code="store-encoding",
            way_out="make a database with ENCODING 'UTF8' and name that with --store",
        )


def _plain(column: str, value: object) -> object:
    """The value without a zero. `data` is JSON that the server reads, and it would stumble over a zero there."""
    if not isinstance(value, str):
        return value
    if column == "data" and _ZERO_SPELLED in value:
        return _ZERO_IN_JSON.sub(rf"\1{_ZERO_SHOWN}", value)
    return value.replace(_ZERO, _ZERO_SHOWN) if _ZERO in value else value


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as one parameter."""
    if any(_ZERO in text or _ZERO_SPELLED in text for row in rows for text in row.values() if isinstance(text, str)):
        rows = [{key: _plain(key, value) for key, value in row.items()} for row in rows]
    return orjson.dumps(rows, default=_text_of_bytes).decode()


def _text_of_bytes(value: object) -> str:
    assert isinstance(value, bytes), f"{type(value).__name__} has no column"
    return base64.b64encode(value).decode()
