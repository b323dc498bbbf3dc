"""Where a ledger is kept: a file, or a PostgreSQL database that several machines share.

A database may hold the ledgers of many accounts, each in a schema of its own, so that no statement can mix two of them.
What lies beside a ledger that is a file (the socket of a live run, a rehearsal's journal) lies for a database in the
current folder, where a file would be if nobody named one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from runner.errors import UsageError

__all__ = ["LOCAL_FOLDER", "Database", "Store", "is_database", "local_place", "masked"]

LOCAL_FOLDER: Final = Path(".rivya")

_SCHEMES: Final = ("postgresql://", "postgres://")
# Up to the last `@` of all: a password may hold any character that its owner forgot to escape.
_PASSWORD = re.compile(r"(?<=//)(?P<user>[^/?@:]*):.*(?=@)")
_SECRET_WORD = re.compile(r"(?P<name>[?&](?:ssl)?password=)[^&]*")
_SECRET_WORDS: Final = frozenset({"password", "sslpassword"})
_PLACE_WORDS: Final = frozenset({"host", "port", "dbname"})
_MASK: Final = "***"


def is_database(text: str) -> bool:
    """Whether this names a database rather than a file."""
    return text.startswith(_SCHEMES)


def masked(address: str) -> str:
    """The address as people may see it."""
    return _SECRET_WORD.sub(rf"\g<name>{_MASK}", _PASSWORD.sub(rf"\g<user>:{_MASK}", address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The ledger of one account at one service in a PostgreSQL database. Shows itself without the password."""

    address: str = field(repr=False)
    account: str
    base_url: str

    def __post_init__(self) -> None:
        shown = masked(self.address)
        try:
            _, parts = _parts(self.address)
            _ = parts.port if "," not in parts.netloc else None  # several hosts have their ports in the text
        except ValueError:
            raise UsageError(
                f"The store {shown} is no address of a database.",
                code="store-address",
                next_step="write it as postgresql://USER@HOST:PORT/DATABASE",
            ) from None

    def whose(self, account: str, base_url: str) -> Database:
        """The ledger of somebody else in the same database."""
        return replace(self, account=account, base_url=base_url)

    def __str__(self) -> str:
        return masked(self.address)

    @property
    def passwords(self) -> tuple[str, ...]:
        """What must never be shown, as the address spells it and as it is meant."""
        who, parts = _parts(self.address)
        words = (word.partition("=") for word in parts.query.split("&"))
        spelt = [who.partition(":")[2], *(value for name, _, value in words if unquote(name) in _SECRET_WORDS)]
        return tuple(dict.fromkeys(word for one in spelt for word in (one, unquote(one)) if word))

    @property
    def schema(self) -> str:
        """A name for people, and a hash that tells any two apart; PostgreSQL cuts names after 63 bytes."""
        label = re.sub(r"[^a-z0-9]+", "_", self.account.lower())[:20].strip("_")
        return f"rivya_{label}_{self._digest().hex()[:16]}"

    @property
    def lock_number(self) -> int:
        """What the one runner of the account locks: 64 bits with a sign, as PostgreSQL numbers its locks."""
        return int.from_bytes(self._digest()[:8], "big", signed=True)

    def _digest(self) -> bytes:
        return hashlib.sha256(f"{self.account}\0{self.base_url}".encode()).digest()


Store = Path | Database


def local_place(store: Store) -> Path:
    """The file that what lies beside a ledger is named after; for a database there is no such file."""
    if isinstance(store, Path):
        return store
    # Two databases that both hold this account's ledger are two ledgers, with two sockets.
    where = hashlib.sha256(_place(store.address).encode()).hexdigest()[:8]
    return LOCAL_FOLDER / f"{store.schema}-{where}"


def _place(address: str) -> str:
    """Host and database, which stay the same when a password changes."""
    _, parts = _parts(address)
    words = sorted(word for word in parse_qsl(parts.query) if word[0] in _PLACE_WORDS)
    return f"{parts.netloc}{parts.path} {words}"


def _parts(address: str) -> tuple[str, SplitResult]:
    """User with password, and the rest, as PostgreSQL's client parts them: they may hold `?`, and `#` ends nothing."""
    scheme, _, rest = address.partition("://")
    authority, slash, more = rest.partition("/")
    who, _, hosts = authority.rpartition("@")
    return who, urlsplit(f"{scheme}://{hosts}{slash}{more}", allow_fragments=False)
