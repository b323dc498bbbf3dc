"""What the command's exit codes mean. A nightly job branches on them, so they never change their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["EXITS"]

EXITS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "every item succeeded, or there was nothing to do",
        1: "a fault of ours",
        2: "usage or manifest: nothing was sent",
        3: "finished, and some items failed",
        4: "the key is missing, refused, or lacks a scope",
        5: "stopped by the budget or an empty balance",
        6: "--detailed-exitcode: there is something to spend",
        7: "an outcome is unknown and needs a person",
        8: "the service was out of reach: run again later",
        9: "the ledger is locked or damaged, or the disk is full",
        130: "interrupted and saved: run again",
        143: "told to stop, and saved: run again",
    }
)
