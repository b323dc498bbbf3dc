"""The release, in the one place that the package's metadata and the command both read."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
