"""What is wrong with a user's input: collected, never raised one at a time.

A finding is the user's mistake with its place and one next step. The world's failures are exceptions
(`runner.errors`); our own are assertions. The three are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Place", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is: lines and columns count from 1, `end_column` is exclusive, columns are code points."""

    file: str
    line: int
    column: int
    end_column: int
    path: str = ""  # dotted place in the manifest, such as `jobs[0].params.duration`; empty for data files


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake, with a stable `code` (see `jobs.codes.CODES`), a message and one line of help."""

    code: str
    message: str
    place: Place | None = None
    help: str = ""
    severity: Severity = "error"
