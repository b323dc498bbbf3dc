"""PostgreSQL's errors as ours: whether waiting helps, what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import psycopg
from psycopg import errors

from runner.errors import DiskFull, LedgerLost, LedgerUnusable, RunnerError, UsageError
from runner.ledger.store import Database

__all__ = [
    "OLDEST_SERVER",
    "UNREACHABLE",
    "Trouble",
    "broken",
    "helps_to_wait",
    "ill_fitting",
    "is_about_the_server",
    "is_refused_for_good",
    "lost",
    "translated",
]

Trouble = Callable[[], RunnerError]  # a fresh error for every writer that has to hear of it

UNREACHABLE: Final = "store-unreachable"
OLDEST_SERVER: Final = 14  # the oldest that its makers still mended when this was written

# Classes of codes after which the same may go well: the connection broke (08), two writers were in each other's way
# (40, 55P03), the server ran out of something (53) or ends, starts, or cut off who took too long (57, 25P03), or the
# address leads to one that only follows another just now (25006).
_PASSING: Final = ("08", "40", "53", "57", "25006", "25P03", "55P03")

# What libpq says when a connection cannot be made has no code; these words stand in it, in the server's English.
_REFUSALS: Final[tuple[tuple[str, str, str], ...]] = (
    ("no pg_hba.conf entry", "store-not-allowed", "let this machine in at the server (its pg_hba.conf says whom)"),
    (
        "password authentication failed",
        "store-password",
        "correct the password: in the address, in PGPASSWORD, or in the file that PGPASSFILE names",
    ),
    (
        "no password supplied",
        "store-password",
        "give the password: in the address, in PGPASSWORD, or in the file that PGPASSFILE names",
    ),
    ('database "', "store-no-database", "make it first, such as with `createdb`, or correct the name in --store"),
    ('role "', "store-no-user", "correct the user's name in --store"),
)


def helps_to_wait(error: psycopg.Error) -> bool:
    """Whether the same may go well a little later, on this connection or on another."""
    if error.sqlstate is None:  # no server said it
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_PASSING)


def is_about_the_server(error: psycopg.Error) -> bool:
    """Not about the statement: the whole transaction is lost."""
    return helps_to_wait(error) or isinstance(error, psycopg.OperationalError)


def is_refused_for_good(error: psycopg.Error) -> bool:
    """Whether a server that was reached will say the same again."""
    return error.sqlstate is None and any(words in str(error) for words, _, _ in _REFUSALS)


def translated(store: Database, error: psycopg.Error) -> Trouble:
    """Our error. A statement that is wrong in itself is a fault of ours and reads like one."""
    said = _words(store, error)
    if isinstance(error, errors.DiskFull):
        return partial(
            DiskFull,
            f"the database {store} has no room to grow: {said}",
            next_step="free some space at the server, then run the same command again; finished work is kept",
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return partial(
            ill_fitting,
            store,
            f"does not let this user do what a ledger needs: {said}",
            code="store-not-allowed",
            way_out="GRANT CREATE ON DATABASE ... TO this user, or name another with --store",
        )
    for words, code, way_out in _REFUSALS:
        if error.sqlstate is None and words in said:
            return partial(ill_fitting, store, f"lets nobody in like this: {said}", code=code, way_out=way_out)
    if helps_to_wait(error):
        return partial(broken, store, said)
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return partial(
            UsageError,
            f"The store {store} is no address of a database: {said}",
            code="store-address",
            next_step="write it as postgresql://USER@HOST:PORT/DATABASE",
        )
    return partial(ill_fitting, store, f"does not have the shape this release expects ({type(error).__name__}: {said})")


def broken(store: Database, said: str) -> RunnerError:
    """The server is not there, or was away for longer than a run waits."""
    return LedgerUnusable(
        f"the database {store} cannot be reached: {said}",
        code=UNREACHABLE,
        next_step="check the server and the address, then run the same command again: nothing is bought twice",
    )


def ill_fitting(
    store: Database, what: str, *, code: str = "ledger-unusable", way_out: str | None = None
) -> LedgerUnusable:
    return LedgerUnusable(
        f"the database {store} {what}",
        code=code,
        next_step=way_out or "see `rivya-batch doctor`, then run the same command again: nothing is bought twice",
    )


def lost(store: Database) -> LedgerLost:
    return LedgerLost(
        f"the ledger in {store} is no longer this process's to write: its connection was lost for a while, and another "
        "process took over"
    )


def _words(store: Database, error: psycopg.Error) -> str:
    """What the server said, on one line and without the password."""
    said = " ".join(str(error).split()) or type(error).__name__
    for password in store.passwords:
        said = said.replace(password, "***")
    return said
