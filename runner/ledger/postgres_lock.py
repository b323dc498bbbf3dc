"""One runner per account and service: a lock in the database that lives as long as its transaction.

A transaction that stays open holds it, so that it also holds through a pooler, which lends a connection for no longer
than that. It does no work and holds nothing else up. It goes with the process, with the connection and with the server;
when it is gone, `keep` takes it again. Whether somebody else was the runner in between, the lock does not say: that is
what the writer's row is for (`fenced`).
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Final

import psycopg

from runner.ledger.postgres_link import Link
from runner.ledger.store import Database

__all__ = ["AccountLock", "is_locked"]

# Nothing may end a transaction that only waits; and a machine that lost its power must be missed in half a minute, so
# that another can take over: the server asks after a silent connection then. What a server does not know is left out.
_STAYS: Final = """
SELECT set_config(wanted.name, wanted.value, true)
FROM (VALUES
    ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'), ('statement_timeout', '0'),
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4')
) AS wanted (name, value) JOIN pg_settings USING (name)
"""

_HOLDERS: Final = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::BIGINT << 32) | objid::BIGINT = %(number)s
"""


class AccountLock:
    """The lock while it is held."""

    def __init__(self, store: Database) -> None:
        self._link = Link(store)
        self._number = store.lock_number
        self._backend: int | None = None  # the server's process that held it last

    def take(self) -> bool:
        """Take it, if nobody has it. Raises psycopg's errors."""
        link = self._link
        link.drop()
        link.control("BEGIN ISOLATION LEVEL READ COMMITTED")
        link.answer(_STAYS)
        asked = "SELECT pg_try_advisory_xact_lock(%(number)s) AS taken, pg_backend_pid() AS backend"
        (answer,) = link.answer(asked, {"number": self._number})
        if not answer["taken"] and self._backend in _holders(link, self._number):
            # The server has not noticed yet that our former connection is dead.
            link.answer("SELECT pg_terminate_backend(%(backend)s)", {"backend": self._backend})
        if answer["taken"]:
            self._backend = answer["backend"]
        else:
            link.drop()
        return bool(answer["taken"])

    def is_held(self) -> bool:
        """Whether its connection is there, as far as this machine knows. A server that has gone says so first."""
        connection = self._link.held
        if connection is None or connection.closed:
            return False
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)  # nothing was asked, so whatever came is the end

    def release(self) -> None:
        with suppress(psycopg.Error):
            self._link.drop()


def is_locked(link: Link) -> bool:
    """Whether somebody is the runner of this account now."""
    return bool(_holders(link, link.store.lock_number))


def _holders(link: Link, number: int) -> list[int]:
    return [row["pid"] for row in link.answer(_HOLDERS, {"number": number})]
