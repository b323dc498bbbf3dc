"""Who says something: the name of an account of this machine, as it is recorded."""

from __future__ import annotations

import pwd

from jobs.record import RUNNER

__all__ = ["account_name"]

# Names that stand for somebody else in the record: the service's word, the runner's own.
_NOBODY = ("", "service", RUNNER)


def account_name(uid: int) -> str:
    """The account's name; its number where it has none, or one that would be taken for somebody else's."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's number without a name
        name = ""
    return name if name not in _NOBODY else f"user {uid}"
